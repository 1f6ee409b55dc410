"""Check that lines with a rate, a percent or a band have the amount that follows from it."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from accounts.kinds import BandEdge
from billing_site.common.currencies import Currency
from billing_site.errors import BillingError
from invoices.audit.amounts import shown
from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import HUNDRED, ZERO, exact_share, line_amount, rounded
from invoices.document import Line
from invoices.kinds import LineType


def count_lines(document: StoredDocument) -> int:
    return len(document.lines)


def count_percents(document: StoredDocument) -> int:
    return sum(line.percent is not None for line in document.lines)


def count_bands(document: StoredDocument) -> int:
    return sum(line.tier_no is not None for line in document.lines)


def line_amounts(document: StoredDocument) -> Iterator[str]:
    """Check that the amount of a line with a rate is rate x units x proration factor. A charge without a rate must say why."""
    for line in document.lines:
        if line.rate_per_unit is None:
            if _must_say_why(line):
                yield f"line {line.line_no} is {shown(line.amount)} without a rate, and does not say why"
        elif line.amount != _amount_by_rate(line, line.rate_per_unit, document.currency):
            units = "no units" if line.units is None else f"{shown(line.units)} units"
            yield (
                f"line {line.line_no} is {shown(line.amount)}, which is not {shown(line.rate_per_unit)} for {units} "
                f"by factor {shown(line.proration_factor)}"
            )


def _must_say_why(line: Line) -> bool:
    """Taxes have their details, and coupon and credit lines need no explanation."""
    said = line.explanation or line.percent is not None
    return not said and not line.is_tax and not line.is_credit


def _amount_by_rate(line: Line, rate: Decimal, currency: Currency) -> Decimal | None:
    """Return None if the units are missing, or if the amount is too large to be stored."""
    try:
        return None if line.units is None else line_amount(rate, line.units, line.share, currency)
    except BillingError:
        return None


def percents(document: StoredDocument) -> Iterator[str]:
    """Check that a percent line is its percent of its base, rounded once, and that a coupon is not larger than its base."""
    for line in document.lines:
        if line.percent is None and line.base_amount is None:
            continue
        if line.percent is None or line.base_amount is None:
            yield f"line {line.line_no} has a percent without a base, or a base without a percent"
            continue
        share = _percent_of(line.percent, line.base_amount, document.currency)
        amount = -line.amount if line.line_type == LineType.COUPON else line.amount
        if amount != share:
            yield f"line {line.line_no} is {shown(line.amount)}, which is not {_percent(line)}"
        if line.line_type == LineType.COUPON and amount > line.base_amount:
            yield f"line {line.line_no} credits {shown(amount)}, which is more than its base of {shown(line.base_amount)}"


def _percent_of(percent: Decimal, base: Decimal, currency: Currency) -> Decimal | None:
    """Return None if the amount is too large to be stored."""
    try:
        return rounded(exact_share(base, percent, HUNDRED), currency)
    except BillingError:
        return None


def _percent(line: Line) -> str:
    return f"{shown(line.percent or ZERO)} % of {shown(line.base_amount or ZERO)}"


def bands(document: StoredDocument) -> Iterator[str]:
    """Check that units are in the band that prices them, and that the lines of one charge fill its bands one after the other.

    Late usage begins where the usage of earlier documents ended, which may be in the middle of a band.
    """
    reached = {no for one in document.content.basis.charges if one.terms.edge == BandEdge.REACHED for no in one.line_nos}
    charges: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in document.lines:
        if line.tier_no is not None:
            charges[line.charge_key].append(line)
    for lines in charges.values():
        for line in lines:
            if not _is_in_band(line, alone=len(lines) == 1, reached=line.line_no in reached):
                yield f"line {line.line_no} prices {_units(line)} in {_band(line)}"
        for before, after in pairwise(lines):
            if (after.tier_no, after.tier_from) != ((before.tier_no or 0) + 1, before.tier_to):
                yield f"line {before.line_no} prices units in {_band(before)}, and line {after.line_no} in {_band(after)}"
        if len(lines) > 1 and lines[0].tier_no != 1 and not _is_late(lines[0]):
            yield f"line {lines[0].line_no} prices the first units in {_band(lines[0])}"
        for line in lines[1:-1] if _is_late(lines[0]) else lines[:-1]:
            if line.units != _width(line):
                yield f"line {line.line_no} prices only {_units(line)} in {_band(line)}, and the next line those above"


def _is_in_band(line: Line, *, alone: bool, reached: bool) -> bool:
    """A tiered line has at most the units of its band. A volume price has one line of all units, which end in its band.
    `reached`: its bands begin at their beginning, and not above it."""
    start, end, units = line.tier_from, line.tier_to, line.units
    if start is None or units is None or (line.tier_no == 1) != (start == ZERO) or (end is not None and end <= start):
        return False
    if not alone:
        return units > ZERO and (end is None or units <= end - start)
    if reached:
        return (units >= start or _is_late(line)) and (end is None or units < end)
    reaches = units > start or _is_late(line) or units == start == ZERO
    return reaches and (end is None or units <= end)


def _is_late(line: Line) -> bool:
    """Late usage says so on its line: other units were billed before."""
    return "billed before" in line.explanation


def _width(line: Line) -> Decimal | None:
    return None if line.tier_from is None or line.tier_to is None else line.tier_to - line.tier_from


def _units(line: Line) -> str:
    return "no units" if line.units is None else f"{shown(line.units)} units"


def _band(line: Line) -> str:
    start = "nothing" if line.tier_from is None else shown(line.tier_from)
    end = "without end" if line.tier_to is None else f"to {shown(line.tier_to)}"
    return f"band {line.tier_no}, above {start} {end}"
