"""An account's documents for Aria's read calls: one by its number, or all, the newest first."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Max, Min, OuterRef, Q, QuerySet, Subquery

from accounts.models import Client, Service
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import (
    BILLING_KINDS,
    CHARGE_KINDS,
    CYCLE_KINDS,
    ISSUED_STATUSES,
    OFFSETTING_KINDS,
    AllocationKind,
    EntryKind,
    InvoiceKind,
    InvoiceStatus,
    LineType,
)
from invoices.models import Allocation, Invoice, InvoiceLine, LedgerEntry
from invoices.plan.actions import Action, why_not
from invoices.plan.memo import LineToCredit
from invoices.services.correcting.credit_memos import lines_to_credit
from invoices.services.document_facts import document_facts
from invoices.services.documents.rebill_markers import with_rebills
from invoices.services.money.ledger.history import with_voids

MOST_INVOICES = 999
"""The newest invoices are returned, at most this number (ours). Older ones are found by dates."""


class InvoiceHistoryRequest(NamedTuple):
    """Filters. `rebills` 1 leaves out rebills; 2 replaces each rebilled invoice by its last rebill."""

    start: date | None = None
    end: date | None = None
    include_voided: bool = False
    rebills: int = 0


def invoice_history(client: Client, account_no: int, request: InvoiceHistoryRequest) -> list[Any]:
    """Return issued invoices without memos and reversals, the newest first, with paid amount, day of payment and rebills. One
    query."""
    statuses = [InvoiceStatus.APPROVED, *([InvoiceStatus.VOIDED] if request.include_voided else [])]
    rows = Invoice.objects.filter(client=client, account=account_no, status__in=statuses)
    rows = rows.exclude(kind__in=OFFSETTING_KINDS)
    if request.start is not None:
        rows = rows.filter(bill_date__gte=request.start)
    if request.end is not None:
        rows = rows.filter(bill_date__lte=request.end)
    if request.rebills == 1:
        rows = rows.filter(kind__in=BILLING_KINDS)
    marked = _with_plan_and_usage(_with_account(with_paid_on(with_rebills(rows))))
    if request.rebills == 2:
        marked = marked.filter(rb_no=None)
    return list(marked.order_by("-pk")[:MOST_INVOICES])


def with_paid_on(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate with `paid_on`: the day of the newest payment or credit that pays the invoice."""
    taken = Allocation.objects.filter(debit__invoice=OuterRef("pk"), debit__kind=EntryKind.INVOICE, kind=AllocationKind.APPLIED)
    newest = taken.order_by().values("debit__invoice").annotate(day=Max("credit__entry_date")).values("day")
    marked: QuerySet[Any] = invoices.annotate(paid_on=Subquery(newest))
    return marked


