"""How many rows are written with few statements, on PostgreSQL and on SQLite. The only module that knows the difference."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import OperationalError, connection, models

ROWS_AT_ONCE = 2000


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows whose values stand in the order of `fields` (attribute names): COPY on PostgreSQL, bulk_create elsewhere."""
    rows = list(rows)
    if not rows:
        return
    if connection.vendor == "postgresql":
        _copy(model, fields, rows)
    else:
        model._default_manager.bulk_create(
            (model(**dict(zip(fields, row, strict=True))) for row in rows), batch_size=ROWS_AT_ONCE
        )


def _copy(model: type[models.Model], fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    by_attribute = {column.attname: column for column in model._meta.concrete_fields}
    columns = [by_attribute[name] for name in fields]
    json_places = [place for place, column in enumerate(columns) if isinstance(column, models.JSONField)]
    names = ", ".join(connection.ops.quote_name(column.column) for column in columns)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        write = copy.write_row
        if not json_places:
            for row in rows:
                write(row)
            return
        for row in rows:
            values = list(row)
            for place in json_places:
                values[place] = columns[place].get_db_prep_value(values[place], connection)
            write(values)


def update_rows(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Sets `fields` of many rows, each to its own values: every row is (primary key, value of each field)."""
    rows = list(rows)
    if not rows:
        return
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = [model._meta.get_field(name) for name in fields]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            types = ["bigint", *(column.db_type(connection) for column in columns)]
            arrays = ", ".join(f"%s::{kind}[]" for kind in types)
            names = ", ".join(["id", *(quote(column.column) for column in columns)])
            sets = ", ".join(f"{quote(column.column)} = new.{quote(column.column)}" for column in columns)
            cursor.execute(
                f"UPDATE {table} SET {sets} FROM unnest({arrays}) AS new ({names}) WHERE {table}.id = new.id",
                [list(values) for values in zip(*rows, strict=True)],
            )
        else:
            sets = ", ".join(f"{quote(column.column)} = %s" for column in columns)
            prepared = (
                [*(column.get_db_prep_save(value, connection) for column, value in zip(columns, values, strict=True)), key]
                for key, *values in rows
            )
            cursor.executemany(f"UPDATE {table} SET {sets} WHERE id = %s", list(prepared))


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """Primary keys for rows that will be written in this transaction, so that their children can name them."""
    if not count:
        return []
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [f'"{table}"', count]
            )
            return [key for (key,) in cursor.fetchall()]
        # The transaction holds SQLite's one write lock, so nobody else takes keys; AUTOINCREMENT never gives one twice.
        cursor.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = %s", [table])
        (last,) = cursor.fetchone()
        return list(range(last + 1, last + 1 + count))


def limit_lock_wait(seconds: int) -> None:
    """Makes this transaction give up on a lock after so long. SQLite waits for its write lock when a transaction begins."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds}s"])


def is_lock_failure(error: OperationalError) -> bool:
    """Whether the database gave up because another transaction is in the way (lock wait, deadlock), not for a fault."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate in {"55P03", "40P01"} or "database is locked" in str(error)
