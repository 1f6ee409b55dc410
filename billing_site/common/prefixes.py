"""Find rows by the beginning of a text, by an index, on SQLite and PostgreSQL alike.

The index is on the text in lower case, ordered by code point: `Index(Folded("name"), ...)`. SQLite lowers ASCII letters only.
"""

from typing import Any

from django.db.models import Func, Q, TextField, Value
from django.db.models.functions import Substr
from django.db.models.lookups import GreaterThanOrEqual, In, LessThan

LENGTH = 100
"""Characters that count. An entry of an index of PostgreSQL must not be much longer than 2,700 bytes."""

HIGHEST = "\U0010ffff"


class Folded(Func):
    """The first characters of a text in lower case."""

    function = "LOWER"
    output_field = TextField()

    def __init__(self, expression: Any, **extra: Any) -> None:
        super().__init__(Substr(expression, 1, LENGTH), **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Order by code point, whatever the database's collation. Otherwise a range would not be the texts that begin alike."""
        return self.as_sql(compiler, connection, template='(LOWER(%(expressions)s) COLLATE "C")', **context)


def begins_with(column: str, text: str) -> Q:
    """Return a condition for `filter`: the column begins with the text, in any case. An index on `Folded(column)` serves it."""
    folded = Folded(column)
    found = Q()
    for low in _folded(text):
        found |= Q(GreaterThanOrEqual(folded, Value(low)), LessThan(folded, Value(low + HIGHEST)))
    return found


def is_text(column: str, text: str) -> Q:
    """Return a condition for `filter`: the column is the text, in any case. An index on `Folded(column)` serves it."""
    return Q(In(Folded(column), [Value(low) for low in _folded(text)]))


def _folded(text: str) -> list[str]:
    """Return the text in lower case, as each database has it."""
    text = text[:LENGTH]
    return sorted({text.lower(), "".join(letter.lower() if letter.isascii() else letter for letter in text)})
