"""Credit memos: exactly the negative of what they credit, line by line and tax by tax.

The amounts are worked out by hand; where one is rounded, a comment says how.
"""

from decimal import Decimal as D

import pytest

from accounts.models import Event, Service
from invoices.fingerprints import fingerprint
from invoices.kinds import EntryKind
from invoices.models import NumberSeries
from invoices.services.approving.acts import approve_invoices
from invoices.services.correcting.credit_memos import CreditRequest, preview_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.document_storage import stored_contents
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_10, JAN_31, USAGE, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.credit_memos import (
    each_line_rounded,
    exclusive,
    inclusive,
    net_and_gross,
    two_contained_taxes,
    two_taxes,
    with_coupons_and_credits,
)
from tests.support.factories import PlanFactory, TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.memos import credited, exactly_undone, memo_of, taxes, totals
from tests.support.orders import order
from tests.support.paying import WHY, billed, due
from tests.support.payments import refused_as, rows

pytestmark = pytest.mark.usefixtures("audited")


# All of an invoice.


def a_line_credited_to_nothing(client):
    account = exclusive(client)
    coupon = a_coupon(client, percent=D(100))
    coupon.services.add(Service.objects.get(client=client, client_service_id="tv"))
    redeem(account)
    return account


def with_an_order(client):
    account = exclusive(client)
    order(account, Service.objects.get(client=client, client_service_id="phone"), rate_per_unit=D("79.90"))
    return account


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (exclusive, ("39.99", "2.90", "42.89")),  # 7.25 % of 39.99 is 2.899
        (inclusive, ("33.61", "6.38", "39.99")),  # 39.99 x 19 / 119 is 6.385 less a hair
        (two_taxes, ("39.99", "4.10", "44.09")),  # and 3 % is 1.20
        (two_contained_taxes, ("32.78", "7.21", "39.99")),  # x 19 / 122 is 6.228, x 3 / 122 is 0.983
        (each_line_rounded, ("39.99", "4.10", "44.09")),  # 2.18 and 0.72; 0.90 and 0.30
        (with_an_order, ("119.89", "8.69", "128.58")),  # 7.25 % of 119.89 is 8.692
        # Ten percent of 39.99 is 4.00; 5.00 and 7.77 more: 23.22 is left. 7.25 % is 1.683, 3 % is 0.697.
        (with_coupons_and_credits, ("23.22", "2.38", "25.60")),
        (a_line_credited_to_nothing, ("30.00", "2.18", "32.18")),  # 7.25 % of 30.00 is 2.175
    ],
)
def test_a_memo_of_all_is_exactly_the_negative_of_the_invoice(acme, process, make, expected):
    invoice = bill(make(acme), process, JAN_10)
    assert totals(invoice) == tuple(D(amount) for amount in expected)
    memo = memo_of(invoice, process)
    assert totals(memo) == tuple(-D(amount) for amount in expected)
    exactly_undone(invoice, memo)
    assert due(invoice) == 0


@pytest.mark.parametrize(
    ("make", "lines", "of_tax", "of_rest"),
    [
        (exclusive, {3: None}, ("0", "2.90", "2.90"), ("39.99", "0", "39.99")),
        (exclusive, {3: "1.00"}, ("0", "1.00", "1.00"), ("39.99", "1.90", "41.89")),
        # Ten of the 30.00 of line 1, and all of the tax.
        (exclusive, {1: "10.00", 3: None}, ("10.00", "2.90", "12.90"), ("29.99", "0", "29.99")),
        (inclusive, {3: None}, ("0", "6.38", "6.38"), ("33.61", "0", "33.61")),
        (inclusive, {3: "0.38"}, ("0", "0.38", "0.38"), ("33.61", "6.00", "39.61")),
        (two_taxes, {3: None}, ("0", "1.20", "1.20"), ("39.99", "2.90", "42.89")),
    ],
)
def test_a_tax_is_credited_alone_and_then_the_rest(acme, process, make, lines, of_tax, of_rest):
    invoice = bill(make(acme), process, JAN_10)
    first = memo_of(invoice, process, lines)
    assert totals(first) == tuple(-D(amount) for amount in of_tax)
    assert due(invoice) == D(of_rest[2])
    rest = memo_of(invoice, process)
    assert totals(rest) == tuple(-D(amount) for amount in of_rest)
    exactly_undone(invoice, first, rest)


