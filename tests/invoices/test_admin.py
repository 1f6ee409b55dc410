"""The admin's lists of documents and accounts, and the decisions on pending invoices."""

from datetime import date

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.kinds import FourEyes
from accounts.models import Account, Client, Event
from invoices.models import Invoice, InvoiceLine, RunOutcome
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.runs.runs import continue_run, start_run
from tests.support.admin_pages import act, page_url, texts
from tests.support.factories import a_plan, an_account

JAN_10 = date(2026, 1, 10)


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


@pytest.mark.parametrize(
    ("currency", "rate", "shown"), [("usd", "1234.5", "1,234.50"), ("jpy", "1234", "1,234"), ("kwd", "1.5", "1.500")]
)
def test_amounts_are_shown_in_the_precision_of_their_currency(admin_client, acme, currency, rate, shown):
    invoice_no = pending(an_account(acme, a_plan(acme, {"phone": rate}, currency=currency), currency=currency))
    cell = f'<span class="amount">{shown}</span>'
    assert cell in admin_client.get(page_url(Invoice, "changelist")).content.decode()
    assert admin_client.get(page_url(Invoice, "change", invoice_no)).content.decode().count(cell) >= 3


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
    assert "90002" in page.content.decode() and "You cannot approve your own document or request" in page.content.decode()
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
