"""Migrations only add, so that the code of the release before runs on the tables of this one, and its data become today's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from tests.support.addresses import address_on_server
from tests.support.old_release import leaves

ROOT = Path(__file__).resolve().parent.parent
OURS = ("accounts", "invoices", "rebills")
RELEASE = ROOT / "tests/releases/joined-migrations.backup"
FIRST = {("accounts", "0001_tables"), ("invoices", "0001_tables"), ("rebills", "0001_tables")}
CONTRACTS: dict[str, str] = {}
"""Operations that take away what an earlier release used, and the release that was the last to use it. The name of an operation
is `app.migration: what it does`, as the test prints it."""
ALLOWED = (
    migrations.CreateModel,
    migrations.AddField,
    migrations.AlterField,
    migrations.AddIndex,
    migrations.RemoveIndex,
    migrations.RenameIndex,
    migrations.AddConstraint,
    migrations.RemoveConstraint,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RunPython,
    migrations.SeparateDatabaseAndState,
)
WIDER = {
    ("PositiveSmallIntegerField", "PositiveIntegerField"),
    ("PositiveIntegerField", "PositiveBigIntegerField"),
    ("IntegerField", "BigIntegerField"),
    ("CharField", "TextField"),
}
SIZES = ("max_length", "max_digits", "decimal_places")


@pytest.fixture(scope="module")
def loader():
    return MigrationLoader(None, ignore_no_migrations=True)


def later_migrations(loader):
    """Return our migrations after those that made the tables, in their order."""
    return [
        loader.graph.nodes[node]
        for node in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True)
        if node[0] in OURS and node not in FIRST
    ]


def named(migration, operation):
    return f"{migration.app_label}.{migration.name}: {operation.describe()}"


def narrowed(old, new):
    """Return why a column no longer takes what the code of before writes, or nothing if it does."""
    kinds = (old.get_internal_type(), new.get_internal_type())
    if kinds[0] != kinds[1] and kinds not in WIDER:
        return f"{kinds[0]} became {kinds[1]}"
    if old.null and not new.null:
        return "may no longer be empty"
    if new.unique and not old.unique:
        return "became unique"
    for name in SIZES:
        before, after = getattr(old, name, None), getattr(new, name, None)
        if before is not None and after is not None and after < before:
            return f"{name} went from {before} to {after}"
    return ""


def breaks(loader):
    """Return what later migrations take away from the code of before, by the names of the operations."""
    found = {}
    for migration in later_migrations(loader):
        state = loader.project_state((migration.app_label, migration.name), at_end=False)
        for operation in migration.operations:
            if not isinstance(operation, ALLOWED):
                found[named(migration, operation)] = "takes away or renames"
            elif isinstance(operation, migrations.AlterField):
                old = state.models[migration.app_label, operation.model_name_lower].fields[operation.name]
                if reason := narrowed(old, operation.field):
                    found[named(migration, operation)] = reason
            operation.state_forwards(migration.app_label, state)
    return found


def test_no_migration_takes_away_what_the_release_before_uses(loader):
    assert {name: why for name, why in breaks(loader).items() if name not in CONTRACTS} == {}


def test_contracts_that_are_listed_exist(loader):
    assert set(CONTRACTS) <= set(breaks(loader))


def test_columns_that_were_added_need_no_value(loader):
    """Code of before does not name them in an INSERT: each may be empty, or has a default in the database."""
    before, today = loader.project_state(list(FIRST)), loader.project_state()
    lacking = [
        f"{app}.{model}.{name}"
        for (app, model), state in today.models.items()
        if app in OURS and (app, model) in before.models
        for name, field in state.fields.items()
        if name not in before.models[app, model].fields
        and not field.many_to_many
        and not field.null
        and not field.has_db_default()
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (models.CharField(max_length=10), models.CharField(max_length=9), "max_length went from 10 to 9"),
        (models.CharField(max_length=10), models.TextField(), ""),
        (models.CharField(max_length=10), models.IntegerField(), "CharField became IntegerField"),
        (models.IntegerField(null=True), models.IntegerField(), "may no longer be empty"),
        (models.IntegerField(), models.IntegerField(unique=True), "became unique"),
        (models.IntegerField(), models.BigIntegerField(null=True), ""),
    ],
)
def test_what_counts_as_narrower(old, new, why):
    assert narrowed(old, new) == why


def test_the_last_migrations_of_each_app():
    applied = [("a", "0002_y"), ("a", "0001_x"), ("b", "0001_z")]
    assert leaves(applied) == [("a", "0002_y"), ("b", "0001_z")]


@pytest.fixture
def empty_database(tmp_path, django_db_blocker):
    """Return the address of a database without tables, on the server of the tests."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'release.sqlite3'}"
        return
    name = f"release_{os.getpid()}"
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield address_on_server(name)
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


BOOKS = {
    "documents": {
        "credit_memo approved": [2, "-127.84"],
        "rebill approved": [1, "71.21"],
        "recurring approved": [82, "6005.78"],
    },
    "entries": {
        "credit_memo": [2, "-127.84"],
        "electronic_payment": [4, "-473.44"],
        "electronic_refund": [2, "56.63"],
        "invoice": [83, "6076.99"],
    },
    "findings": [],
    "guards": [],
}
"""What the release's own commands said of the demonstration with its first 79 customers."""


@pytest.mark.parametrize("act", ["upgrade", "run-old"])
def test_data_of_an_earlier_release(act, empty_database, tmp_path):
    """`upgrade`: they are migrated. `run-old`: the rows are inserted into today's tables as the code of then would, which names
    the columns of then only. Either way the books are the same, and every audit is clean."""
    environment = {**os.environ, "DATABASE_URL": empty_database, "DOCUMENTS_FOLDER": str(tmp_path / "documents")}
    command = [sys.executable, "-m", "tests.support.old_release", act, str(RELEASE)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == BOOKS
