"""PURE: compare two documents of a chain line by line."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from invoices.calculation import ZERO
from invoices.document import Document, Line, Tax
from invoices.line_columns import TAX_RATES


class Amounts(NamedTuple):
    """Amounts before tax (`net`) and of tax. `total` is their sum."""

    net: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    def less(self, other: "Amounts") -> "Amounts":
        return Amounts(self.net - other.net, self.tax - other.tax)


class Change(NamedTuple):
    """A changed column of a line, with its value on both documents."""

    column: str
    before: Any
    after: Any


RETAX, CATEGORY = "retax", "tax_category"


class TaxedAgain(NamedTuple):
    """Why a line of the original is taxed again: RETAX if requested, CATEGORY, or the name of the address that changed.
    `before` and `after` are the old and new value."""

    what: str
    before: str = ""
    after: str = ""


class Difference(NamedTuple):
    """A line of the original and the line that replaces it. Either may be missing.

    `changes` says in words what differs, `changed` says it by column. `is_recounted`: not requested, but recalculated because
    the lines that it depends on changed. `taxed_again`: why its tax rates were looked up again, if they were.
    """

    line_no: int | None
    rebill_line_no: int | None
    description: str
    original: Amounts
    rebill: Amounts
    changes: tuple[str, ...] = ()
    comments: str = ""
    changed: tuple[Change, ...] = ()
    is_recounted: bool = False
    taxed_again: tuple[TaxedAgain, ...] = ()

    @property
    def is_excluded(self) -> bool:
        return self.rebill_line_no is None

    @property
    def difference(self) -> Amounts:
        return self.rebill.less(self.original)


class Recounted(NamedTuple):
    """The rebill lines that were recalculated, and the original lines that fell to zero by that and are gone."""

    lines: frozenset[int] = frozenset()
    fell_away: frozenset[int] = frozenset()


NOT_RECOUNTED = Recounted()

COMPARED = {
    "service_id": "service",
    "description": "text",
    "units": "units",
    "rate_per_unit": "rate",
    "amount": "amount",
    "base_amount": "base",
    "period_start": "first day",
    "period_end": "last day",
    "po_num": "PO number",
    "bill_from_location_id": "bill-from location",
    "ship_from_location_id": "ship-from location",
    "bill_to_contact_id": "bill-to contact",
    "ship_to_contact_id": "ship-to contact",
}
KINDS = {"service_id": "service", "bill_to_contact_id": "contact", "ship_to_contact_id": "contact"}

NAMES_OF_COLUMNS = {**COMPARED, TAX_RATES: "tax"}

Names = Mapping[tuple[str, int], str]
"""Display names by ("service" or "contact", primary key): the name of a service, the number of a contact."""


class TaxDifference(NamedTuple):
    """One tax summed over all lines of each document."""

    authority: str
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    original: Decimal
    rebill: Decimal

    @property
    def difference(self) -> Decimal:
        return self.rebill - self.original


def differences(original: Document, rebill: Document, names: Names, recounted: Recounted = NOT_RECOUNTED) -> list[Difference]:
    """Return the differences between an original and its rebill, in the order of `compared`."""
    return compared(original, rebill, source_lines(rebill), names, recounted)


def compared(
    before: Document,
    after: Document,
    sources: Mapping[int, int | None],
    names: Names,
    recounted: Recounted = NOT_RECOUNTED,
) -> list[Difference]:
    """Return one row for each non-tax line of `before`, then one for each line that only `after` has.

    `sources` has, for each line number of `after`, the line number of `before` that it replaces, or None.
    """
    was, now = _by_line(before), _by_line(after)
    rates_before, rates_after = _rates(before), _rates(after)
    old, new = ({line.line_no: line for line in one.lines} for one in (before, after))
    comments = _comments(after)
    replaced_by: dict[int, int] = {}
    for number, source in sources.items():
        if source is not None and source in was:
            replaced_by.setdefault(source, number)
    rows = []
    for number, amounts in was.items():
        replacing = replaced_by.get(number)
        again = number in recounted.fell_away if replacing is None else replacing in recounted.lines
        changed: tuple[Change, ...] = ()
        if replacing is not None:
            changed = _changed(old[number], new[replacing], names)
            changed += _changed_rates(rates_before.get(number, ()), rates_after.get(replacing, ()))
        words = ("left out",) if replacing is None else tuple(_change_text(one, names) for one in changed)
        rows.append(
            Difference(
                number,
                replacing,
                old[number].description,
                amounts,
                Amounts() if replacing is None else now[replacing],
                _with_recount(words, replacing) if again else words,
                "" if replacing is None else comments.get(replacing, ""),
                changed,
                again,
            )
        )
    kept = set(replaced_by.values())
    return rows + [
        Difference(
            None,
            number,
            new[number].description,
            Amounts(),
            amounts,
            ("added", COUNTED_AGAIN) if number in recounted.lines else ("added",),
            comments.get(number, ""),
            is_recounted=number in recounted.lines,
        )
        for number, amounts in now.items()
        if number not in kept
    ]


COUNTED_AGAIN = "recalculated"


def _with_recount(words: tuple[str, ...], replacing: int | None) -> tuple[str, ...]:
    return ("nothing is left of it", COUNTED_AGAIN) if replacing is None else (*words, COUNTED_AGAIN)


def source_lines(content: Document) -> dict[int, int | None]:
    """Return the line number of the corrected document that each line replaces, by line number. Tax lines are not included."""
    return {line.line_no: line.source_line_no for line in content.lines if not line.is_tax}


def traced_lines(chain: Mapping[int, Document], before_no: int, after_no: int) -> dict[int, int | None]:
    """Return, for each line of one document of a chain, the line of another one that it replaces, or None.

    Lines are followed back to the common ancestor of both documents. `chain` has all documents of the chain by number.
    """
    before, after = _ancestors(chain, before_no), _ancestors(chain, after_no)
    common = next(number for number in after if number in before)
    standing_for = {there: number for number, there in before[common].items() if there is not None}
    return {number: None if there is None else standing_for.get(there) for number, there in after[common].items()}


def _ancestors(chain: Mapping[int, Document], document_no: int) -> dict[int, dict[int, int | None]]:
    """Return the lines of each ancestor that the document's lines come from, by ancestor number. The document itself is
    first."""
    lines: dict[int, int | None] = {number: number for number in _by_line(chain[document_no])}
    reached = {document_no: lines}
    at = chain[document_no]
    while at.correction is not None:
        sources = source_lines(at)
        lines = {number: None if there is None else sources.get(there) for number, there in lines.items()}
        reached[at.correction.corrects_id] = lines
        at = chain[at.correction.corrects_id]
    return reached


def tax_differences(before: Document, after: Document) -> list[TaxDifference]:
    """Return the sum of each tax on both documents, by authority, jurisdiction and rate."""
    sums: dict[tuple[str, str, Decimal, bool], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for side, content in enumerate((before, after)):
        for tax in content.taxes:
            sums[tax.authority, tax.jurisdiction, tax.percent.normalize(), tax.is_inclusive][side] += tax.amount
    return [TaxDifference(*tax, *amounts) for tax, amounts in sums.items()]


def _comments(content: Document) -> dict[int, str]:
    """Return the comments on why lines were changed, by line number."""
    return {line.line_no: line.comments for line in content.lines if line.comments}


def _by_line(content: Document) -> dict[int, Amounts]:
    taxes: dict[int, list[Tax]] = defaultdict(list)
    for tax in content.taxes:
        taxes[tax.taxed_line_no].append(tax)
    return {line.line_no: _amounts(line, taxes[line.line_no]) for line in content.lines if not line.is_tax}


def _amounts(line: Line, taxes: Iterable[Tax]) -> Amounts:
    included = sum((tax.amount for tax in taxes if tax.is_inclusive), ZERO)
    added = sum((tax.amount for tax in taxes if not tax.is_inclusive), ZERO)
    return Amounts(line.amount - included, included + added)


def _changed(before: Line, after: Line, names: Names) -> tuple[Change, ...]:
    """Return the changed columns. If the service changed and the text is its name, only the service is reported."""
    is_named_so = before.service_id != after.service_id and after.description == names.get(("service", after.service_id or 0))
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in COMPARED)
    return tuple(
        Change(name, old, new) for name, old, new in pairs if old != new and not (is_named_so and name == "description")
    )


def _rates(content: Document) -> dict[int, list[str]]:
    """Return the tax rates of each line as texts."""
    rates: dict[int, list[str]] = defaultdict(list)
    for tax in content.taxes:
        rates[tax.taxed_line_no].append(f"{tax.authority} {tax.percent.normalize():f} %")
    return rates


def _changed_rates(before: Sequence[str], after: Sequence[str]) -> tuple[Change, ...]:
    if sorted(before) == sorted(after):
        return ()
    return (Change(TAX_RATES, " + ".join(before), " + ".join(after)),)


def _change_text(change: Change, names: Names) -> str:
    name = change.column
    return f"{NAMES_OF_COLUMNS[name]} {_shown(name, change.before, names)} -> {_shown(name, change.after, names)}"


def _shown(name: str, value: Any, names: Names) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if value in (None, ""):
        return "none"
    return names.get((KINDS.get(name, ""), value), str(value))
