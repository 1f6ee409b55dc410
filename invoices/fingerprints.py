"""A fingerprint says whether a document is still what it was, and if not, which part of it has moved.

It is the number of its format, a colon, and one SHA-256 (its first 128 bits) per part: terms, parties, lines, credits, taxes
and billed periods; what it corrects, for a document that corrects another; and what its taxes were counted from, where that
was kept. Keys of the database do not count, so a preview and the invoice that is generated from the same facts have the same
parts from the lines on.

A format lists the columns that it hashes by name. A document is checked by the format of its own fingerprint. So a document
can get a new column: add a format that lists it, and leave the formats of older documents as they are.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from invoices.basis import Basis
from invoices.tax_basis import TaxBasis

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


class Format(NamedTuple):
    """The columns that a fingerprint covers, by part of the document, in the order in which they are hashed. A part without
    columns is left out. `places` are the columns of the addresses that are kept beside the taxes."""

    terms: tuple[str, ...]
    parties: tuple[str, ...]
    lines: tuple[str, ...]
    credits: tuple[str, ...]
    taxes: tuple[str, ...]
    periods: tuple[str, ...]
    correction: tuple[str, ...]
    tax_basis: tuple[str, ...]
    places: tuple[str, ...]


BEFORE_RATING = Format(
    terms=(
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
    ),
    parties=("client_id", "account_id", "seller", "bill_to"),
    lines=(
        "line_no",
        "line_type",
        "service_id",
        "plan_instance_id",
        "description",
        "plan_name",
        "gl_code",
        "tax_category",
        "units",
        "rate_per_unit",
        "list_rate_per_unit",
        "proration_factor",
        "proration_text",
        "amount",
        "period_start",
        "period_end",
        "po_num",
        "bill_from_location_id",
        "ship_from_location_id",
        "bill_to_contact_id",
        "ship_to_contact_id",
    ),
    credits=(),
    taxes=(
        "tax_line_no",
        "taxed_line_no",
        "authority",
        "authority_level",
        "jurisdiction",
        "percent",
        "is_inclusive",
        "taxable_amount",
        "amount",
    ),
    periods=("plan_instance_id", "start_date", "end_date"),
    correction=("corrects_id", "reason_code", "comments", "source_line_nos", "line_comments"),
    tax_basis=("engine", "per_line", "contacts", "locations", "gross_lines"),
    places=("address1", "city", "region", "postal_code", "country"),
)
"""Of documents from before lines were rated and credits were spread over them."""
RATED = BEFORE_RATING._replace(
    lines=(
        "line_no",
        "line_type",
        "service_id",
        "plan_instance_id",
        "description",
        "plan_name",
        "gl_code",
        "tax_category",
        "units",
        "rate_per_unit",
        "list_rate_per_unit",
        "rate_schedule_no",
        "tier_no",
        "tier_from",
        "tier_to",
        "percent",
        "base_amount",
        "explanation",
        "order_no",
        "coupon_code",
        "proration_factor",
        "proration_text",
        "period_total_days",
        "proration_remaining_days",
        "amount",
        "period_start",
        "period_end",
        "po_num",
        "bill_from_location_id",
        "ship_from_location_id",
        "bill_to_contact_id",
        "ship_to_contact_id",
    ),
    credits=("credit_line_no", "credited_line_no", "amount"),
)
FORMATS = {"1": BEFORE_RATING, "2": RATED, "3": RATED}
"""The formats by their numbers; the last one is given to new documents. Fingerprints of the formats 1 and 2 do not begin with
their number."""


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
    """The fingerprint of a document in the newest format."""
    return fingerprint_of(document_parts(content))


def newest() -> str:
    """The number of the format that new fingerprints have."""
    return list(FORMATS)[-1]


def fingerprint_of(parts: Mapping[str, str]) -> str:
    """The fingerprint in the newest format of the texts of these parts, by their names."""
    return f"{newest()}:{'.'.join(map(_hashed, parts.values()))}"


def moved_of(seen: str, parts: Mapping[str, str]) -> list[str]:
    """The names of the parts that differ from a fingerprint in the newest format; all of them where it is no such one."""
    number, _, hashes = seen.rpartition(":")
    return _differing(hashes, parts) if number == newest() else list(parts)


def moved_parts(seen: str, content: Content) -> list[str]:
    """The names of the parts in which a document differs from its fingerprint, whichever format that has; all parts where it is
    no fingerprint."""
    number, colon, hashes = seen.rpartition(":")
    if not colon:
        number = _unwritten_format(hashes, content)
    if number not in FORMATS:
        return list(document_parts(content))
    return _differing(hashes, document_parts(content, number))


def _unwritten_format(hashes: str, content: Content) -> str:
    """The format of a fingerprint that does not begin with it: the first has one part less, as it knows no credits."""
    rated = 6 + (content.correction is not None) + (content.tax_basis is not None)
    return "1" if hashes.count(".") + 1 == rated - 1 else "2"


def _differing(hashes: str, parts: Mapping[str, str]) -> list[str]:
    before = hashes.split(".")
    if len(before) != len(parts):
        return list(parts)
    return [name for (name, part), old in zip(parts.items(), before, strict=True) if _hashed(part) != old]


def document_parts(content: Content, number: str | None = None) -> dict[str, str]:
    """A text for each part of a document, by its name, with the columns of a format: of the newest where none is named."""
    format = FORMATS[number or newest()]
    parts = {
        "terms": _rows([content.terms], TERM_FIELDS, format.terms),
        "parties": json.dumps(_chosen(PARTY_FIELDS, format.parties)(content.parties), sort_keys=True),
        "lines": _rows(content.lines, LINE_FIELDS, format.lines),
        "credits": _rows(content.credits, CREDIT_FIELDS, format.credits),
        "taxes": _rows(content.taxes, TAX_FIELDS, format.taxes),
        "periods": _rows(content.periods, PERIOD_FIELDS, format.periods),
    }
    if not format.credits:
        del parts["credits"]
    if content.correction is not None:
        parts[CORRECTION] = json.dumps(_correction(content.correction, format))
    if content.tax_basis is not None:
        parts[TAX_BASIS] = json.dumps(_tax_basis(content.tax_basis.stored, format), sort_keys=True)
    return parts


def _correction(correction: Correction, format: Format) -> list[Any]:
    """Without line comments where there are none, as before there were any: what was approved then is proven so."""
    values = {name: getattr(correction, name) for name in format.correction}
    if not any(values["line_comments"]):
        del values["line_comments"]
    return list(values.values())


def _tax_basis(stored: Mapping[str, Any], format: Format) -> dict[str, Any]:
    basis = {name: stored[name] for name in format.tax_basis}
    for kind in ("contacts", "locations"):
        basis[kind] = {number: {name: place[name] for name in format.places} for number, place in basis[kind].items()}
    return basis


def _hashed(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:32]


def _rows(rows: Iterable[Sequence[Any]], fields: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """A text of the wanted columns of rows whose values stand in the order of `fields`."""
    if not wanted:
        return ""
    chosen = _chosen(fields, wanted)
    return "\x1e".join(_row(chosen(row)) for row in rows)


@cache
def _chosen(fields: tuple[str, ...], wanted: tuple[str, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Takes the wanted values from a row whose values stand in the order of `fields`."""
    return itemgetter(*(fields.index(name) for name in wanted))


def _row(values: Sequence[Any]) -> str:
    """One text per value; equal amounts have one text, however many zeros a database adds to them."""
    return "\x1f".join([str(value.normalize()) if type(value) is Decimal else str(value) for value in values])
