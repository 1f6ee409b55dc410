"""A fingerprint says whether a document is still what it was, and if not, which part of it has moved.

It is one SHA-256 (its first 128 bits) per part: terms, parties, lines, credits, taxes and billed periods; and what it corrects,
for a document that corrects another. Keys of the database
do not count, so a preview and the invoice that is generated from the same facts have the same parts from the lines on.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

PARTS = ("terms", "parties", "lines", "credits", "taxes", "periods")
CORRECTION = "correction"

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
LINE_FIELDS = (
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
)
CREDIT_FIELDS = ("credit_line_no", "credited_line_no", "amount")
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
TAX_FIELDS = (
    "tax_line_no",
    "taxed_line_no",
    "authority",
    "authority_level",
    "jurisdiction",
    "percent",
    "is_inclusive",
    "taxable_amount",
    "amount",
)
PERIOD_FIELDS = ("plan_instance_id", "start_date", "end_date")


class Correction(NamedTuple):
    """Which document one corrects, and why; and for each of its lines the line of that document which it credits."""

    corrects_id: int
    reason_code: int | None
    comments: str
    source_line_nos: tuple[int | None, ...]


class Content(NamedTuple):
    """The values of a document in the order of the field lists above; what it has many of in its own order."""

    terms: Sequence[Any]
    parties: Sequence[Any]
    lines: Sequence[Sequence[Any]]
    credits: Sequence[Sequence[Any]]
    taxes: Sequence[Sequence[Any]]
    periods: Sequence[Sequence[Any]]
    correction: Correction | None = None


def fingerprint(content: Content) -> str:
    return ".".join(_hashed(part) for part in _parts(content).values())


def moved_parts(seen: str, content: Content) -> list[str]:
    """The names of the parts in which a document differs from a fingerprint; all of them where that is no fingerprint."""
    before, now = seen.split("."), _parts(content)
    if len(before) == len(now) - 1:
        now = _parts_before_rating(content)
    if len(before) != len(now):
        return list(PARTS)
    return [name for (name, part), old in zip(now.items(), before, strict=True) if _hashed(part) != old]


def _parts(content: Content) -> dict[str, str]:
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
        parts[CORRECTION] = json.dumps(content.correction)
    return parts


def _parts_before_rating(content: Content) -> dict[str, str]:
    """The parts that documents had before they had credits, when lines had fewer columns: what was approved then is proven so.

    Such a document has no credits, and nothing in the columns that its lines have been given since.
    """
    kept = [place for place, name in enumerate(LINE_FIELDS) if name not in RATING_FIELDS]
    parts = _parts(content._replace(lines=[[line[place] for place in kept] for line in content.lines]))
    del parts["credits"]
    return parts


def _hashed(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:32]


def _rows(rows: Iterable[Sequence[Any]]) -> str:
    return "\x1e".join(map(_row, rows))


def _row(values: Sequence[Any]) -> str:
    """One text per value; equal amounts have one text, however many zeros a database adds to them."""
    return "\x1f".join([str(value.normalize()) if type(value) is Decimal else str(value) for value in values])
