"""PURE: decide which lines of a rebill keep the tax rates of their document, and which the tax engine rates again, and why.

A correction keeps the document's rates: what it charged for a tax category at a place applies to every line of that category
and place, whatever the tax table says today. The engine is asked if the document has no such line, if an address moved to
another place, or if the request says so (`retax`).
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
    """How a line is taxed: at the rates of line `like` of the original, or by the engine if `like` is None. `again` says
    why, for a line that the original has."""

    like: int | None
    again: tuple[TaxedAgain, ...] = ()


class TaxedBefore:
    """How an original was taxed, and its addresses then and now."""

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
        """Whether the price of a line contains tax. For a line that the original does not have, its service decides."""
        if line.line_no in self._lines:
            return line.line_no in self.gross_lines
        return line.service_id in self.facts.gross_services

    def now(self, line: Line) -> TaxAddresses:
        """Return the current addresses of a line. Without a location, the seller's address is used."""
        return _addresses(line, self.facts.contacts, self.facts.locations, self.own)

    def then(self, line: Line) -> TaxAddresses:
        """Return the addresses of an original line when it was taxed."""
        locations = self.facts.locations if self.basis is None else {**self.facts.locations, **self.basis.locations}
        return _addresses(line, self._then, locations, self.own)

    def taxing(self, planned: PlannedLine, *, retax: bool) -> LineTaxing:
        """Return how a rebill line is taxed. A line that gives unused days back keeps its share of the tax charged for them."""
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
        """Return the stored tax basis of the rebill. `asks`: the tax engine rated some of its lines."""
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
        """Return, for each tax category and place of the original, a line that shows its rates, if all such lines agree."""
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
    """Return the line numbers whose prices contain tax.

    Older documents do not store this. There it follows from the line's taxes or, for an untaxed line, from its service.
    """
    if original.tax_basis is not None:
        return frozenset(original.tax_basis.gross_lines)
    contained = {tax.taxed_line_no: tax.is_inclusive for tax in original.taxes}
    return frozenset(line.line_no for line in original.lines if contained.get(line.line_no, line.service_id in gross_services))


def with_contacts(planned: PlannedLines, bill_to: int | None, ship_to: int | None) -> PlannedLines:
    """Return the lines, with the account's current contacts on lines that have none."""
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
    """Return the contacts' addresses when the original was taxed.

    Older documents do not store them. There, the printed buyer is used if all lines have the same bill-to contact.
    """
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
