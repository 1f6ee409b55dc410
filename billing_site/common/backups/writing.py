"""Take a backup: the rows of all tables as they were at one moment, and the files that they name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.core.files.storage import Storage
from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from billing_site.common.backups.blocks import BYTES, DONE, END, FILE, FULL, HEAD, TABLE, BlockWriter
from billing_site.common.backups.sealing import SealedWriter, Writable
from billing_site.common.backups.tables import column_names, columns_of, last_number, read_rows

NAMES_AT_ONCE = 1_000
Progress = Callable[[str, int], object]
"""Is told a name and how many of its rows, or files, were done since it was last told."""


@dataclass
class BackedUp:
    """What a backup has. `missing` are files that the database names and the storage does not have."""

    tables: int = 0
    rows: int = 0
    files: int = 0
    missing: list[str] = field(default_factory=list)


FileColumn = tuple[type[models.Model], str]
"""A model, and its column that names a file."""


def write_backup(
    target: Writable,
    key: bytes,
    *,
    connection: BaseDatabaseWrapper,
    tables: Sequence[type[models.Model]],
    migrations: Iterable[str],
    storage: Storage,
    file_columns: Sequence[FileColumn],
    progress: Progress = lambda name, count: None,
) -> BackedUp:
    """Write a backup of the tables and the files that they name, and return what it has. Must not be called in a transaction.

    Reads in one transaction that sees one moment and stops nobody from writing. Needs memory for some megabytes.
    """
    done = BackedUp()
    blocks = BlockWriter(SealedWriter(target, key))
    with _one_moment(connection):
        taken_at = datetime.now(UTC).isoformat(timespec="seconds")
        blocks.say(HEAD, taken_at=taken_at, database=connection.vendor, migrations=sorted(migrations))
        for model in tables:
            table, rows = model._meta.db_table, 0
            blocks.say(TABLE, name=table, columns=column_names(columns_of(model)))
            for count in blocks.rows(read_rows(connection, model)):
                rows += count
                progress(table, count)
            blocks.say(DONE, rows=rows, last_number=last_number(connection, model))
            done.tables += 1
            done.rows += rows
        for name in _file_names(connection, file_columns):
            if _write_file(blocks, storage, name):
                done.files += 1
                progress("files", 1)
            else:
                done.missing.append(name)
    blocks.say(END, tables=done.tables, rows=done.rows, files=done.files)
    blocks.finish()
    return done


def _write_file(blocks: BlockWriter, storage: Storage, name: str) -> bool:
    """Write a file, and return whether it is there. What is there and cannot be read ends the backup."""
    try:
        file = storage.open(name, "rb")
    except FileNotFoundError:
        return False
    with file:
        blocks.say(FILE, name=name)
        for data in file.chunks(FULL):
            blocks.write(BYTES, data)
        blocks.say(DONE)
    return True


def _file_names(connection: BaseDatabaseWrapper, file_columns: Sequence[FileColumn]) -> Iterator[str]:
    """Yield the names of files, each once, in their order: a thousand at a time."""
    quote = connection.ops.quote_name
    columns = [(quote(model._meta.db_table), quote(column)) for model, column in file_columns]
    parts = [f"SELECT {column} AS name FROM {table} WHERE {column} > %s" for table, column in columns]
    query = f"{' UNION '.join(parts)} ORDER BY name LIMIT {NAMES_AT_ONCE}"
    last = ""
    with connection.cursor() as cursor:
        while True:
            cursor.execute(query, [last] * len(columns))
            names = [name for (name,) in cursor.fetchall()]
            yield from names
            if len(names) < NAMES_AT_ONCE:
                return
            last = names[-1]


@contextmanager
def _one_moment(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Have all reads of the block see the database as it is at their first one, and block nobody."""
    if connection.vendor == "postgresql":
        with transaction.atomic(connection.alias, durable=True), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL TIME ZONE 'UTC'; SET LOCAL DateStyle = ISO; "
                "SET LOCAL IntervalStyle = postgres"
            )
            yield
        return
    with connection.cursor() as cursor:
        # Not `atomic`: it would take the write lock, and nobody could write meanwhile.
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
