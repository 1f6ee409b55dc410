"""An account's documents as Aria's reading calls find them: one by its number, or all, the newest first."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Max, Min, OuterRef, Q, QuerySet, Subquery

from accounts.models import Client, Service
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import (
    CHARGE_KINDS,
    CYCLE_KINDS,
    AllocationKind,
    EntryKind,
    InvoiceKind,
    InvoiceStatus,
    LineType,
)
from invoices.models import Allocation, Invoice, InvoiceLine, LedgerEntry
from invoices.plan.actions import Action, why_not
from invoices.plan.memo import LineToCredit
from invoices.services.actions import document_facts
from invoices.services.correcting.credit_memos import lines_to_credit
from invoices.services.documents.rebill_markers import with_rebills
from invoices.services.money.ledger.history import with_voids
from invoices.services.money.ledger.open_items import with_due

MOST_INVOICES = 999
"""Ours: no more are told, the newest; dates reach those before."""


class HistoryOfInvoices(NamedTuple):
    """Which of an account's invoices. `rebills`: 1 originals only; 2 of those that were rebilled, their rebills only."""

    start: date | None = None
    end: date | None = None
    include_voided: bool = False
    rebills: int = 0


def invoice_history(client: Client, account_no: int, asked: HistoryOfInvoices) -> list[Any]:
    """Invoices that are issued, memos aside, with what is paid of them, since when, and their rebills: one query."""
    statuses = [InvoiceStatus.APPROVED, *([InvoiceStatus.VOIDED] if asked.include_voided else [])]
    rows = Invoice.objects.filter(client=client, account=account_no, status__in=statuses)
    rows = rows.exclude(kind=InvoiceKind.CREDIT_MEMO)
    if asked.start is not None:
        rows = rows.filter(bill_date__gte=asked.start)
    if asked.end is not None:
        rows = rows.filter(bill_date__lte=asked.end)
    if asked.rebills == 1:
        rows = rows.filter(kind__in=CYCLE_KINDS)
    marked = _with_plan_and_usage(_with_account(with_paid_on(with_rebills(with_due(rows)))))
    if asked.rebills == 2:
        marked = marked.filter(rb_no=None)
    return list(marked.order_by("-pk")[:MOST_INVOICES])


