"""Documents, unbilled usage and orders, credits, number series, billing runs, the ledger, and requests to payment gateways."""

from invoices.models.acts import CashCredit, CreditMemo, Dispute, TransactionVoid, WriteOff
from invoices.models.approval_rules import ApprovalProgress, ApprovalRule, ApprovalRules, GivenApproval, StandIn
from invoices.models.audits import AuditFinding, AuditRun
from invoices.models.collection import CollectionAttempt, GatewayEvent
from invoices.models.credits import Coupon, CouponRedemption, CouponUse, CreditUse, ServiceCredit, Surcharge, UnusedCredit
from invoices.models.documents import BilledPeriod, CreditDetail, Invoice, InvoiceLine, LineBasis, NumberSeries, TaxDetail
from invoices.models.files import DocumentFile
from invoices.models.ledger import Allocation, DailySum, LedgerEntry, Payment, Refund, SummedLedger
from invoices.models.periods import ClosedPeriod
from invoices.models.privacy import BlankedDocument, BlankedRow, Erasure
from invoices.models.reasons import ReasonCode
from invoices.models.requested_acts import RequestedAct
from invoices.models.review import Comparison, DataChange, Decision, DecisionOutcome
from invoices.models.runs import BillingRun, RunFilter, RunOutcome, RunPart
from invoices.models.seals import Seal, SealHead, SealProgress
from invoices.models.statements import MailText, Statement
from invoices.models.taxes import TaxAnswer, TaxRate
from invoices.models.unbilled import OneTimeCharge, Usage
from invoices.models.versions import Adjustment, DocumentVersion
from invoices.models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookTry
from invoices.models.work import OverdueWatch, Schedule, Worker

__all__ = [
    "Adjustment",
    "Allocation",
    "ApprovalProgress",
    "ApprovalRule",
    "ApprovalRules",
    "AuditFinding",
    "AuditRun",
    "BilledPeriod",
    "BillingRun",
    "BlankedDocument",
    "BlankedRow",
    "CashCredit",
    "ClosedPeriod",
    "CollectionAttempt",
    "Comparison",
    "Coupon",
    "CouponRedemption",
    "CouponUse",
    "CreditDetail",
    "CreditMemo",
    "CreditUse",
    "DailySum",
    "Decision",
    "DecisionOutcome",
    "Dispute",
    "DocumentFile",
    "DocumentVersion",
    "Erasure",
    "GatewayEvent",
    "GivenApproval",
    "DataChange",
    "Invoice",
    "InvoiceLine",
    "LedgerEntry",
    "MailText",
    "LineBasis",
    "NumberSeries",
    "OneTimeCharge",
    "OverdueWatch",
    "Payment",
    "ReasonCode",
    "Refund",
    "RequestedAct",
    "RunFilter",
    "RunOutcome",
    "RunPart",
    "Schedule",
    "Seal",
    "SealHead",
    "SealProgress",
    "ServiceCredit",
    "StandIn",
    "Statement",
    "SummedLedger",
    "Surcharge",
    "TaxAnswer",
    "TaxDetail",
    "TaxRate",
    "TransactionVoid",
    "UnusedCredit",
    "Usage",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookTry",
    "Worker",
    "WriteOff",
]
