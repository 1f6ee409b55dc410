"""PURE: the protocol of tax engines: their requests and answers.

An engine gets the requests of many documents at once, outside any transaction. For each it returns a quote or a failure.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

from billing_site.common.currencies import Currency


class TaxAddress(NamedTuple):
    """An address that goods or services are supplied from or to."""

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
    """One document with its lines before tax. `per_line`: round each line, instead of each rate over the document."""

    currency: Currency
    tax_date: date
    per_line: bool
    lines: tuple[TaxableLine, ...]


class LineTax(NamedTuple):
    """The amount of one tax on one line, in the currency's precision.

    `vat_category` is its category in UNCL5305. An engine may leave it empty: then it follows from the percent.
    `exemption_reason` is the law's text for a rate of 0 percent."""

    line_no: int
    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal
    vat_category: str = ""
    exemption_reason: str = ""


def net_of_contained(taxes: Sequence[LineTax]) -> tuple[LineTax, ...]:
    """Return the taxes with correct taxable amounts: for an inclusive line, the amount without the taxes that it contains."""
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

    `unanswered` are lines for whose place or category the engine has no rate, which differs from a rate of 0. `charges_tax` is
    False for a client that charges no tax at all, so that nothing is missing.
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
        """Return one answer per request, in their order. Writes nothing and stores nothing."""
        ...

    def place(self, address: TaxAddress) -> Hashable:
        """Return the part of an address that matters: lines of one category are taxed alike at equal places.

        An engine without this method considers the whole address.
        """
        ...
