"""Documents, unbilled usage and orders, credits, number series, billing runs, the ledger, and requests to payment gateways."""

from invoices.models.acts import CashCredit, CreditMemo, Dispute, TransactionVoid, WriteOff
from invoices.models.audits import AuditFinding, AuditRun
from invoices.models.collection import CollectionAttempt, GatewayEvent
from invoices.models.credits import Coupon, CouponRedemption, CouponUse, CreditUse, ServiceCredit, Surcharge, UnusedCredit
from invoices.models.documents import BilledPeriod, CreditDetail, Invoice, InvoiceLine, LineBasis, NumberSeries, TaxDetail
from invoices.models.files import DocumentFile
from invoices.models.ledger import Allocation, DailySum, LedgerEntry, Payment, Refund, SummedLedger
from invoices.models.reasons import ReasonCode
from invoices.models.requested_acts import RequestedAct
from invoices.models.review import Comparison, DataChange, Decision, DecisionOutcome
from invoices.models.runs import BillingRun, RunFilter, RunOutcome, RunPart
from invoices.models.statements import Statement
from invoices.models.taxes import TaxAnswer, TaxRate
from invoices.models.unbilled import OneTimeCharge, Usage
from invoices.models.work import Schedule, Worker

__all__ = [
    "Allocation",
    "AuditFinding",
    "AuditRun",
    "BilledPeriod",
    "BillingRun",
    "CashCredit",
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
    "GatewayEvent",
    "DataChange",
    "Invoice",
    "InvoiceLine",
    "LedgerEntry",
    "LineBasis",
    "NumberSeries",
    "OneTimeCharge",
    "Payment",
    "ReasonCode",
    "Refund",
    "RequestedAct",
    "RunFilter",
    "RunOutcome",
    "RunPart",
    "Schedule",
    "ServiceCredit",
    "Statement",
    "SummedLedger",
    "Surcharge",
    "TaxAnswer",
    "TaxDetail",
    "TaxRate",
    "TransactionVoid",
    "UnusedCredit",
    "Usage",
    "Worker",
    "WriteOff",
]
