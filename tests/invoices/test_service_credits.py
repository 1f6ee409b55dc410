"""Service credits by their service: in whole units of the account's currency, used while they last, and ended early."""

from decimal import Decimal as D

import pytest
from django.db import connection

from accounts.models import Account, Event
from billing_site.errors import BillingError, ErrorCode
from invoices.models import CreditUse, Invoice, ServiceCredit
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import discard_invoices, regenerate_invoices
from invoices.services.billing import generating
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.service_credits import add_service_credit, expire_service_credit
from invoices.services.planning.extras import credits_with_used
from tests.support.accounts_api import API, create, with_key, wrong
from tests.support.billing import bill
from tests.support.factories import ClientFactory, ServiceFactory, a_plan, an_account
from tests.support.races import at_once
from tests.support.service_credits import FEB_9, FEB_10, JAN_9, JAN_10, MAR_10, PROCESS, credit


@pytest.fixture
def account(acme):
    """Charged 30.00 a month."""
    return an_account(acme)


def expire(one, day):
    return expire_service_credit(client=one.account.client, credit_no=one.pk, caller=PROCESS, expires_on=day)


def refused_as(work, *arguments, **options):
    with pytest.raises(BillingError) as refused:
        work(*arguments, **options)
    return refused.value.code, refused.value.field


def credited(invoice):
    return [-line.amount for line in invoice.lines.filter(line_type=3)]


def left():
    return [one.amount - one.used for one in credits_with_used(ServiceCredit.objects.order_by("pk"))]


def acts():
    return list(Event.objects.filter(act__startswith="credit.").values_list("act", "error_code"))


# Given and used.


def test_fifty_over_two_invoices_of_thirty_are_thirty_and_then_twenty(account, process):
    credit(account)
    assert credited(bill(account, process, JAN_10)) == [D(30)]
    assert credited(bill(account, process, FEB_10)) == [D(20)]
    assert credited(bill(account, process, MAR_10)) == []
    assert left() == [D(0)]


def test_a_pending_invoice_holds_it_a_discard_gives_it_back_and_a_regenerated_one_takes_it_again(acme, account, alice):
    credit(account)
    first = bill(account, alice, JAN_10, force_pending=True)
    assert left() == [D(20)]
    (again,) = regenerate_invoices(client=acme, invoice_nos=[first.pk], caller=alice, today=JAN_10)
    assert (left(), credited(Invoice.objects.get(pk=again.invoice_no))) == ([D(20)], [D(30)])
    discard_invoices(client=acme, invoice_nos=[again.invoice_no], caller=alice)
    assert left() == [D(50)]
    assert CreditUse.objects.count() == 2


def test_a_credit_for_a_service_is_taken_off_its_charges_only(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "9.00"}))
    credit(account, service=ServiceFactory(client=acme, client_service_id="tv"))
    assert credited(bill(account, process, JAN_10)) == [D(9)]


@pytest.mark.parametrize(
    ("currency", "amount", "too_fine"), [("jpy", "50", "50.5"), ("usd", "50.01", "50.001"), ("kwd", "50.001", "50.0001")]
)
def test_an_amount_is_in_whole_smallest_units_of_the_accounts_currency(acme, currency, amount, too_fine):
    account = an_account(acme, a_plan(acme, currency=currency), currency=currency)
    assert refused_as(credit, account, too_fine) == (ErrorCode.INVALID_INPUT, "amount")
    assert not ServiceCredit.objects.exists()
    assert credit(account, amount).amount == D(amount)
    assert acts() == [("credit.refused", 1016), ("credit.added", 0)]


@pytest.mark.parametrize("amount", ["0", "-0.01"])
def test_an_amount_is_above_zero(account, amount):
    assert refused_as(credit, account, amount) == (ErrorCode.INVALID_INPUT, "amount")
    assert not ServiceCredit.objects.exists()


def test_a_service_or_an_account_of_another_client_does_not_exist(acme, umbra, account):
    theirs = ServiceFactory(client=umbra)
    assert refused_as(credit, account, service=theirs) == (ErrorCode.NO_DATA, "service")
    asked = {"account_no": account.pk, "caller": PROCESS, "today": JAN_10, "amount": D(1), "reason": "x"}
    assert refused_as(add_service_credit, client=umbra, **asked) == (ErrorCode.ACCOUNT_NOT_FOUND, "acct_no")
    mine = credit(account)
    code, _ = refused_as(expire_service_credit, client=umbra, credit_no=mine.pk, caller=PROCESS, expires_on=JAN_10)
    assert code is ErrorCode.NO_DATA
    assert ServiceCredit.objects.get().expires_on is None


# Its last day.


def test_the_last_day_is_a_bill_date_on_which_it_is_used(account, process):
    assert refused_as(credit, account, expires_on=JAN_9) == (ErrorCode.INVALID_INPUT, "expires_on")
    credit(account, expires_on=JAN_10)
    credit(account, "10.00", expires_on=FEB_9)
    assert credited(bill(account, process, JAN_10)) == [D(30)]
    assert credited(bill(account, process, FEB_10)) == []
    assert left() == [D(20), D(10)]


def test_a_credit_is_ended_for_the_bills_that_follow(account, process):
    one = credit(account)
    bill(account, process, JAN_10)
    version = Account.objects.get().billing_version
    assert expire(one, JAN_10).expires_on == JAN_10
    assert Account.objects.get().billing_version == version + 1
    assert credited(bill(account, process, FEB_10)) == []
    event = Event.objects.get(act="credit.expired")
    assert (event.before, event.after) == (
        {"credit_no": one.pk, "expires_on": None},
        {"credit_no": one.pk, "expires_on": "2026-01-10"},
    )


