"""PURE: credit billed days that are not used, with the tax that was charged for them.

If a plan ends or changes in a billed cycle, the next document credits its unused days, for each line that charged them: what
coupons, credits and credit memos have left of it, with the same share of each tax. Credited days that are used again are
charged again in the same way. If the document is too small for the credit, the rest is kept for the next one.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from billing_site.common.currencies import Currency
from invoices.calculation import ZERO, Share, exact_share, line_amount, rounded
from invoices.document import Line
from invoices.kinds import LineType
from invoices.plan.drafts import NO_CONTACTS, Contacts, UnusedClaim
from invoices.plan.rating import shown
from invoices.tax_engines.protocol import LineTax


class SourceTax(NamedTuple):
    """One tax on a line, and what credit memos have credited of it."""

    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    vat_category: str
    exemption_reason: str
    amount: Decimal
    given_back: Decimal = ZERO


class DocumentAmount(NamedTuple):
    """The amount that a document has credited of a line."""

    document_no: int
    amount: Decimal


class SourceLine(NamedTuple):
    """A line that charged days of a plan instance. `base` is what coupons and credits had left of it.

    `is_in_force` says that its document is valid and was not rebilled. `credited_from` is the first day to credit, or None.
    `credited` is what documents have credited for unused days, `memos` what credit memos have credited otherwise. `last_step`
    is the number of the last credit of the line.
    """

    invoice_no: int
    line_no: int
    document_number: str
    plan_instance_no: int
    line_type: int
    service_no: int | None
    description: str
    plan_name: str
    gl_code: str
    tax_category: str
    po_num: str
    location_no: int | None
    units: Decimal | None
    rate_per_unit: Decimal | None
    first_day: date
    last_day: date
    period_total_days: int | None
    proration_remaining_days: int | None
    amount: Decimal
    base: Decimal
    is_in_force: bool
    credited_from: date | None
    taxes: tuple[SourceTax, ...] = ()
    credited: tuple[DocumentAmount, ...] = ()
    memos: tuple[DocumentAmount, ...] = ()
    last_step: int = 0

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1

    @property
    def first_unused(self) -> date | None:
        """Return the first of its days to credit, or None."""
        if not self.is_in_force or self.credited_from is None or self.credited_from > self.last_day:
            return None
        return max(self.credited_from, self.first_day)

    @property
    def given_back(self) -> Decimal:
        return sum((one.amount for one in self.credited), ZERO)

    @property
    def left(self) -> Decimal:
        """Return the most that can still be credited, before added tax."""
        return self.base - self.given_back - sum((one.amount for one in self.memos), ZERO)

    @property
    def charged_then(self) -> Decimal:
        """Return what was charged when its days were first credited. Later memos credit days that were used."""
        first = min((one.document_no for one in self.credited), default=None)
        return self.base - sum((one.amount for one in self.memos if first is None or one.document_no < first), ZERO)


class Unused(NamedTuple):
    """An amount of a line to credit (above zero) or to charge again (below zero), from its first day on."""

    source: SourceLine
    first_day: date
    amount: Decimal

    @property
    def days(self) -> int:
        return (self.source.last_day - self.first_day).days + 1


class GivenBack(NamedTuple):
    """The lines that credit unused days, their taxes, and what the document must store of them."""

    lines: tuple[Line, ...]
    taxes: tuple[LineTax, ...]
    claims: tuple[UnusedClaim, ...]


def unused_value(source: SourceLine, currency: Currency) -> Decimal:
    """Return what was charged for the unused days of a line, calculated as proration does."""
    first = source.first_unused
    if first is None:
        return ZERO
    charged = source.charged_then
    days = (source.last_day - first).days + 1
    if days == source.days or not source.amount:
        return charged
    value = _by_rate(source, first, days, currency)
    if value is None:
        value = rounded(exact_share(source.amount, Decimal(days), Decimal(source.days)), currency)
    return value if charged == source.amount else rounded(exact_share(charged, value, source.amount), currency)


def _by_rate(source: SourceLine, first: date, days: int, currency: Currency) -> Decimal | None:
    """Calculate by the line's rate, so that the rest is what the used days cost. None if its amount is not by that rate."""
    total, remaining = source.period_total_days, source.proration_remaining_days
    if source.rate_per_unit is None or source.units is None or total is None or remaining is None:
        return None
    if line_amount(source.rate_per_unit, source.units, Share(source.days, remaining, total), currency) != source.amount:
        return None
    before = (first - source.first_day).days
    return line_amount(source.rate_per_unit, source.units, Share(days, remaining - before, total), currency)


def unused_of(sources: Iterable[SourceLine], currency: Currency) -> list[Unused]:
    """Return what must still be credited or charged again, in the order of the lines. Never more than is left of a line."""
    found = [_due_of(source, currency) for source in sources]
    return [one for one in found if one.amount]


