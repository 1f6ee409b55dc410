"""Coupons by their services: how often, by whom and when they are redeemed, and withdrawing a redemption."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection

from accounts.models import Account, Event
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Coupon, CouponRedemption, CouponUse, Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import discard_invoices, regenerate_invoices
from invoices.services.billing import generating
from invoices.services.billing.generating import generate_invoice
from tests.support.accounts_api import API, create, with_key, wrong
from tests.support.billing import bill
from tests.support.coupons import FEB_10, JAN_9, JAN_10, PROCESS, a_coupon, redeem, refused_as, withdraw
from tests.support.factories import ClientFactory, ServiceFactory, a_plan, an_account
from tests.support.races import at_once


def acts(prefix="coupon."):
    return list(Event.objects.filter(act__startswith=prefix).values_list("act", "error_code"))


# Redeeming.


def test_the_first_and_the_last_day_of_a_coupon_are_days_on_which_it_is_redeemed(acme):
    a_coupon(acme, valid_from=JAN_10, valid_to=FEB_10)
    for day in (JAN_9, date(2026, 2, 11)):
        assert refused_as(redeem, an_account(acme), today=day) is ErrorCode.COUPON_CLOSED
    assert [redeem(an_account(acme), today=day).redeemed_on for day in (JAN_10, FEB_10)] == [JAN_10, FEB_10]


def test_a_refused_redemption_leaves_nothing_but_its_event(acme):
    a_coupon(acme, valid_from=FEB_10)
    account = an_account(acme)
    version = account.billing_version
    assert refused_as(redeem, account) is ErrorCode.COUPON_CLOSED
    assert refused_as(redeem, account, "ELSE") is ErrorCode.NO_DATA
    assert not CouponRedemption.objects.exists()
    assert Account.objects.get(pk=account.pk).billing_version == version
    assert acts() == [("coupon.refused", 90015), ("coupon.refused", 1002)]


def test_an_amount_is_redeemed_by_accounts_of_its_currency_and_a_percent_by_all(acme):
    a_coupon(acme, code="FIVE", percent=None, amount=D(5), currency="eur")
    a_coupon(acme, code="TEN")
    dollars, euros = an_account(acme), an_account(acme, a_plan(acme, currency="eur"), currency="eur")
    assert refused_as(redeem, dollars, "FIVE") is ErrorCode.CURRENCY_MISMATCH
    for account, code in ((dollars, "TEN"), (euros, "FIVE"), (euros, "TEN")):
        redeem(account, code)


def test_a_code_is_the_clients_own(acme, umbra):
    """Two clients may have one code, and neither redeems the other's."""
    a_coupon(umbra)
    account = an_account(acme)
    assert refused_as(redeem, account) is ErrorCode.NO_DATA
    mine = a_coupon(acme)
    assert redeem(account).coupon == mine


def test_redeeming_does_not_void_an_invoice_that_is_being_made(acme, process, monkeypatch):
    """It is taken off the next one."""
    a_coupon(acme)
    account = an_account(acme)
    original = generating.record_plans

    def redeem_first(recording, planned):
        redeem(account)
        return original(recording, planned)

    monkeypatch.setattr(generating, "record_plans", redeem_first)
    assert bill(account, process, JAN_10).total_amount == D(30)
    monkeypatch.undo()
    assert bill(account, process, FEB_10).total_amount == D(27)


# The limit of redemptions.


def test_a_withdrawn_redemption_leaves_its_number_to_the_next(acme):
    a_coupon(acme, max_redemptions=3)
    first, second, third = [redeem(an_account(acme)) for _ in range(3)]
    assert [one.redemption_no for one in (first, second, third)] == [1, 2, 3]
    assert refused_as(redeem, an_account(acme)) is ErrorCode.COUPON_CLOSED
    for withdrawn, number in ((second, 2), (first, 1), (third, 3)):
        withdraw(withdrawn)
        assert redeem(an_account(acme)).redemption_no == number
        assert refused_as(redeem, an_account(acme)) is ErrorCode.COUPON_CLOSED
    assert sorted(CouponRedemption.objects.values_list("redemption_no", flat=True)) == [1, 2, 3]


def test_of_two_withdrawn_redemptions_both_numbers_are_free(acme):
    a_coupon(acme, max_redemptions=4)
    redemptions = [redeem(an_account(acme)) for _ in range(4)]
    withdraw(redemptions[1])
    withdraw(redemptions[2])
    assert [redeem(an_account(acme)).redemption_no for _ in range(2)] == [2, 3]


# Withdrawing.


