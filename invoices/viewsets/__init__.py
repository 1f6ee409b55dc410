"""The API's doors of invoices: documents and runs, and what waits to be billed."""

from invoices.viewsets.documents import BillingRunViewSet, InvoiceViewSet, RunOutcomeViewSet, TaxRateViewSet
from invoices.viewsets.usage import UsageViewSet

__all__ = ["BillingRunViewSet", "InvoiceViewSet", "RunOutcomeViewSet", "TaxRateViewSet", "UsageViewSet"]
