"""Write many rows with few statements, on PostgreSQL and SQLite. The only module that distinguishes the two."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, Error, IntegrityError, InterfaceError, OperationalError, connection, connections, models
from django.db.models.sql import UpdateQuery

from billing_site.common.exact_decimals import ExactDecimalField

FEW_ROWS = 9
"""On PostgreSQL, an INSERT of at most these rows is faster than COPY."""


class Statement(NamedTuple):
    sql: str
    parameters: Sequence[Any]


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows in one statement (COPY on PostgreSQL if there are many). Values are in the order of `fields`, which are
    attribute names.

    Django's defaults are not applied: a column that is not named gets the database's default (the primary key) or NULL.
    """
    rows = list(rows)
    if not rows:
        return
    columns = _columns(model, fields)
    is_postgresql = connection.vendor == "postgresql"
    if is_postgresql and len(rows) > FEW_ROWS:
        _copy(model, columns, rows)
        return
    names = ", ".join(map(_column_name, columns))
    places = ", ".join(["%s"] * len(columns))
    insert = f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) VALUES "
    prepared = [_prepared(columns, row) for row in rows]
    if is_postgresql:
        _write(Statement(insert + ", ".join([f"({places})"] * len(rows)), [value for row in prepared for value in row]))
        return
    with connection.cursor() as cursor:
        cursor.executemany(f"{insert}({places})", prepared)


def insert_objects(objects: Sequence[models.Model]) -> None:
    """Insert objects of one model as `insert_rows` does, with Django's defaults. Their primary keys stay unknown."""
    if objects:
        columns = [column for column in objects[0]._meta.concrete_fields if not column.primary_key]
        rows = [[column.pre_save(one, True) for column in columns] for one in objects]
        insert_rows(type(objects[0]), [column.attname for column in columns], rows)


def insert_new_rows(
    model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]], *, unique: Sequence[str]
) -> None:
    """Insert rows as `insert_rows` does, but skip those whose `unique` values exist already or are being inserted by another
    transaction.

    Rows are inserted in the order of these values, so that two transactions with the same values block each other without
    deadlock.
    """
    places = [fields.index(name) for name in unique]
    ordered = sorted(rows, key=lambda row: [row[place] for place in places])
    if not ordered:
        return
    columns = _columns(model, fields)
    names = ", ".join(map(_column_name, columns))
    keys = ", ".join(map(_column_name, _columns(model, unique)))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) VALUES ({', '.join(['%s'] * len(columns))}) "
            f"ON CONFLICT ({keys}) DO NOTHING",
            [_prepared(columns, row) for row in ordered],
        )


def _copy(model: type[models.Model], columns: "list[models.Field[Any, Any]]", rows: Sequence[Sequence[Any]]) -> None:
    json_places = [place for place, column in enumerate(columns) if isinstance(column, models.JSONField)]
    statement = f"COPY {_quoted(model._meta.db_table)} ({', '.join(map(_column_name, columns))}) FROM STDIN"
    _send_held()
    # Django translates errors of execute, but not of copy.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        if not json_places:
            for row in rows:
                copy.write_row(row)
            return
        for row in rows:
            values = list(row)
            for place in json_places:
                if values[place] is not None:
                    values[place] = columns[place].get_db_prep_value(values[place], connection)
            copy.write_row(values)


