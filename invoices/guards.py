"""What the database keeps as it was written: issued documents, the ledger, and what gateways have answered."""

from django.db import models

from accounts.guards import guards_of_history
from billing_site.common.guards import Guard, append_only
from invoices.kinds import OPEN_ATTEMPTS, AttemptStatus, InvoiceStatus, RefundStatus
from invoices.models import (
    Allocation,
    ApprovalRule,
    ApprovalRules,
    AuditFinding,
    AuditRun,
    BilledPeriod,
    BlankedDocument,
    BlankedRow,
    CollectionAttempt,
    CreditDetail,
    DocumentVersion,
    Erasure,
    GivenApproval,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    LineBasis,
    Payment,
    Refund,
    Seal,
    SealHead,
    TaxAnswer,
    TaxDetail,
)
from invoices.models.collection import PROC_FIELDS

BESIDE_THE_DOCUMENT = (
    "status",
    "void_reason_code",
    "open_amount",
    "waived_at",
    "custom_status_label",
    "client_notes",
    "posting_status",
    "posting_user",
    "posting_at",
)
"""Columns of an issued document that acts on it change. Its content is in the others."""

PARTS = (InvoiceLine, CreditDetail, LineBasis, TaxDetail, TaxAnswer, BilledPeriod)
LEDGER = (LedgerEntry, Allocation)
"""Cash credits, memos, write-offs, disputes and voids are ledger entries."""


METHOD = ("payment_method_id",)
"""A payment method may be deleted."""

ANSWER = ("status", "payment_id", "error_code", "message", "settled_at", *PROC_FIELDS)
ANSWER_TO_REFUND = ("status", "sent_at", "gateway_refund_id", "settled_at", "proc_status_code", "proc_status_text")


SWITCHED = ("is_on", "switched_by", "switched_at", "claimed_by")
"""What changes of a version of approval rules."""


def _among(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


ISSUED = (InvoiceStatus.APPROVED.value, InvoiceStatus.VOIDED.value)


def _documents() -> list[Guard]:
    issued = _among("OLD.status", ISSUED)
    stays_issued = _among("NEW.status", ISSUED)
    return [
        Guard(model=Invoice, operation="UPDATE", while_old=issued, may_become=stays_issued, may_change=BESIDE_THE_DOCUMENT),
        Guard(model=Invoice, operation="DELETE", while_old=issued),
    ]


def _parts_of_documents() -> list[Guard]:
    of_issued = f"EXISTS (SELECT 1 FROM invoices_invoice WHERE id = OLD.invoice_id AND {_among('status', ISSUED)})"
    return [
        guard
        for part in PARTS
        for guard in (
            Guard(model=part, operation="UPDATE", only_if=of_issued),
            Guard(model=part, operation="DELETE", only_if=of_issued),
        )
    ]


def _attempts() -> list[Guard]:
    """An attempt that collected stays. One that failed may still get another answer, if money arrives later."""
    collected = _among("OLD.status", (AttemptStatus.COLLECTED.value,))
    answered = f"NOT {_among('OLD.status', tuple(one.value for one in OPEN_ATTEMPTS))}"
    return [
        Guard(model=CollectionAttempt, operation="UPDATE", while_old=collected, may_be_emptied=METHOD),
        Guard(model=CollectionAttempt, operation="UPDATE", while_old=answered, may_change=ANSWER, may_be_emptied=METHOD),
        Guard(model=CollectionAttempt, operation="DELETE"),
    ]


def _payments() -> list[Guard]:
    """A payment stays as it was received. Only its mark as voided is set."""
    return [
        Guard(model=Payment, operation="UPDATE", may_change=("is_voided",), may_be_emptied=METHOD),
        Guard(model=Payment, operation="DELETE"),
    ]


def _refunds() -> list[Guard]:
    """A refund gets its answer, and one that was done may fail later, if the bank sends the money back."""
    ended = _among("OLD.status", (RefundStatus.FAILED.value, RefundStatus.WITHDRAWN.value))
    return [
        Guard(model=Refund, operation="UPDATE", may_change=ANSWER_TO_REFUND),
        Guard(model=Refund, operation="UPDATE", while_old=ended),
        Guard(model=Refund, operation="DELETE"),
    ]


def guards() -> list[Guard]:
    of_approval = (DocumentVersion, ApprovalRule, GivenApproval)
    written_once: tuple[type[models.Model], ...] = (
        *LEDGER,
        *of_approval,
        AuditRun,
        AuditFinding,
        Seal,
        SealHead,
        Erasure,
        BlankedDocument,
        BlankedRow,
    )
    return [
        *_documents(),
        *_parts_of_documents(),
        *append_only(*written_once),
        *_attempts(),
        *_payments(),
        *_refunds(),
        Guard(model=ApprovalRules, operation="UPDATE", may_change=SWITCHED),
        Guard(model=ApprovalRules, operation="DELETE"),
        *guards_of_history("invoices"),
    ]
