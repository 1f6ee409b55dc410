"""PURE: the lines, allowances and charges that an electronic invoice is written with.

A coupon or service credit for all services is an allowance on the document, split by VAT category. What reduces one line as
it is for chosen services, or its own charge, is an allowance on the line, and a return is a line with a negative quantity. A
surcharge is a charge on the document. Prices that contain tax are written without it.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from billing_site.common.currencies import Currency
from invoices.calculation import HUNDRED, ZERO, exact_share, rounded
from invoices.document import Document, Line, Tax
from invoices.kinds import CREDIT_TYPES, OFFSETTING_KINDS, LineType
from invoices.plan.e_invoice_rules import spread_credits, vat_of_e_invoice
from invoices.plan.e_invoices.facts import EInvoiceFacts
from invoices.plan.vat import Vat


class Part(NamedTuple):
    """An allowance or a charge on the document, or what a line is written with. The amount is without tax."""

    text: str
    amount: Decimal
    vat: Vat


class WrittenLine(NamedTuple):
    """A line with its number as it is written. `part` is its amount after its own `allowances`."""

    number: str
    line: Line
    part: Part
    allowances: tuple[Part, ...] = ()


class Written(NamedTuple):
    """A document's lines, allowances and charges as they are written, with amounts in the document's own direction."""

    lines: list[WrittenLine]
    allowances: list[Part]
    charges: list[Part]

    @property
    def net(self) -> Decimal:
        return sum_of(one.part for one in self.lines) - sum_of(self.allowances) + sum_of(self.charges)


class Reduction(NamedTuple):
    """The amount that a line takes off another one, as on the document, and without the tax that prices contain."""

    line_no: int
    amount: Decimal
    net: Decimal


def sign_of(document: Document) -> int:
    """Return -1 for a credit note, which is written with amounts above zero, else 1."""
    return -1 if document.terms.is_credit_note else 1


def written_of(facts: EInvoiceFacts) -> Written:
    """Return the lines, allowances and charges of a document as they are written."""
    document, sign = facts.document, sign_of(facts.document)
    vats = vat_of_e_invoice(document, facts.original)
    reductions = _reductions(facts, vats)
    names = {line.line_no: line for line in document.lines}
    on_lines = _line_reductions(facts, names, reductions)
    taxed = _contained(document.taxes, sign)
    lines = []
    for line in (line for line in document.lines if line.line_no in vats):
        mine, vat = reductions[line.line_no], vats[line.line_no]
        left = sign * line.amount - sum((one.amount for one in mine), ZERO) - taxed.get(line.line_no, ZERO)
        own = tuple(Part(names[one.line_no].description, one.net, vat) for one in mine if one.line_no in on_lines)
        amount = left + sum((one.net for one in mine if one.line_no not in on_lines), ZERO)
        lines.append(WrittenLine(str(line.line_no), line, Part(line.description, amount, vat), own))
    surcharges = [one for one in lines if one.line.line_type == LineType.SURCHARGE and one.part.amount > ZERO]
    if len(surcharges) == len(lines):
        surcharges = []
    returns, allowances = [], []
    for line_no, taken in _taken_off(vats, reductions, on_lines):
        line = names[line_no]
        if line.line_type == LineType.ORDER:
            returns += [
                WrittenLine(f"{line_no}.{place}" if place else str(line_no), line, Part(line.description, -amount, vat))
                for place, (vat, amount) in enumerate(taken.items())
            ]
        else:
            allowances += [Part(line.description, amount, vat) for vat, amount in taken.items()]
    written = sorted([*(one for one in lines if one not in surcharges), *returns], key=lambda one: one.line.line_no)
    return Written(written, allowances, [one.part for one in surcharges])


def _reductions(facts: EInvoiceFacts, vats: Mapping[int, Vat]) -> Mapping[int, list[Reduction]]:
    """Return what reduces each line, by line number."""
    currency = facts.document.currency
    gross = {tax.taxed_line_no for tax in facts.document.taxes if tax.is_inclusive}
    found: dict[int, list[Reduction]] = defaultdict(list)
    for one in spread_credits(facts.document, facts.original):
        line_no = one.credited_line_no
        net = _without_tax(one.amount, vats[line_no], currency) if line_no in gross else one.amount
        found[line_no].append(Reduction(one.credit_line_no, one.amount, net))
    return found


def _line_reductions(
    facts: EInvoiceFacts, lines: Mapping[int, Line], reductions: Mapping[int, Iterable[Reduction]]
) -> set[int]:
    """Return the lines that are written as allowances on other lines: what reduces one line because it is for chosen services,
    and what is above the maximum of a charge. A surcharge is no line, so what reduces one is on the document."""
    document, original = facts.document, facts.original
    is_offsetting = document.terms.kind in OFFSETTING_KINDS and original is not None
    basis = original.basis if is_offsetting and original is not None else document.basis
    chosen = {cover.line_no for cover in basis.covers if cover.service_nos}
    place = {line.source_line_no: line.line_no for line in document.lines} if is_offsetting else {}
    chosen = {place.get(number, number) for number in chosen}
    reduced: dict[int, list[int]] = defaultdict(list)
    for line_no, mine in reductions.items():
        for one in mine:
            reduced[one.line_no].append(lines[line_no].line_type)
    chosen = {one for one in chosen if len(reduced[one]) == 1 and reduced[one] != [LineType.SURCHARGE]}
    return chosen | {number for number, line in lines.items() if line.line_type not in (*CREDIT_TYPES, LineType.ORDER)}


def _taken_off(
    vats: Mapping[int, Vat], reductions: Mapping[int, list[Reduction]], on_lines: Container[int]
) -> list[tuple[int, dict[Vat, Decimal]]]:
    """Return what each line that is written by itself takes off others, by VAT, in the order of the lines."""
    sums: dict[int, dict[Vat, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for line_no, mine in reductions.items():
        for one in mine:
            if one.line_no not in on_lines:
                sums[one.line_no][vats[line_no]] += one.net
    return sorted(sums.items())


def _contained(taxes: Iterable[Tax], sign: int) -> dict[int, Decimal]:
    """Return the tax that the price of each line contains."""
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for tax in taxes:
        if tax.is_inclusive:
            contained[tax.taxed_line_no] += sign * tax.amount
    return contained


def _without_tax(amount: Decimal, vat: Vat, currency: Currency) -> Decimal:
    return rounded(exact_share(amount, HUNDRED, HUNDRED + vat.percent), currency)


def sum_of(parts: Iterable[Part]) -> Decimal:
    """Return the sum of amounts without tax."""
    return sum((part.amount for part in parts), ZERO)


def signed_parts(written: Written) -> Iterator[tuple[Part, Decimal]]:
    """Yield each part with what it adds to the amount before tax."""
    yield from ((one.part, one.part.amount) for one in written.lines)
    yield from ((part, -part.amount) for part in written.allowances)
    yield from ((part, part.amount) for part in written.charges)
