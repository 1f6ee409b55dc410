"""What was open, and whom we owed, as of a day: the same as on the day itself, whatever happened since."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest

from invoices.services.lists.reports.ageing import accounts_as_of, owing, receivables_as_of
from invoices.services.lists.reports.owed import accounts_with_credit, unapplied_by_currency
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.money.receivables import Ages, receivables
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.paying import WHY, billed
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

APRIL_30 = date(2026, 4, 30)


def owed(client, day=None):
    return list(accounts_with_credit(client, day).order_by("pk").values_list("pk", "unapplied"))


def seen(client, day):
    """What the live lists say on a day."""
    return list(receivables(client, day)), owed(client)


def test_a_payment_of_may_leaves_the_invoice_of_april_open_in_april(acme, umbra, process):
    account = an_account(acme, start=date(2026, 4, 1))
    bill(account, process, date(2026, 4, 1))
    pay(account, process, "30", today=date(2026, 5, 10))
    assert [(one.ages, one.balance) for one in receivables_as_of(acme, APRIL_30)] == [(Ages(days_30=D(30)), D(30))]
    assert receivables_as_of(acme, date(2026, 5, 10)) == []
    assert receivables_as_of(acme, date(2026, 3, 31)) == []
    assert receivables_as_of(umbra, APRIL_30) == []


def test_a_payment_that_is_recorded_late_counts_from_the_day_on_which_it_was_received(acme, process):
    account = an_account(acme, start=date(2026, 4, 1))
    bill(account, process, date(2026, 4, 1))
    pay(account, process, "31", today=date(2026, 5, 10), received_on=date(2026, 4, 20))
    assert receivables_as_of(acme, APRIL_30) == []
    assert owed(acme, APRIL_30) == [(account.pk, D(1))]
    assert owed(acme, date(2026, 4, 19)) == []


def test_each_day_is_later_seen_as_it_was(acme, process):
    """Ten acts, one every fourth day: invoices, payments, credits, a rebill, a refund, voids."""
    TaxRateFactory(client=acme)
    account, invoice = billed(acme, process)
    other = an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy")
    days = {JAN_10: seen(acme, JAN_10)}
    kept = {}

    def act(work):
        day = JAN_10 + timedelta(days=4 * len(days))
        kept[len(days)] = work({"client": acme, "caller": process, "today": day})
        days[day] = seen(acme, day)

    act(lambda by: pay(account, process, "40", today=by["today"]))
    act(lambda by: bill(other, process, by["today"]))
    act(lambda by: rebilled(invoice, process, line(1, rate_per_unit="20"), today=by["today"]))
    act(lambda by: pay(other, process, "300", today=by["today"]))
    act(lambda by: refund_payment(transaction_id=kept[1].pk, amount=D(12), everything=False, why=WHY, **by))
    act(lambda by: add_cash_credit(account_no=account.pk, amount=D("7.35"), why=WHY, **by))
    act(lambda by: void_transaction(transaction_id=kept[4].pk, reason_code=1, **by))
    act(lambda by: void_invoice(invoice_no=kept[2].pk, reason_code=5, comments="x", **by))
    act(lambda by: bill(account, process, by["today"]))
    for day, (due, credits) in days.items():
        assert (receivables_as_of(acme, day), owed(acme, day)) == (due, credits), day
        assert [one.account_no for one in due] == list(owing(accounts_as_of(acme, day)).values_list("pk", flat=True))
    assert [credits for _, credits in days.values()][1] == [(account.pk, D(7))]


def test_what_we_owe_is_added_up_by_currency(acme, umbra, process):
    for amount in ("10.10", "20.20"):
        pay(an_account(acme), process, amount)
    pay(an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy"), process, "500")
    pay(an_account(umbra), process, "3")
    assert unapplied_by_currency(accounts_with_credit(acme)) == [("jpy", 1, D(500)), ("usd", 2, D("30.30"))]


def test_a_paid_invoice_of_equal_sums_leaves_no_rest(acme, process):
    """0.10 + 0.20 paid of 0.30: doubles would leave a trace on SQLite."""
    account = an_account(acme, a_plan(acme, {"phone": "0.30"}))
    bill(account, process, JAN_10)
    for reference, amount in (("a", "0.10"), ("b", "0.20")):
        pay(account, process, amount, reference=reference)
    assert (owed(acme), owed(acme, date(2026, 2, 1)), receivables_as_of(acme, date(2026, 2, 1))) == ([], [], [])
