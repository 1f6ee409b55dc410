"""The cast: acme bills at once, umbra waits for approval; and the callers who act for them."""

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Client
from invoices.audit import run_audits
from tests.factories import ClientFactory


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