def test_a_redemption_on_a_pending_or_approved_invoice_stands(acme, process):
    a_coupon(acme)
    waiting, issued = an_account(acme), an_account(acme)
    redemptions = [redeem(waiting), redeem(issued)]
    bill(waiting, process, JAN_10, force_pending=True)
    bill(issued, process, JAN_10)
    assert [refused_as(withdraw, one) for one in redemptions] == [ErrorCode.ON_AN_INVOICE] * 2
    assert (CouponRedemption.objects.count(), CouponUse.objects.count()) == (2, 2)
    assert acts()[2:] == [("coupon.refused", 90016)] * 2


def test_a_redemption_that_an_invoice_took_nothing_off_for_is_withdrawn(acme, process):
    """The coupon is for a service that the account is not charged for."""
    a_coupon(acme).services.add(ServiceFactory(client=acme, client_service_id="router"))
    account = an_account(acme)
    redemption = redeem(account)
    bill(account, process, JAN_10)
    withdraw(redemption)
    assert not CouponRedemption.objects.exists()


def test_after_a_discard_a_redemption_is_withdrawn_and_the_coupon_redeemed_again(acme, process):
    a_coupon(acme)
    account = an_account(acme)
    redemption = redeem(account)
    pending = bill(account, process, JAN_10, force_pending=True)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    withdraw(redemption)
    assert bill(account, process, JAN_10).total_amount == D(30)
    redeem(account)
    assert bill(account, process, FEB_10).total_amount == D(27)
    assert [name for name, _ in acts()] == ["coupon.redeemed", "coupon.withdrawn", "coupon.redeemed"]


def test_a_redemption_is_withdrawn_once(acme):
    a_coupon(acme)
    redemption = redeem(an_account(acme))
    withdraw(redemption)
    assert refused_as(withdraw, redemption) is ErrorCode.NO_DATA
    assert acts() == [("coupon.redeemed", 0), ("coupon.withdrawn", 0)]


def test_an_invoice_that_was_planned_with_a_coupon_is_not_recorded_once_it_is_withdrawn(acme, monkeypatch):
    a_coupon(acme)
    account = an_account(acme)
    redemption = redeem(account)
    original = generating.record_plans

    def withdraw_first(recording, planned):
        withdraw(redemption)
        return original(recording, planned)

    monkeypatch.setattr(generating, "record_plans", withdraw_first)
    code = refused_as(generate_invoice, client=acme, account_no=account.pk, request=BillingRequest(JAN_10), caller=PROCESS)
    assert code is ErrorCode.IN_PROGRESS
    assert not Invoice.objects.exists()


# Cycles.


def test_a_discarded_invoice_gives_a_cycle_back_and_a_regenerated_one_takes_it_again(acme, alice):
    a_coupon(acme, cycles=2)
    account = an_account(acme)
    redeem(account)
    first = bill(account, alice, JAN_10, force_pending=True)
    (again,) = regenerate_invoices(client=acme, invoice_nos=[first.pk], caller=alice, today=JAN_10)
    assert Invoice.objects.get(pk=again.invoice_no).total_amount == D(27)
    discard_invoices(client=acme, invoice_nos=[again.invoice_no], caller=alice)
    days = (JAN_10, FEB_10, date(2026, 3, 10))
    assert [bill(account, alice, day).total_amount for day in days] == [D(27), D(27), D(30)]


def test_a_coupon_is_still_taken_off_after_its_last_day_of_redeeming(acme, process):
    a_coupon(acme, valid_to=JAN_10)
    account = an_account(acme)
    redeem(account)
    assert [bill(account, process, day).total_amount for day in (JAN_10, FEB_10)] == [D(27), D(27)]


# By the API.


@pytest.mark.parametrize(
    ("currency", "amount", "shown"), [("jpy", "500", "500"), ("usd", "5", "5.00"), ("kwd", "5.125", "5.125")]
)
def test_an_amount_has_the_precision_of_its_currency(acme, currency, amount, shown):
    api = with_key(acme)
    body = {"code": "OFF", "name": "Off", "amount": amount, "currency": currency, "valid_from": "2026-01-01"}
    created = create(api, "coupons", body)
    assert created["amount"] == shown
    assert api.get(f"{API}/coupons/{created['id']}/").json()["amount"] == shown


@pytest.mark.parametrize(("currency", "amount"), [("jpy", "5.5"), ("usd", "5.125"), ("kwd", "5.1251")])
def test_an_amount_that_its_currency_does_not_have_is_refused(acme, currency, amount):
    body = {"code": "OFF", "name": "Off", "amount": amount, "currency": currency, "valid_from": "2026-01-01"}
    code, message, errors = wrong(with_key(acme), "coupons", body)
    assert (code, list(errors)) == (1016, ["amount"])
    assert "amount: The amount has more decimals than its currency" in message
    assert not Coupon.objects.exists()


