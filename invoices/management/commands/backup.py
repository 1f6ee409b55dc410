"""manage.py backup FILE|-: write all tables, as they are at one moment, and the stored files into one encrypted file."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from tqdm import tqdm

from billing_site.common.backups import BackupError
from billing_site.common.backups.sealing import key_from
from invoices.backup import back_up

MISSING_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Writes the whole database, as it is at one moment, and the stored files into one file, encrypted with BACKUP_KEY or "
        "the key in BACKUP_KEY_FILE. Others may write meanwhile. Exits with 1 if a stored file is missing; all else is in the "
        "backup then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE|-", help="The file to write, which must not exist; - is the standard output.")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            key = key_from(settings.BACKUP_KEY, settings.BACKUP_KEY_FILE)
            with _output(file) as target, tqdm(unit=" rows", leave=False, disable=None) as bar:

                def progress(name: str, count: int) -> None:
                    bar.set_description_str(name, refresh=False)
                    bar.update(count)

                done = back_up(target, key, progress)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError as error:
            raise CommandError("The program that reads the backup ended too early. What it has is not a backup.") from error
        except OSError as error:
            raise CommandError(f"The backup was not written: {error.filename or file}: {error.strerror}.") from error
        except Error as error:
            raise CommandError(f"The backup was not written: the database answered: {error}") from error
        self.stderr.write(f"Backed up {done.rows:,} rows of {done.tables} tables, and {done.files:,} files.")
        if done.missing:
            shown = ", ".join(done.missing[:MISSING_SHOWN])
            are = "file is" if len(done.missing) == 1 else "files are"
            raise CommandError(f"{len(done.missing):,} {are} not in the storage of documents: {shown}. All else is backed up.")


@contextmanager
def _output(name: str) -> Iterator[BinaryIO]:
    """Open what is written to. A file gets its name when it is complete; what is not complete is deleted."""
    if name == "-":
        if sys.stdout.isatty():
            raise BackupError("A backup is not text for a terminal. Name a file, or send the output to a program.")
        # Of its own, so that Python does not try to write the rest again when it ends.
        with open(os.dup(sys.stdout.fileno()), "wb") as output:
            yield output
        return
    path, part = Path(name), Path(f"{name}.part")
    if path.exists():
        raise BackupError(f"{path} exists. A backup is not overwritten: name another file.")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BackupError(
            f"{part} exists: another backup is being written, or one was stopped. Delete it if none is."
        ) from None
    try:
        with open(descriptor, "wb") as output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
