"""Rows of a table as lines of PostgreSQL's COPY, read from and written to either database.

PostgreSQL does so itself, at its own speed. For SQLite the values are written as PostgreSQL would write them, and read so, by
the types of the columns.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from django.apps.registry import Apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.dateparse import parse_duration

from billing_site.common.backups import BackupError
from billing_site.common.exact_decimals import ExactDecimalField, number_of, sortable_text

Column: TypeAlias = "models.Field[Any, Any]"
ROWS_AT_ONCE = 1_000
LEFT_OUT = {"django_session", "accounts_staffsession"}
"""Whoever is signed in signs in again after a restore: a session that was ended must not come back."""
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_WHOLE_NUMBERS = ("AutoField", "IntegerField")
_TEXTS = {"CharField", "TextField", "FileField", "GenericIPAddressField", "JSONField", "DateField"}


def models_of(apps: Apps) -> list[type[models.Model]]:
    """Return a model for each table that is backed up, those of links between tables too, by the names of the tables."""
    found = {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.db_table not in LEFT_OUT
    }
    return [found[name] for name in sorted(found)]


def columns_of(model: type[models.Model]) -> list[Column]:
    return list(model._meta.local_concrete_fields)


def column_names(columns: Iterable[Column]) -> list[str]:
    return [str(column.column) for column in columns]


def read_rows(connection: BaseDatabaseWrapper, model: type[models.Model]) -> Iterator[bytes]:
    """Yield the rows of a table as lines, in no certain order. Needs memory for a thousand rows."""
    columns = columns_of(model)
    if connection.vendor == "postgresql":
        yield from _copied(connection, model, columns)
        return
    texts = [_text_writer(column, connection) for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_names(connection, columns)} FROM {_quoted(connection, model)}")
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            for row in rows:
                values = [r"\N" if value is None else text(value) for text, value in zip(texts, row, strict=True)]
                yield ("\t".join(values) + "\n").encode()


def _copied(connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[Column]) -> Iterator[bytes]:
    statement = f"COPY {_quoted(connection, model)} ({_names(connection, columns)}) TO STDOUT"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in copy:
            yield bytes(row)


def write_rows(
    connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[Column], blocks: Iterable[bytes]
) -> int:
    """Insert rows that `read_rows` has read, and return their number. A block has whole lines."""
    names = _names(connection, columns)
    count = 0
    if connection.vendor == "postgresql":
        statement = f"COPY {_quoted(connection, model)} ({names}) FROM STDIN"
        with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)
                count += block.count(b"\n")
        return count
    values = [_value_reader(column, connection) for column in columns]
    insert = f"INSERT INTO {_quoted(connection, model)} ({names}) VALUES ({', '.join(['%s'] * len(columns))})"
    with connection.cursor() as cursor:
        for block in blocks:
            rows = [_row(line, values) for line in block.decode().split("\n")[:-1]]
            cursor.executemany(insert, rows)
            count += len(rows)
    return count


def _row(line: str, values: Sequence[Callable[[str], Any]]) -> list[Any]:
    texts = line.split("\t")
    if "\\" not in line:
        return [value(text) for value, text in zip(values, texts, strict=True)]
    return [None if text == r"\N" else value(_unescaped(text)) for value, text in zip(values, texts, strict=True)]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), text) if "\\" in text else text


def last_number(connection: BaseDatabaseWrapper, model: type[models.Model]) -> int | None:
    """Return the highest number that the database has given to a row of the table. None: it has given none."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = _sequence(cursor, model)
            if sequence is None:
                return None
            cursor.execute(f"SELECT CASE WHEN is_called THEN last_value END FROM {sequence}")
        else:
            cursor.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
        number: int | None = cursor.fetchone()[0]
        return number


def set_last_number(connection: BaseDatabaseWrapper, model: type[models.Model], number: int | None) -> None:
    """Have the database give the next row of the table a number above this one."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = _sequence(cursor, model)
            if sequence is not None:
                cursor.execute("SELECT setval(%s, %s, %s)", [sequence, number or 1, number is not None])
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            if number is not None:
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, number])


def _sequence(cursor: Any, model: type[models.Model]) -> str | None:
    """Return the sequence of PostgreSQL that numbers the rows of the table."""
    (key,) = column_names([model._meta.pk])
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [f'"{model._meta.db_table}"', key])
    sequence: str | None = cursor.fetchone()[0]
    return sequence


def has_rows(connection: BaseDatabaseWrapper, model: type[models.Model]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {_quoted(connection, model)} LIMIT 1")
        return cursor.fetchone() is not None


def delete_rows(connection: BaseDatabaseWrapper, model: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_quoted(connection, model)}")


def _text_writer(column: Column, connection: BaseDatabaseWrapper) -> Callable[[Any], str]:
    """Return what writes a value of SQLite as PostgreSQL would."""
    kind = _kind(column)
    if kind in _TEXTS:
        return lambda value: str(value).translate(_ESCAPES)
    if kind.endswith(_WHOLE_NUMBERS):
        return str
    if kind == "BooleanField":
        return lambda value: "t" if value else "f"
    if kind == "DateTimeField":
        return lambda value: f"{value.isoformat(' ')}+00"
    if kind == "ExactDecimalField":
        return lambda value: f"{number_of(value):f}"
    if kind == "DurationField":
        return lambda value: f"{value} microseconds"
    if kind == "BinaryField":
        return lambda value: rf"\\x{bytes(value).hex()}"
    if kind == "DecimalField":
        operations: Any = connection.ops
        expression = _target(column).get_col("any table")
        decimal = operations.get_decimalfield_converter(expression)
        return lambda value: f"{decimal(value, expression, connection):f}"
    raise BackupError(f"Columns of the type {kind} cannot be backed up: {column}.")


def _value_reader(column: Column, connection: BaseDatabaseWrapper) -> Callable[[str], Any]:
    """Return what reads a text of PostgreSQL as SQLite keeps it."""
    kind = _kind(column)
    if kind in _TEXTS:
        return str
    if kind.endswith(_WHOLE_NUMBERS):
        return int
    if kind == "BooleanField":
        return lambda text: text == "t"
    if kind == "DateTimeField":
        return _stored_time
    if kind == "ExactDecimalField":
        return lambda text: sortable_text(Decimal(text))
    if kind == "DurationField":
        return _microseconds
    if kind == "BinaryField":
        return lambda text: bytes.fromhex(text.removeprefix(r"\x"))
    if kind == "DecimalField":
        decimal: Any = _target(column)
        return lambda text: connection.ops.adapt_decimalfield_value(Decimal(text), decimal.max_digits, decimal.decimal_places)
    raise BackupError(f"Columns of the type {kind} cannot be restored: {column}.")


def _stored_time(text: str) -> str:
    time = text.removesuffix("+00")
    return time.ljust(26, "0") if "." in time else time


def _microseconds(text: str) -> int:
    if text.endswith(" microseconds"):
        return int(text.split()[0])
    duration = parse_duration(text)
    if duration is None:
        raise BackupError(f"{text} is not a duration.")
    return duration // timedelta(microseconds=1)


def _target(column: Column) -> Column:
    """Return the column whose values a foreign key has."""
    found: Any = column
    while found.remote_field:
        found = found.target_field
    target: Column = found
    return target


def _kind(column: Column) -> str:
    target = _target(column)
    return "ExactDecimalField" if isinstance(target, ExactDecimalField) else target.get_internal_type()


def _names(connection: BaseDatabaseWrapper, columns: Iterable[Column]) -> str:
    return ", ".join(connection.ops.quote_name(name) for name in column_names(columns))


def _quoted(connection: BaseDatabaseWrapper, model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