def test_a_tax_is_not_credited_twice(acme, process):
    invoice = bill(exclusive(acme), process, JAN_10)
    memo_of(invoice, process, {3: None})
    assert refused_as(memo_of, invoice, process, {3: None}) == (90021, "lines")


def test_net_and_gross_lines_are_credited_together(acme, process):
    invoice = bill(net_and_gross(acme), process, JAN_10)
    exactly_undone(invoice, memo_of(invoice, process))


@pytest.mark.parametrize(
    ("currency", "rate", "expected"),
    [
        ("jpy", "999", ("999", "72", "1071")),  # 7.25 % of 999 is 72.4
        ("kwd", "9.999", ("9.999", "0.725", "10.724")),  # 7.25 % of 9.999 is 0.72493
    ],
)
def test_a_memo_is_in_its_currencys_own_smallest_units(acme, process, currency, rate, expected):
    TaxRateFactory(client=acme, percent=D("7.25"))
    invoice = bill(an_account(acme, a_plan(acme, {"phone": rate}, currency=currency), currency=currency), process, JAN_10)
    memo = memo_of(invoice, process)
    assert totals(memo) == tuple(-D(amount) for amount in expected)
    assert memo.currency == currency
    exactly_undone(invoice, memo)


def used(client, units, **terms):
    """Create an account with usage by 10 February, and its invoice of that day."""
    TaxRateFactory(client=client, percent=D("7.25"))
    plan = PlanFactory(client=client)
    a_charge(plan, "calls", None, USAGE, tiers={"0": "0.10", "100": "0.05", "200": "0.033"}, **terms)
    account = an_account(client, plan)
    some_usage(account.plan_instances.get(), "calls", units, JAN_31)
    return account


def test_lines_of_a_tiered_price_are_credited_one_by_one(acme, process):
    account = used(acme, "333")
    bill(account, process, JAN_10)
    invoice = bill(account, process, FEB_10)
    # 100 at 0.10, 100 at 0.05, 133 at 0.033: 10.00, 5.00 and 4.389; 7.25 % of 19.39 is 1.406.
    assert totals(invoice) == (D("19.39"), D("1.41"), D("20.80"))
    memo = memo_of(invoice, process, today=FEB_10)
    assert credited(memo) == [(1, D(-10)), (2, D(-5)), (3, D("-4.39")), (4, D("-1.41"))]
    assert [(line.units, line.rate_per_unit, line.tier_no) for line in memo.lines.all()] == [(None, None, None)] * 4
    exactly_undone(invoice, memo)


def test_of_a_line_above_its_maximum_only_what_was_charged_is_credited(acme, process):
    account = used(acme, "333", maximum_amount=D(12))
    bill(account, process, JAN_10)
    invoice = bill(account, process, FEB_10)
    assert totals(invoice) == (D(12), D("0.87"), D("12.87"))
    memo = memo_of(invoice, process, today=FEB_10)
    assert totals(memo) == (D(-12), D("-0.87"), D("-12.87"))
    exactly_undone(invoice, memo)


# The document.


def test_a_memo_is_a_document_of_its_own(acme, process):
    TaxRateFactory(client=acme)
    _account, invoice = billed(acme, process)
    before = invoice.fingerprint
    memo = memo_of(invoice, process, why=Why(3, "Price was 20.00"))
    assert (memo.kind, memo.status, memo.corrects, memo.series) == ("credit_memo", "approved", invoice, "credit_memo")
    assert (memo.document_number, memo.reason_code, memo.comments) == ("CM-000001", 3, "Price was 20.00")
    assert (memo.invoice_date, memo.due_date, memo.tax_date) == (JAN_31, JAN_31, invoice.tax_date)
    assert (memo.period_start, memo.period_end, memo.bill_to) == (invoice.period_start, invoice.period_end, invoice.bill_to)
    assert [(line.line_no, line.line_type, line.description) for line in memo.lines.all()] == [
        (line.line_no, line.line_type, line.description) for line in invoice.lines.all()
    ]
    contents = stored_contents([invoice.pk, memo.pk])
    assert fingerprint(contents[memo.pk]) == memo.fingerprint
    invoice.refresh_from_db()
    assert invoice.fingerprint == before == fingerprint(contents[invoice.pk])
    assert (memo.billed_periods.exists(), memo.credit_details.exists()) == (False, False)
    event = Event.objects.get(act="invoice.generated", invoice_no=memo.pk)
    assert (event.after["corrects"], event.after["reason_code"], D(event.after["total_amount"])) == (invoice.pk, 3, D(-33))


