"""An engine that never answers, for tests, and to see what users get when a real one is down."""

from collections.abc import Sequence

from invoices.tax_engines.protocol import TaxAddress, TaxFailure, TaxQuote, TaxRequest


class FailingTaxEngine:
    def place(self, address: TaxAddress) -> TaxAddress:
        return address

    def quote(self, client_no: int, requests: Sequence[TaxRequest]) -> Sequence[TaxQuote | TaxFailure]:
        return [TaxFailure("503", "the tax engine is not available") for _ in requests]
