"""Backups in tests: a world with documents, what is in a place, and other databases beside the one of the tests."""

import io
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.db import connection
from django.db.utils import ConnectionHandler

from billing_site.common.backups.reading import BackupReader
from billing_site.common.backups.tables import models_of
from invoices.backup import back_up, restore
from tests.support.addresses import address_on_server

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
KEY_TEXT = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


def nothing(name, count):
    """Progress that nobody sees."""


def taken():
    """Return a backup of the database and documents of the test."""
    target = io.BytesIO()
    back_up(target, KEY, nothing)
    return target.getvalue()


def restored(backup, key=KEY):
    return restore(BackupReader(io.BytesIO(backup), key))


def rows_of_tables():
    """Return the rows of each table that a backup has."""
    return {model._meta.db_table: sorted(map(repr, model._base_manager.values_list())) for model in models_of(apps)}


def files_in(folder):
    """Return the content of each file below a folder."""
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def manage(*arguments, url, folder, **options):
    """Run a command on a database and folder of documents of its own."""
    environment = {**os.environ, "DATABASE_URL": url, "DOCUMENTS_FOLDER": str(folder), "BACKUP_KEY": KEY_TEXT}
    environment |= options.pop("environment", {})
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, stderr=subprocess.PIPE, **options)


def sqlite_copy(path):
    """Write the SQLite database of the test to a file, and return its address."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    return f"sqlite:///{path}"


def database_address(folder):
    """Return the address of the test's database for another process: of a copy, if it is in the memory of this one."""
    if connection.vendor == "sqlite":
        return sqlite_copy(folder / "copy.sqlite3")
    return address_on_server(connection.settings_dict["NAME"])


@contextmanager
def sqlite_connection(path):
    """A connection to a SQLite file, as the program makes it."""
    handler = ConnectionHandler({"default": {**connection.settings_dict, "NAME": str(path), "CONN_HEALTH_CHECKS": False}})
    other = handler["default"]
    try:
        yield other
    finally:
        other.close()
