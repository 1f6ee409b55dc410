"""Common fixtures: client acme issues at once, client umbra requires approval; and callers who act for them."""

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache as counted
from django.db import connection
from django.test import TransactionTestCase

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Client, LiftedGuard
from billing_site.catalogues import catalogues, compile_catalogue
from billing_site.common import storage
from billing_site.common.guards import LIFTED, lifted
from invoices.audit import histories, run_audits
from tests.support.calling import DAILY
from tests.support.factories import BY_TEST, ClientFactory
from tests.support.migrated import keep, kept_database, read, turn_to_migrate
from tests.support.once import ONCE, is_audited_here

KEPT = {"django_migrations", "django_content_type", "auth_permission", LIFTED}
OF_MIGRATIONS: dict[str, list[tuple[Any, ...]]] = {}
"""The rows that the migrations have written, by table."""


OBJECTS_BEFORE_GARBAGE = 50_000
"""How many more objects there are when garbage is looked for."""


def pytest_configure() -> None:
    """Compile the German texts, as `make test` does. Let passwords cost little: otherwise each takes half a second."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    for path in catalogues():
        compile_catalogue(path)


@cache
def files_of_part() -> frozenset[Path] | None:
    """Return this run's part of the test files, or None without TEST_PART, which is `1/2` or `2/2` on each database.

    Neighbouring files are similar, so parts of every n-th file take equally long.
    """
    if "TEST_PART" not in os.environ:
        return None
    part, parts = map(int, os.environ["TEST_PART"].split("/"))
    tests = Path(__file__).parent
    theirs = [tests / name for name in ONCE["postgresql" if connection.vendor == "sqlite" else "sqlite"]]
    ours = sorted(file for file in tests.rglob("test_*.py") if not any(file.is_relative_to(path) for path in theirs))
    return frozenset(ours[part - 1 :: parts])


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Skip the files of other parts before they are imported."""
    mine = files_of_part()
    return True if mine is not None and collection_path.is_file() and collection_path not in mine else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the files of other parts that were named as arguments."""
    mine = files_of_part()
    if mine is not None:
        config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
        items[:] = [item for item in items if item.path in mine]


def pytest_collection_finish() -> None:
    """What is there by now stays until the end, so it is not looked through for garbage again and again. Queries leave little
    garbage that needs a search, so it is looked for seldom: at the usual threshold it took a tenth of the time of the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_GARBAGE)


@pytest.fixture(scope="session")
def migrated_file(pytestconfig: pytest.Config) -> Path | None:
    """The path of the migrated SQLite database of earlier runs. On PostgreSQL the parts of the suite copy one migrated
    database, which tests/__main__.py makes; a run by itself migrates, and so does one without pytest's cache."""
    cache = getattr(pytestconfig, "cache", None)
    return kept_database(cache.mkdir("migrated")) if connection.vendor == "sqlite" and cache is not None else None


@pytest.fixture(scope="session")
def turn(migrated_file: Path | None) -> IO[str] | None:
    """This run's turn to migrate on SQLite, or None: then the database is there to be read."""
    return migrated_file and turn_to_migrate(migrated_file)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, migrated_file: Path | None, turn: IO[str] | None) -> None:
    if migrated_file is not None and turn is None:
        connection.settings_dict["TEST"]["MIGRATE"] = False
    if "TEST_TEMPLATE" in os.environ and connection.vendor == "postgresql":
        connection.settings_dict["TEST"]["TEMPLATE"] = os.environ["TEST_TEMPLATE"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any, migrated_file: Path | None, turn: IO[str] | None) -> None:
    with django_db_blocker.unblock():
        if migrated_file is not None and turn is not None:
            keep(migrated_file)
            turn.close()
        elif migrated_file is not None:
            read(migrated_file)
        _remember_rows()


