"""Resources of documents, billing runs, usage and orders, credits, and money."""

from invoices.api.viewsets.credits import CouponRedemptionViewSet, CouponViewSet, ServiceCreditViewSet, SurchargeViewSet
from invoices.api.viewsets.documents import InvoiceViewSet, TaxRateViewSet
from invoices.api.viewsets.money import (
    CashCreditViewSet,
    CollectionAttemptViewSet,
    CreditMemoViewSet,
    DisputeViewSet,
    PaymentViewSet,
    ReasonCodeViewSet,
    ReceivableViewSet,
    RefundViewSet,
    TransactionViewSet,
    WriteOffViewSet,
)
from invoices.api.viewsets.orders import OneTimeChargeViewSet
from invoices.api.viewsets.payment_methods import PaymentMethodViewSet
from invoices.api.viewsets.plan_instances import PlanInstanceViewSet
from invoices.api.viewsets.requested_acts import RequestedActViewSet
from invoices.api.viewsets.runs import BillingRunViewSet, RunFilterViewSet, RunOutcomeViewSet
from invoices.api.viewsets.schedules import ScheduleViewSet
from invoices.api.viewsets.usage import UsageViewSet

__all__ = [
    "BillingRunViewSet",
    "CashCreditViewSet",
    "CollectionAttemptViewSet",
    "CouponRedemptionViewSet",
    "CouponViewSet",
    "CreditMemoViewSet",
    "DisputeViewSet",
    "InvoiceViewSet",
    "OneTimeChargeViewSet",
    "PaymentMethodViewSet",
    "PaymentViewSet",
    "PlanInstanceViewSet",
    "ReasonCodeViewSet",
    "ReceivableViewSet",
    "RefundViewSet",
    "RequestedActViewSet",
    "RunFilterViewSet",
    "RunOutcomeViewSet",
    "ScheduleViewSet",
    "ServiceCreditViewSet",
    "SurchargeViewSet",
    "TaxRateViewSet",
    "TransactionViewSet",
    "UsageViewSet",
    "WriteOffViewSet",
]
