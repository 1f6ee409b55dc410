"""PURE: the protocol between invoices and tax engines: what an engine is asked, and what it answers.

An engine is asked about many documents at once, outside any transaction. For each it gives a quote or says why it cannot.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol


class TaxAddress(NamedTuple):
    """Where something is supplied from or to, as an engine needs it."""

    address1: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


class TaxAddresses(NamedTuple):
    """The four addresses of a line."""

    bill_from: TaxAddress | None = None
    ship_from: TaxAddress | None = None
    bill_to: TaxAddress | None = None
    ship_to: TaxAddress | None = None


class TaxableLine(NamedTuple):
    line_no: int
    amount: Decimal
    category: str
    is_inclusive: bool
    addresses: TaxAddresses


class TaxRequest(NamedTuple):
    """One document: its lines before tax. `per_line` asks for rounding line by line instead of per rate over the document."""

    currency: str
    tax_date: date
    per_line: bool
    lines: tuple[TaxableLine, ...]


class LineTax(NamedTuple):
    """What one tax takes from one line, in whole smallest units of the currency."""

    line_no: int
    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal


def net_of_contained(taxes: Sequence[LineTax]) -> tuple[LineTax, ...]:
    """Taxes whose taxable amounts are what they were counted on: an inclusive line's without the taxes that it contains."""
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for tax in taxes:
        if tax.is_inclusive:
            contained[tax.line_no] += tax.amount
    if not contained:
        return tuple(taxes)
    return tuple(
        tax._replace(taxable_amount=tax.taxable_amount - contained[tax.line_no]) if tax.is_inclusive else tax for tax in taxes
    )


class TaxQuote(NamedTuple):
    """The taxes of a document.

    `unanswered` are the lines that the engine has no answer for, as it knows no rate for their place or category: that differs
    from a rate of 0. `charges_tax` is False for a client who charges no tax at all, so that nothing is missing.
    """

    taxes: tuple[LineTax, ...]
    unanswered: tuple[int, ...] = ()
    charges_tax: bool = True


class TaxFailure(NamedTuple):
    """Why an engine gave no quote, in its own words."""

    error_code: str
    error_msg: str


class TaxEngine(Protocol):
    def quote(self, client_no: int, requests: Sequence[TaxRequest]) -> Sequence[TaxQuote | TaxFailure]:
        """One answer per request, in their order. Writes nothing and keeps nothing."""
        ...

    def place(self, address: TaxAddress) -> Hashable:
        """What the engine looks at of an address: lines of one category are taxed alike in one place. An engine that does not
        have this looks at the whole address."""
        ...
