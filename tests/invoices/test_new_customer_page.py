"""A new customer in one form: the first invoice is seen before, and customers who may be the same are named."""

from decimal import Decimal as D

import pytest
import time_machine

from accounts.models import Account, Contact, PaymentMethod
from tests.support.act_pages import seen_on, send
from tests.support.billing import JAN_31, bill
from tests.support.calling import rows_stored
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = ("view_account", "add_account", "add_contact", "add_planinstance", "add_paymentmethod")
NEW = "/accounts/new/"
ADA = {
    "client_acct_id": "N-1",
    "currency": "usd",
    "name": "Ada Byron",
    "company": "Analytical Engines",
    "email": "ada@example.org",
    "country": "Germany",
    "tax_id": "DE136695976",
}


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def test_a_customer_with_a_plan_and_a_payment_method_is_created(acme, staff, audited):
    plan = a_plan(acme, {"phone": "30.00"})
    fields = {**ADA, "plan": plan.pk, "units": "2", "start_date": "2026-01-31", "type": "card", "token": "sandbox_approved"}
    before = rows_stored()
    assert "$60.00" in staff.post(NEW, {**fields, "act": "preview"}).content.decode()
    assert {name: count for name, count in rows_stored().items() if count != before[name]} == {}
    answer = send(staff, NEW, **fields)
    account = Account.objects.get()
    assert answer.redirect_chain[-1][0] == f"/accounts/{account.pk}/"
    assert "Customer N-1 is created." in answer.content.decode()
    contact = Contact.objects.get()
    assert (account.tax_id, contact.country, contact.contact_no) == ("DE136695976", "DE", 1)
    assert PaymentMethod.objects.get().account == account
    assert bill(account, BY_TEST, JAN_31).total_amount == D("60.00")


def test_a_customer_who_may_exist_is_named_but_can_be_created(acme, staff):
    earlier = an_account(acme, client_acct_id="OLD-1")
    Contact.objects.filter(account=earlier).update(email="ADA@example.org")
    other = an_account(ClientFactory(), client_acct_id="FOREIGN-1")
    Contact.objects.filter(account=other).update(company="Analytical Engines")
    shown = staff.post(NEW, {**ADA, "act": "preview"}).content.decode()
    assert "may exist already" in shown and "OLD-1" in shown and "FOREIGN-1" not in shown
    assert send(staff, NEW, **ADA).redirect_chain
    assert Account.objects.filter(client=acme).count() == 2


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"client_acct_id": ""}, "This field is required."),
        ({"tax_id": "DE000"}, "Tax id"),
        ({"currency": "zzz"}, "Currency"),
        ({"token": "tok"}, "Choose the type of this payment method."),
        ({"po_num": "4711"}, "Choose the plan of this PO number."),
        ({"client_acct_id": "TAKEN"}, "already exists"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_written(acme, staff, wrong, text):
    an_account(acme, client_acct_id="TAKEN")
    before = rows_stored()
    answer = staff.post(NEW, {**ADA, **wrong, "once": "a" * 32})
    assert answer.status_code == 422 and text in answer.content.decode()
    after = {name: count for name, count in rows_stored().items() if name not in ("accounts_receipt", "accounts_staffsession")}
    assert after == {name: before[name] for name in after}


def test_a_form_that_is_sent_twice_creates_one_customer(staff):
    sent = {**ADA, "once": "a" * 32, "seen": seen_on(staff.post(NEW, {**ADA, "act": "preview"}))}
    first, second = staff.post(NEW, sent), staff.post(NEW, sent)
    assert first["Location"] == second["Location"] != NEW
    assert Account.objects.count() == 1


def test_a_refused_payment_method_leaves_the_customer_as_it_is(staff):
    answer = send(staff, NEW, **ADA, type="card", token="4111111111111111")
    assert "The payment method was not added" in answer.content.decode()
    assert (Account.objects.count(), PaymentMethod.objects.count()) == (1, 0)


def test_what_one_may_not_add_is_not_offered(acme):
    some = reader(acme, permissions=MAY[:3], name="some")
    shown = some.get(NEW).content.decode()
    assert 'name="plan"' not in shown and 'name="token"' not in shown and 'name="company"' in shown
    assert send(some, NEW, **ADA).redirect_chain
    viewer = reader(acme, permissions=MAY[:1], name="viewer")
    assert viewer.get(NEW).status_code == 403
    assert NEW not in viewer.get("/accounts/").content.decode()


@pytest.mark.parametrize("units", ["0", "-1"])
def test_a_first_plan_of_no_units_is_refused_at_its_field(acme, staff, units):
    """And it is not taken as one unit, the default."""
    plan = a_plan(acme, {"phone": "30.00"})
    terms = {"plan": plan.pk, "units": units, "start_date": "2026-01-31"}
    shown = staff.post(NEW, {**ADA, **terms, "once": "a" * 32}).text
    assert "is not above 0. To charge nothing, leave the plan out or end it" in shown
    assert not Account.objects.exists()
