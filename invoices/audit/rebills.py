"""Check rebills: the original, the credit memo that is its exact negative, and the rebill that replaces it."""

from typing import Any

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from accounts.models import Event
from billing_site.common.storage import ExactSum
from invoices.audit.amounts import shown
from invoices.audit.ledger import NEGATED
from invoices.audit.reads import scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.rules import Rule
from invoices.audit.scopes import Scope, of_client
from invoices.kinds import FREE_KINDS, OPEN_ATTEMPTS, EntryKind, InvoiceKind, InvoiceStatus
from invoices.models import CollectionAttempt, CouponUse, CreditUse, Invoice, InvoiceLine, LedgerEntry, TaxDetail

ISSUED = Q(kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
EXACT = Q(invoice__issued_with__isnull=False) | Q(invoice__kind=InvoiceKind.REVERSAL)
"""The memo of a rebill and a reversal are the exact negative of the document that they offset."""
ISSUED_REBILLS = Invoice.objects.filter(ISSUED)
REVERSALS = Invoice.objects.filter(kind=InvoiceKind.REVERSAL)

OPPOSITE_LINE = InvoiceLine.objects.filter(
    invoice=OuterRef("invoice__corrects"),
    line_no=OuterRef("line_no"),
    line_type=OuterRef("line_type"),
    amount=OuterRef("amount") * NEGATED,
)
OPPOSITE_TAX = TaxDetail.objects.filter(
    invoice=OuterRef("invoice__corrects"),
    tax_line_no=OuterRef("tax_line_no"),
    taxed_line_no=OuterRef("taxed_line_no"),
    percent=OuterRef("percent"),
    is_inclusive=OuterRef("is_inclusive"),
    amount=OuterRef("amount") * NEGATED,
)

NAMED_IN_EVENTS = (
    Event.objects.filter(act="invoice.rebilled", after__has_key="rebill")
    .annotate(rebill_no=Cast(KeyTextTransform("rebill", "after"), BigIntegerField()))
    .values("rebill_no")
)

REBILLS = (
    Rule(
        Invoice,
        "client",
        ~Q(memo__kind=InvoiceKind.CREDIT_MEMO)
        | ~Q(memo__status=InvoiceStatus.APPROVED)
        | ~Q(memo__corrects=F("corrects"))
        | ~Q(memo__total_amount=F("corrects__total_amount") * NEGATED)
        | ~Q(corrects__status=InvoiceStatus.APPROVED)
        | Q(corrects__kind=InvoiceKind.CREDIT_MEMO),
        "rebill {pk} of invoice {corrects_id} ({corrects__status}, {corrects__total_amount}): was issued with document "
        "{memo_id}, a {memo__kind} of {memo__total_amount} that corrects {memo__corrects_id}",
        checked=ISSUED,
    ),
    Rule(
        Invoice,
        "client",
        Q(chain_root=None) | ~Q(chain_root=Coalesce("corrects__chain_root", "corrects")),
        "document {pk}: corrects {corrects_id}, but is in the chain of {chain_root_id}",
        checked=Q(corrects__isnull=False),
    ),
    Rule(
        InvoiceLine,
        "invoice__client",
        ~Exists(OPPOSITE_LINE) | ~Q(source_line_no=F("line_no")),
        "document {invoice_id}: line {line_no} of {amount} is not the negative of that of the document that it offsets",
        checked=EXACT,
    ),
    Rule(
        TaxDetail,
        "invoice__client",
        ~Exists(OPPOSITE_TAX),
        "document {invoice_id}: the tax of line {tax_line_no} on line {taxed_line_no}, {amount}, is not the negative of that "
        "of the document that it offsets",
        checked=EXACT,
    ),
    Rule(
        Invoice,
        "client",
        ~Q(pk__in=NAMED_IN_EVENTS),
        "rebill {pk}: the audit trail has no event that it replaced invoice {corrects_id}",
        checked=ISSUED,
    ),
    Rule(
        Invoice,
        "client",
        ~Exists(REVERSALS.filter(corrects=OuterRef("pk")))
        | ~Exists(REVERSALS.filter(corrects=OuterRef("memo")))
        | ~Q(memo__status=InvoiceStatus.VOIDED),
        "rebill {pk} is voided, but it and its memo {memo_id} ({memo__status}) are not both reversed",
        checked=Q(kind=InvoiceKind.REBILL, status=InvoiceStatus.VOIDED),
    ),
    Rule(
        Invoice,
        "client",
        ~Q(total_amount=F("corrects__total_amount") * NEGATED)
        | ~Q(corrects__kind__in=(InvoiceKind.REBILL, InvoiceKind.CREDIT_MEMO)),
        "reversal {pk} of {total_amount}: reverses {corrects_id}, a {corrects__kind} of {corrects__total_amount}",
        checked=Q(kind=InvoiceKind.REVERSAL),
    ),
)

REBILLED = (
    Rule(
        CollectionAttempt,
        "invoice__client",
        Q(status__in=OPEN_ATTEMPTS) & Exists(ISSUED_REBILLS.filter(corrects=OuterRef("invoice"))),
        "invoice {invoice_id}: was rebilled, but attempt {attempt_no} is {status}",
    ),
    Rule(
        CreditUse,
        "invoice__client",
        (Q(is_given_back=True) & ~Exists(ISSUED_REBILLS.filter(corrects=OuterRef("invoice"))))
        | (Q(is_given_back=False) & Exists(ISSUED_REBILLS.filter(corrects=OuterRef("invoice")))),
        "invoice {invoice_id}: its use of service credit {credit_id} has the wrong mark, given back: {is_given_back}",
    ),
    Rule(
        CouponUse,
        "invoice__client",
        (Q(is_given_back=True) & ~Exists(ISSUED_REBILLS.filter(corrects=OuterRef("invoice"))))
        | (Q(is_given_back=False) & Exists(ISSUED_REBILLS.filter(corrects=OuterRef("invoice")))),
        "invoice {invoice_id}: its use of coupon redemption {redemption_id} has the wrong mark, given back: {is_given_back}",
    ),
)


def paid_originals(scope: Scope) -> AuditReport:
    """Check that no payment is left on an invoice that was rebilled."""
    return AuditReport(
        "Rebilled documents keep no payments",
        _rebilled_charges.count(scope),
        [
            f"invoice {invoice_no}: was rebilled, but {shown(amount)} of payments and credits still pay it"
            for invoice_no, amount in _paid_after_rebill(scope)
            if amount
        ],
    )


def _of_rebilled(scope: Scope) -> QuerySet[LedgerEntry]:
    entries = of_client(LedgerEntry, "account__client", scope).filter(kind=EntryKind.INVOICE).order_by()
    return entries.filter(Exists(ISSUED_REBILLS.filter(corrects=OuterRef("invoice"))))


_rebilled_charges = scope_read(lambda scope: _of_rebilled(scope).values("pk"))


@scope_read
def _paid_after_rebill(scope: Scope) -> QuerySet[Any, Any]:
    paid = _of_rebilled(scope).filter(paid_by__credit__kind__in=FREE_KINDS).values_list("invoice_id")
    return paid.annotate(sum=ExactSum("paid_by__amount")).order_by("invoice_id")