def test_a_coupon_counts_its_redemptions_and_those_that_are_left(acme):
    api = with_key(acme)
    a_coupon(acme, code="FEW", max_redemptions=3)
    a_coupon(acme, code="MANY")
    account = an_account(acme)
    for code in ("FEW", "MANY"):
        redeem(account, code)
    counts = {
        row["code"]: (row["redemptions"], row["redemptions_left"]) for row in api.get(f"{API}/coupons/").json()["results"]
    }
    assert counts == {"FEW": (1, 2), "MANY": (1, None)}


def test_redemptions_are_found_by_account(acme):
    api = with_key(acme)
    a_coupon(acme, cycles=2)
    mine, other = redeem(an_account(acme)), redeem(an_account(acme))
    (row,) = api.get(f"{API}/coupon-redemptions/?acct_no={mine.account_id}").json()["results"]
    assert row == {
        "id": mine.pk,
        "acct_no": mine.account_id,
        "coupon": mine.coupon_id,
        "code": "TEN",
        "redemption_no": 1,
        "redeemed_on": "2026-01-10",
        "uses": 0,
        "cycles_left": 2,
    }
    assert len(api.get(f"{API}/coupon-redemptions/").json()["results"]) == 2
    assert other.redemption_no == 2


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, 1010, "acct_no, code"),
        ({"acct_no": "x"}, 1016, "acct_no"),
        ({"code": ""}, 1010, "code"),
        ({"acct_no": 0}, 1009, "acct_no"),
    ],
)
def test_a_redemption_names_an_account_and_a_code(acme, body, code, field):
    given = {"acct_no": an_account(acme).pk, "code": "TEN", **body} if body else {}
    answer = wrong(with_key(acme), "coupon-redemptions", given)
    assert (answer[0], ", ".join(answer[2])) == (code, field)


# Many at once.


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_withdrawing_and_redeeming_at_once_keeps_the_limit_and_each_number_once():
    client = ClientFactory()
    a_coupon(client, max_redemptions=5)
    redemptions = [redeem(an_account(client)) for _ in range(5)]
    accounts = [an_account(client) for _ in range(15)]

    def work(number):
        return withdraw(redemptions[number]) if number < 5 else redeem(accounts[number - 5])

    results = at_once(work)
    assert all(one is None for one in results[:5])
    assert {one.code for one in results if isinstance(one, BillingError)} <= {ErrorCode.COUPON_CLOSED}
    kept = sorted(CouponRedemption.objects.values_list("redemption_no", flat=True))
    assert len(set(kept)) == len(kept) <= 5
    assert set(kept) <= {1, 2, 3, 4, 5}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_one_redemption_that_twenty_withdraw_at_once_is_withdrawn_once():
    client = ClientFactory()
    a_coupon(client)
    redemption = redeem(an_account(client))
    results = at_once(lambda _: withdraw(redemption))
    assert sum(one is None for one in results) == 1
    assert {one.code for one in results if one is not None} == {ErrorCode.NO_DATA}
    assert Event.objects.filter(act="coupon.withdrawn").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_withdrawal_and_an_invoice_at_once_never_leave_an_invoice_with_a_coupon_that_is_gone():
    client = ClientFactory()
    a_coupon(client)
    account = an_account(client)
    redemption = redeem(account)

    def work(number):
        if number % 2:
            return withdraw(redemption)
        return generate_invoice(client=client, account_no=account.pk, request=BillingRequest(JAN_10), caller=PROCESS)

    at_once(work)
    totals = list(Invoice.objects.values_list("total_amount", flat=True))
    assert totals in ([], [D(27)], [D(30)])
    assert CouponRedemption.objects.exists() == CouponUse.objects.exists()
    assert CouponUse.objects.exists() == (totals == [D(27)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_one_code_that_is_made_by_twenty_at_once_is_made_once_and_the_others_are_told():
    client = ClientFactory()
    apis = [with_key(client) for _ in range(20)]
    body = {"code": "TEN", "name": "Ten", "percent": "10", "valid_from": "2026-01-01"}
    answers = at_once(lambda number: apis[number].post("/api/v1/coupons/", body, format="json").status_code)
    assert answers.count(201) == 1
    assert set(answers) <= {201, 400, 409}
    assert Coupon.objects.count() == 1


def test_a_coupon_that_was_withdrawn_after_its_invoice_was_discarded_is_no_finding_of_the_audit(acme, audited):
    account = an_account(acme)
    a_coupon(acme)
    redemption = redeem(account)
    pending = bill(account, PROCESS, JAN_10, force_pending=True)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=PROCESS)
    withdraw(redemption)
    assert not CouponUse.objects.exists()
