"""PURE: take a percentage off lines. Campaigns, rebills and adjustments of pending documents calculate it in the same way."""

from collections.abc import Sequence
from decimal import Decimal

from billing_site.common.currencies import Currency
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, rounded
from invoices.document import Document, Line
from rebills.plan.older import basis_of_document
from rebills.plan.requests import RequestedLine

MOST_DECIMALS = 10
"""Decimals of a rate, if it is not rounded to fewer."""

HUNDRED = Decimal(100)
FIELD = "discount_percent"


def why_no_percentage(value: Decimal) -> Detail | None:
    """Return why nothing can be discounted by this value, or None if it is from 0 to 100."""
    if value < ZERO:
        return Detail("{value} is below 0", value=f"{value.normalize():f}")
    if value > HUNDRED:
        return Detail("{value} is more than 100 %", value=f"{value.normalize():f}")
    return None


def discount_factor(percent: Decimal) -> Decimal:
    return (HUNDRED - percent) / HUNDRED


def multiplied(one: RequestedLine, line: Line, factor: Decimal, decimals: int | None, currency: Currency) -> RequestedLine:
    """Multiply the rate of a line; if it has none, and on a line that gives money back at its own tax, the amount."""
    rate = line.rate_per_unit if one.rate_per_unit is None else one.rate_per_unit
    if one.amount is not None or rate is None or line.has_own_tax:
        amount = line.amount if one.amount is None else one.amount
        return one._replace(amount=rounded(amount * factor, currency))
    return one._replace(rate_per_unit=shortened(rate * factor, decimals))


def shortened(rate: Decimal, decimals: int | None) -> Decimal:
    return round(rate, MOST_DECIMALS if decimals is None else decimals).normalize() + ZERO


def calculated_lines(document: Document) -> frozenset[int]:
    """Return the lines that are calculated from other lines: to a minimum or maximum. A rebill calculates them again."""
    basis = basis_of_document(document)
    numbers = [charge.bound_line_no for charge in basis.charges] + [minimum.line_no for minimum in basis.minimums]
    return frozenset(number for number in numbers if number is not None)


def is_calculated(line: Line, calculated: frozenset[int]) -> bool:
    """Whether a line is a coupon or credit, or follows from other lines, so that a discount of those changes it."""
    return line.is_credit or line.percent is not None or line.line_no in calculated


def with_discounts(
    document: Document, lines: Sequence[RequestedLine], percent: Decimal | None, *, carries_unlisted: bool
) -> tuple[RequestedLine, ...]:
    """Return the requested lines with their discounts as rates and amounts.

    `percent` is taken off every line of the document that stays, except lines that have a discount of their own, and those that
    are calculated from others. Added lines are priced as requested. A discount is taken off what else is requested of the line.

    Refuses (1016) a percentage below 0 or above 100, and (90410) one of a line that is added, left out or calculated.
    """
    if percent is None and all(one.discount_percent is None for one in lines):
        return tuple(lines)
    if percent is not None:
        _check(percent, FIELD)
    calculated = calculated_lines(document)
    charging = {line.line_no: line for line in document.lines if not line.is_tax}
    taxes = {line.line_no for line in document.lines if line.is_tax}
    done = []
    for one in lines:
        line = charging.get(one.line_no)
        if one.discount_percent is not None and one.line_no not in taxes:
            done.append(_own(one, line, calculated, document.currency))
        elif percent is None or line is None or one.exclude or is_calculated(line, calculated):
            done.append(one._replace(discount_percent=None))
        else:
            done.append(multiplied(one, line, discount_factor(percent), None, document.currency))
    if percent is not None and carries_unlisted:
        named = {one.line_no for one in lines}
        done += [
            multiplied(RequestedLine(number), line, discount_factor(percent), None, document.currency)
            for number, line in charging.items()
            if number not in named and not is_calculated(line, calculated)
        ]
    return tuple(done)


def _own(one: RequestedLine, line: Line | None, calculated: frozenset[int], currency: Currency) -> RequestedLine:
    percent, field = one.discount_percent or ZERO, f"{one.path}.{FIELD}" if one.path else FIELD
    _check(percent, field)
    why = None
    if line is None:
        why = Detail("line {line_no} is added; give it the price that it is to have", line_no=one.line_no)
    elif one.exclude:
        why = Detail("line {line_no} is left out", line_no=one.line_no)
    elif line.is_credit:
        why = Detail("line {line_no} is a coupon or credit; change its amount", line_no=one.line_no)
    elif is_calculated(line, calculated):
        why = Detail("line {line_no} is calculated from other lines; take the discount off those", line_no=one.line_no)
    if line is None or why is not None:
        raise BillingError(ErrorCode.NOT_DISCOUNTED, Detail("{field}: {why}", field=field, why=why), field=field)
    return multiplied(one._replace(discount_percent=None), line, discount_factor(percent), None, currency)


def _check(percent: Decimal, field: str) -> None:
    why = why_no_percentage(percent)
    if why is not None:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("{field}: {detail}", field=field, detail=why), field=field)
