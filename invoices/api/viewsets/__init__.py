"""Resources of documents, billing runs, usage and orders, credits, and money."""

from invoices.api.viewsets.approval_rules import ApprovalRulesViewSet, StandInViewSet
from invoices.api.viewsets.credits import CouponRedemptionViewSet, CouponViewSet, ServiceCreditViewSet, SurchargeViewSet
from invoices.api.viewsets.documents import InvoiceViewSet, TaxRateViewSet
from invoices.api.viewsets.events import EventViewSet
from invoices.api.viewsets.mail_texts import MailTextViewSet
from invoices.api.viewsets.money import (
    CashCreditViewSet,
    CollectionAttemptViewSet,
    CreditMemoViewSet,
    DisputeViewSet,
    PaymentViewSet,
    ReasonCodeViewSet,
    RefundViewSet,
    TransactionViewSet,
    WriteOffViewSet,
)
from invoices.api.viewsets.orders import OneTimeChargeViewSet
from invoices.api.viewsets.payment_methods import PaymentMethodViewSet
from invoices.api.viewsets.periods import PeriodViewSet
from invoices.api.viewsets.plan_instances import PlanInstanceViewSet
from invoices.api.viewsets.privacy import PersonalDataAccessViewSet, PersonalDataViewSet
from invoices.api.viewsets.records import AuditFindingViewSet, AuditViewSet, DecisionOutcomeViewSet, DecisionViewSet
from invoices.api.viewsets.reports import (
    CreditBalanceViewSet,
    DocumentLineViewSet,
    JournalViewSet,
    ReceivableViewSet,
    TaxReportViewSet,
)
from invoices.api.viewsets.requested_acts import RequestedActViewSet
from invoices.api.viewsets.runs import BillingRunViewSet, RunFilterViewSet, RunOutcomeViewSet
from invoices.api.viewsets.schedules import ScheduleViewSet
from invoices.api.viewsets.settings import SettingsViewSet
from invoices.api.viewsets.statements import StatementViewSet
from invoices.api.viewsets.usage import UsageViewSet
from invoices.api.viewsets.webhooks import WebhookDeliveryViewSet, WebhookEndpointViewSet

__all__ = [
    "ApprovalRulesViewSet",
    "AuditFindingViewSet",
    "AuditViewSet",
    "DecisionOutcomeViewSet",
    "DecisionViewSet",
    "BillingRunViewSet",
    "CashCreditViewSet",
    "CollectionAttemptViewSet",
    "CouponRedemptionViewSet",
    "CouponViewSet",
    "CreditBalanceViewSet",
    "CreditMemoViewSet",
    "DisputeViewSet",
    "DocumentLineViewSet",
    "EventViewSet",
    "InvoiceViewSet",
    "JournalViewSet",
    "OneTimeChargeViewSet",
    "PaymentMethodViewSet",
    "PaymentViewSet",
    "PersonalDataAccessViewSet",
    "PersonalDataViewSet",
    "PlanInstanceViewSet",
    "ReasonCodeViewSet",
    "ReceivableViewSet",
    "RefundViewSet",
    "RequestedActViewSet",
    "RunFilterViewSet",
    "RunOutcomeViewSet",
    "MailTextViewSet",
    "PeriodViewSet",
    "ScheduleViewSet",
    "StandInViewSet",
    "StatementViewSet",
    "ServiceCreditViewSet",
    "SettingsViewSet",
    "SurchargeViewSet",
    "TaxRateViewSet",
    "TaxReportViewSet",
    "TransactionViewSet",
    "UsageViewSet",
    "WebhookDeliveryViewSet",
    "WebhookEndpointViewSet",
    "WriteOffViewSet",
]
