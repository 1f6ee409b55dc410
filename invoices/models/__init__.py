"""What is owed: documents, their lines and taxes, the number series, tax rates and billing runs."""

from invoices.models.documents import (
    BilledPeriod,
    Invoice,
    InvoiceLine,
    NumberSeries,
    TaxDetail,
)
from invoices.models.runs import BillingRun, RunOutcome
from invoices.models.taxes import TaxRate

__all__ = [
    "BilledPeriod",
    "BillingRun",
    "Invoice",
    "InvoiceLine",
    "NumberSeries",
    "RunOutcome",
    "TaxDetail",
    "TaxRate",
]