def test_memos_are_numbered_without_a_gap_in_a_series_of_their_own(acme, umbra, process):
    _account, first = billed(acme, process)
    _other, second = billed(acme, process)
    numbers = [memo_of(first, process, {1: "1.00"}).document_number]
    for refused in ({1: "29.01"}, {9: None}, {1: "0"}):
        refused_as(memo_of, first, process, refused)
    numbers += [memo_of(one, process, {1: "1.00"}).document_number for one in (second, first)]
    assert numbers == ["CM-000001", "CM-000002", "CM-000003"]
    assert NumberSeries.objects.get(client=acme, kind="invoice").last_number == 2
    _foreign, pending = billed(umbra, process)
    approve_invoices(client=umbra, invoice_nos=[pending.pk], caller=process, today=JAN_31)
    assert memo_of(pending, process).document_number == "CM-000001"


def test_a_preview_is_the_memo_and_writes_nothing(acme, process):
    TaxRateFactory(client=acme)
    _account, invoice = billed(acme, process)
    before = rows()
    asked = CreditRequest({1: D("10.00")})
    plan = preview_credit_memo(client=acme, invoice_no=invoice.pk, credit=asked, today=JAN_31)
    assert ((plan.net_amount, plan.tax_amount, plan.total_amount), rows()) == ((D(10), D(1), D(11)), before)
    memo = memo_of(invoice, process, {1: "10.00"})
    assert totals(memo) == (D(-10), D(-1), D(-11))


def test_a_memo_moves_no_dates_and_bills_nothing_anew(acme, process):
    account, invoice = billed(acme, process)
    memo_of(invoice, process)
    account.refresh_from_db()
    assert (account.next_bill_date, account.last_bill_date) == (FEB_10, JAN_10)
    assert bill(account, process, FEB_10).total_amount == D(30)


# A part.


def test_the_tax_of_a_part_is_in_proportion(acme, process):
    invoice = bill(two_taxes(acme), process, JAN_10)
    # Line 1 is 30.00. Excise 3 %: 1.20 on 39.99, of it 0.90 on line 1. Sales tax 7.25 %: 2.90, of it 2.18 on line 1.
    assert taxes(invoice)[3, 1] == (D(30), D("0.90"))
    assert taxes(invoice)[4, 1] == (D(30), D("2.18"))
    memo = memo_of(invoice, process, {1: "12.34"})
    # 0.90 x 12.34 / 30 is 0.3702; 2.18 x 12.34 / 30 is 0.8967.
    assert credited(memo) == [(1, D("-12.34")), (3, D("-0.37")), (4, D("-0.90"))]
    assert totals(memo) == (D("-12.34"), D("-1.27"), D("-13.61"))
    assert due(invoice) == D("30.48")


def test_the_tax_that_a_part_contains_is_in_proportion(acme, process):
    invoice = bill(inclusive(acme), process, JAN_10)
    # 6.38 on 39.99, of it 4.79 on line 1 (6.38 x 30.00 / 39.99 is 4.786).
    assert taxes(invoice)[3, 1] == (D("25.21"), D("4.79"))
    memo = memo_of(invoice, process, {1: "10.00"})
    # 4.79 x 10 / 30 is 1.5967.
    assert credited(memo) == [(1, D(-10)), (3, D(0))]
    assert totals(memo) == (D("-8.40"), D("-1.60"), D("-10.00"))
    assert taxes(memo) == {(3, 1): (D("-8.40"), D("-1.60"))}


def test_three_thirds_are_the_line_and_its_tax_with_the_residue_in_the_last(acme, process):
    TaxRateFactory(client=acme, percent=D("7.25"))
    _account, invoice = billed(acme, process, rate="10.00")
    # 7.25 % of 10.00 is 0.725, so 0.73. Of 3.33 it is 0.243, of 6.66 0.486: 0.24, 0.25, and 0.24 is left.
    memos = [memo_of(invoice, process, {1: part}) for part in ("3.33", "3.33", "3.34")]
    assert [totals(memo)[1:] for memo in memos] == [
        (D("-0.24"), D("-3.57")),
        (D("-0.25"), D("-3.58")),
        (D("-0.24"), D("-3.58")),
    ]
    exactly_undone(invoice, *memos)
    assert due(invoice) == 0


