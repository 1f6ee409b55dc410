"""The embedded engine: reads the client's TaxRate rows and taxes by the address that is supplied to.

A line is taxed by every rate of its category whose country is the address's and whose region is the address's or empty.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from invoices.calculation import HUNDRED, ZERO, exact_share, rounded, split
from invoices.models import TaxRate
from invoices.tax_engines.protocol import LineTax, TaxableLine, TaxAddress, TaxFailure, TaxQuote, TaxRequest


class Rate(NamedTuple):
    name: str
    country: str
    region: str
    category: str
    percent: Decimal
    valid_from: date
    valid_to: date | None

    @property
    def jurisdiction(self) -> str:
        return f"{self.country}-{self.region}" if self.region else self.country

    def applies(self, category: str, address: TaxAddress, on: date) -> bool:
        return (
            self.category == category
            and self.country == address.country
            and self.region in ("", address.region)
            and self.valid_from <= on
            and (self.valid_to is None or on <= self.valid_to)
        )


RatesFor = Callable[[str, TaxAddress | None, date], tuple[Rate, ...]]


class TableTaxEngine:
    def quote(self, client_no: int, requests: Sequence[TaxRequest]) -> Sequence[TaxQuote | TaxFailure]:
        rows = TaxRate.objects.filter(client_id=client_no).order_by("country", "region", "name", "id")
        rates_for = rates_lookup([Rate._make(row) for row in rows.values_list(*Rate._fields)])
        return [quote_from(rates_for, request) for request in requests]


def rates_lookup(rates: Sequence[Rate]) -> RatesFor:
    """Finds the rates of a category at an address on a day: once for each combination, however many lines ask."""

    @cache
    def rates_for(category: str, address: TaxAddress | None, on: date) -> tuple[Rate, ...]:
        if address is None:
            return ()
        return tuple(rate for rate in rates if rate.applies(category, address, on))

    return rates_for


def quote_from(rates_for: RatesFor, request: TaxRequest) -> TaxQuote:
    """The taxes of one document. Each rate is rounded once over the document and its cents are spread over the taxed lines
    (EN 16931, BR-CO-17), or each line is rounded by itself."""
    taxed: dict[tuple[Rate, bool, Decimal], list[TaxableLine]] = defaultdict(list)
    for line in request.lines:
        rates = rates_for(line.category, line.ship_to, request.tax_date)
        # An inclusive price contains all of its rates, so each is counted on the same net amount.
        contained = sum((rate.percent for rate in rates), ZERO) if line.is_inclusive else ZERO
        for rate in rates:
            taxed[rate, line.is_inclusive, contained].append(line)
    taxes = [
        LineTax(
            line.line_no,
            rate.name,
            1 if rate.region else 0,
            rate.jurisdiction,
            rate.percent,
            is_inclusive,
            line.amount,
            amount,
        )
        for (rate, is_inclusive, contained), lines in taxed.items()
        for line, amount in zip(lines, _amounts(rate.percent, contained, lines, request), strict=True)
    ]
    return TaxQuote(_net_of_contained(taxes))


def _amounts(percent: Decimal, contained: Decimal, lines: list[TaxableLine], request: TaxRequest) -> list[Decimal]:
    """What a rate takes from each line: percent of a net price, percent / (100 + all contained percents) of a gross one."""
    whole = HUNDRED + contained
    if request.per_line:
        return [rounded(exact_share(line.amount, percent, whole), request.currency) for line in lines]
    weights = [line.amount for line in lines]
    return split(rounded(exact_share(sum(weights, ZERO), percent, whole), request.currency), weights, request.currency)


def _net_of_contained(taxes: list[LineTax]) -> tuple[LineTax, ...]:
    """An inclusive line's taxable amount is its price without the taxes that it contains."""
    contained: dict[int, Decimal] = defaultdict(Decimal)
    for tax in taxes:
        if tax.is_inclusive:
            contained[tax.line_no] += tax.amount
    if not contained:
        return tuple(taxes)
    return tuple(
        tax._replace(taxable_amount=tax.taxable_amount - contained[tax.line_no]) if tax.is_inclusive else tax for tax in taxes
    )