def with_paid_on(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """With `paid_on`, the day of the newest payment or credit that was taken for each."""
    taken = Allocation.objects.filter(debit__invoice=OuterRef("pk"), debit__kind=EntryKind.INVOICE, kind=AllocationKind.APPLIED)
    newest = taken.order_by().values("debit__invoice").annotate(day=Max("credit__entry_date")).values("day")
    marked: QuerySet[Any] = invoices.annotate(paid_on=Subquery(newest))
    return marked


def _with_account(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """With `client_acct_id`, the account's own identifier."""
    marked: QuerySet[Any] = invoices.annotate(client_acct_id=F("account__client_acct_id"))
    return marked


def _with_plan_and_usage(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """With `plan_no`, `plan_name` and `client_plan_id` of the first line that is of a plan, the name as it was billed; and
    `usage_from` and `usage_through`, the days of which usage is billed."""
    lines = InvoiceLine.objects.filter(invoice=OuterRef("pk"))
    of_plans = lines.exclude(plan_instance=None).order_by("line_no")
    usage = lines.filter(line_type=LineType.USAGE).order_by().values("invoice")
    marked: QuerySet[Any] = invoices.annotate(
        plan_no=Subquery(of_plans.values("plan_instance__plan")[:1]),
        plan_name=Subquery(of_plans.values("plan_name")[:1]),
        client_plan_id=Subquery(of_plans.values("plan_instance__plan__client_plan_id")[:1]),
        usage_from=Subquery(usage.annotate(day=Min("period_start")).values("day")),
        usage_through=Subquery(usage.annotate(day=Max("period_end")).values("day")),
    )
    return marked


def document_of_account(client: Client, account_no: int, invoice_no: int) -> Any:
    """A document of an account by its own number, marked with its rebill, what is due on it, `client_acct_id` and
    `transaction_no`. Refuses a number that is not the account's (3004)."""
    return _found(client, account_no, Q(pk=invoice_no), invoice_no, "invoice_no")


def document_of_transaction(client: Client, account_no: int, number: int) -> Any:
    """A document of an account by the number of its transaction, or its own, which counts before another's transaction."""
    by_transaction = Q(ledger__pk=number, ledger__kind__in=CHARGE_KINDS)
    return _found(client, account_no, Q(pk=number) | by_transaction, number, "src_transaction_id")


def _found(client: Client, account_no: int, meant: Q, number: int, field: str) -> Any:
    rows = Invoice.objects.filter(meant, client=client, account=account_no).order_by("-pk").distinct()
    entries = LedgerEntry.objects.filter(invoice=OuterRef("pk"), kind__in=CHARGE_KINDS)
    marked = _with_account(with_rebills(with_due(rows))).annotate(transaction_no=Subquery(entries.values("pk")[:1]))
    found = sorted(marked, key=lambda invoice: invoice.pk != number)
    if not found:
        raise BillingError(ErrorCode.INVOICE_NOT_FOUND, f"{field} {number} of account {account_no}", field=field)
    return found[0]


def pending_invoices(client: Client, account_no: int) -> list[Invoice]:
    """What waits for approval: the account's invoice, and rebills."""
    rows = Invoice.objects.filter(client=client, account=account_no, status=InvoiceStatus.PENDING).order_by("pk")
    if not rows:
        raise BillingError(ErrorCode.NO_PENDING_INVOICE, f"account {account_no}", field="acct_no")
    return list(rows)


def pending_invoice_no(client: Client, account_no: int) -> int:
    """The number of the account's pending invoice, rebills aside. Refuses an account without one (5022)."""
    of_cycles = [one.pk for one in pending_invoices(client, account_no) if one.kind in CYCLE_KINDS]
    if not of_cycles:
        raise BillingError(ErrorCode.NO_PENDING_INVOICE, field="acct_no")
    return of_cycles[0]


def pending_document_no(client: Client, account_no: int) -> int:
    """The number of the account's pending invoice; where there is none, of its oldest pending rebill. Refuses (5022) an account
    with neither."""
    pending = pending_invoices(client, account_no)
    return next((one.pk for one in pending if one.kind in CYCLE_KINDS), pending[0].pk)


def payments_on_invoice(invoice: Invoice) -> list[tuple[LedgerEntry, Any]]:
    """The payments and credits that are taken for an invoice, each with how much of it, the oldest first."""
    applied: dict[int, Any] = {}
    rows = Allocation.objects.filter(debit__invoice=invoice, debit__kind=EntryKind.INVOICE).order_by("pk")
    for credit_no, amount in rows.values_list("credit_id", "amount"):
        applied[credit_no] = applied.get(credit_no, 0) + amount
    entries = with_voids(LedgerEntry.objects.all()).in_bulk(applied)
    return [(entries[number], amount) for number, amount in applied.items()]


class CreditableLine(NamedTuple):
    """A line with its service, if it has one, and the most that can be credited of it: nothing where no credit memo can be made
    of its invoice."""

    line: LineToCredit
    service: Service | None
    most: Decimal


def credit_restriction(invoice: Invoice, today: date) -> tuple[str, list[CreditableLine]]:
    """Why no credit memo can be made of an invoice, or nothing; and its lines with what can still be credited of each."""
    refusal = why_not(Action.CREDIT, document_facts([invoice.pk], today)[invoice.pk])
    services = {line.line_no: line.service for line in InvoiceLine.objects.filter(invoice=invoice).select_related("service")}
    rows = [CreditableLine(line, services[line.line_no], ZERO if refusal else line.left) for line in lines_to_credit(invoice)]
    return (refusal.error.message if refusal else "", rows)
