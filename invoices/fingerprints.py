"""A fingerprint says whether a document is still what it was, and if not, which part of it has moved.

It is one SHA-256 (its first 128 bits) per part: terms, parties, lines, credits, taxes and billed periods; what it corrects, for
a document that corrects another; and what its taxes were counted from, where that was kept. Keys of the database
do not count, so a preview and the invoice that is generated from the same facts have the same parts from the lines on.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from invoices.basis import Basis
from invoices.tax_basis import TaxBasis

PARTS = ("terms", "parties", "lines", "credits", "taxes", "periods")
CORRECTION = "correction"
TAX_BASIS = "tax basis"

TERM_FIELDS = (
    "kind",
    "currency",
    "bill_date",
    "bill_day",
    "period_start",
    "period_end",
    "tax_date",
    "invoice_date",
    "payment_terms_days",
    "due_date",
    "net_amount",
    "tax_amount",
    "total_amount",
    "series",
    "number",
    "document_number",
)
PARTY_FIELDS = ("client_id", "account_id", "seller", "bill_to")


class DocumentLine(NamedTuple):
    """A line as it is stored."""

    line_no: int
    line_type: int
    service_id: int | None
    plan_instance_id: int | None
    description: str
    plan_name: str
    gl_code: str
    tax_category: str
    units: Decimal | None
    rate_per_unit: Decimal | None
    list_rate_per_unit: Decimal | None
    rate_schedule_no: int | None
    tier_no: int | None
    tier_from: Decimal | None
    tier_to: Decimal | None
    percent: Decimal | None
    base_amount: Decimal | None
    explanation: str
    order_no: int | None
    coupon_code: str
    proration_factor: Decimal
    proration_text: str
    period_total_days: int | None
    proration_remaining_days: int | None
    amount: Decimal
    period_start: date | None
    period_end: date | None
    po_num: str
    bill_from_location_id: int | None
    ship_from_location_id: int | None
    bill_to_contact_id: int | None
    ship_to_contact_id: int | None


class DocumentCredit(NamedTuple):
    """What a line that takes off takes off one line that charges, as it is stored."""

    credit_line_no: int
    credited_line_no: int
    amount: Decimal


class DocumentTax(NamedTuple):
    """What one tax takes from one line, as it is stored."""

    tax_line_no: int
    taxed_line_no: int
    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal


LINE_FIELDS = DocumentLine._fields
CREDIT_FIELDS = DocumentCredit._fields
TAX_FIELDS = DocumentTax._fields
PERIOD_FIELDS = ("plan_instance_id", "start_date", "end_date")
RATING_FIELDS = {
    "rate_schedule_no",
    "tier_no",
    "tier_from",
    "tier_to",
    "percent",
    "base_amount",
    "explanation",
    "order_no",
    "coupon_code",
    "period_total_days",
    "proration_remaining_days",
}
"""The columns of a line that came with rating."""


class Correction(NamedTuple):
    """Which document one corrects, and why; and for each of its lines the line of that document which it credits or replaces,
    and why it was changed. No `line_comments` at all is the same as none on any line."""

    corrects_id: int
    reason_code: int | None
    comments: str
    source_line_nos: tuple[int | None, ...]
    line_comments: tuple[str, ...] = ()


class Content(NamedTuple):
    """The values of a document in the order of the field lists above; what it has many of in its own order.

    `basis` is what its lines were counted from. It is not hashed: documents from before it was kept stay what they were.
    """

    terms: Sequence[Any]
    parties: Sequence[Any]
    lines: Sequence[Sequence[Any]]
    credits: Sequence[Sequence[Any]]
    taxes: Sequence[Sequence[Any]]
    periods: Sequence[Sequence[Any]]
    correction: Correction | None = None
    basis: Basis = Basis()
    tax_basis: TaxBasis | None = None

    @property
    def document_lines(self) -> list[DocumentLine]:
        return [DocumentLine._make(row) for row in self.lines]

    @property
    def document_credits(self) -> list[DocumentCredit]:
        return [DocumentCredit._make(row) for row in self.credits]

    @property
    def document_taxes(self) -> list[DocumentTax]:
        return [DocumentTax._make(row) for row in self.taxes]

    def term(self, name: str) -> Any:
        return self.terms[TERM_FIELDS.index(name)]


def fingerprint(content: Content) -> str:
    return fingerprint_of(document_parts(content))


def fingerprint_of(parts: Mapping[str, str]) -> str:
    return ".".join(_hashed(part) for part in parts.values())


def moved_of(seen: str, parts: Mapping[str, str]) -> list[str]:
    """The names of the parts that differ from a fingerprint; all of them where that is no fingerprint of such parts."""
    before = seen.split(".")
    if len(before) != len(parts):
        return list(parts)
    return [name for (name, part), old in zip(parts.items(), before, strict=True) if _hashed(part) != old]


def moved_parts(seen: str, content: Content) -> list[str]:
    """The names of the parts in which a document differs from a fingerprint; all of them where that is no fingerprint."""
    now = document_parts(content)
    if seen.count(".") == len(now) - 2:
        now = _parts_before_rating(content)
    return moved_of(seen, now)


def document_parts(content: Content) -> dict[str, str]:
    """A text for each part of a document, by its name."""
    texts = (
        _row(content.terms),
        json.dumps(content.parties, sort_keys=True),
        _rows(content.lines),
        _rows(content.credits),
        _rows(content.taxes),
        _rows(content.periods),
    )
    parts = dict(zip(PARTS, texts, strict=True))
    if content.correction is not None:
        parts[CORRECTION] = json.dumps(_correction(content.correction))
    if content.tax_basis is not None:
        parts[TAX_BASIS] = json.dumps(content.tax_basis.stored, sort_keys=True)
    return parts


def _correction(correction: Correction) -> Sequence[Any]:
    """Without line comments as before there were any: what was approved then is proven so."""
    return correction if any(correction.line_comments) else correction[:-1]


def _parts_before_rating(content: Content) -> dict[str, str]:
    """The parts that documents had before they had credits, when lines had fewer columns: what was approved then is proven so.

    Such a document has no credits, and nothing in the columns that its lines have been given since.
    """
    kept = [place for place, name in enumerate(LINE_FIELDS) if name not in RATING_FIELDS]
    parts = document_parts(content._replace(lines=[[line[place] for place in kept] for line in content.lines]))
    del parts["credits"]
    return parts


def _hashed(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:32]


def _rows(rows: Iterable[Sequence[Any]]) -> str:
    return "\x1e".join(map(_row, rows))


def _row(values: Sequence[Any]) -> str:
    """One text per value; equal amounts have one text, however many zeros a database adds to them."""
    return "\x1f".join([str(value.normalize()) if type(value) is Decimal else str(value) for value in values])
