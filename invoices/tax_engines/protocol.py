"""PURE: the protocol between invoices and tax engines: what an engine is asked, and what it answers.

An engine is asked about many documents at once, outside any transaction. For each it gives a quote or says why it cannot.
"""

from collections.abc import Sequence
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


class TaxableLine(NamedTuple):
    line_no: int
    amount: Decimal
    category: str
    is_inclusive: bool
    ship_from: TaxAddress | None
    ship_to: TaxAddress | None


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


class TaxQuote(NamedTuple):
    taxes: tuple[LineTax, ...]


class TaxFailure(NamedTuple):
    """Why an engine gave no quote, in its own words."""

    error_code: str
    error_msg: str


class TaxEngine(Protocol):
    def quote(self, client_no: int, requests: Sequence[TaxRequest]) -> Sequence[TaxQuote | TaxFailure]:
        """One answer per request, in their order. Writes nothing and keeps nothing."""
        ...
