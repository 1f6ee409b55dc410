"""Databases of earlier releases, as backups in tests/releases: made once from a database of that release, and loaded into the
tables of that release, or of today.

    python -m tests.support.old_release make FILE        writes a backup of the database that DATABASE_URL names
    python -m tests.support.old_release upgrade FILE     loads it into an empty database, migrates and audits: prints JSON
    python -m tests.support.old_release run-old FILE     the same, but migrates before it loads
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
KEY = b"k" * 32


def leaves(applied):
    """Return the last migration of each app among those that are applied."""
    last = {}
    for app, name in sorted(applied):
        last[app] = name
    return list(last.items())


def models_at(connection, nodes):
    """Return the models as they were at these migrations."""
    from django.db.migrations.loader import MigrationLoader

    from billing_site.common.backups.tables import models_of

    return models_of(MigrationLoader(connection).project_state(nodes).apps)


def make(path):
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from accounts.models.identities import document_storage
    from billing_site.common.backups.writing import write_backup

    loader = MigrationLoader(connection)
    applied = [node for node in loader.applied_migrations if node in loader.graph.nodes]
    models = models_at(connection, leaves(applied))
    columns = [(model, column) for model, column in all_file_columns(models)]
    names = [f"{app}.{name}" for app, name in applied]
    with open(path, "wb") as file:
        done = write_backup(
            file,
            KEY,
            connection=connection,
            tables=models,
            migrations=names,
            storage=document_storage(),
            file_columns=columns,
        )
    print(done)


def all_file_columns(models):
    wanted = {"invoices_documentfile": "name", "accounts_client": "logo"}
    return [(model, wanted[model._meta.db_table]) for model in models if model._meta.db_table in wanted]


def load(path, *, into_tables_of_today):
    """Write the rows of a release into an empty database: into its tables of then, or into those of today, naming the columns
    of then, as the code of then would. Then migrate, so that the rest is done."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from accounts.models.identities import document_storage
    from billing_site.common.backups.reading import BackupReader

    with open(path, "rb") as file:
        backup = BackupReader(file, KEY)
        nodes = leaves(tuple(name.split(".", 1)) for name in backup.head.migrations)
        if into_tables_of_today:
            call_command("migrate", verbosity=0)
        else:
            MigrationExecutor(connection).migrate(nodes)
        models = models_at(connection, nodes)
        backup.restore(
            connection=connection,
            tables=models,
            written_by_migrations={model._meta.db_table for model in models},
            storage=document_storage(),
        )
    call_command("migrate", verbosity=0)


def report():
    """Return what the books say: of each kind of document its number and total, of each kind of entry its sum."""
    from django.db.models import Count, F

    from billing_site.common.guards import check_guards
    from billing_site.common.storage import ExactSum
    from invoices.audit import run_audits
    from invoices.models import Invoice, LedgerEntry

    documents = Invoice.objects.values("kind", "status").annotate(number=Count("pk"), total=ExactSum(F("total_amount")))
    entries = LedgerEntry.objects.values("kind").annotate(number=Count("pk"), total=ExactSum(F("amount")))
    return {
        "documents": {f"{one['kind']} {one['status']}": [one["number"], f"{one['total']:.2f}"] for one in documents},
        "entries": {one["kind"]: [one["number"], f"{one['total']:.2f}"] for one in entries},
        "findings": [str(finding) for audit in run_audits() for finding in audit.findings],
        "guards": [message.msg for message in check_guards(None, databases=["default"])],
    }


def main(act, path):
    django.setup()
    if act == "make":
        make(path)
        return
    load(path, into_tables_of_today=act == "run-old")
    print(json.dumps(report()))


if __name__ == "__main__":
    main(*sys.argv[1:])
