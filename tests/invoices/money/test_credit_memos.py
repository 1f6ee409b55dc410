"""Credit memos: exactly the negative of what they credit, never more of it than there is, and what then becomes of money.

The amounts are worked out by hand; where one is rounded, a comment says how.
"""

from decimal import Decimal as D

import pytest

from accounts.models import Event, Service
from invoices.fingerprints import fingerprint
from invoices.kinds import EntryKind, InvoiceStatus, VoidReason
from invoices.models import Invoice, NumberSeries, TaxDetail
from invoices.services.balances import account_balance
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.credit_memos import Asked, create_credit_memo, preview_credit_memo
from invoices.services.ledger.acts import Why
from invoices.services.ledger.refunds import refund_payment
from invoices.services.ledger.write_offs import write_off
from invoices.services.pending import approve_invoices, discard_invoices
from invoices.services.rows import stored_contents
from invoices.services.voiding import void_invoice
from tests.factories import PlanFactory, TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.invoices.billing import FEB_10, JAN_10, JAN_31, MAR_10, USAGE, bill
from tests.invoices.money.paying import WHY, billed, due, ledger, unapplied
from tests.invoices.money.test_payments import key_with, pay, refused_as, rows, staff_with
from tests.invoices.test_coupons import a_coupon, redeem
from tests.invoices.test_one_time_charges import order
from tests.invoices.test_service_credits import credit

pytestmark = pytest.mark.usefixtures("audited")


def memo_of(invoice, caller, lines=None, amount=None, *, why=WHY, today=JAN_31):
    asked = Asked(
        {number: None if part is None else D(part) for number, part in (lines or {}).items()},
        None if amount is None else D(amount),
    )
    return create_credit_memo(client=invoice.client, invoice_no=invoice.pk, caller=caller, today=today, why=why, asked=asked)


def void(document, caller, today=JAN_31):
    reason = VoidReason.ERRONEOUS_ENTRY.value
    return void_invoice(client=document.client, invoice_no=document.pk, caller=caller, today=today, reason_code=reason)


def totals(document):
    return document.net_amount, document.tax_amount, document.total_amount


def credited(memo):
    """Of each line: what it credits, and how much."""
    return list(memo.lines.values_list("source_line_no", "amount"))


def taxes(*documents):
    """What is taxed and what tax is taken, by tax and taxed line of the first document, together."""
    sums = {}
    for document in documents:
        source = dict(document.lines.values_list("line_no", "source_line_no"))
        for tax in TaxDetail.objects.filter(invoice=document):
            names = tuple(source[no] or no for no in (tax.tax_line_no, tax.taxed_line_no))
            taxable, amount = sums.get(names, (D(0), D(0)))
            sums[names] = (taxable + tax.taxable_amount, amount + tax.amount)
    return sums


def exactly_undone(invoice, *memos):
    """Nothing is left of an invoice: of its totals, of what each charge was worth after coupons and credits, of each tax."""
    assert [sum(amounts) for amounts in zip(totals(invoice), *(totals(memo) for memo in memos), strict=True)] == [0, 0, 0]
    assert all(left == (0, 0) for left in taxes(invoice, *memos).values())
    by_line = {line.line_no: line.amount for line in invoice.lines.all()}
    for detail in invoice.credit_details.all():
        by_line[detail.credited_line_no] -= detail.amount
        by_line[detail.credit_line_no] += detail.amount
    for memo in memos:
        assert memo.lines.exclude(source_line_no=None).count() == memo.lines.count()
        assert sum(line.amount for line in memo.lines.all()) == memo.total_amount
        for number, amount in credited(memo):
            by_line[number] += amount
    assert set(by_line.values()) == {0}


# All of an invoice.


def exclusive(client):
    TaxRateFactory(client=client, percent=D("7.25"))
    return an_account(client, a_plan(client, {"phone": "30.00", "tv": "9.99"}))


def inclusive(client):
    TaxRateFactory(client=client, percent=D(19))
    account = an_account(client, a_plan(client, {"phone": "30.00", "tv": "9.99"}))
    Service.objects.filter(client=client).update(tax_inclusive=True)
    return account


def two_taxes(client):
    TaxRateFactory(client=client, name="Excise", region="", percent=D(3))
    return exclusive(client)


def two_contained_taxes(client):
    TaxRateFactory(client=client, name="Excise", region="", percent=D(3))
    return inclusive(client)


