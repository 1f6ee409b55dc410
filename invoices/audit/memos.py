"""Check that credit memos credit lines of the document that they correct, and not beyond their amounts."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from billing_site.common.storage import ExactSum
from invoices.audit.amounts import shown
from invoices.audit.reads import scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.rules import Rule, differ
from invoices.audit.scopes import Scope, of_client
from invoices.audit.stored_documents import StoredDocument
from invoices.calculation import ZERO
from invoices.document import Line
from invoices.kinds import BILLING_KINDS, CREDIT_TYPES, EntryKind, InvoiceKind, InvoiceStatus, LineType
from invoices.models import CreditDetail, Invoice, InvoiceLine, LedgerEntry, TaxDetail

LIVE_MEMO = Q(invoice__kind=InvoiceKind.CREDIT_MEMO, invoice__status=InvoiceStatus.APPROVED, invoice__issued_with__isnull=True)
"""A memo that was issued with a rebill is the exact negative of its invoice, coupons and credits included: see `rebills`."""


def count_memo_lines(document: StoredDocument) -> int:
    return len(document.lines) if document.is_memo else 0


def memo_lines(document: StoredDocument) -> Iterator[str]:
    """Check that a memo corrects a document, is numbered from 1, and that each line is below zero and names its source.

    A tax line may be 0, and so may a charge of which only the tax is credited. A line that reverses a credit of unused days is
    above zero, and so may be its tax. The amounts of a memo that was issued with a rebill are not checked here.
    """
    if not document.is_memo:
        return
    correction = document.content.correction
    if correction is None:
        yield "corrects no document"
        return
    numbers = [line.line_no for line in document.lines]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"its lines are numbered {', '.join(map(str, numbers))}"
    for line in document.lines:
        if line.source_line_no is None:
            yield f"line {line.line_no} credits no line of invoice {correction.corrects_id}"
        if document.state.issued_with is not None:
            continue
        if line.has_own_tax or _tax_of_days_back(document, line):
            continue
        may_be_zero = line.is_tax or _is_credited_of_tax(document, line)
        if line.amount > ZERO or (line.amount == ZERO and not may_be_zero):
            yield f"line {line.line_no} credits {shown(-line.amount)}"


def _is_credited_of_tax(document: StoredDocument, line: Line) -> bool:
    return any(tax.taxed_line_no == line.line_no and tax.amount for tax in document.taxes)


def _tax_of_days_back(document: StoredDocument, line: Line) -> bool:
    back = {one.line_no for one in document.lines if one.has_own_tax}
    return any(tax.tax_line_no == line.line_no and tax.taxed_line_no in back for tax in document.taxes)


OF_VOIDED = Q(kind=InvoiceKind.REVERSAL) | Q(kind__in=BILLING_KINDS)
"""Documents that name a voided one: its reversal, or the invoice that restores it."""

RULES = (
    Rule(
        Invoice,
        "client",
        differ("account", "corrects__account"),
        "invoice {pk}: is of account {account_id}, but corrects invoice {corrects_id} of account {corrects__account_id}",
        checked=Q(corrects__isnull=False),
    ),
    Rule(
        Invoice,
        "client",
        differ("currency", "corrects__currency")
        | (~Q(corrects__status=InvoiceStatus.APPROVED) & ~OF_VOIDED)
        | (~Q(corrects__status=InvoiceStatus.VOIDED) & OF_VOIDED),
        "invoice {pk}: in {currency}, corrects invoice {corrects_id}, which is {corrects__status}, in {corrects__currency}",
        checked=Q(corrects__isnull=False, status=InvoiceStatus.APPROVED),
    ),
)


def lines_credited(scope: Scope) -> AuditReport:
    """Check that live memos credit only charges, and no more of a line than coupons and credits have left of it."""
    count = _memo_lines.count(scope)
    findings = [words for row in _credited_lines(scope) for words in _overcredited(*row)] if count else []
    return AuditReport("Credit memos credit no more of a line than it charges", count, findings)


def _lines_of_memos(scope: Scope) -> QuerySet[InvoiceLine]:
    lines = of_client(InvoiceLine, "invoice__client", scope)
    return lines.filter(LIVE_MEMO).exclude(line_type=LineType.TAX).order_by()


_memo_lines = scope_read(lambda scope: _lines_of_memos(scope).values("pk"))


@scope_read
def _credited_lines(scope: Scope) -> QuerySet[Any, Any]:
    source = InvoiceLine.objects.filter(invoice=OuterRef("invoice__corrects"), line_no=OuterRef("source_line_no"))
    charging = source.exclude(line_type=LineType.TAX).exclude(line_type__in=CREDIT_TYPES, plan_instance=None)
    credited = (
        CreditDetail.objects.filter(invoice=OuterRef("invoice__corrects"), credited_line_no=OuterRef("source_line_no"))
        .order_by()
        .values("invoice")
        .annotate(sum=ExactSum("amount"))
        .values("sum")
    )
    return (
        _lines_of_memos(scope)
        .annotate(
            charged=Subquery(charging.values("amount")[:1]),
            off=Coalesce(Subquery(credited, output_field=DecimalField()), ZERO),
        )
        .values_list("invoice__corrects_id", "source_line_no", "charged", "off")
        .annotate(credited=ExactSum("amount"))
        .order_by("invoice__corrects_id", "source_line_no")
    )


def _overcredited(
    invoice_no: int, line_no: int | None, charged: Decimal | None, off: Decimal, credited: Decimal
) -> Iterator[str]:
    if charged is None:
        yield f"invoice {invoice_no}: line {line_no} is credited {shown(-credited)}, but charges nothing"
    elif abs(credited) > abs(charged - off):
        yield f"invoice {invoice_no}: of line {line_no}, which charges {shown(charged - off)}, {shown(-credited)} is credited"


def taxes_credited(scope: Scope) -> AuditReport:
    """Check that live memos credit no more of a tax on a line than was charged."""
    count = _memo_taxes.count(scope)
    findings = list(_overcredited_taxes(scope)) if count else []
    return AuditReport("Credit memos credit no more tax than was charged", count, findings)


def _overcredited_taxes(scope: Scope) -> Iterator[str]:
    for invoice_no, tax_line, line_no, tax, back in _credited_taxes(scope):
        if tax is None or abs(back) > abs(tax):
            yield (
                f"invoice {invoice_no}: of the tax of line {tax_line} on line {line_no}, {shown(tax or ZERO)}, "
                f"{shown(-back)} is credited"
            )


def _taxes_of_memos(scope: Scope) -> QuerySet[TaxDetail]:
    return of_client(TaxDetail, "invoice__client", scope).filter(LIVE_MEMO).order_by()


_memo_taxes = scope_read(lambda scope: _taxes_of_memos(scope).values("pk"))


@scope_read
def _credited_taxes(scope: Scope) -> QuerySet[Any, Any]:
    line = InvoiceLine.objects.filter(invoice=OuterRef("invoice"))
    return (
        _taxes_of_memos(scope)
        .annotate(
            source_tax=Subquery(line.filter(line_no=OuterRef("tax_line_no")).values("source_line_no")[:1]),
            source_line=Subquery(line.filter(line_no=OuterRef("taxed_line_no")).values("source_line_no")[:1]),
        )
        .annotate(
            tax=Subquery(
                TaxDetail.objects.filter(
                    invoice=OuterRef("invoice__corrects"),
                    tax_line_no=OuterRef("source_tax"),
                    taxed_line_no=OuterRef("source_line"),
                ).values("amount")[:1]
            )
        )
        .values_list("invoice__corrects_id", "source_tax", "source_line", "tax")
        .annotate(back=ExactSum("amount"))
        .order_by("invoice__corrects_id", "source_tax", "source_line")
    )


def credited_invoices(scope: Scope) -> AuditReport:
    """Check that credit memos, write-offs and disputes together do not exceed the total of their invoice."""
    return AuditReport(
        "Credits, write-offs and disputes do not exceed the invoice total",
        _credits_of_invoices.count(scope),
        [
            f"invoice {invoice_no} of {shown(total)}: {shown(-amount)} is credited, written off and disputed"
            for invoice_no, total, amount in _sums_of_credits(scope)
            if -amount > total
        ],
    )


def _entries_that_reduce(scope: Scope) -> QuerySet[LedgerEntry]:
    kinds = (EntryKind.CREDIT_MEMO, EntryKind.WRITE_OFF, EntryKind.DISPUTE)
    return of_client(LedgerEntry, "account__client", scope).filter(kind__in=kinds, voided_by=None).order_by()


_credits_of_invoices = scope_read(lambda scope: _entries_that_reduce(scope).values("pk"))


@scope_read
def _sums_of_credits(scope: Scope) -> QuerySet[Any, Any]:
    """A credit memo reduces the invoice that it corrects; a write-off or dispute its own invoice, which may be a rebill."""
    return (
        _entries_that_reduce(scope)
        .annotate(
            of_no=Case(When(kind=EntryKind.CREDIT_MEMO, then=F("invoice__corrects_id")), default=F("invoice_id")),
            of_total=Case(
                When(kind=EntryKind.CREDIT_MEMO, then=F("invoice__corrects__total_amount")),
                default=F("invoice__total_amount"),
            ),
        )
        .values_list("of_no", "of_total")
        .annotate(sum=ExactSum("amount"))
        .order_by("of_no")
    )
