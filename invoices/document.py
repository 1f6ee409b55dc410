"""PURE: the single shape of a document. Plans, storage, fingerprints, corrections and audits all use it.

Names are those of the database's columns. A new column is one field here, one in `invoices/models/documents.py`, and a new
format in `invoices/fingerprints.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar, dataclass_transform

from accounts.vat_categories import default_category
from billing_site.common.currencies import Currency, currency_of
from invoices.basis import Basis
from invoices.calculation import ONE, WHOLE, ZERO, Share
from invoices.kinds import CREDIT_TYPES, OFFSETTING_KINDS, InvoiceKind, LineType, gives_days_back
from invoices.tax_basis import TaxBasis

T = TypeVar("T")

PRICE_PLACES = Decimal("1E-8")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def shape(cls: type[T]) -> type[T]:
    """Make a class a keyword-only dataclass whose values never change. Only mypy checks the latter: a check at run time
    would double the time to create a line."""
    return dataclass(slots=True, kw_only=True)(cls)


@shape
class Terms:
    """What is printed once on a document. Number and dates of issue are set at approval."""

    kind: str
    currency: str
    bill_date: date
    bill_day: int
    period_start: date
    period_end: date
    tax_date: date
    invoice_date: date | None = None
    payment_terms_days: int
    due_date: date | None = None
    net_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal
    tax_exemption: str = ""
    tax_exemption_reason: str = ""
    series: str = ""
    number: int | None = None
    number_year: int = 0
    document_number: str = ""

    @property
    def owed(self) -> Decimal:
        """The amount that the account owes once the document is issued: its total, or 0 for a credit memo or reversal."""
        return ZERO if self.kind in OFFSETTING_KINDS else self.total_amount

    @property
    def is_credit_note(self) -> bool:
        """Whether the document credits the customer: a credit memo, or the reversal of a rebill."""
        return self.kind == InvoiceKind.CREDIT_MEMO or (self.kind == InvoiceKind.REVERSAL and self.total_amount < ZERO)

    def unissued(self, **changes: Any) -> "Terms":
        """Return the terms with changes, without number and dates of issue."""
        return replace(self, **{**NOT_ISSUED, **changes})


NOT_ISSUED: dict[str, Any] = {
    "invoice_date": None,
    "due_date": None,
    "series": "",
    "number": None,
    "number_year": 0,
    "document_number": "",
}


@shape
class Parties:
    """Seller and buyer as printed."""

    client_id: int
    account_id: int
    seller: Mapping[str, str]
    bill_to: Mapping[str, str]


@shape
class Line:
    """One line. `source_line_no` is the line of another document that it credits or replaces. `comments` say why it was
    changed."""

    line_no: int
    line_type: int
    service_id: int | None = None
    plan_instance_id: int | None = None
    description: str
    plan_name: str = ""
    gl_code: str = ""
    tax_category: str = ""
    units: Decimal | None = None
    rate_per_unit: Decimal | None = None
    unit_code: str = ""
    price_units: Decimal | None = None
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
    amount: Decimal
    period_start: date | None = None
    period_end: date | None = None
    po_num: str = ""
    order_line: str = ""
    accounting_reference: str = ""
    object_reference: str = ""
    is_return: bool = False
    bill_from_location_id: int | None = None
    ship_from_location_id: int | None = None
    bill_to_contact_id: int | None = None
    ship_to_contact_id: int | None = None
    source_line_no: int | None = None
    comments: str = ""

    @classmethod
    def blank(cls) -> "Line":
        """Return an order line without number, text, price or amount."""
        return cls(line_no=0, line_type=LineType.ORDER.value, description="", amount=ZERO)

    @property
    def is_tax(self) -> bool:
        return self.line_type == LineType.TAX

    @property
    def is_credit(self) -> bool:
        """Whether it is a coupon or a service credit, by its type."""
        return self.line_type in CREDIT_TYPES

    @property
    def gives_days_back(self) -> bool:
        """Whether it gives unused days of a plan instance back, or charges them again.

        Such a line has only an amount, and a share of the tax that was charged.
        """
        return gives_days_back(self.line_type, self.plan_instance_id)

    @property
    def has_own_tax(self) -> bool:
        """Whether it is below zero and taxed itself, instead of reducing other lines: unused days, or a return that no line
        of its tax category can take. A credit memo of such a line is above zero."""
        return self.is_return or self.gives_days_back

    @property
    def is_charge(self) -> bool:
        """Whether it is a charge: neither tax nor credit, and not negative. Its amount may be 0."""
        return not self.is_tax and not self.is_credit and not self.is_return and self.amount >= ZERO

    @property
    def is_reduction(self) -> bool:
        """Whether it reduces charge lines: a coupon, a service credit, an amount above a maximum, a discount."""
        return not self.is_tax and not self.is_charge and not self.has_own_tax

    @property
    def price(self) -> Decimal | None:
        """The price of `price_units` units as it was meant: ten decimals of the price of one give it to eight."""
        if self.rate_per_unit is None or self.price_units is None:
            return self.rate_per_unit
        return (self.rate_per_unit * self.price_units).quantize(PRICE_PLACES)

    @property
    def share(self) -> Share:
        """The days of the line as a share of its full period."""
        if not (self.period_total_days and self.proration_remaining_days and self.period_start and self.period_end):
            return WHOLE
        days = (self.period_end - self.period_start).days + 1
        return Share(days, self.proration_remaining_days, self.period_total_days)

    @property
    def charge_key(self) -> tuple[object, ...]:
        """What is charged for which days. All lines of a charge that is priced over several bands have the same key."""
        return self.plan_instance_id, self.service_id, self.line_type, self.period_start, self.period_end

    def unrated(self, **changes: Any) -> "Line":
        """Return the line with changes, and without the terms of its amount."""
        return replace(self, **{**UNRATED, **changes})

    def credited(self, amount: Decimal, line_no: int) -> "Line":
        """Return the line of a credit memo that credits `amount` of this one. The terms of the amount stay on this one."""
        return Line(
            line_no=line_no,
            line_type=self.line_type,
            service_id=self.service_id,
            plan_instance_id=self.plan_instance_id,
            description=self.description,
            plan_name=self.plan_name,
            gl_code=self.gl_code,
            tax_category=self.tax_category,
            order_no=self.order_no,
            amount=-amount,
            period_start=self.period_start,
            period_end=self.period_end,
            po_num=self.po_num,
            order_line=self.order_line,
            accounting_reference=self.accounting_reference,
            object_reference=self.object_reference,
            is_return=self.is_return,
            bill_from_location_id=self.bill_from_location_id,
            ship_from_location_id=self.ship_from_location_id,
            bill_to_contact_id=self.bill_to_contact_id,
            ship_to_contact_id=self.ship_to_contact_id,
            source_line_no=self.line_no,
        )

    def negated(self) -> "Line":
        """Return the line of a credit memo that credits all of this one, with the same line number."""
        return self.credited(self.amount, self.line_no)


UNRATED: dict[str, Any] = {
    "list_rate_per_unit": None,
    "rate_schedule_no": None,
    "tier_no": None,
    "tier_from": None,
    "tier_to": None,
    "percent": None,
    "base_amount": None,
}


@shape
class Credit:
    """The amount by which a credit line reduces a charge line."""

    credit_line_no: int
    credited_line_no: int
    amount: Decimal


@shape
class Tax:
    """The amount of one tax on one line, and the tax line that shows it."""

    tax_line_no: int
    taxed_line_no: int
    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal
    vat_category: str = ""
    exemption_reason: str = ""

    @property
    def identity(self) -> tuple[object, ...]:
        """What identifies a tax: authority, level, place and percent, and whether prices contain it."""
        return self.authority, self.authority_level, self.jurisdiction, self.percent, self.is_inclusive

    @property
    def category(self) -> str:
        """The VAT category. Documents from before it was stored have the one that follows from the percent."""
        return self.vat_category or default_category(self.percent)

    def negated(self) -> "Tax":
        return replace(self, taxable_amount=-self.taxable_amount, amount=-self.amount)


@shape
class Period:
    """The days of a plan instance that a document bills."""

    plan_instance_id: int
    start_date: date
    end_date: date


@shape
class Correction:
    """The document that this one corrects, and why."""

    corrects_id: int
    reason_code: int | None = None
    comments: str = ""


@shape
class Document:
    """A document as it is stored or will be stored. Its parts are in its own order.

    `basis` is what its lines were calculated from, and `tax_basis` what its taxes were calculated from, or None if not stored.
    """

    terms: Terms
    parties: Parties
    lines: tuple[Line, ...]
    credits: tuple[Credit, ...] = ()
    taxes: tuple[Tax, ...] = ()
    periods: tuple[Period, ...] = ()
    correction: Correction | None = None
    basis: Basis = Basis()
    tax_basis: TaxBasis | None = None

    @property
    def currency(self) -> Currency:
        return currency_of(self.terms.currency)


def _names(shape: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(shape))


TERM_FIELDS = _names(Terms)
PARTY_FIELDS = _names(Parties)
LINE_FIELDS = _names(Line)
CREDIT_FIELDS = _names(Credit)
TAX_FIELDS = _names(Tax)
PERIOD_FIELDS = _names(Period)
CORRECTION_FIELDS = _names(Correction)


def columns_of(part: Terms | Parties | Line | Credit | Tax) -> dict[str, Any]:
    """Return the values of a part of a document by column name."""
    return {name: getattr(part, name) for name in _names(part)}


def period_of(lines: Iterable[Line], otherwise: tuple[date, date]) -> tuple[date, date]:
    """Return the first and last day of the lines, or `otherwise` if no line has days."""
    days = [(line.period_start, line.period_end) for line in lines if line.period_start and line.period_end]
    if not days:
        return otherwise
    return min(start for start, _ in days), max(end for _, end in days)
