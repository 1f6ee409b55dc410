"""The page of a document: the ways on that it offers."""

import html
import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.models import PaymentMethod
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account


@pytest.fixture
def page_for(acme, client, process):
    """`page_for(*permissions)`: what the page of an invoice that is due says to staff who have them."""
    invoice = bill(an_account(acme), process, JAN_10)

    def page_for(*permissions):
        user = get_user_model().objects.create(username="reader", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=("view_invoice", *permissions)))
        acme.staff.add(user)
        client.force_login(user)
        return client.get(f"/invoices/{invoice.pk}/").content.decode(), invoice.account_id

    return page_for


def test_who_collects_is_led_to_what_is_missing(page_for):
    text, account_no = page_for("collect_money", "add_paymentmethod")
    assert f"/accounts/{account_no}/payment-methods/new/" in text
    assert f"/accounts/{account_no}/payments/new/?invoice=" in text
    assert "Nothing. The reasons are below." not in text


def test_who_only_looks_is_led_nowhere(page_for):
    text, _account_no = page_for()
    assert "/add/" not in text and "Nothing. The reasons are below." in text


# One click does nothing that cannot be undone.


@pytest.fixture
def boss(client):
    client.force_login(get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def forms_of(page):
    """The forms of a page that send: their address, and the opened part that they are in."""
    parts = re.findall(r'<details[^>]*>(?:(?!</details>).)*?<form method="post" action="([^"]+)"', page, re.S)
    return set(parts), set(re.findall(r'<form method="post" action="(/invoices/[^"]+)"', page))


@pytest.mark.parametrize(
    ("waits", "acts"),
    [(True, {"approve", "discard", "recalculate", "regenerate"}), (False, {"void", "collect", "remark"})],
)
def test_each_act_asks_before_it_is_done(acme, boss, process, waits, acts):
    account = an_account(acme)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved", label="Card of Ann")
    request = BillingRequest(JAN_10, force_pending=waits)
    number = generate_invoice(client=acme, account_no=account.pk, request=request, caller=process)
    page = boss.get(f"/invoices/{number}/").content.decode()
    asked, forms = forms_of(page)
    assert forms == {f"/invoices/{number}/act/{act}/" for act in acts}
    assert forms <= asked
    if not waits:
        assert "$30.00 is charged to the customer's Card of Ann now." in html.unescape(page)
        assert ">Collect $30.00</button>" in page and ">Void INV-000001</button>" in page


def test_a_void_asks_for_a_reason_of_invoices(acme, boss, process):
    invoice = bill(an_account(acme), process, JAN_10)
    address = f"/invoices/{invoice.pk}/act/void/"
    page = boss.get(f"/invoices/{invoice.pk}/").content.decode()
    choices = re.search(r'<select name="reason_code".*?</select>', page, re.S)[0]
    assert re.findall(r'<option value="(\d*)"', choices) == ["", "4", "5", "7", "8", "9", "12"]
    assert re.findall(r"<option[^>]*selected[^>]*>([^<]*)", choices) == ["Choose a reason"]
    for sent in ({}, {"reason_code": ""}, {"reason_code": "3"}):
        assert boss.post(address, {"once": "a" * 32, **sent}).status_code == 422
    invoice.refresh_from_db()
    assert invoice.status == "approved"
    boss.post(address, {"once": "b" * 32, "reason_code": "5"})
    invoice.refresh_from_db()
    assert (invoice.status, invoice.void_reason_code) == ("voided", 5)


def test_the_admin_leads_to_the_builder(acme, boss, process):
    invoice = bill(an_account(acme), process, JAN_10)
    page = boss.get(f"/admin/invoices/invoice/{invoice.pk}/change/").content.decode()
    assert f'<a href="/invoices/{invoice.pk}/rebill/">' in page and "POST /api" not in page
