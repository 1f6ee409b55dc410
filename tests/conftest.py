"""The cast: acme bills at once, umbra waits for approval; and the callers who act for them."""

import gc
import os
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import TransactionTestCase

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Client
from invoices.audit import run_audits
from tests.factories import ClientFactory

KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves every n-th file where TEST_PART asks for a part: neighbours are alike, so the parts take equally long."""
    part, parts = map(int, os.environ.get("TEST_PART", "1/1").split("/"))
    mine = set(sorted({item.path for item in items})[part - 1 :: parts])
    config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
    items[:] = [item for item in items if item.path in mine]


def pytest_collection_finish() -> None:
    """What is there by now stays until the end, so it is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def emptied_quickly() -> Iterator[None]:
    """After a test that commits, the tables that hold rows are emptied. Django would truncate all of them, and then make
    content types and permissions anew, which takes longer than most of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: _empty_tables())
        yield


def _empty_tables() -> None:
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    held = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in sorted(tables))
    # Within a transaction foreign keys are checked at its end, so the order does not matter.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(held)
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(autouse=True)
def sandbox_books(settings, tmp_path):
    """A sandbox gateway with books of its own for each test."""
    settings.SANDBOX_GATEWAY_FILE = str(tmp_path / "sandbox.sqlite3")


@pytest.fixture
def acme(db: None) -> Client:
    return ClientFactory()


@pytest.fixture
def umbra(db: None) -> Client:
    return ClientFactory(name="Umbra Cable", invoice_approval_required=True)


@pytest.fixture
def key_caller(acme: Client) -> Caller:
    key, _ = create_key(acme, name="integrator", may_approve=True)
    return Caller(api_key=key)


@pytest.fixture
def process(db: None) -> Caller:
    return Caller(process="test")


@pytest.fixture
def audited(db: None) -> Iterator[None]:
    """Whatever a test does through the services, the audit finds nothing wrong afterwards."""
    yield
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