def update_rows(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Set `fields` (attribute names) of many rows, each to its own values. A row is its primary key and the values."""
    rows = list(rows)
    if not rows:
        return
    columns = _columns(model, fields)
    table = _quoted(model._meta.db_table)
    names = [_column_name(column) for column in columns]
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{kind}[]" for kind in ["bigint", *(column.db_type(connection) for column in columns)])
        sets = ", ".join(f"{name} = new.{name}" for name in names)
        sql = f"UPDATE {table} SET {sets} FROM unnest({arrays}) AS new (id, {', '.join(names)}) WHERE {table}.id = new.id"
        keys, *values = (list(column) for column in zip(*rows, strict=True))
        _write(Statement(sql, [keys, *map(_as_array, columns, values)]))
        return
    sets = ", ".join(f"{name} = %s" for name in names)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET {sets} WHERE id = %s", [[*_prepared(columns, values), key] for key, *values in rows]
        )


def update_returning(rows: models.QuerySet[Any], values: Mapping[str, Any], returning: Sequence[str]) -> tuple[Any, ...] | None:
    """Set columns of one row, and return the `returning` columns as they are after it, or None without such a row.

    One statement reads, locks and writes. The row stays locked until the end of the transaction.
    """
    query = rows.query.chain(UpdateQuery)
    assert isinstance(query, UpdateQuery)
    query.add_update_values(dict(values))
    update, parameters = query.get_compiler(connection=connection).as_sql()
    names = ", ".join(map(_column_name, _columns(rows.model, returning)))
    with connection.cursor() as cursor:
        cursor.execute(f"{update} RETURNING {names}", parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


def assign_rows(
    model: type[models.Model],
    field: str,
    *,
    equal: Sequence[str],
    at_most: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> int:
    """Set an empty field of all rows that match a key, for many keys, and return the number of rows.

    A key is the value to set, then the values that the `equal` columns must have, then the upper limits of the `at_most`
    columns.
    """
    if not rows:
        return 0
    target, *keys = _columns(model, (field, *equal, *at_most))
    signs = ["="] * len(equal) + ["<="] * len(at_most)
    table, name = _quoted(model._meta.db_table), _column_name(target)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{column.rel_db_type(connection)}[]" for column in (target, *keys))
            found = " AND ".join(
                f"{table}.{_column_name(column)} {sign} key.{_column_name(column)}"
                for column, sign in zip(keys, signs, strict=True)
            )
            names = ", ".join(map(_column_name, keys))
            cursor.execute(
                f"UPDATE {table} SET {name} = key.value FROM unnest({arrays}) AS key (value, {names}) "
                f"WHERE {table}.{name} IS NULL AND {found}",
                [list(values) for values in zip(*rows, strict=True)],
            )
        else:
            found = " AND ".join(f"{_column_name(column)} {sign} %s" for column, sign in zip(keys, signs, strict=True))
            cursor.executemany(
                f"UPDATE {table} SET {name} = %s WHERE {name} IS NULL AND {found}",
                [_prepared([target, *keys], row) for row in rows],
            )
        return int(cursor.rowcount)


class ExactSum(models.Sum):
    """A sum of decimals that is exact on SQLite too, where amounts are doubles: it adds whole ten-thousandths.

    Units and prices are text on SQLite (`exact_decimals`) and use a function of their own.
    """

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        whole = self.copy()
        if isinstance(self.output_field, ExactDecimalField):
            whole.function = "EXACT_SUM"
            return models.Sum.as_sql(whole, compiler, connection, **context)
        whole.template = "SUM(CAST(ROUND(%(expressions)s * 10000) AS INTEGER))"
        sql, parameters = models.Sum.as_sql(whole, compiler, connection, **context)
        return f"({sql} / 10000.0)", parameters


def _columns(model: type[models.Model], fields: Sequence[str]) -> "list[models.Field[Any, Any]]":
    by_attribute = {column.attname: column for column in model._meta.concrete_fields}
    return [by_attribute[name] for name in fields]


def _prepared(columns: "list[models.Field[Any, Any]]", values: Sequence[Any]) -> list[Any]:
    database = connections[DEFAULT_DB_ALIAS]  # `connection` looks itself up at each use, which is 25 times per row.
    return [
        None if value is None else column.get_db_prep_save(value, database)
        for column, value in zip(columns, values, strict=True)
    ]


def _as_array(column: "models.Field[Any, Any]", values: list[Any]) -> list[Any]:
    """Return the values of a column for an array of PostgreSQL. JSON is given as the database's own type."""
    if not isinstance(column, models.JSONField):
        return values
    return [None if value is None else column.get_db_prep_value(value, connection) for value in values]


def _column_name(column: "models.Field[Any, Any]") -> str:
    return _quoted(str(column.column))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """Reserve primary keys for rows of this transaction, so that child rows can refer to them before they are inserted."""
    if not count:
        return []
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [f'"{table}"', count]
            )
            return [key for (key,) in cursor.fetchall()]
        # The transaction holds SQLite's only write lock, so nobody else takes keys. AUTOINCREMENT never reuses one.
        cursor.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = %s", [table])
        (last,) = cursor.fetchone()
        return list(range(last + 1, last + 1 + count))


def check_references() -> None:
    """Check the references of the rows that this transaction has written so far.

    Its commit then checks only those of later rows, so what is locked from here on is locked for less time. Does nothing on
    SQLite, which has one writer: the commit checks all.
    """
    if connection.vendor == "postgresql":
        _write(Statement("SET CONSTRAINTS ALL IMMEDIATE", []))
        _write(Statement("SET CONSTRAINTS ALL DEFERRED", []))


