"""Charges are billed at once on a page: the invoice is seen before, with its tax, and is just that."""

from decimal import Decimal as D

import pytest
import time_machine
from django.urls import reverse

from invoices.kinds import InvoiceStatus
from invoices.models import Invoice, OneTimeCharge
from tests.support.act_pages import send
from tests.support.billing import JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.factories import BY_TEST, ClientFactory, ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = ("view_account", "view_invoice", "generate_invoice", "add_onetimecharge")


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, BY_TEST, JAN_10)
    account.refresh_from_db()
    return account


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def an_order(account, rate, **fields):
    service = ServiceFactory(client=account.client, client_service_id="setup", name="Setup")
    return OneTimeCharge.objects.create(
        account=account, service=service, rate_per_unit=D(rate), charge_date=JAN_10, **{"units": D(1), **fields}
    )


def test_ticked_charges_and_a_new_one_are_issued_at_once(account, staff, audited):
    ticked, left = an_order(account, "10", description="Install"), an_order(account, "99", description="Later")
    address = reverse("one-off", args=[account.pk])
    page = staff.get(address).text
    assert "Install: 1 at $10.00, of Jan 10, 2026" in page and "Later: 1 at $99.00" in page
    fields = {"orders": [ticked.pk], "service": ticked.service_id, "rate_per_unit": "5", "units": "2", "description": "Cable"}
    before = rows_stored()
    shown = staff.post(address, {**fields, "act": "preview"}).text
    assert rows_stored() == before
    # 10.00 and 2 at 5.00, and 10 percent tax.
    assert "will be issued" in shown and "$20.00" in shown and "$2.00" in shown and "$22.00" in shown
    answer = send(staff, address, **fields)
    invoice = Invoice.objects.order_by("-pk").first()
    assert answer.redirect_chain[-1][0] == reverse("invoice", args=[invoice.pk])
    assert f"Invoice {invoice.document_number} is issued." in answer.text
    assert (invoice.status, invoice.total_amount) == (InvoiceStatus.APPROVED, D("22.00"))
    left.refresh_from_db()
    assert left.invoice_id is None
    due = account.next_bill_date
    account.refresh_from_db()
    assert account.next_bill_date == due


def test_it_is_pending_if_that_is_chosen(account, staff, audited):
    order = an_order(account, "10")
    address = reverse("one-off", args=[account.pk])
    fields = {"orders": [order.pk], "pending": "on"}
    assert "will be pending" in staff.post(address, {**fields, "act": "preview"}).text
    assert "is pending." in send(staff, address, **fields).text
    order.refresh_from_db()
    assert order.invoice.status == InvoiceStatus.PENDING
    assert 'name="orders"' not in staff.get(address).text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate_per_unit": "5"}, "Choose the service of the new charge."),
        ({"orders": ["7777"]}, "7777"),
        ({}, "Tick charges, or fill in a new one, to see the invoice."),
    ],
)
def test_what_is_not_complete_bills_nothing(account, staff, fields, words):
    an_order(account, "10")
    address = reverse("one-off", args=[account.pk])
    assert words in staff.post(address, {**fields, "act": "preview"}).text
    staff.post(address, {**fields, "once": "a" * 32})
    assert Invoice.objects.count() == 1


def test_who_may_not_order_bills_stored_charges_only(account, staff, acme):
    order = an_order(account, "10")
    biller = reader(acme, permissions=MAY[:3], name="biller")
    address = reverse("one-off", args=[account.pk])
    assert 'name="service"' not in biller.get(address).text
    assert "is issued." in send(biller, address, orders=[order.pk]).text
    viewer = reader(acme, permissions=MAY[:2], name="viewer")
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    assert (viewer.get(address).status_code, stranger.get(address).status_code) == (403, 404)


def test_a_bare_account_says_what_to_do(acme, staff):
    account = an_account(acme, contact=False)
    page = staff.get(reverse("one-off", args=[account.pk])).text
    assert "Tick charges, or fill in a new one, to see the invoice." in page


@pytest.mark.parametrize("units", ["0", "-1"])
def test_no_units_are_refused_and_never_billed_as_one(account, staff, units):
    service = ServiceFactory(client=account.client, client_service_id="setup", name="Setup")
    address, before = reverse("one-off", args=[account.pk]), rows_stored()
    refused = staff.post(address, {"service": service.pk, "rate_per_unit": "5", "units": units, "act": "preview"})
    assert rows_stored() == before
    assert "$5.00" not in refused.text and "above 0" in refused.text
