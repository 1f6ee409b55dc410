"""The built-in engine: it reads the client's TaxRate rows and taxes lines by their addresses.

A line is taxed by every rate of its category whose country is the address's and whose region is the address's or empty. Each
rate names one of the four addresses; nearly all use the ship-to address. Rows with the same name, place and percent are one
rate of the law, for any categories: it is rounded once over all its lines (EN 16931, BR-CO-17).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.periods import began_last
from accounts.tax_categories import is_untaxed
from accounts.vat_categories import default_category
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.places import Place, place_of
from invoices.calculation import ZERO, tax_amounts
from invoices.models import TaxRate
from invoices.tax_engines.protocol import (
    LineTax,
    TaxableLine,
    TaxAddress,
    TaxAddresses,
    TaxFailure,
    TaxQuote,
    TaxRequest,
    net_of_contained,
)


class Law(NamedTuple):
    """A rate of the law as documents show it."""

    authority: str
    authority_level: int
    jurisdiction: str
    percent: Decimal
    vat_category: str
    exemption_reason: str


class Rate(NamedTuple):
    """A row of the tax table: the rate for one category, by one of the addresses, between two days."""

    name: str
    country: str
    region: str
    category: str
    percent: Decimal
    taxed_at: str
    valid_from: date
    valid_to: date | None
    vat_category: str = ""
    exemption_reason: str = ""

    @property
    def law(self) -> Law:
        jurisdiction = f"{self.country}-{self.region}" if self.region else self.country
        category = self.vat_category or default_category(self.percent)
        return Law(self.name, 1 if self.region else 0, jurisdiction, self.percent, category, self.exemption_reason)

    @property
    def place(self) -> Place:
        return place_of(self.country, self.region)

    def same(self) -> tuple[str, Place, str]:
        """What identifies a rate. Of valid rows with the same identity, the one that began last applies."""
        return (self.name.casefold(), self.place, self.category.casefold())

    def _covers(self, address: TaxAddress) -> bool:
        """Whether the rate applies at an address. Places are compared by code: `us`, `california` is `US`, `CA`."""
        theirs = place_of(address.country, address.region)
        return self.place.country == theirs.country and self.place.region in ("", theirs.region)

    def applies(self, category: str, addresses: TaxAddresses, on: date) -> bool:
        address: TaxAddress | None = getattr(addresses, self.taxed_at)
        return (
            address is not None
            and self.category.casefold() == category.casefold()
            and self._covers(address)
            and self.valid_from <= on
            and (self.valid_to is None or on <= self.valid_to)
        )


RatesFor = Callable[[str, TaxAddresses, date], tuple[Rate, ...]]


class TableTaxEngine:
    def place(self, address: TaxAddress) -> Place:
        return place_of(address.country, address.region)

    def quote(self, client_no: int, requests: Sequence[TaxRequest]) -> Sequence[TaxQuote | TaxFailure]:
        rates = [Rate._make(row) for row in rate_rows(client_no)]
        if not rates:
            return [TaxQuote((), charges_tax=False) for _ in requests]
        rates_for = rates_lookup(rates)
        return [quote_from(rates_for, request) for request in requests]


@compiled_read
def rate_rows(client_no: int) -> QuerySet[Any, tuple[Any, ...]]:
    """Read the tax rates of a client in the columns of `Rate`."""
    rates = TaxRate.objects.filter(client_id=client_no).order_by("country", "region", "name", "id")
    return rates.values_list(*Rate._fields)


def rates_lookup(rates: Sequence[Rate]) -> RatesFor:
    """Return a function that finds the rates of a category, addresses and day. Each combination is searched once."""

    @cache
    def rates_for(category: str, addresses: TaxAddresses, on: date) -> tuple[Rate, ...]:
        return tuple(began_last((rate for rate in rates if rate.applies(category, addresses, on)), Rate.same))

    return rates_for


def quote_from(rates_for: RatesFor, request: TaxRequest) -> TaxQuote:
    """Return the taxes of one document, and the lines without any rate. Lines of untaxed categories need none."""
    taxed: dict[tuple[Law, bool, Decimal], list[TaxableLine]] = defaultdict(list)
    unanswered = []
    for line in request.lines:
        laws = dict.fromkeys(rate.law for rate in rates_for(line.category, line.addresses, request.tax_date))
        if not laws and not is_untaxed(line.category):
            unanswered.append(line.line_no)
        # An inclusive price contains all its taxes, so each is calculated on the same net amount.
        contained = sum((law.percent for law in laws), ZERO) if line.is_inclusive else ZERO
        for law in laws:
            taxed[law, line.is_inclusive, contained].append(line)
    taxes = [
        LineTax(line.line_no, *law[:4], is_inclusive, line.amount, amount, law.vat_category, law.exemption_reason)
        for (law, is_inclusive, contained), lines in taxed.items()
        for line, amount in zip(
            lines,
            tax_amounts(law.percent, contained, [line.amount for line in lines], request.currency, per_line=request.per_line),
            strict=True,
        )
    ]
    return TaxQuote(net_of_contained(taxes), tuple(unanswered))
