"""What a backup has: all tables of the database, and the files of documents and logos."""

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from accounts.models import Client
from accounts.models.identities import document_storage
from billing_site.common.backups import BackupError
from billing_site.common.backups.migrations import check_same, check_up_to_date, migrations_of_program
from billing_site.common.backups.reading import BackupReader, Restored
from billing_site.common.backups.sealing import Writable
from billing_site.common.backups.tables import models_of
from billing_site.common.backups.writing import BackedUp, Progress, write_backup
from billing_site.common.guards import check_guards
from invoices.models import DocumentFile, ReasonCode

FILE_COLUMNS = ((DocumentFile, "name"), (Client, "logo"))
WRITTEN_BY_MIGRATIONS = {
    model._meta.db_table for model in (ContentType, Permission, Group, Group.permissions.through, ReasonCode)
}
"""Tables that have rows in an installation in which nobody has done anything yet."""


def back_up(target: Writable, key: bytes, progress: Progress) -> BackedUp:
    """Write a backup of the database and the files it names. Refuses a database that is not of this version."""
    return write_backup(
        target,
        key,
        connection=connection,
        tables=models_of(apps),
        migrations=check_up_to_date(connection),
        storage=document_storage(),
        file_columns=FILE_COLUMNS,
        progress=progress,
    )


def restore(backup: BackupReader) -> Restored:
    """Write the backup into an empty database and storage, all of it or nothing. A database without tables gets them before.

    Refuses a backup of another version, a place that is not empty, and tables without the guards of rows that are written once.
    """
    check_same(backup.head.migrations, migrations_of_program(connection))
    if not connection.introspection.table_names():
        call_command("migrate", verbosity=0)
    check_up_to_date(connection)
    if found := check_guards(None, databases=[connection.alias]):
        raise BackupError(f"{found[0].msg} {found[0].hint}")
    done = backup.restore(
        connection=connection,
        tables=models_of(apps),
        written_by_migrations=WRITTEN_BY_MIGRATIONS,
        storage=document_storage(),
    )
    ContentType.objects.clear_cache()
    # The planner of the database learns how many rows there are now.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return done
