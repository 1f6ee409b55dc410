"""PURE: the taxes of a rebill: of unchanged lines at their stored rates, of all others as the tax engine quotes them at the
original's tax date."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO, exact_share, rounded, tax_amounts
from invoices.fingerprints import Content, DocumentTax
from invoices.tax_engines.protocol import LineTax, net_of_contained
from rebills.plan.lines import PlannedLines


class Tax(NamedTuple):
    """One tax, on lines whose prices contain so many percent of taxes."""

    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    contained: Decimal


class Taxed(NamedTuple):
    """A line that a tax is taken from: on what amount, and what it came to on the original (`was_on`, `was`) or is quoted."""

    line_no: int
    amount: Decimal
    was_on: Decimal | None = None
    was: Decimal = ZERO
    quoted: Decimal = ZERO


def rebill_taxes(
    original: Content, planned: PlannedLines, quoted: Iterable[LineTax], currency: str, *, per_line: bool
) -> tuple[LineTax, ...]:
    """The tax of each line. A tax whose lines all stand as they did is what it was; one that lines have joined or left is
    counted again over the document; one of changed lines only is what the engine quotes."""
    before = _before(original)
    groups: dict[Tax, list[Taxed]] = {tax: [] for tax in before}
    for line in planned.lines:
        if line.is_kept and line.source is not None and line.line.line_no in planned.left:
            for tax, lines in before.items():
                was = lines.get(line.source.line_no)
                if was is not None:
                    groups[tax].append(was._replace(line_no=line.line.line_no, amount=planned.left[line.line.line_no]))
    for tax, taxed in _quoted(quoted, planned):
        groups.setdefault(tax, []).append(taxed)
    for taxes in groups.values():
        taxes.sort(key=lambda one: one.line_no)
    return net_of_contained(
        [
            LineTax(one.line_no, *tax[:5], one.amount, amount)
            for tax, taxed in groups.items()
            for one, amount in zip(
                taxed, _amounts(tax, taxed, list(before.get(tax, {}).values()), currency, per_line), strict=True
            )
        ]
    )


def _amounts(tax: Tax, taxed: Sequence[Taxed], before: Sequence[Taxed], currency: str, per_line: bool) -> list[Decimal]:
    if all(one.was_on is None for one in taxed):
        return [one.quoted for one in taxed]
    if len(taxed) == len(before) and all(one.was_on == one.amount for one in taxed):
        return [one.was for one in taxed]
    counted = tax_amounts(tax.percent, tax.contained, [one.amount for one in before], currency, per_line=per_line)
    if sum(counted, ZERO) != sum((one.was for one in before), ZERO):
        # A tax that is no percentage of the price: each line has its part of what it was.
        return [one.quoted if not one.was_on else _part(one, currency) for one in taxed]
    return tax_amounts(tax.percent, tax.contained, [one.amount for one in taxed], currency, per_line=per_line)


def _part(one: Taxed, currency: str) -> Decimal:
    return rounded(exact_share(one.was, one.amount, one.was_on or ZERO), currency)


def _before(original: Content) -> dict[Tax, dict[int, Taxed]]:
    """The original's taxes in the order of its tax lines, each with its lines by their numbers."""
    left = {line.line_no: line.amount for line in original.document_lines}
    for credit in original.document_credits:
        left[credit.credited_line_no] -= credit.amount
    contained = _contained((tax.taxed_line_no, tax) for tax in original.document_taxes)
    before: dict[Tax, dict[int, Taxed]] = defaultdict(dict)
    for tax in original.document_taxes:
        number = tax.taxed_line_no
        before[_key(tax, contained[number])][number] = Taxed(number, left[number], left[number], tax.amount)
    return before


def _quoted(quoted: Iterable[LineTax], planned: PlannedLines) -> Iterable[tuple[Tax, Taxed]]:
    taxes = list(quoted)
    contained = _contained((tax.line_no, tax) for tax in taxes)
    for tax in taxes:
        yield _key(tax, contained[tax.line_no]), Taxed(tax.line_no, planned.left[tax.line_no], quoted=tax.amount)


def _contained(taxes: Iterable[tuple[int, DocumentTax | LineTax]]) -> dict[int, Decimal]:
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for line_no, tax in taxes:
        if tax.is_inclusive:
            contained[line_no] += tax.percent
    return contained


def _key(tax: DocumentTax | LineTax, contained: Decimal) -> Tax:
    within = contained.normalize() if tax.is_inclusive else ZERO
    return Tax(tax.authority, tax.authority_level, tax.jurisdiction, tax.percent.normalize(), tax.is_inclusive, within)
