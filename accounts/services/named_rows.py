"""Find the one row that a call names: by number, by the client's own id, or by both."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from billing_site.errors import BillingError, Detail, ErrorCode

Named = Mapping[str, tuple[str, Any]]
"""By the names that a caller can send: the column and its value, None if it was not sent."""


def names_in(arguments: Mapping[str, Any], columns: Mapping[str, str]) -> Named:
    """Return the names of a row that are among the arguments. `columns` has the column of each name."""
    return {name: (column, arguments.get(name)) for name, column in columns.items()}


def row_named(rows: QuerySet[Any], named: Named, unknown: ErrorCode = ErrorCode.NO_DATA) -> Any:
    """Return the row that all these names are of, or None if none was sent. One query per name.

    Refuses a name of no row (`unknown`), and names of different rows (1016): none of them would say which one is meant.
    """
    first, found = "", None
    for field, (column, value) in named.items():
        if value is None:
            continue
        row = rows.filter(**{column: value}).first()
        if row is None:
            raise BillingError(unknown, _no_such(field, value, unknown), field=field)
        if found is not None and row != found:
            raise names_differ(field, value, first, named[first][1])
        first, found = first or field, row
    return found


def names_differ(field: str, value: Any, other_field: str, other_value: Any) -> BillingError:
    """Return the refusal (1016) of two names that are of different rows."""
    why = Detail(
        "{client_id} and {number_field} {number} are different records; give one of them",
        client_id=value,
        number_field=other_field,
        number=other_value,
    )
    return BillingError(ErrorCode.INVALID_INPUT, Detail("{field} {why}", field=field, why=why), field=field)


def _no_such(field: str, value: Any, unknown: ErrorCode) -> Detail:
    """Return what a refusal says. The message of some codes says already that there is no such row."""
    if unknown == ErrorCode.NO_DATA:
        return Detail("{field} {value} does not exist", field=field, value=value)
    return Detail("{field} {value}", field=field, value=value)
