"""The admin over everything that is registered, the record that nobody edits, and the decisions on pending invoices."""

from datetime import date

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.kinds import FourEyes
from accounts.models import Account, ApiCall, Client, Contact, Event, PlanInstance, Receipt
from invoices.models import (
    BillingRun,
    CollectionAttempt,
    Comparison,
    Decision,
    DecisionOutcome,
    GatewayEvent,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    NumberSeries,
    RunOutcome,
    Statement,
    Usage,
)
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.runs import continue_run, start_run
from rebills.models import Rebill
from tests.admin_pages import act, page_url, texts
from tests.everything import a_row_of_each_model, rows_of
from tests.factories import a_plan, an_account

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
    Rebill,
    Decision,
    DecisionOutcome,
    Comparison,
]
REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


def pending(account):
    return generate_invoice(
        client=account.client,
        account_no=account.pk,
        request=BillingRequest(JAN_10, force_pending=True),
        caller=Caller(process="test"),
    )


@pytest.fixture
def everything(acme, key_caller, process):
    a_row_of_each_model(acme, process)


# Every page


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_every_page_of_every_model_answers(admin_client, everything, model):
    row = rows_of(model).last()
    assert row is not None
    assert admin_client.get(page_url(model, "changelist"), {"q": "1"}).status_code == 200
    assert admin_client.get(page_url(model, "change", row.pk)).status_code == 200
    assert admin_client.get(page_url(model, "add")).status_code == (403 if model in RECORD or model in REQUESTED else 200)


REQUESTED = {apps.get_model("accounts", "SettingsChange"), apps.get_model("invoices", "RequestedAct")}
"""What is asked for elsewhere, and decided on here."""


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


@pytest.mark.parametrize(
    ("currency", "rate", "shown"), [("usd", "1234.5", "1,234.50"), ("jpy", "1234", "1,234"), ("kwd", "1.5", "1.500")]
)
def test_amounts_are_shown_in_the_precision_of_their_currency(admin_client, acme, currency, rate, shown):
    invoice_no = pending(an_account(acme, a_plan(acme, {"phone": rate}, currency=currency), currency=currency))
    cell = f'<span class="amount">{shown}</span>'
    assert cell in admin_client.get(page_url(Invoice, "changelist")).content.decode()
    assert admin_client.get(page_url(Invoice, "change", invoice_no)).content.decode().count(cell) >= 3


def test_a_run_shows_its_results_totals_and_refusals(admin_client, everything):
    page = admin_client.get(page_url(BillingRun, "change", BillingRun.objects.get().pk)).content.decode()
    assert '<td>usd</td><td><span class="amount">1</span></td><td><span class="amount">25.00</span></td>' in page
    assert "<td>7001</td><td>Recurring billing not allowed because account is a TEST account</td>" in page


@pytest.mark.parametrize("model", [Account, Invoice, RunOutcome, Event, InvoiceLine], ids=lambda model: model.__name__)
def test_a_list_asks_the_same_queries_however_long_it_is(admin_client, acme, process, model):
    queries = []
    for more in (2, 18):
        for _ in range(more):
            an_account(acme)
        continue_run(start_run(client=acme, today=JAN_10, caller=process), caller=process)
        with CaptureQueriesContext(connection) as counted:
            page = admin_client.get(page_url(model, "changelist"))
        assert page.context["cl"].result_count >= (2 if not queries else 20)
        queries.append(len(counted))
    assert queries[0] == queries[1]


# Decisions


def test_who_generated_an_invoice_cannot_approve_it_where_four_eyes_apply(admin_client, acme):
    acme.four_eyes = FourEyes.ANOTHER_PERSON
    acme.save()
    account = an_account(acme)
    act(admin_client, Account, "generate_invoice", account.pk)
    invoice = Invoice.objects.get()
    page = act(admin_client, Invoice, "approve_selected", invoice.pk)
    assert "90002" in page.content.decode() and "Who made a document may not approve it" in page.content.decode()
    assert page.context["numbers"] == ""
    invoice.refresh_from_db()
    assert invoice.status == "pending"


def test_ticked_accounts_are_billed_and_the_rest_is_told(admin_client, acme):
    due, early = an_account(acme), an_account(acme, start=date(2026, 1, 11))
    told = texts(act(admin_client, Account, "generate_invoice", due.pk, early.pk))
    assert told[0] == "Invoices generated: 1"
    assert told[1].startswith(f"Account {early.pk}: 7007 ")
    assert Invoice.objects.get().status == "approved"


def test_ticked_accounts_get_pending_invoices(admin_client, acme):
    account = an_account(acme)
    act(admin_client, Account, "generate_pending_invoice", account.pk)
    assert Invoice.objects.get().status == "pending"


def test_an_account_shows_what_it_owes(admin_client, acme):
    account = an_account(acme)
    act(admin_client, Account, "generate_invoice", account.pk)
    assert '<span class="amount">30.00</span>' in admin_client.get(page_url(Account, "change", account.pk)).content.decode()


@pytest.fixture
def viewer(db, client):
    """Sees invoices and changes accounts, and may not approve."""
    user = get_user_model().objects.create_user("viewer", is_staff=True)
    user.clients.set(Client.objects.all())
    rights = ["view_invoice", "view_account", "change_account", "change_invoice", "add_invoice", "delete_invoice"]
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


@pytest.mark.parametrize("action", ["approve_selected", "discard_selected", "regenerate_selected"])
def test_a_viewer_neither_sees_nor_can_post_a_decision(viewer, acme, action):
    number = pending(an_account(acme))
    assert action not in viewer.get(page_url(Invoice, "changelist")).content.decode()
    act(viewer, Invoice, action, number)
    assert list(Invoice.objects.values_list("pk", "status")) == [(number, "pending")]


@pytest.mark.parametrize("action", ["generate_invoice", "generate_pending_invoice"])
def test_a_viewer_neither_sees_nor_can_post_a_generation(viewer, acme, action):
    account = an_account(acme)
    assert action not in viewer.get(page_url(Account, "changelist")).content.decode()
    act(viewer, Account, action, account.pk)
    assert not Invoice.objects.exists()
