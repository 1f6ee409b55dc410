"""manage.py restore FILE|-: write a backup into an empty database and an empty storage of documents."""

import sys
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from tqdm import tqdm

from billing_site.common.backups import BackupError
from billing_site.common.backups.reading import BackupReader
from billing_site.common.backups.sealing import key_from
from invoices.backup import restore


class Command(BaseCommand):
    help = (
        "Restores a backup into an empty database and an empty storage of documents: all of it, or nothing. A database without "
        "tables gets them. The key is BACKUP_KEY, or in BACKUP_KEY_FILE."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE|-", help="The backup; - is the standard input.")
        parser.add_argument("--check", action="store_true", help="Read the whole backup and say what it has. Writes nothing.")

    def handle(self, *args: Any, file: str, check: bool, **options: Any) -> None:
        try:
            key = key_from(settings.BACKUP_KEY, settings.BACKUP_KEY_FILE)
            with _input(file) as source, tqdm(unit=" rows", leave=False, disable=None) as bar:

                def progress(name: str, count: int) -> None:
                    bar.set_description_str(name, refresh=False)
                    bar.update(count)

                backup = BackupReader(source, key, progress)
                done = backup.check() if check else restore(backup)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"Nothing was restored: {error.filename or file}: {error.strerror}.") from error
        except Error as error:
            raise CommandError(f"Nothing was restored: the database answered: {error}") from error
        act = "The backup is whole. It has" if check else "Restored"
        self.stdout.write(f"{act} {done.rows:,} rows of {done.tables} tables, and {done.files:,} files.")
        self.stdout.write(f"Taken at {backup.head.taken_at} from {backup.head.database}.")


def _input(name: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb")
