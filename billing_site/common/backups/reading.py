"""Restore a backup into an empty place: all of it, or nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

from django.core.files import File
from django.core.files.storage import Storage
from django.db import Error, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from billing_site.common.backups import BackupError
from billing_site.common.backups.blocks import BYTES, DONE, END, FILE, FULL, HEAD, ROWS, TABLE, Block, BlockReader
from billing_site.common.backups.sealing import Readable, opened
from billing_site.common.backups.tables import Column, columns_of, delete_rows, has_rows, set_last_number, write_rows

Progress = Callable[[str, int], object]


class Head(NamedTuple):
    taken_at: str
    database: str
    migrations: set[str]


@dataclass
class Restored:
    tables: int = 0
    rows: int = 0
    files: int = 0


class BackupReader:
    """A backup whose beginning was read. Each backup is read once, with `restore` or `check`."""

    def __init__(self, source: Readable, key: bytes, progress: Progress = lambda name, count: None) -> None:
        self._blocks = BlockReader(opened(source, key))
        self._progress = progress
        said = self._blocks.expect(HEAD).says
        self.head = Head(said["taken_at"], said["database"], set(said["migrations"]))

    def check(self) -> Restored:
        """Read the whole backup, write nothing, and return what it has."""
        done = Restored()
        while (block := self._blocks.next()).kind != END:
            done.tables += block.kind == TABLE
            done.files += block.kind == FILE
            if block.kind == ROWS:
                count = block.data.count(b"\n")
                done.rows += count
                self._progress("rows", count)
        self._end(block, done)
        return done

    def restore(
        self,
        *,
        connection: BaseDatabaseWrapper,
        tables: Sequence[type[models.Model]],
        written_by_migrations: set[str],
        storage: Storage,
    ) -> Restored:
        """Write all rows and files, and return what was written. Tables in `written_by_migrations` are emptied before.

        Refuses a place that has other rows or files. After a refusal or failure nothing of the backup is left.
        """
        by_name = {model._meta.db_table: model for model in tables}
        done = Restored()
        with _files_taken_back(storage) as written, transaction.atomic(connection.alias, durable=True):
            _keep_others_out(connection, tables)
            check_empty(connection, tables, written_by_migrations, storage)
            for model in tables:
                delete_rows(connection, model)
            while (block := self._blocks.next()).kind != END:
                if block.kind == TABLE:
                    done.rows += self._restore_table(connection, by_name, block)
                    done.tables += 1
                else:
                    written.append(self._restore_file(storage, block))
                    done.files += 1
            self._end(block, done)
            if done.tables != len(by_name):
                raise BackupError(f"The backup has {done.tables} tables, and the database {len(by_name)}.")
        return done

    def _restore_table(self, connection: BaseDatabaseWrapper, by_name: dict[str, type[models.Model]], block: Block) -> int:
        name = block.says["name"]
        if name not in by_name:
            raise BackupError(f"The backup has a table that the database does not have: {name}.")
        model = by_name[name]
        columns = _in_order(model, block.says["columns"])
        ends: list[Block] = []
        try:
            count = write_rows(connection, model, columns, self._parts(name, ROWS, ends))
        except Error as error:
            raise BackupError(f"The rows of {name} cannot be restored: {error}") from error
        said = ends[0].says
        if said["rows"] != count:
            raise BackupError(f"The backup says that {name} has {said['rows']:,} rows, and it has {count:,}.")
        set_last_number(connection, model, said["last_number"])
        return count

    def _restore_file(self, storage: Storage, block: Block) -> str:
        if block.kind != FILE:
            raise BackupError(f"The backup has a block {chr(block.kind)} where a table or file belongs.")
        name: str = block.says["name"]
        with SpooledTemporaryFile(max_size=32 * FULL) as content:
            for data in self._parts("files", BYTES, []):
                content.write(data)
            content.seek(0)
            stored = storage.save(name, File(content, name))
        if stored != name:
            storage.delete(stored)
            raise BackupError(f"The storage of documents has a file {name} already.")
        return name

    def _parts(self, name: str, kind: int, ends: list[Block]) -> Iterator[bytes]:
        """Yield the data of blocks of a kind, and put the block that ends them into `ends`."""
        while (block := self._blocks.next()).kind == kind:
            self._progress(name, block.data.count(b"\n") if kind == ROWS else 0)
            yield block.data
        if block.kind != DONE:
            raise BackupError(f"The backup has a block {chr(block.kind)} in the middle of {name}.")
        ends.append(block)
        if kind == BYTES:
            self._progress(name, 1)

    def _end(self, block: Block, done: Restored) -> None:
        self._blocks.read_to_the_end()
        said = block.says
        if (said["tables"], said["rows"], said["files"]) != (done.tables, done.rows, done.files):
            raise BackupError(f"The backup says that it has {said}, and it has {done}.")


def _in_order(model: type[models.Model], names: Sequence[str]) -> list[Column]:
    columns: dict[Any, Column] = {column.column: column for column in columns_of(model)}
    if set(names) != set(columns):
        differing = ", ".join(sorted(set(names) ^ set(columns)))
        raise BackupError(f"The columns of {model._meta.db_table} differ between the backup and the database: {differing}.")
    return [columns[name] for name in names]


def check_empty(
    connection: BaseDatabaseWrapper, tables: Sequence[type[models.Model]], written_by_migrations: set[str], storage: Storage
) -> None:
    """Refuse a place in which something would be lost or mixed up."""
    filled = [model._meta.db_table for model in tables if has_rows(connection, model)]
    if others := [name for name in filled if name not in written_by_migrations]:
        raise BackupError(
            f"The database is not empty: {', '.join(others[:5])}{' and others' if len(others) > 5 else ''} "
            f"{'has' if len(others) == 1 else 'have'} rows. Restore into a new database."
        )
    if name := _a_file(storage):
        raise BackupError(f"The storage of documents is not empty: it has {name}. Restore into an empty folder or bucket.")


def _a_file(storage: Storage, path: str = "") -> str | None:
    """Return the name of a file in the storage, or None if it has none."""
    try:
        folders, files = storage.listdir(path)
    except FileNotFoundError:
        return None
    if files:
        return f"{path}{files[0]}"
    return next((name for folder in folders if (name := _a_file(storage, f"{path}{folder}/"))), None)


def _keep_others_out(connection: BaseDatabaseWrapper, tables: Sequence[type[models.Model]]) -> None:
    """Have nobody else write until the end of the transaction. On SQLite it has the write lock from its beginning."""
    if connection.vendor == "postgresql":
        names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in tables)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL TIME ZONE 'UTC'; SET LOCAL DateStyle = ISO")
            cursor.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


@contextmanager
def _files_taken_back(storage: Storage) -> Iterator[list[str]]:
    """Delete the files that the block has put into the list if it fails."""
    written: list[str] = []
    try:
        yield written
    except BaseException:
        for name in written:
            storage.delete(name)
        raise