@pytest.fixture
def address_of_migrated_file(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> str:
    """The address of a migrated database in a file of SQLite, for a process that a test starts: to migrate takes it longer than
    what it is tested for."""
    if connection.vendor != "sqlite":
        pytest.skip("the process has a file of SQLite")
    path = tmp_path / "migrated.sqlite3"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    return f"sqlite:///{path}"


@pytest.fixture(scope="session", autouse=True)
def emptied_quickly() -> Iterator[None]:
    """After a test that commits, empty the tables that have rows. Django would truncate all tables, and then recreate content
    types and permissions, which takes longer than most of these tests, and leave nothing of what the migrations wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: _empty_tables())
        yield


def _remember_rows() -> None:
    """Remember what the migrations have written: reasons, and roles with their rights."""
    with connection.cursor() as cursor:
        for table in _tables_with_rows(cursor):
            cursor.execute(f"SELECT * FROM {table}")
            OF_MIGRATIONS[table] = cursor.fetchall()


def _empty_tables() -> None:
    """Delete all rows but those that the migrations have written."""
    # Within a transaction foreign keys are checked at its end, so the order does not matter.
    with lifted(), connection.cursor() as cursor:
        for table in _tables_with_rows(cursor):
            cursor.execute(f"DELETE FROM {table}")
        for table, rows in OF_MIGRATIONS.items():
            values = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO {table} VALUES ({values})", rows)


def _tables_with_rows(cursor: Any) -> list[str]:
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    cursor.execute(" UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in sorted(tables)))
    return [table for (table,) in cursor.fetchall()]


@pytest.fixture
def unguarded(db: None) -> Iterator[None]:
    """Let a test alter what the database guards, as somebody could who has taken the triggers off. `lifted` would make a block
    of a transaction, in which no act can begin."""
    row = LiftedGuard.objects.create(pk=2)
    yield
    row.delete()


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """Calls that another test has made do not count towards a limit."""
    counted.clear()


@pytest.fixture(autouse=True)
def plain_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests set up master data by plain updates, which leave no version. The audit does not compare it there."""
    monkeypatch.setattr(histories, "compared_models", list)


@pytest.fixture(autouse=True)
def sandbox_books(settings, tmp_path):
    """A sandbox gateway with books of its own for each test."""
    settings.SANDBOX_GATEWAY_FILE = str(tmp_path / "sandbox.sqlite3")


@pytest.fixture(autouse=True)
def storage_of_documents(settings, tmp_path):
    """Storages of documents and of heads of seals of its own for each test."""
    settings.STORAGES = {
        **settings.STORAGES,
        **{
            name: {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / name)}}
            for name in ("documents", "seals")
        },
    }


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are written as many are: on PostgreSQL by COPY, which takes no held writes with it."""
    monkeypatch.setattr(storage, "FEW_ROWS", 0)


@pytest.fixture
def acme(db: None) -> Client:
    return ClientFactory()


@pytest.fixture
def umbra(db: None) -> Client:
    return ClientFactory(name="Umbra Cable", invoice_approval_required=True)


@pytest.fixture
def key_caller(acme: Client) -> Caller:
    key, _ = create_key(acme, name="integrator", may_approve=True, **DAILY, caller=BY_TEST)
    return Caller(api_key=key)


@pytest.fixture
def process(db: None) -> Caller:
    return Caller(process="test")


@pytest.fixture
def audited(db: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does through the services, the audit finds nothing wrong afterwards."""
    yield
    if is_audited_here(request.node.nodeid):
        assert [report for report in run_audits() if report.findings] == []


@pytest.fixture
def admin_user(db):
    """A superuser without a password: hashing one would cost half a second for each test."""
    return get_user_model().objects.create(username="admin", is_staff=True, is_superuser=True)


def _approver(name: str) -> Caller:
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["generate_invoice", "approve_invoice"]))
    return Caller(staff=user)


@pytest.fixture
def alice(db: None) -> Caller:
    return _approver("alice")


@pytest.fixture
def bob(db: None) -> Caller:
    return _approver("bob")
