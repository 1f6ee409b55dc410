"""Whatever is credited in whatever order, and voided in between: never more than the invoice, and in the end exactly the
invoice, by line, by tax and in total."""

from collections import defaultdict
from decimal import Decimal as D

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from invoices.plan.memo import NO_TAXES, LineToCredit, TaxOfLine, plan_memo, spread, taxes_to_credit
from invoices.services.correcting.credit_memos import lines_to_credit
from tests.support.billing import JAN_10, bill
from tests.support.credit_memos import (
    each_line_rounded,
    net_and_gross,
    two_contained_taxes,
    two_taxes,
    with_coupons_and_credits,
)
from tests.support.memos import exactly_undone, memo_of, void
from tests.support.paying import due
from tests.support.random_examples import given

CURRENCIES = st.sampled_from([currency_of(code) for code in ("usd", "jpy", "kwd")])


class Ledger:
    """An invoice's lines, and its memos that are not voided."""

    def __init__(self, originals, currency):
        self.originals = originals
        self.currency = currency
        self.memos = []

    def lines(self):
        """The lines as they are seen by the next memo."""
        credited, given_back = defaultdict(D), defaultdict(D)
        for memo in self.memos:
            for line in memo.lines:
                credited[line.line_no] += line.amount
            for tax in memo.taxes:
                given_back[tax.tax_line_no, tax.line_no] += tax.amount
        return [
            line._replace(
                credited=credited[line.line_no],
                taxes=tuple(tax._replace(credited=given_back[tax.tax_line_no, line.line_no]) for tax in line.taxes),
            )
            for line in self.originals
        ]

    def credit(self, amounts, taxes_alone=NO_TAXES):
        self.memos.append(plan_memo(self.lines(), amounts, self.currency, taxes_alone))
        return self.memos[-1]

    def credit_the_rest(self):
        rest = {line.line_no: line.left for line in self.lines() if line.left}
        if rest:
            self.credit(rest)


