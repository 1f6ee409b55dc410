"""The API's doors of invoices: documents and runs, what waits to be billed, and what is taken off."""

from invoices.viewsets.credits import CouponRedemptionViewSet, CouponViewSet, ServiceCreditViewSet, SurchargeViewSet
from invoices.viewsets.documents import BillingRunViewSet, InvoiceViewSet, RunOutcomeViewSet, TaxRateViewSet
from invoices.viewsets.orders import OneTimeChargeViewSet
from invoices.viewsets.payment_methods import PaymentMethodViewSet
from invoices.viewsets.usage import UsageViewSet

__all__ = [
    "BillingRunViewSet",
    "CouponRedemptionViewSet",
    "CouponViewSet",
    "InvoiceViewSet",
    "OneTimeChargeViewSet",
    "PaymentMethodViewSet",
    "RunOutcomeViewSet",
    "ServiceCreditViewSet",
    "SurchargeViewSet",
    "TaxRateViewSet",
    "UsageViewSet",
]
