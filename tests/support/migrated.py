"""The migrated SQLite database of an earlier run, so that not every run migrates again.

It is kept in pytest's cache under a hash of all migrations. If several runs start at once, one migrates and the others wait
for what it keeps. Roles and permissions follow from code outside the migrations, so
they are brought up to date after the database is read, as after every migration.
"""

import fcntl
import os
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import IO

import django
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def kept_database(folder: Path) -> Path:
    """Return the path for a database with today's migrations."""
    found = sha256(f"{django.get_version()} {settings.INSTALLED_APPS}".encode())
    for file in sorted(ROOT.glob("*/migrations/*.py")):
        found.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return folder / f"{found.hexdigest()}.sqlite3"


def turn_to_migrate(path: Path) -> IO[str] | None:
    """Wait until no other run migrates. Return the file to close when the database is kept, or None if it is kept already."""
    if path.exists():
        return None
    turn = path.with_name("turn").open("w")
    fcntl.flock(turn, fcntl.LOCK_EX)
    if path.exists():
        turn.close()
        return None
    return turn


def keep(path: Path) -> None:
    """Write the test database to the path, in place of those of other migrations."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    target = sqlite3.connect(unfinished)
    connection.connection.backup(target)
    target.close()
    for other in path.parent.glob("*.sqlite3"):
        other.unlink(missing_ok=True)
    unfinished.replace(path)


def read(path: Path) -> None:
    """Replace the test database by the one at the path."""
    source = sqlite3.connect(path)
    source.backup(connection.connection)
    source.close()
    ContentType.objects.clear_cache()
    emit_post_migrate_signal(verbosity=0, interactive=False, db=connection.alias)
