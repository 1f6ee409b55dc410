"""PURE: the parts of a document that is not stored yet."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from invoices.calculation import ONE, split


class LineDraft(NamedTuple):
    """A line that is not stored yet."""

    line_no: int
    line_type: int
    description: str
    amount: Decimal
    service_no: int | None = None
    plan_instance_no: int | None = None
    plan_name: str = ""
    gl_code: str = ""
    tax_category: str = ""
    tax_inclusive: bool = False
    units: Decimal | None = None
    rate_per_unit: Decimal | None = None
    list_rate_per_unit: Decimal | None = None
    rate_schedule_no: int | None = None
    tier_no: int | None = None
    tier_from: Decimal | None = None
    tier_to: Decimal | None = None
    percent: Decimal | None = None
    base_amount: Decimal | None = None
    explanation: str = ""
    order_no: int | None = None
    coupon_code: str = ""
    proration_factor: Decimal = ONE
    proration_text: str = ""
    period_total_days: int | None = None
    proration_remaining_days: int | None = None
    period_start: date | None = None
    period_end: date | None = None
    po_num: str = ""
    location_no: int | None = None


class CreditDraft(NamedTuple):
    """What a line that takes off takes off one line that charges."""

    credit_line_no: int
    credited_line_no: int
    amount: Decimal


class TaxDraft(NamedTuple):
    """What one tax takes from one line, and the tax line that shows it."""

    tax_line_no: int
    taxed_line_no: int
    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal


class PeriodDraft(NamedTuple):
    plan_instance_no: int
    start: date
    end: date


class UsageClaim(NamedTuple):
    """The usage of a service that the document bills: the records of days through one, up to the newest that was read."""

    plan_instance_no: int
    service_no: int
    through: date
    last_record: int
    records: int


class CouponClaim(NamedTuple):
    redemption_no: int
    line_no: int


class CreditClaim(NamedTuple):
    credit_no: int
    line_no: int
    amount: Decimal


class UnusedClaim(NamedTuple):
    """Days that were billed and not used: which line gives how much of them back, of which line that charged them."""

    line_no: int
    plan_instance_no: int
    source_no: int
    source_line_no: int
    step: int
    first_day: date
    last_day: date
    amount: Decimal


class Claims(NamedTuple):
    """What the document holds for itself, so that no other bills or uses it too."""

    usage: tuple[UsageClaim, ...] = ()
    orders: tuple[int, ...] = ()
    coupons: tuple[CouponClaim, ...] = ()
    credits: tuple[CreditClaim, ...] = ()
    unused: tuple[UnusedClaim, ...] = ()


class Lines:
    """The lines of a document as they are added, and what is left of each that charges once credits are taken off."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.drafts: list[LineDraft] = []
        self.credits: list[CreditDraft] = []
        self.left: dict[int, Decimal] = {}

    def add(self, line_type: int, description: str, amount: Decimal, **columns: Any) -> int:
        """Adds a line that charges, and gives its number."""
        line_no = len(self.drafts) + 1
        self.drafts.append(LineDraft(line_no, line_type, description, amount, **columns))
        self.left[line_no] = amount
        return line_no

    def take_off(self, line_type: int, description: str, amount: Decimal, line_nos: Sequence[int], **columns: Any) -> int:
        """Adds a line that takes an amount off other lines, spread over what is left of them, and gives its number."""
        credit_line_no = len(self.drafts) + 1
        self.drafts.append(LineDraft(credit_line_no, line_type, description, -amount, **columns))
        parts = split(amount, [self.left[line_no] for line_no in line_nos], self.currency)
        for line_no, part in zip(line_nos, parts, strict=True):
            if part:
                self.left[line_no] -= part
                self.credits.append(CreditDraft(credit_line_no, line_no, part))
        return credit_line_no

    def charging_for(self, service_nos: Iterable[int]) -> list[int]:
        """The lines of some services, or of all where none are named, of which something is left."""
        chosen = frozenset(service_nos)
        return [
            line.line_no for line in self.drafts if self.left.get(line.line_no) and (not chosen or line.service_no in chosen)
        ]