@st.composite
def invoices(draw):
    """Lines with these amounts in smallest units, each with up to three taxes of which any may be contained in it."""
    currency = draw(CURRENCIES)
    unit = currency.smallest_unit
    lines = []
    for line_no in range(1, draw(st.integers(1, 4)) + 1):
        base = draw(st.integers(1, 5000))
        taxes = [
            TaxOfLine(10 + place, draw(st.booleans()), draw(st.integers(0, base // 3)) * unit, D(0))
            for place in range(draw(st.integers(0, 3)))
        ]
        lines.append(LineToCredit(line_no, base * unit, D(0), tuple(taxes)))
    return Ledger(lines, currency)


def some_of_it(data, ledger):
    """Parts of some of the lines, of which something is left."""
    unit = ledger.currency.smallest_unit
    open_lines = [line for line in ledger.lines() if line.left]
    assume(open_lines)
    chosen = data.draw(st.lists(st.sampled_from(open_lines), min_size=1, unique_by=lambda line: line.line_no))
    return {line.line_no: data.draw(st.integers(1, int(line.left / unit))) * unit for line in chosen}


def of_an_invoice(originals):
    taxes = [tax for line in originals for tax in line.taxes]
    included = sum((tax.amount for tax in taxes if tax.is_inclusive), D(0))
    added = sum((tax.amount for tax in taxes if not tax.is_inclusive), D(0))
    charged = sum((line.base for line in originals), D(0))
    return charged - included, included + added, charged + added


def of_memos(memos):
    return tuple(sum((getattr(memo, name) for memo in memos), D(0)) for name in ("net_amount", "tax_amount", "total_amount"))


@given(invoices(), st.data())
def test_no_sequence_of_memos_credits_more_than_the_invoice_and_the_last_leaves_nothing(ledger, data):
    for _ in range(data.draw(st.integers(0, 6))):
        if ledger.memos and data.draw(st.booleans()):
            del ledger.memos[data.draw(st.integers(0, len(ledger.memos) - 1))]
        elif any(line.left for line in ledger.lines()):
            ledger.credit(some_of_it(data, ledger))
        for line in ledger.lines():
            assert 0 <= line.credited <= line.base
            assert all(0 <= tax.credited <= tax.amount for tax in line.taxes)
    ledger.credit_the_rest()
    assert all(line.left == 0 for line in ledger.lines())
    assert all(tax.credited == tax.amount for line in ledger.lines() for tax in line.taxes)
    assert of_memos(ledger.memos) == of_an_invoice(ledger.originals)


@given(invoices(), st.data())
def test_a_tax_that_is_credited_alone_is_credited_once(ledger, data):
    unit = ledger.currency.smallest_unit
    for _ in range(data.draw(st.integers(1, 5))):
        taxes = [tax for tax in taxes_to_credit(ledger.lines()) if tax.left]
        if taxes and data.draw(st.booleans()):
            tax = data.draw(st.sampled_from(taxes))
            memo = ledger.credit({}, {tax.line_no: data.draw(st.integers(1, int(tax.left / unit))) * unit})
            assert (memo.net_amount, memo.tax_amount) == (0, memo.total_amount)
        elif any(line.left for line in ledger.lines()):
            ledger.credit(some_of_it(data, ledger))
        for line in ledger.lines():
            assert 0 <= line.credited <= line.base
            assert all(0 <= tax.credited <= tax.amount for tax in line.taxes)
    ledger.credit_the_rest()
    assert all(line.left == 0 for line in ledger.lines())


@given(invoices(), st.data())
def test_a_memo_adds_up_and_has_whole_units(ledger, data):
    unit = ledger.currency.smallest_unit
    for _ in range(3):
        if any(line.left for line in ledger.lines()):
            memo = ledger.credit(some_of_it(data, ledger))
            assert memo.net_amount + memo.tax_amount == memo.total_amount
            amounts = [line.amount for line in memo.lines] + [tax.amount for tax in memo.taxes]
            assert all(amount % unit == 0 and amount >= 0 for amount in amounts)


@given(invoices(), st.data())
def test_the_tax_given_back_is_always_that_of_what_is_credited_to_half_a_unit(ledger, data):
    """While no memo is voided in between: then its tax is what it was."""
    unit = ledger.currency.smallest_unit
    for _ in range(data.draw(st.integers(1, 6))):
        if any(line.left for line in ledger.lines()):
            ledger.credit(some_of_it(data, ledger))
    for line in ledger.lines():
        for tax in line.taxes:
            assert abs(tax.credited - tax.amount * line.credited / line.base) <= unit / 2


@given(invoices(), st.data())
def test_a_unit_more_than_is_left_of_a_line_is_refused(ledger, data):
    ledger.credit(some_of_it(data, ledger))
    line = data.draw(st.sampled_from(ledger.lines()))
    with pytest.raises(BillingError) as refused:
        plan_memo(ledger.lines(), {line.line_no: line.left + ledger.currency.smallest_unit}, ledger.currency)
    assert refused.value.code is ErrorCode.ABOVE_WHAT_IS_OPEN


@given(invoices(), st.data())
def test_an_amount_is_spread_to_the_unit_over_what_is_left(ledger, data):
    unit = ledger.currency.smallest_unit
    ledger.credit(some_of_it(data, ledger))
    lines = {line.line_no: line for line in ledger.lines() if line.left}
    left = sum((line.left for line in lines.values()), D(0))
    assume(left)
    amount = data.draw(st.integers(1, int(left / unit))) * unit
    parts = spread(ledger.lines(), amount, ledger.currency)
    assert sum(parts.values()) == amount
    assert all(0 < part <= lines[number].left for number, part in parts.items())
    assert all(abs(part - amount * lines[number].left / left) <= unit for number, part in parts.items())
    with pytest.raises(BillingError):
        spread(ledger.lines(), left + unit, ledger.currency)


# The same through the services. A number is the memo, from 0, that is voided.

SEQUENCES = [
    [{1: "0.01"}, {1: "0.01", 2: "0.01"}, {2: "3.33"}],
    [{1: "10.00"}, 0, {1: "10.00"}, {2: "0.02"}],
    [{1: "3.33"}, {1: "3.33"}, 0, {1: "6.67"}, {2: "5.55"}, 1, {2: "0.01"}],
    [{1: "0.07"}, {1: "0.07"}, {1: "0.07"}, {1: "0.07"}, 0, 2, {1: "0.15"}],
]


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize("make", [two_taxes, two_contained_taxes, net_and_gross, each_line_rounded, with_coupons_and_credits])
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_whatever_was_credited_and_voided_all_the_rest_undoes_the_invoice(acme, process, make, sequence):
    invoice = bill(make(acme), process, JAN_10)
    memos = []
    for step in sequence:
        if isinstance(step, int):
            void(memos[step], process)
        else:
            memos.append(memo_of(invoice, process, step))
        standing = [memo for memo in memos if memo.corrects.corrected_by.filter(pk=memo.pk, status="approved").exists()]
        assert due(invoice) == invoice.total_amount + sum(memo.total_amount for memo in standing) >= 0
    memo_of(invoice, process)
    assert (due(invoice), [line.left for line in lines_to_credit(invoice) if line.left]) == (0, [])
    exactly_undone(invoice, *Invoice.objects.filter(corrects=invoice, status="approved"))
