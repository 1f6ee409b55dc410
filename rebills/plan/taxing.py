"""PURE: which lines of a rebill keep the tax rates of their document, and of which the tax engine is asked again, and why.

A correction starts from the document: what it says of a category at a place holds for every line of that category and place,
whatever the tax table says by now. The engine is asked where the document says nothing, where an address has moved to another
place, and where a person asks for it.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from invoices.document import Document, Line
from invoices.tax_basis import TaxBasis
from invoices.tax_engines.protocol import TaxAddress, TaxAddresses
from rebills.plan.differences import CATEGORY, RETAX, TaxedAgain
from rebills.plan.lines import PlannedLine, PlannedLines
from rebills.plan.requests import TaxFacts
from rebills.plan.taxes import StoredTaxes

NOWHERE = "none"


class LineTaxing(NamedTuple):
    """A line is taxed as line `like` of the original, or as the engine says. `again`: why, for a line that the original has."""

    like: int | None
    again: tuple[TaxedAgain, ...] = ()


class TaxedBefore:
    """How an original was taxed, and where its addresses are now."""

    def __init__(self, original: Document, facts: TaxFacts) -> None:
        self.facts = facts
        self.basis = original.tax_basis
        self.own = _own_address(original)
        self.taxes = StoredTaxes(original, facts.per_line)
        self.gross_lines = gross_lines(original, facts.gross_services)
        self._then = _contacts_then(original, facts)
        self._lines = {line.line_no: line for line in original.lines}
        self._like = self._known()

    def is_gross(self, line: Line) -> bool:
        """Whether the price of a line of the original contains tax; of a line that is new, its service says so today."""
        if line.line_no in self._lines:
            return line.line_no in self.gross_lines
        return line.service_id in self.facts.gross_services

    def now(self, line: Line) -> TaxAddresses:
        """The addresses of a line, as they are now. A service without a location is supplied from where its seller is."""
        return _addresses(line, self.facts.contacts, self.facts.locations, self.own)

    def then(self, line: Line) -> TaxAddresses:
        """The addresses of a line of the original, as they were when it was taxed."""
        locations = self.facts.locations if self.basis is None else {**self.facts.locations, **self.basis.locations}
        return _addresses(line, self._then, locations, self.own)

    def taxing(self, planned: PlannedLine, *, retax: bool) -> LineTaxing:
        """How a line of the rebill is taxed. One that gives unused days back has its part of the tax charged for them."""
        line, source = planned.line, planned.source
        if source is not None and source.gives_days_back:
            return LineTaxing(source.line_no)
        if retax:
            return LineTaxing(None, (TaxedAgain(RETAX),) if source else ())
        place = self._places(self.now(line))
        if source is not None and (line.tax_category, place) == (source.tax_category, self._places(self.then(source))):
            return LineTaxing(source.line_no)
        like = self._like.get((line.tax_category, place))
        return LineTaxing(like, self._why(planned) if source and like is None else ())

    def basis_of_rebill(self, lines: Iterable[PlannedLine], *, asks: bool) -> TaxBasis:
        """What a rebill's taxes are counted from. `asks`: the engine was asked about some of its lines."""
        planned, facts = list(lines), self.facts
        contacts = {key for one in planned for key in (one.line.bill_to_contact_id, one.line.ship_to_contact_id)}
        locations = {key for one in planned for key in (one.line.bill_from_location_id, one.line.ship_from_location_id)}
        engine = self.basis.engine if self.basis is not None else ""
        return TaxBasis(
            engine if not asks or engine == facts.engine else "",
            self.taxes.per_line,
            {key: facts.contacts[key] for key in sorted(key for key in contacts if key is not None)},
            {key: facts.locations[key] for key in sorted(key for key in locations if key is not None)},
            tuple(one.line.line_no for one in planned if one.inclusive),
        )

    def _places(self, addresses: TaxAddresses) -> tuple[Hashable, ...]:
        return tuple(None if one is None else self.facts.place(one) for one in addresses)

    def _known(self) -> dict[tuple[Hashable, ...], int]:
        """For each category and place of the original a line that shows its rates, where all of its lines agree on them."""
        lines: dict[tuple[Hashable, ...], list[int]] = defaultdict(list)
        for number in self.taxes.charge_lines:
            line = self._lines[number]
            lines[line.tax_category, self._places(self.then(line))].append(number)
        return {key: numbers[0] for key, numbers in lines.items() if self.taxes.agree(numbers)}

    def _why(self, planned: PlannedLine) -> tuple[TaxedAgain, ...]:
        line, source = planned.line, planned.source
        assert source is not None
        reasons = []
        if line.tax_category != source.tax_category:
            reasons.append(TaxedAgain(CATEGORY, source.tax_category, line.tax_category))
        for name, before, after in zip(TaxAddresses._fields, self.then(source), self.now(line), strict=True):
            if self._places(TaxAddresses(before)) != self._places(TaxAddresses(after)):
                reasons.append(TaxedAgain(name, _text(before), _text(after)))
        return tuple(reasons)


def gross_lines(original: Document, gross_services: frozenset[int]) -> frozenset[int]:
    """The lines of a document whose prices contain tax. One made before that was kept says it by its taxes; of its untaxed
    lines only their services can say it."""
    if original.tax_basis is not None:
        return frozenset(original.tax_basis.gross_lines)
    contained = {tax.taxed_line_no: tax.is_inclusive for tax in original.taxes}
    return frozenset(line.line_no for line in original.lines if contained.get(line.line_no, line.service_id in gross_services))


def with_contacts(planned: PlannedLines, bill_to: int | None, ship_to: int | None) -> PlannedLines:
    """The lines, where those of a document that was made without a contact go to the contacts that the account has now."""
    return planned._replace(lines=tuple(one._replace(line=_with_contacts(one.line, bill_to, ship_to)) for one in planned.lines))


def _with_contacts(line: Line, bill_to: int | None, ship_to: int | None) -> Line:
    has_both = line.bill_to_contact_id is not None and line.ship_to_contact_id is not None
    if line.service_id is None or has_both:
        return line
    return replace(
        line,
        bill_to_contact_id=bill_to if line.bill_to_contact_id is None else line.bill_to_contact_id,
        ship_to_contact_id=ship_to if line.ship_to_contact_id is None else line.ship_to_contact_id,
    )


def _own_address(original: Document) -> TaxAddress:
    seller = original.parties.seller
    return TaxAddress(*(seller.get(name, "") for name in TaxAddress._fields))


def _contacts_then(original: Document, facts: TaxFacts) -> Mapping[int, TaxAddress]:
    """Where the contacts were. A document made before that was kept says it of the one that it is billed to, as printed."""
    if original.tax_basis is not None:
        return {**facts.contacts, **original.tax_basis.contacts}
    printed = original.parties.bill_to
    billed = {line.bill_to_contact_id for line in original.lines if line.bill_to_contact_id is not None}
    if len(billed) != 1 or not printed:
        return facts.contacts
    return {**facts.contacts, billed.pop(): TaxAddress(*(printed.get(name, "") for name in TaxAddress._fields))}


def _addresses(
    line: Line, contacts: Mapping[int, TaxAddress], locations: Mapping[int, TaxAddress], own: TaxAddress
) -> TaxAddresses:
    return TaxAddresses(
        locations.get(line.bill_from_location_id or 0, own),
        locations.get(line.ship_from_location_id or 0, own),
        contacts.get(line.bill_to_contact_id or 0),
        contacts.get(line.ship_to_contact_id or 0),
    )


def _text(address: TaxAddress | None) -> str:
    return ", ".join(filter(None, address)) or NOWHERE if address is not None else NOWHERE