def test_a_line_without_an_amount_is_credited_with_all_that_is_left_of_it(acme, process):
    invoice = bill(two_taxes(acme), process, JAN_10)
    first = memo_of(invoice, process, {1: "12.34"})
    second = memo_of(invoice, process, {1: None})
    # 2.18 less 0.90, and 0.90 less 0.37.
    assert credited(second) == [(1, D("-17.66")), (3, D("-0.53")), (4, D("-1.28"))]
    third = memo_of(invoice, process)
    assert [number for number, _ in credited(third)] == [2, 3, 4]
    exactly_undone(invoice, first, second, third)


def test_an_amount_is_spread_over_the_lines_in_proportion_to_what_is_left(acme, process):
    TaxRateFactory(client=acme)
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "10.00"})), process, JAN_10)
    memo = memo_of(invoice, process, amount="10.01")
    # 10.01 x 30 / 40 is 7.5075, the rest is 2.50; 10 % of them 0.75 and 0.25.
    assert credited(memo) == [(1, D("-7.51")), (2, D("-2.50")), (3, D("-1.00"))]
    again = memo_of(invoice, process, {1: "22.49"})
    last = memo_of(invoice, process, amount="7.50")
    assert credited(last)[:1] == [(2, D("-7.50"))]
    exactly_undone(invoice, memo, again, last)


def test_a_coupon_leaves_less_of_a_line_to_be_credited(acme, process):
    account = exclusive(acme)
    a_coupon(acme)
    redeem(account)
    invoice = bill(account, process, JAN_10)
    # Ten percent of 39.99 is 4.00: 3.00 off the phone, 1.00 off the tv.
    assert refused_as(memo_of, invoice, process, {1: "27.01"}) == (90021, "lines")
    assert credited(memo_of(invoice, process, {1: "27.00"}))[0] == (1, D(-27))


# All that is left, after a write-off or dispute.


def lowered(invoice, process, amount, kind=EntryKind.WRITE_OFF):
    given = {"client": invoice.client, "invoice_no": invoice.pk, "caller": process, "today": JAN_31, "why": WHY}
    return write_off(amount=D(amount), kind=kind, **given)


@pytest.mark.parametrize("kind", [EntryKind.WRITE_OFF, EntryKind.DISPUTE])
def test_all_that_is_left_leaves_out_what_was_taken_off_otherwise(acme, process, kind):
    """115.00 of 120.00: 95.83 and 20 % of it, 19.17."""
    TaxRateFactory(client=acme, percent=D(20))
    _account, invoice = billed(acme, process, rate="100.00")
    lowered(invoice, process, "5.00", kind)
    assert totals(memo_of(invoice, process)) == (D("-95.83"), D("-19.17"), -115)
    assert (due(invoice), refused_as(memo_of, invoice, process)) == (0, (90021, "invoice_no"))


@pytest.mark.parametrize("make", [exclusive, inclusive, two_taxes, two_contained_taxes])
@pytest.mark.parametrize("off", ["0.01", "0.02", "0.03", "7.77", "12.34", "30.01"])
def test_all_that_is_left_is_met_to_the_cent_whatever_the_taxes_are(acme, process, make, off):
    invoice = bill(make(acme), process, JAN_10)
    lowered(invoice, process, off)
    memo = memo_of(invoice, process)
    assert memo.total_amount == D(off) - invoice.total_amount
    assert memo.total_amount == memo.net_amount + memo.tax_amount
    assert due(invoice) == 0


def test_what_is_left_is_credited_when_the_write_off_is_voided(acme, process):
    TaxRateFactory(client=acme, percent=D(20))
    _account, invoice = billed(acme, process, rate="100.00")
    entry = lowered(invoice, process, "5.00")
    memo = memo_of(invoice, process)
    void_transaction(client=acme, transaction_id=entry.pk, caller=process, today=JAN_31, reason_code=8)
    exactly_undone(invoice, memo, memo_of(invoice, process))