def _with_account(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate with `client_acct_id`."""
    marked: QuerySet[Any] = invoices.annotate(client_acct_id=F("account__client_acct_id"))
    return marked


def _with_plan_and_usage(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate with the plan of the first line that has one (`plan_no`, `client_plan_id`, and `plan_name` as billed), and with
    the days of the billed usage (`usage_from`, `usage_through`)."""
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
    """Return a document of an account by number, with its rebill, open amount, `client_acct_id`, `transaction_no` and
    `void_transaction_no`. Refuses a number that is not the account's (3004)."""
    return _found(client, account_no, Q(pk=invoice_no), invoice_no, "invoice_no")


def document_of_transaction(client: Client, account_no: int, number: int) -> Any:
    """Return a document of an account by its transaction or its own number. Its own number has precedence. Refuses an unknown
    number (3004)."""
    by_transaction = Q(ledger__pk=number, ledger__kind__in=CHARGE_KINDS)
    return _found(client, account_no, Q(pk=number) | by_transaction, number, "src_transaction_id")


def _found(client: Client, account_no: int, meant: Q, number: int | str, field: str) -> Any:
    rows = Invoice.objects.filter(meant, client=client, account=account_no).order_by("-pk").distinct()
    entries = LedgerEntry.objects.filter(invoice=OuterRef("pk"), kind__in=CHARGE_KINDS)
    marked = _with_account(with_rebills(rows)).annotate(
        transaction_no=Subquery(entries.values("pk")[:1]), void_transaction_no=Subquery(entries.values("voided_by")[:1])
    )
    found = sorted(marked, key=lambda invoice: invoice.pk != number)
    if not found:
        raise BillingError(
            ErrorCode.INVOICE_NOT_FOUND,
            Detail("{field} {number} of account {account_no}", field=field, number=number, account_no=account_no),
            field=field,
        )
    return found[0]


def memos_of_account(account_no: int) -> list[Invoice]:
    """Return the newest credit memos of an account, at most 999, the newest first. Those of rebills are among them."""
    memos = Invoice.objects.filter(account=account_no, kind=InvoiceKind.CREDIT_MEMO, status__in=ISSUED_STATUSES)
    return list(memos.order_by("-pk")[:MOST_INVOICES])


def memo_of_account(client: Client, account_no: int, memo_no: int | None, document_number: str | None) -> Any:
    """Return a credit memo of an account, by its number, its printed number, or both, with its `transaction_no`. Refuses (3004)
    one that does not exist, and a printed number of another one."""
    named = Q() if memo_no is None else Q(pk=memo_no)
    named &= Q() if document_number is None else Q(document_number=document_number)
    memos = Q(kind=InvoiceKind.CREDIT_MEMO, status__in=ISSUED_STATUSES)
    names = " ".join(str(one) for one in (memo_no, document_number) if one is not None)
    return _found(client, account_no, named & memos, names, "cm_no")


def pending_invoices(client: Client, account_no: int) -> list[Invoice]:
    """Return the account's pending invoice and pending rebills. Refuses an account without any (5022)."""
    rows = Invoice.objects.filter(client=client, account=account_no, status=InvoiceStatus.PENDING).order_by("pk")
    if not rows:
        raise BillingError(ErrorCode.NO_PENDING_INVOICE, Detail("account {account_no}", account_no=account_no), field="acct_no")
    return list(rows)


def pending_invoice_no(client: Client, account_no: int) -> int:
    """Return the number of the account's pending invoice, not of a rebill. Refuses an account without one (5022)."""
    of_cycles = [one.pk for one in pending_invoices(client, account_no) if one.kind in CYCLE_KINDS]
    if not of_cycles:
        raise BillingError(ErrorCode.NO_PENDING_INVOICE, field="acct_no")
    return of_cycles[0]


def pending_document_no(client: Client, account_no: int) -> int:
    """Return the number of the account's pending invoice, or else of its oldest pending rebill. Refuses an account without any
    (5022)."""
    pending = pending_invoices(client, account_no)
    return next((one.pk for one in pending if one.kind in CYCLE_KINDS), pending[0].pk)


def payments_on_invoice(invoice: Invoice) -> list[tuple[LedgerEntry, Any]]:
    """Return the payments and credits of an invoice, each with the amount that pays it, the oldest first."""
    applied: dict[int, Any] = {}
    rows = Allocation.objects.filter(debit__invoice=invoice, debit__kind=EntryKind.INVOICE).order_by("pk")
    for credit_no, amount in rows.values_list("credit_id", "amount"):
        applied[credit_no] = applied.get(credit_no, 0) + amount
    entries = with_voids(LedgerEntry.objects.all()).in_bulk(applied)
    return [(entries[number], amount) for number, amount in applied.items()]


def applied_to(credit_no: int) -> list[tuple[LedgerEntry, Decimal]]:
    """Return the charges that a payment or credit pays, each with the amount, the oldest first."""
    applied: dict[int, Decimal] = {}
    rows = Allocation.objects.filter(credit=credit_no, debit__kind=EntryKind.INVOICE).order_by("pk")
    for debit_no, amount in rows.values_list("debit_id", "amount"):
        applied[debit_no] = applied.get(debit_no, ZERO) + amount
    entries = with_voids(LedgerEntry.objects.all()).in_bulk(applied)
    return [(entries[number], amount) for number, amount in applied.items() if amount]


class CreditableLine(NamedTuple):
    """A line with its service, and the most that can be credited of it: 0 if its invoice cannot be credited at all."""

    line: LineToCredit
    service: Service | None
    most: Decimal


def credit_restriction(invoice: Invoice, today: date) -> tuple[str, list[CreditableLine]]:
    """Return why the invoice cannot be credited ("" if it can), and its lines with the most that can be credited of each."""
    refusal = why_not(Action.CREDIT, document_facts([invoice.pk], today)[invoice.pk])
    services = {line.line_no: line.service for line in InvoiceLine.objects.filter(invoice=invoice).select_related("service")}
    rows = [CreditableLine(line, services[line.line_no], ZERO if refusal else line.left) for line in lines_to_credit(invoice)]
    return (refusal.error.message if refusal else "", rows)