def execute_together(statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    """Execute reads one after another, and return the rows of each. On PostgreSQL in one round trip."""
    found: list[list[tuple[Any, ...]]] = []
    if not statements:
        return found
    with connection.cursor() as cursor:
        for trip in [statements] if _takes_several() else [[one] for one in statements]:
            cursor.execute("; ".join(one.sql for one in trip), [value for one in trip for value in one.parameters])
            for place in range(len(trip)):
                if place:
                    cursor.nextset()
                found.append(cursor.fetchall())
    return found


def _takes_several() -> bool:
    """Whether several statements with parameters can be sent as one: they can if the parameters are put in by the client."""
    return connection.vendor == "postgresql" and not connection.settings_dict["OPTIONS"].get("server_side_binding")


_HELD: ContextVar[list[Statement] | None] = ContextVar("writes that are sent with the next statement", default=None)


@contextmanager
def writes_together() -> Iterator[None]:
    """Send the writes of this module together with the next statement of the block, in one round trip, on PostgreSQL.

    Their order stays, so each statement sees what was written before it. An error of a write is raised by the statement that it
    was sent with, or at the end of the block. Must be inside the transaction: what is held when the block fails is dropped.
    """
    if not _takes_several() or _HELD.get() is not None:
        yield
        return
    token = _HELD.set([])
    try:
        with connection.execute_wrapper(_with_held):
            yield
            _send_held()
    finally:
        _HELD.reset(token)


def _write(statement: Statement) -> None:
    """Execute a write, or hold it until the next statement of the block of `writes_together`."""
    held = _HELD.get()
    if held is not None:
        held.append(statement)
        return
    with connection.cursor() as cursor:
        cursor.execute(*statement)


def _with_held(execute: Callable[..., Any], sql: Any, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
    """Execute a statement together with the writes that are held."""
    held = _HELD.get()
    if not held:
        return execute(sql, parameters, many, context)
    # A cursor of the server, by which long lists are read, has a name and takes one statement.
    if many or parameters is None or not isinstance(sql, str) or hasattr(context["cursor"].cursor, "name"):
        if isinstance(sql, str) and sql.startswith("ROLLBACK"):
            held.clear()  # They were written after the savepoint: its own statement has sent those before it.
        _send_held()
        return execute(sql, parameters, many, context)
    statements = [*held, Statement(sql, list(parameters))]
    held.clear()
    result = execute(
        "; ".join(one.sql for one in statements), [value for one in statements for value in one.parameters], many, context
    )
    for _ in statements[1:]:
        context["cursor"].nextset()
    return result


def _send_held() -> None:
    """Execute the writes that are held: the last one takes the others with it."""
    held = _HELD.get()
    if held:
        last = held.pop()
        with connection.cursor() as cursor:
            cursor.execute(*last)


def insert_into_log(model: type[models.Model], fields: Sequence[str], row: Sequence[Any]) -> None:
    """Insert a row, and commit it without waiting for the disk. A crash of the database server within moments may lose it.

    Use it for logs only, never for money. One statement: on PostgreSQL, it changes the setting for itself alone.
    """
    columns = _columns(model, fields)
    names = ", ".join(map(_column_name, columns))
    places = ", ".join(["%s"] * len(columns))
    unhurried = " WHERE set_config('synchronous_commit', 'off', true) = 'off'" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) SELECT {places}{unhurried}", _prepared(columns, row)
        )


def limit_lock_wait(seconds: int) -> None:
    """Limit how long this transaction waits for a lock. On SQLite, the wait for the write lock is when a transaction begins."""
    if connection.vendor == "postgresql":
        _write(Statement("SELECT set_config('lock_timeout', %s, true)", [f"{seconds}s"]))


LACKING = {"42P01", "42703"}
"""A table or a column does not exist."""


def is_lacking_tables(error: Error) -> bool:
    """Whether the database lacks a table or a column: the migrations of this release have not run."""
    return _error_code(error) in LACKING or str(error).startswith(("no such table", "no such column"))


def is_lock_failure(error: Error) -> bool:
    """Whether the database gave up because of another transaction (lock timeout, deadlock), not because of an error."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate in {"55P03", "40P01"} or "database is locked" in str(error)


def is_too_slow(error: Error) -> bool:
    """Whether the database stopped a statement because it took too long (STATEMENT_TIMEOUT)."""
    return _error_code(error) == "57014"


NOT_WRITABLE = {"25006", "53100", "SQLITE_FULL"}
"""Read-only server or transaction; full disk."""
AWAY = {"57P01", "57P02", "57P03", "53300", "SQLITE_READONLY_DBMOVED"}
"""The server is shutting down, starting, or out of connections; the file was moved."""
AWAY_CLASSES = ("08", "SQLITE_CANTOPEN", "SQLITE_IOERR")


def is_away(error: Error) -> bool:
    """Whether the database cannot be reached: no connection, or it was lost."""
    code = _error_code(error)
    if not code:
        # PostgreSQL's library sets a code only for errors that the server sent.
        return connection.vendor == "postgresql" and isinstance(error, (OperationalError, InterfaceError))
    return code in AWAY or code.startswith(AWAY_CLASSES)


def is_not_writable(error: Error) -> bool:
    """Whether the database refuses all writes: it is read-only, or its disk is full."""
    code = _error_code(error)
    return code in NOT_WRITABLE or (code.startswith("SQLITE_READONLY") and code not in AWAY)


def _error_code(error: Error) -> str:
    """Return PostgreSQL's SQLSTATE or SQLite's error name, "" if there is none."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the constraint that refused a row, or "" if it is not known.

    PostgreSQL reports it. SQLite reports only the columns of a unique key, from which the constraint is found. Call it after
    the transaction was rolled back.
    """
    if (diagnostics := getattr(error.__cause__, "diag", None)) is not None:
        return diagnostics.constraint_name or ""
    message = str(error)
    if named := re.fullmatch(r"(?:CHECK constraint failed: |UNIQUE constraint failed: index ')(\w+)'?", message):
        return named[1]
    columns = re.findall(r"(\w+)\.(\w+)", message.removeprefix("UNIQUE constraint failed: "))
    if not message.startswith("UNIQUE") or not columns:
        return ""
    table = columns[0][0]
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    names = [name for _, name in columns]
    return next((name for name, found in constraints.items() if found["unique"] and found["columns"] == names), "")
