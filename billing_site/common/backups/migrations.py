"""Which migrations a database has, compared with those of the program and of a backup."""

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from billing_site.common.backups import BackupError

NAMED = 8


def migrations_of_program(connection: BaseDatabaseWrapper) -> set[str]:
    return _names(MigrationLoader(connection).graph.nodes)


def check_up_to_date(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the migrations of the database. Refuses a database with others than the program's, and names them."""
    loader = MigrationLoader(connection)
    ours, applied = set(loader.graph.nodes), set(loader.applied_migrations)
    if lacking := ours - applied:
        raise BackupError(
            f"The database lacks migrations of this version: {named(_names(lacking))}. Run manage.py migrate first."
        )
    # Those that were joined into one are known to the program, although they are no longer in its graph.
    known = set(loader.disk_migrations) | {one for joined in loader.replacements.values() for one in joined.replaces}
    apps = {app for app, _ in ours}
    if newer := {one for one in applied - known - ours if one[0] in apps}:
        raise BackupError(
            f"The database has migrations that this version does not have: {named(_names(newer))}. "
            "Use the version that has them."
        )
    return _names(ours)


def check_same(of_backup: set[str], ours: set[str]) -> None:
    """Refuse a backup that was taken by a version with other migrations, and name them."""
    if newer := of_backup - ours:
        raise BackupError(
            f"The backup has migrations that this version does not have: {named(newer)}. "
            "Restore it with the version that took it."
        )
    if lacking := ours - of_backup:
        raise BackupError(
            f"The backup lacks migrations of this version: {named(lacking)}. Restore it with the version that took it, then "
            "upgrade."
        )


def named(migrations: Iterable[str]) -> str:
    ordered = sorted(migrations)
    rest = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return ", ".join(ordered[:NAMED]) + rest


def _names(nodes: Iterable[tuple[str, str]]) -> set[str]:
    return {f"{app}.{name}" for app, name in nodes}