def _due_of(source: SourceLine, currency: Currency) -> Unused:
    due = unused_value(source, currency) - source.given_back
    if due > ZERO:
        due = min(due, max(source.left, ZERO))
    return Unused(source, source.first_unused or source.first_day, due)


def taxes_of(unused: Unused, amount: Decimal, currency: Currency) -> list[tuple[SourceTax, Decimal]]:
    """Return what `amount` of the line credits of each of its taxes. All credits of a line add up to its tax."""
    source = unused.source
    before = source.given_back
    return [
        (
            tax,
            min(
                _tax_on(source, tax, before + amount, currency) - _tax_on(source, tax, before, currency),
                max(tax.amount - tax.given_back - _tax_on(source, tax, before, currency), ZERO),
            ),
        )
        for tax in source.taxes
    ]


def _tax_on(source: SourceLine, tax: SourceTax, amount: Decimal, currency: Currency) -> Decimal:
    return tax.amount if amount == source.base else rounded(exact_share(tax.amount, amount, source.base), currency)


def gross_of(unused: Unused, amount: Decimal, currency: Currency) -> Decimal:
    """Return an amount of the line with its added tax."""
    added = (part for tax, part in taxes_of(unused, amount, currency) if not tax.is_inclusive)
    return amount + sum(added, ZERO)


def give_back(unused: Sequence[Unused], room: Decimal, after: int, contacts: Contacts, currency: Currency) -> GivenBack:
    """Return the lines that charge again and credit, numbered from `after` + 1.

    Credits are limited to `room`, tax included: the document must not become negative.
    """
    lines: list[Line] = []
    taxes: list[LineTax] = []
    claims: list[UnusedClaim] = []
    for one in sorted(unused, key=lambda one: one.amount > ZERO):
        amount = one.amount if one.amount < ZERO else _within(one, room, currency)
        if not amount:
            continue
        room -= gross_of(one, amount, currency)
        line = _line(one, amount, after + len(lines) + 1, contacts, currency)
        lines.append(line)
        taxes += _line_taxes(one, amount, line.line_no, currency)
        claims.append(claim_of(one, amount, line.line_no))
    return GivenBack(tuple(lines), tuple(taxes), tuple(claims))


def _within(unused: Unused, room: Decimal, currency: Currency) -> Decimal:
    """Return the amount to credit, or the part of it that fits into `room`."""
    if room <= ZERO:
        return ZERO
    whole = gross_of(unused, unused.amount, currency)
    if whole <= room:
        return unused.amount
    amount = rounded(exact_share(unused.amount, room, whole), currency)
    while amount > ZERO and gross_of(unused, amount, currency) > room:
        amount -= currency.smallest_unit
    return amount


def _line(unused: Unused, amount: Decimal, line_no: int, contacts: Contacts, currency: Currency) -> Line:
    source = unused.source
    bill_to, ship_to = contacts if source.service_no is not None else NO_CONTACTS
    return Line(
        line_no=line_no,
        line_type=LineType.SERVICE_CREDIT.value,
        description=source.description[:LONGEST_NAME] + (", unused days" if amount > ZERO else ", days used again"),
        amount=-amount,
        service_id=source.service_no,
        plan_instance_id=source.plan_instance_no,
        plan_name=source.plan_name,
        gl_code=source.gl_code,
        tax_category=source.tax_category,
        explanation=_explanation(unused, amount, currency),
        proration_text=f"{unused.days} of {source.days} days",
        period_start=unused.first_day,
        period_end=source.last_day,
        po_num=source.po_num,
        bill_from_location_id=source.location_no,
        ship_from_location_id=source.location_no,
        bill_to_contact_id=bill_to,
        ship_to_contact_id=ship_to,
    )


LONGEST_NAME = 180


def _explanation(unused: Unused, amount: Decimal, currency: Currency) -> str:
    text = f"of line {unused.source.line_no} of {unused.source.document_number}"
    kept = unused.amount - amount
    return text if not kept else f"{text}; {shown(kept, currency)} is kept for later"


def _line_taxes(unused: Unused, amount: Decimal, line_no: int, currency: Currency) -> list[LineTax]:
    taxes = taxes_of(unused, amount, currency)
    contained = sum((part for tax, part in taxes if tax.is_inclusive), ZERO)
    return [
        LineTax(
            line_no,
            *tax[:5],
            -(amount - contained) if tax.is_inclusive else -amount,
            -part,
            tax.vat_category,
            tax.exemption_reason,
        )
        for tax, part in taxes
    ]


def claim_of(unused: Unused, amount: Decimal, line_no: int) -> UnusedClaim:
    """Return what a document must store of a line that credits unused days."""
    source = unused.source
    return UnusedClaim(
        line_no,
        source.plan_instance_no,
        source.invoice_no,
        source.line_no,
        source.last_step + 1,
        unused.first_day,
        source.last_day,
        amount,
    )