def net_and_gross(client):
    account = two_taxes(client)
    Service.objects.filter(client=client, client_service_id="tv").update(tax_inclusive=True)
    return account


def each_line_rounded(client):
    client.tax_rounding = "line"
    client.save()
    return two_taxes(client)


def with_coupons_and_credits(client):
    account = two_taxes(client)
    a_coupon(client)
    a_coupon(client, code="FIVE", percent=None, amount=D(5), currency="usd")
    redeem(account)
    redeem(account, "FIVE")
    credit(account, "7.77")
    return account


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
    """An account that has used so many calls by 10 February, and its invoice of that day."""
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
    asked = Asked({1: D("10.00")})
    plan = preview_credit_memo(client=acme, invoice_no=invoice.pk, asked=asked)
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


# What is refused.


@pytest.mark.parametrize(
    ("lines", "amount", "refusal"),
    [
        ({1: "30.01"}, None, (90021, "lines")),
        ({1: "30.00", 2: "10.00"}, None, (90021, "lines")),
        ({3: None}, None, (1016, "lines")),
        ({4: "1.00"}, None, (1016, "lines")),
        ({99: None}, None, (1016, "lines")),
        ({0: "1.00"}, None, (1016, "lines")),
        ({1: "1.00"}, "1.00", (1016, "amount")),
        (None, "39.98", (90021, "amount")),
        ({1: "0"}, None, (1016, "lines")),
        ({1: "-1.00"}, None, (1016, "lines")),
        ({1: "0.001"}, None, (1016, "lines")),
        (None, "0", (1016, "amount")),
        (None, "-1", (1016, "amount")),
        (None, "0.005", (1016, "amount")),
    ],
)
def test_what_cannot_be_credited_is_refused_and_nothing_written(acme, process, lines, amount, refusal):
    """Lines 1 and 2 charge 30.00 and 9.98, line 3 is a coupon of 0.01, line 4 the tax."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "9.98"}))
    TaxRateFactory(client=acme)
    coupon = a_coupon(acme, percent=None, amount=D("0.01"), currency="usd")
    coupon.services.add(Service.objects.get(client=acme, client_service_id="tv"))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    assert [line.line_type for line in invoice.lines.all()] == [1, 1, 4, 2]
    before = rows()
    assert refused_as(memo_of, invoice, process, lines, amount) == refusal
    assert rows() == before


def test_nothing_more_is_credited_once_nothing_is_left(acme, process):
    TaxRateFactory(client=acme)
    _account, invoice = billed(acme, process)
    memo_of(invoice, process)
    before = rows()
    assert refused_as(memo_of, invoice, process) == (90021, "invoice_no")
    assert refused_as(memo_of, invoice, process, None, "0.01") == (90021, "amount")
    assert refused_as(memo_of, invoice, process, {1: "0.01"}) == (90021, "lines")
    assert refused_as(memo_of, invoice, process, {1: None})[1] == "lines"
    assert rows() == before


@pytest.mark.parametrize("comments", ["", "   ", "\n"])
def test_a_memo_without_comments_is_refused(acme, process, comments):
    _account, invoice = billed(acme, process)
    before = rows()
    assert refused_as(memo_of, invoice, process, why=Why(1, comments)) == (29007, "comments")
    assert rows() == before


def test_a_pending_or_discarded_invoice_is_not_credited(umbra, process):
    _account, pending = billed(umbra, process)
    assert refused_as(memo_of, pending, process) == (90017, "invoice_no")
    discard_invoices(client=umbra, invoice_nos=[pending.pk], caller=process)
    assert refused_as(memo_of, pending, process) == (90017, "invoice_no")
    assert Invoice.objects.count() == 1


def test_a_voided_invoice_is_not_credited(acme, process):
    _account, invoice = billed(acme, process)
    void(invoice, process)
    assert refused_as(memo_of, invoice, process) == (90017, "invoice_no")


def test_a_memo_is_not_credited_itself(acme, process):
    _account, invoice = billed(acme, process)
    memo = memo_of(invoice, process)
    assert refused_as(memo_of, memo, process) == (90017, "invoice_no")


def test_an_invoice_of_another_client_is_unknown(acme, umbra, process):
    _account, invoice = billed(umbra, process)
    given = {"client": acme, "invoice_no": invoice.pk}
    why = {"caller": process, "today": JAN_31, "why": WHY}
    assert refused_as(create_credit_memo, **given, **why) == (3004, "invoice_no")
    assert refused_as(preview_credit_memo, **given, asked=Asked()) == (3004, "invoice_no")


def test_an_invoice_that_is_being_collected_is_not_credited(acme, process):
    _account, invoice = billed(acme, process, "sandbox_timeout_before")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    assert refused_as(memo_of, invoice, process) == (90018, "invoice_no")


def test_who_may_not_correct_credits_nothing_and_leaves_an_event_only(acme, process):
    _account, invoice = billed(acme, process)
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(memo_of, invoice, caller) == (90026, None)
    assert (rows(), Event.objects.count()) == (before, events + 2)
    assert memo_of(invoice, key_with(acme, may_correct=True)).total_amount == D(-30)


# What becomes of the money.


def test_what_a_memo_leaves_of_an_unpaid_invoice_is_due(acme, process):
    account, invoice = billed(acme, process)
    memo_of(invoice, process, {1: "12.00"})
    assert (due(invoice), account_balance(account)) == (D(18), D(18))
    assert ledger(account)[1:] == [(EntryKind.CREDIT_MEMO, D(-12), D(18))]


def test_payments_that_a_memo_leaves_no_room_for_go_to_the_oldest_open_invoice(acme, process):
    account, january = billed(acme, process)
    february, march = bill(account, process, FEB_10), bill(account, process, MAR_10)
    pay(account, process, "30.00", invoices={march: "30.00"}, today=MAR_10)
    memo_of(march, process, {1: "20.00"}, today=MAR_10)
    assert [due(one) for one in (january, february, march)] == [D(10), D(30), 0]
    assert (unapplied(account), account_balance(account)) == (0, D(40))


def test_payments_that_nothing_takes_stay_unapplied(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "30.00")
    memo_of(invoice, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, D(30), D(-30))
    assert due(bill(account, process, FEB_10)) == 0


def test_only_as_much_of_a_payment_is_freed_as_the_memo_needs(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "25.00")
    memo_of(invoice, process, {1: "12.00"})
    assert (due(invoice), unapplied(account)) == (0, D(7))


def test_after_a_write_off_only_the_rest_can_be_credited(acme, process):
    TaxRateFactory(client=acme)
    account, invoice = billed(acme, process)
    write_off(client=acme, invoice_no=invoice.pk, caller=process, today=JAN_31, why=WHY, amount=D("11.00"))
    before = rows()
    assert refused_as(memo_of, invoice, process) == (90021, "amount")
    assert refused_as(memo_of, invoice, process, {1: "20.01"}) == (90021, "amount")
    assert rows() == before
    memo = memo_of(invoice, process, {1: "20.00"})
    assert (memo.total_amount, due(invoice), account_balance(account)) == (D(-22), 0, 0)
    assert refused_as(memo_of, invoice, process, {1: "0.10"}) == (90021, "amount")


def test_a_voided_memo_makes_its_amount_due_again_and_can_be_made_again(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "30.00")
    memo = memo_of(invoice, process)
    assert unapplied(account) == D(30)
    void(memo, process)
    memo.refresh_from_db()
    assert (memo.status, memo.document_number, memo.void_reason_code) == (InvoiceStatus.VOIDED, "CM-000001", 8)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
    again = memo_of(invoice, process)
    assert (again.document_number, again.total_amount) == ("CM-000002", D(-30))
    assert (due(invoice), unapplied(account)) == (0, D(30))


def test_a_memo_whose_freed_payment_has_gone_elsewhere_leaves_its_invoice_due_when_it_is_voided(acme, process):
    account, january = billed(acme, process)
    pay(account, process, "30.00")
    memo = memo_of(january, process)
    february = bill(account, process, FEB_10)
    assert (due(february), unapplied(account)) == (0, 0)
    void(memo, process, FEB_10)
    assert (due(january), due(february), account_balance(account)) == (D(30), 0, D(30))


def test_a_memo_of_an_invoice_whose_money_was_given_back_takes_no_payment_from_it(acme, process):
    """The invoice is due again after the refund; the memo pays it, and nobody owes anything."""
    account, invoice = billed(acme, process)
    payment = pay(account, process, "30.00")
    refund_payment(client=acme, transaction_id=payment.pk, caller=process, today=JAN_31, why=WHY)
    assert due(invoice) == D(30)
    memo_of(invoice, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
