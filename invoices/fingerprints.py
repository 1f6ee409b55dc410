"""A fingerprint shows whether a document is unchanged and, if not, which part changed.

It is the number of its format, a colon, and one SHA-256 (its first 128 bits) per part: terms, parties, lines, credits, taxes
and billed periods; for a correcting document, what it corrects; and what taxes were calculated from, if stored. Primary keys
are not included, so a preview and the invoice generated from the same facts agree from the lines on.

A format lists its columns by name, and a document is checked by the format of its own fingerprint. To add a column to
documents, add a format that lists it, and leave the older formats unchanged.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from invoices.document import Document, Terms

CORRECTION = "correction"
TAX_BASIS = "tax basis"


class Format(NamedTuple):
    """The columns that a fingerprint covers, by part of the document, in hashing order. A part without columns is left out.

    `corrected_lines` are columns of lines that are hashed with what a document corrects. `places` are the columns of the
    addresses stored beside the taxes.
    """

    terms: tuple[str, ...]
    parties: tuple[str, ...]
    lines: tuple[str, ...]
    credits: tuple[str, ...]
    taxes: tuple[str, ...]
    periods: tuple[str, ...]
    correction: tuple[str, ...]
    corrected_lines: tuple[str, ...]
    tax_basis: tuple[str, ...]
    places: tuple[str, ...]


ADDRESSES = ("bill_from_location_id", "ship_from_location_id", "bill_to_contact_id", "ship_to_contact_id")
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
    correction=("corrects_id", "reason_code", "comments"),
    corrected_lines=("source_line_no", "comments"),
    tax_basis=("engine", "per_line", "contacts", "locations", "gross_lines"),
    places=("address1", "city", "region", "postal_code", "country"),
)
"""The format of documents from before lines were rated and credits were spread over them."""
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
NUMBERED_BY_YEAR = RATED._replace(terms=(*RATED.terms[:-1], "number_year", "document_number"))
WITH_VAT = NUMBERED_BY_YEAR._replace(
    terms=(*RATED.terms[:-3], "tax_exemption", "tax_exemption_reason", *NUMBERED_BY_YEAR.terms[-4:]),
    taxes=(*RATED.taxes, "vat_category", "exemption_reason"),
)
WITH_UNITS = WITH_VAT._replace(lines=(*RATED.lines[:10], "unit_code", "price_units", *RATED.lines[10:]))
"""The format of the first release."""
WITH_RETURNS = WITH_UNITS._replace(
    lines=(
        *(name for name in WITH_UNITS.lines if name not in ADDRESSES),
        "order_line",
        "accounting_reference",
        "object_reference",
        "is_return",
        *ADDRESSES,
    )
)
FORMATS = {"1": BEFORE_RATING, "2": RATED, "3": RATED, "4": NUMBERED_BY_YEAR, "5": WITH_VAT, "6": WITH_UNITS, "7": WITH_RETURNS}
"""The formats by number. New documents get the last one. Fingerprints of formats 1 and 2 do not begin with their number."""


def fingerprint(document: Document) -> str:
    """Return the fingerprint of a document in the newest format."""
    return fingerprint_of(document_parts(document))


def part_hashes(document: Document) -> dict[str, str]:
    """Return the hash of each part of a document, by name, in the newest format."""
    return {name: _hashed(part) for name, part in document_parts(document).items()}


def numbered_fingerprint(hashes: Mapping[str, str], terms: Terms) -> str:
    """Return the fingerprint of a document from the `part_hashes` that it had before it got its number and dates.

    Only its terms have these, so only they are hashed again.
    """
    return _joined({**hashes, "terms": _hashed(_rows([terms], FORMATS[newest()].terms))}.values())


def newest() -> str:
    """Return the number of the newest format."""
    return list(FORMATS)[-1]


def fingerprint_of(parts: Mapping[str, str]) -> str:
    """Return the fingerprint of the texts of these parts, by name, in the newest format."""
    return _joined(map(_hashed, parts.values()))


def _joined(hashes: Iterable[str]) -> str:
    return f"{newest()}:{'.'.join(hashes)}"


def moved_of(seen: str, parts: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ from a fingerprint in the newest format, or all names if it is not one."""
    number, _, hashes = seen.rpartition(":")
    return _differing(hashes, parts) if number == newest() else list(parts)


def changed_parts(seen: str, document: Document) -> list[str]:
    """Return the names of the parts in which a document differs from its fingerprint in any format, or all if it is not one."""
    number, colon, hashes = seen.rpartition(":")
    if not colon:
        number = _unwritten_format(hashes, document)
    if number not in FORMATS:
        return list(document_parts(document))
    return _differing(hashes, document_parts(document, number))


def _unwritten_format(hashes: str, document: Document) -> str:
    """Return the format of a fingerprint without format number. Format 1 has one part less, because it has no credits."""
    rated = 6 + (document.correction is not None) + (document.tax_basis is not None)
    return "1" if hashes.count(".") + 1 == rated - 1 else "2"


def _differing(hashes: str, parts: Mapping[str, str]) -> list[str]:
    before = hashes.split(".")
    if len(before) != len(parts):
        return list(parts)
    return [name for (name, part), old in zip(parts.items(), before, strict=True) if _hashed(part) != old]


def document_parts(document: Document, number: str | None = None) -> dict[str, str]:
    """Return a text for each part of a document, by name, with the columns of a format (default: the newest)."""
    format = FORMATS[number or newest()]
    parts = {
        "terms": _rows([document.terms], format.terms),
        "parties": json.dumps(_values_of(format.parties)(document.parties), sort_keys=True),
        "lines": _rows(document.lines, format.lines),
        "credits": _rows(document.credits, format.credits),
        "taxes": _rows(document.taxes, format.taxes),
        "periods": _rows(document.periods, format.periods),
    }
    if not format.credits:
        del parts["credits"]
    if document.correction is not None:
        parts[CORRECTION] = json.dumps(_correction(document, format))
    if document.tax_basis is not None:
        parts[TAX_BASIS] = json.dumps(_tax_basis(document.tax_basis.stored, format), sort_keys=True)
    return parts


def _correction(document: Document, format: Format) -> list[Any]:
    """Return what is corrected. Without any comments, they are left out, as in documents from before comments existed."""
    of_lines = {name: [getattr(line, name) for line in document.lines] for name in format.corrected_lines}
    if not any(of_lines["comments"]):
        del of_lines["comments"]
    return [*_values_of(format.correction)(document.correction), *of_lines.values()]


def _tax_basis(stored: Mapping[str, Any], format: Format) -> dict[str, Any]:
    basis = {name: stored[name] for name in format.tax_basis}
    for kind in ("contacts", "locations"):
        basis[kind] = {number: {name: place[name] for name in format.places} for number, place in basis[kind].items()}
    return basis


def _hashed(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:32]


def _rows(rows: Iterable[Any], columns: tuple[str, ...]) -> str:
    """Return these columns of rows as one text."""
    if not columns:
        return ""
    values_of = _values_of(columns)
    return "\x1e".join(_row(values_of(row)) for row in rows)


@cache
def _values_of(columns: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*columns)


def _row(values: Iterable[Any]) -> str:
    """Return one text per value. Equal amounts give equal texts, whatever trailing zeros a database adds."""
    return "\x1f".join([str(value.normalize()) if type(value) is Decimal else str(value) for value in values])
