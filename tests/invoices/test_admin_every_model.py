"""The admin over everything that is registered, and the record that nobody edits."""

from datetime import date

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.test import override_settings

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Account, ApiCall, Contact, Event, PlanInstance, Receipt
from invoices.models import (
    ApprovalProgress,
    ApprovalRule,
    ApprovalRules,
    BillingRun,
    CashCredit,
    ClosedPeriod,
    CollectionAttempt,
    Comparison,
    CouponRedemption,
    CreditMemo,
    Decision,
    DecisionOutcome,
    Dispute,
    DocumentFile,
    GatewayEvent,
    GivenApproval,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    MailText,
    NumberSeries,
    OneTimeCharge,
    Payment,
    Refund,
    RunOutcome,
    ServiceCredit,
    StandIn,
    Statement,
    TransactionVoid,
    Usage,
    WebhookDelivery,
    WebhookEndpoint,
    WriteOff,
)
from rebills.models import Rebill
from tests.support.admin_pages import act, page_url
from tests.support.everything import a_row_of_each_model, rows_of
from tests.support.factories import BY_TEST, ClientFactory
from tests.support.worlds import world_for_a_while

JAN_10 = date(2026, 1, 10)


RECORD = [
    ApiCall,
    Invoice,
    InvoiceLine,
    BillingRun,
    RunOutcome,
    Event,
    Receipt,
    Usage,
    LedgerEntry,
    CollectionAttempt,
    GatewayEvent,
    Statement,
    MailText,
    WebhookEndpoint,
    WebhookDelivery,
    DocumentFile,
    Rebill,
    Decision,
    DecisionOutcome,
    Comparison,
    ApprovalRules,
    ApprovalRule,
    ApprovalProgress,
    GivenApproval,
    StandIn,
    ClosedPeriod,
]


REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


def build_everything():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        client = ClientFactory()
        create_key(client, name="integrator", caller=BY_TEST)
        a_row_of_each_model(client, Caller(process="test"))


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker, tmp_path_factory):
    books = override_settings(SANDBOX_GATEWAY_FILE=str(tmp_path_factory.mktemp("books") / "sandbox.sqlite3"))
    with django_db_blocker.unblock(), books, world_for_a_while(build_everything):
        yield


@pytest.fixture
def everything(built, db):
    """A row of each model. What a test does to them is undone after it."""


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_every_page_of_every_model_answers(admin_client, everything, model):
    row = rows_of(model).last()
    assert row is not None
    assert admin_client.get(page_url(model, "changelist"), {"q": "1"}).status_code == 200
    assert admin_client.get(page_url(model, "change", row.pk)).status_code == 200
    assert admin_client.get(page_url(model, "add")).status_code == (403 if model in (*RECORD, *REQUESTED, *ON_PAGES) else 200)


REQUESTED = {apps.get_model("accounts", "SettingsChange"), apps.get_model("invoices", "RequestedAct")}
"""Requests that are made elsewhere, and decided on here."""


MONEY = [Payment, Refund, CashCredit, WriteOff, Dispute, TransactionVoid, CreditMemo]
WAITING = [PlanInstance, OneTimeCharge, CouponRedemption, ServiceCredit]
ON_PAGES = (*MONEY, *WAITING)
"""Acts, which pages of the back office do."""


def test_every_model_with_pages_of_its_own_is_registered():
    missing = {Account, Contact, PlanInstance, NumberSeries, *RECORD} - set(REGISTERED)
    assert not missing


@pytest.mark.parametrize("model", RECORD, ids=lambda model: model._meta.label)
def test_the_record_cannot_be_added_to_changed_or_deleted(admin_client, everything, model):
    row = model.objects.first()
    before = list(model.objects.values())
    assert admin_client.post(page_url(model, "add"), {}).status_code == 403
    assert admin_client.post(page_url(model, "change", row.pk), {}).status_code == 403
    assert admin_client.post(page_url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin_client.get(page_url(model, "changelist")).content.decode()
    act(admin_client, model, "delete_selected", row.pk)
    assert list(model.objects.values()) == before


def test_the_counter_of_a_series_cannot_be_set(admin_client, everything):
    series = NumberSeries.objects.get(kind="invoice")
    response = admin_client.post(page_url(NumberSeries, "change", series.pk), {"prefix": "ACME-", "last_number": "99"})
    assert response.status_code == 302
    series.refresh_from_db()
    assert (series.prefix, series.last_number) == ("ACME-", 2)


def test_a_run_shows_its_results_totals_and_refusals(admin_client, everything):
    page = admin_client.get(page_url(BillingRun, "change", BillingRun.objects.get().pk)).content.decode()
    assert '<td>usd</td><td><span class="amount">1</span></td><td><span class="amount">25.00</span></td>' in page
    assert "<td>7001</td><td>A test account is not billed</td>" in page
