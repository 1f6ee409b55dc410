"""PURE: plan a credit memo: what is credited of each line, and its tax.

A line can be credited up to what coupons, credits and earlier memos have left of it. Its tax is credited in proportion. The
memo that credits the last part of a line takes the rest of its tax, so that all memos of an invoice add up to it to the cent.

A tax can be credited alone, by its own line: then nothing is credited of the charges, but what they include of the tax.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from billing_site.common.currencies import Currency, named_amount
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, exact_share, rounded, split, total

NO_TAXES: Mapping[int, Decimal | None] = {}


class TaxOfLine(NamedTuple):
    """One tax on a line, and what earlier memos have credited of it."""

    tax_line_no: int
    is_inclusive: bool
    amount: Decimal
    credited: Decimal


class LineToCredit(NamedTuple):
    """A charge. `base` is what coupons and credits have left of it; `credited` is what earlier memos have credited."""

    line_no: int
    base: Decimal
    credited: Decimal
    taxes: tuple[TaxOfLine, ...]

    @property
    def left(self) -> Decimal:
        """Return the most that can still be credited, before added tax."""
        return self.base - self.credited


class TaxToCredit(NamedTuple):
    """A tax line, and what can still be credited of it alone."""

    line_no: int
    left: Decimal


class TaxCredit(NamedTuple):
    tax_line_no: int
    line_no: int
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal


class LineCredit(NamedTuple):
    line_no: int
    amount: Decimal


class MemoPlan(NamedTuple):
    """What a memo credits, in amounts above zero. The document shows them below zero."""

    lines: tuple[LineCredit, ...]
    taxes: tuple[TaxCredit, ...]
    net_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


def with_given_back(line: LineToCredit, amount: Decimal, currency: Currency) -> LineToCredit:
    """Return the line as if memos had credited this amount, with the same share of its taxes. It was credited elsewhere."""
    if not amount:
        return line
    taxes = tuple(
        tax._replace(credited=tax.credited + rounded(exact_share(tax.amount, amount, line.base), currency))
        for tax in line.taxes
    )
    return line._replace(credited=line.credited + amount, taxes=taxes)


def taxes_to_credit(lines: Sequence[LineToCredit]) -> list[TaxToCredit]:
    """Return each tax of the lines with what can still be credited of it, in the order of the tax lines."""
    left: dict[int, Decimal] = {}
    for line in lines:
        for tax in line.taxes:
            left[tax.tax_line_no] = left.get(tax.tax_line_no, ZERO) + _left_of_tax(line, tax)
    return [TaxToCredit(*one) for one in sorted(left.items())]


def plan_memo(
    lines: Sequence[LineToCredit],
    amounts: Mapping[int, Decimal],
    currency: Currency,
    taxes_alone: Mapping[int, Decimal | None] = NO_TAXES,
) -> MemoPlan:
    """Plan a memo of these amounts of charges, and of these amounts of taxes, or all that is left of one. By line number.

    Refuses a line that is neither (1016), and more than is left of a line (90021)."""
    by_number = {line.line_no: line for line in lines}
    credits: dict[int, Decimal] = {}
    taxes: list[TaxCredit] = []
    for line_no, amount in sorted(amounts.items()):
        line = by_number.get(line_no)
        if line is None:
            detail = Detail("lines: line {line_no} is neither a charge nor a tax", line_no=line_no)
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="lines")
        _check_left(line_no, amount, line.left, currency)
        credits[line_no] = amount
        taxes += _taxes(line, amount, currency)
    for tax_line_no, amount_of_tax in sorted(taxes_alone.items()):
        parts = _parts_of_tax(_credited(lines, credits, taxes), tax_line_no, amount_of_tax, currency)
        for line_no, part in parts.items():
            is_inclusive = any(tax.is_inclusive for tax in by_number[line_no].taxes if tax.tax_line_no == tax_line_no)
            credits[line_no] = credits.get(line_no, ZERO) + (part if is_inclusive else ZERO)
            taxes = _with_tax(taxes, TaxCredit(tax_line_no, line_no, is_inclusive, ZERO, part))
    return _planned([LineCredit(*credit) for credit in sorted(credits.items())], taxes)


def _check_left(line_no: int, amount: Decimal, left: Decimal, currency: Currency) -> None:
    if amount > left:
        detail = Detail(
            "lines: only {left} can still be credited of line {line_no}",
            left=named_amount(left, currency.code),
            line_no=line_no,
        )
        raise BillingError(ErrorCode.ABOVE_WHAT_IS_OPEN, detail, field="lines")


def _credited(lines: Sequence[LineToCredit], credits: Mapping[int, Decimal], taxes: Sequence[TaxCredit]) -> list[LineToCredit]:
    """Return the lines as if these amounts and taxes were credited."""
    of_taxes = {(tax.line_no, tax.tax_line_no): tax.amount for tax in taxes}
    return [
        line._replace(
            credited=line.credited + credits.get(line.line_no, ZERO),
            taxes=tuple(
                tax._replace(credited=tax.credited + of_taxes.get((line.line_no, tax.tax_line_no), ZERO)) for tax in line.taxes
            ),
        )
        for line in lines
    ]


def _parts_of_tax(
    lines: Sequence[LineToCredit], tax_line_no: int, amount: Decimal | None, currency: Currency
) -> dict[int, Decimal]:
    """Return what is credited of a tax alone, by the lines that it taxes: all that is left, or an amount in proportion."""
    left = {line.line_no: _left_of_tax(line, tax) for line in lines for tax in line.taxes if tax.tax_line_no == tax_line_no}
    if amount is not None:
        _check_left(tax_line_no, amount, total(left.values()), currency)
        left = {line_no: rest for line_no, rest in left.items() if rest > ZERO}
        left = dict(zip(left, split(amount, list(left.values()), currency), strict=True))
    elif total(left.values()) <= ZERO:
        _check_left(tax_line_no, currency.smallest_unit, ZERO, currency)
    return {line_no: part for line_no, part in left.items() if part}


def _left_of_tax(line: LineToCredit, tax: TaxOfLine) -> Decimal:
    """Return what can be credited of a tax alone. Of a tax that the line includes, it is no more than is left of the line."""
    left = tax.amount - tax.credited
    return min(left, line.left) if tax.is_inclusive and line.base > ZERO else left


def _with_tax(taxes: Sequence[TaxCredit], more: TaxCredit) -> list[TaxCredit]:
    """Return the credited taxes with more of one. What it is credited with its charge stays its taxable amount."""
    same = [tax for tax in taxes if tax[:2] == more[:2]]
    others = [tax for tax in taxes if tax[:2] != more[:2]]
    return [*others, *(tax._replace(amount=tax.amount + more.amount) for tax in same or [more._replace(amount=ZERO)])]


def _planned(credits: Sequence[LineCredit], taxes: Sequence[TaxCredit]) -> MemoPlan:
    credited = total(credit.amount for credit in credits)
    included = total(tax.amount for tax in taxes if tax.is_inclusive)
    added = total(tax.amount for tax in taxes if not tax.is_inclusive)
    return MemoPlan(
        tuple(credits),
        tuple(sorted(taxes, key=lambda tax: (tax.tax_line_no, tax.line_no))),
        net_amount=credited - included,
        tax_amount=included + added,
        total_amount=total([credited, added]),
    )


def plan_memo_of_all(lines: Sequence[LineToCredit], most: Decimal, currency: Currency) -> MemoPlan:
    """Plan a memo of everything that is left of the lines, but at most of `most`, tax included.

    If `most` is less, it is spread over the lines: what is written off or disputed is not credited too. Not every total can be
    split into net and tax in smallest units; then missing cents are added to the tax.
    """
    memo = plan_memo(lines, {line.line_no: line.left for line in lines if line.left}, currency)
    if memo.total_amount <= most:
        return memo
    unit = currency.smallest_unit
    fits, above = 0, int(total(line.left for line in lines) / unit)
    memo = plan_memo(lines, {}, currency)
    while above - fits > 1:
        middle = (fits + above) // 2
        tried = plan_memo(lines, spread(lines, middle * unit, currency), currency)
        if tried.total_amount <= most:
            fits, memo = middle, tried
        else:
            above = middle
    return _with_more_tax(memo, lines, most - memo.total_amount)


def _with_more_tax(memo: MemoPlan, lines: Sequence[LineToCredit], missing: Decimal) -> MemoPlan:
    left = {(line.line_no, tax.tax_line_no): tax.amount - tax.credited for line in lines for tax in line.taxes}
    taxes, added = [], ZERO
    for tax in memo.taxes:
        room = ZERO if tax.is_inclusive else left[tax.line_no, tax.tax_line_no] - tax.amount
        more = min(room, missing - added)
        taxes.append(tax._replace(amount=tax.amount + more))
        added += more
    return memo._replace(taxes=tuple(taxes), tax_amount=memo.tax_amount + added, total_amount=total([memo.total_amount, added]))


def spread(lines: Sequence[LineToCredit], amount: Decimal, currency: Currency) -> dict[int, Decimal]:
    """Spread an amount, before added tax, over the lines in proportion to what is left of each. Refuses more than is left
    (90021)."""
    open_lines = [line for line in lines if line.left > ZERO]
    left = total(line.left for line in open_lines)
    if amount > left:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail("amount: only {left} can still be credited", left=named_amount(left, currency.code)),
            field="amount",
        )
    parts = split(amount, [line.left for line in open_lines], currency)
    return {line.line_no: part for line, part in zip(open_lines, parts, strict=True) if part > ZERO}


def _taxes(line: LineToCredit, amount: Decimal, currency: Currency) -> list[TaxCredit]:
    credited = {tax.tax_line_no: _tax_credit(line, tax, amount, currency) for tax in line.taxes}
    contained = sum((credited[tax.tax_line_no] for tax in line.taxes if tax.is_inclusive), ZERO)
    return [
        TaxCredit(
            tax.tax_line_no,
            line.line_no,
            tax.is_inclusive,
            amount - contained if tax.is_inclusive else amount,
            credited[tax.tax_line_no],
        )
        for tax in line.taxes
    ]


def _tax_credit(line: LineToCredit, tax: TaxOfLine, amount: Decimal, currency: Currency) -> Decimal:
    """Return the tax on everything that is credited of the line with this memo, less what earlier memos have credited."""
    left = tax.amount - tax.credited
    if amount == line.left:
        return left
    if line.base < ZERO:
        return rounded(exact_share(tax.amount, amount, line.base), currency)
    share = rounded(exact_share(tax.amount, line.credited + amount, line.base), currency)
    return min(max(share - tax.credited, ZERO), left)