def test_a_credit_ends_at_once_for_an_account_that_is_behind_with_its_bills(account, process):
    """Its bill dates are in the past, so only a day before the oldest of them stops it."""
    expire(credit(account, today=MAR_10), JAN_9)
    assert [credited(bill(account, process, day)) for day in (JAN_10, FEB_10)] == [[], []]


def test_a_credit_does_not_end_before_the_bill_date_of_an_invoice_that_has_used_it(acme, account, process):
    one = credit(account)
    bill(account, process, JAN_10)
    waiting = bill(account, process, FEB_10, force_pending=True)
    assert refused_as(expire, one, FEB_9) == (ErrorCode.INVALID_INPUT, "expires_on")
    assert ServiceCredit.objects.get().expires_on is None
    assert acts() == [("credit.added", 0), ("credit.refused", 1016)]
    assert f"invoice {waiting.pk} of 2026-02-10 already uses the credit" in Event.objects.get(act="credit.refused").message
    discard_invoices(client=acme, invoice_nos=[waiting.pk], caller=process)
    assert expire(one, FEB_9).expires_on == FEB_9


def test_an_invoice_that_was_planned_with_a_credit_is_not_recorded_once_it_has_ended(account, monkeypatch):
    one = credit(account)
    original = generating.record_plans

    def expire_first(recording, planned):
        expire(one, JAN_9)
        return original(recording, planned)

    monkeypatch.setattr(generating, "record_plans", expire_first)
    request = BillingRequest(JAN_10)
    code, _ = refused_as(generate_invoice, client=account.client, account_no=account.pk, request=request, caller=PROCESS)
    assert code is ErrorCode.IN_PROGRESS
    assert not Invoice.objects.exists()


# By the API.


def test_a_credit_is_shown_with_what_is_used_and_what_remains(acme, account, process, time_machine):
    time_machine.move_to("2026-01-10T12:00:00+00:00", tick=False)
    api = with_key(acme)
    tv = ServiceFactory(client=acme, client_service_id="tv")
    body = {
        "acct_no": account.pk,
        "amount": "50",
        "reason": "Outage",
        "gl_code": "4900",
        "service": tv.pk,
        "expires_on": "2026-01-10",
    }
    created = create(api, "service-credits", body)
    assert created.pop("created_at")
    assert created == {
        **body,
        "id": ServiceCredit.objects.get().pk,
        "currency": "usd",
        "amount": "50.00",
        "used": "0.00",
        "remaining": "50.00",
    }
    credit(account, "12.50")
    bill(account, process, JAN_10)
    rows = api.get(f"{API}/service-credits/?acct_no={account.pk}").json()["results"]
    assert [(row["amount"], row["used"], row["remaining"]) for row in rows] == [
        ("50.00", "0.00", "50.00"),
        ("12.50", "12.50", "0.00"),
    ]
    assert api.get(f"{API}/service-credits/?acct_no={an_account(acme).pk}").json()["results"] == []


@pytest.mark.parametrize(("currency", "shown"), [("jpy", "50"), ("kwd", "50.000")])
def test_amounts_have_the_precision_of_the_accounts_currency(acme, currency, shown):
    account = an_account(acme, a_plan(acme, currency=currency), currency=currency)
    body = {"acct_no": account.pk, "amount": "50", "reason": "Outage"}
    created = create(with_key(acme), "service-credits", body)
    assert (created["amount"], created["remaining"]) == (shown, shown)


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, 1010), ({"expires_on": None}, 1010), ({"expires_on": "x"}, 1024), ({"expires_on": "1899-01-01"}, 1016)],
)
def test_an_end_that_is_no_day_is_refused(acme, account, body, code):
    one = credit(account)
    response = with_key(acme).post(f"{API}/service-credits/{one.pk}/expire/", body, format="json")
    assert (response.status_code, response.json()["error_code"], list(response.json()["errors"])) == (400, code, ["expires_on"])
    assert ServiceCredit.objects.get().expires_on is None


def test_another_clients_credit_is_neither_shown_nor_ended(umbra, acme, account):
    one, api = credit(account), with_key(umbra)
    assert api.get(f"{API}/service-credits/{one.pk}/").status_code == 404
    response = api.post(f"{API}/service-credits/{one.pk}/expire/", {"expires_on": "2026-01-10"}, format="json")
    assert (response.status_code, response.json()["error_code"]) == (404, 1002)
    body = {"acct_no": account.pk, "amount": "1", "reason": "x"}
    assert wrong(api, "service-credits", body)[0] == 1009


# Many at once.


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_credit_that_is_ended_while_it_is_billed_is_used_before_it_ends_or_not_at_all():
    account = an_account(ClientFactory())
    one = credit(account)

    def work(number):
        if number % 2:
            return expire(one, JAN_9)
        return generate_invoice(client=account.client, account_no=account.pk, request=BillingRequest(JAN_10), caller=PROCESS)

    results = at_once(work)
    assert all(isinstance(result, (int, BillingError, ServiceCredit)) for result in results), results
    ended = ServiceCredit.objects.get().expires_on == JAN_9
    totals = list(Invoice.objects.values_list("total_amount", flat=True))
    assert totals in ([], [D(30)] if ended else [D(0)])
    assert CreditUse.objects.exists() == (totals == [D(0)])
