"""PURE: original and rebill side by side: what each line was, what it is now, and what of it was changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from invoices.calculation import ZERO
from invoices.fingerprints import Content, DocumentLine, DocumentTax
from invoices.kinds import LineType


class Amounts(NamedTuple):
    """Before tax, the tax, and both together."""

    net: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    def less(self, other: "Amounts") -> "Amounts":
        return Amounts(self.net - other.net, self.tax - other.tax)


class Difference(NamedTuple):
    """A line of the original beside what replaces it, either of which may not be there. `changes` says what differs."""

    line_no: int | None
    rebill_line_no: int | None
    description: str
    original: Amounts
    rebill: Amounts
    changes: tuple[str, ...] = ()
    comments: str = ""

    @property
    def is_excluded(self) -> bool:
        return self.rebill_line_no is None

    @property
    def difference(self) -> Amounts:
        return self.rebill.less(self.original)


COMPARED = {
    "service_id": "service",
    "units": "units",
    "rate_per_unit": "rate",
    "amount": "amount",
    "po_num": "PO number",
    "bill_from_location_id": "bill-from location",
    "ship_from_location_id": "ship-from location",
    "bill_to_contact_id": "bill-to contact",
    "ship_to_contact_id": "ship-to contact",
}
KINDS = {"service_id": "service", "bill_to_contact_id": "contact", "ship_to_contact_id": "contact"}

Names = Mapping[tuple[str, int], str]
"""What people call a service or a contact, by that word and its key: a service by its name, a contact by its number."""


def differences(original: Content, rebill: Content, names: Names) -> list[Difference]:
    """A row for each line of the original but its taxes, which stand beside their lines, and for each line that was added."""
    before, after = _by_line(original), _by_line(rebill)
    old, new = ({line.line_no: line for line in one.document_lines} for one in (original, rebill))
    beside = rebill.correction
    assert beside is not None
    comments = dict(zip(new, beside.line_comments or [""] * len(new), strict=True))
    source_of = {number: source for number, source in zip(new, beside.source_line_nos, strict=True) if number in after}
    replaced_by = {source: number for number, source in source_of.items() if source is not None}
    rows = [
        Difference(
            number,
            replaced_by.get(number),
            old[number].description,
            amounts,
            after.get(replaced_by.get(number, 0), Amounts()),
            _changes(old[number], new.get(replaced_by.get(number, 0)), names),
            comments.get(replaced_by.get(number, 0), ""),
        )
        for number, amounts in before.items()
    ]
    added = [number for number, source in source_of.items() if source is None]
    return rows + [
        Difference(None, number, new[number].description, Amounts(), after[number], ("added",), comments[number])
        for number in added
    ]


def _by_line(content: Content) -> dict[int, Amounts]:
    taxes: dict[int, list[DocumentTax]] = defaultdict(list)
    for tax in content.document_taxes:
        taxes[tax.taxed_line_no].append(tax)
    return {
        line.line_no: _amounts(line, taxes[line.line_no]) for line in content.document_lines if line.line_type != LineType.TAX
    }


def _amounts(line: DocumentLine, taxes: Iterable[DocumentTax]) -> Amounts:
    included = sum((tax.amount for tax in taxes if tax.is_inclusive), ZERO)
    added = sum((tax.amount for tax in taxes if not tax.is_inclusive), ZERO)
    return Amounts(line.amount - included, included + added)


def _changes(before: DocumentLine, after: DocumentLine | None, names: Names) -> tuple[str, ...]:
    if after is None:
        return ("left out",)
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in COMPARED)
    return tuple(
        f"{COMPARED[name]} {_shown(name, old, names)} -> {_shown(name, new, names)}" for name, old, new in pairs if old != new
    )


def _shown(name: str, value: Any, names: Names) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if value in (None, ""):
        return "none"
    return names.get((KINDS.get(name, ""), value), str(value))
