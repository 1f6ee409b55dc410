"""What is due on invoices and what is left of credits: derived from the ledger, one query each."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import DecimalField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing_site.common.storage import ExactSum
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, ISSUED_STATUSES, EntryKind, InvoiceKind, InvoiceStatus
from invoices.models import Allocation, Invoice, LedgerEntry
from invoices.plan.allocating import OpenItem

ANY = Q()


class Charge(NamedTuple):
    """An issued invoice in the ledger: its entry, its total, and what of it is still due."""

    invoice_no: int
    account_no: int
    entry_no: int
    total: Decimal
    due: Decimal

    @property
    def item(self) -> OpenItem:
        return OpenItem(self.entry_no, self.due)


TAKEN = Coalesce(ExactSum("taken_by__amount"), ZERO)


def charges_of(invoice_nos: Collection[int]) -> dict[int, Charge]:
    """Issued invoices by their numbers. Of a voided one nothing is due."""
    return {charge.invoice_no: charge for charge in _charges(Q(invoice__in=invoice_nos))}


def open_charges(account_nos: Collection[int]) -> dict[int, list[Charge]]:
    """The invoices of each account on which something is due, the oldest first."""
    charges: dict[int, list[Charge]] = defaultdict(list)
    for charge in _charges(Q(account__in=account_nos), Q(paid__lt=F("amount"))):
        charges[charge.account_no].append(charge)
    return charges


def invoices_of_charges(account_no: int, entry_nos: Sequence[int], field: str) -> list[int]:
    """The invoices of an account that transactions charge for, in the order given. Another transaction is refused (2001)."""
    rows = LedgerEntry.objects.filter(account=account_no, kind=EntryKind.INVOICE, pk__in=entry_nos)
    found: dict[int, int] = dict(rows.values_list("pk", "invoice_id"))
    for number in entry_nos:
        if number not in found:
            detail = f"{field} {number} is not a charge of account {account_no}"
            raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field=field)
    return [found[number] for number in entry_nos]


def open_entries() -> QuerySet[Any]:
    """The entries of invoices on which something is due."""
    return _with_paid(ANY).filter(paid__lt=F("amount"))


def _with_paid(which: Q) -> QuerySet[Any]:
    return LedgerEntry.objects.filter(which, kind=EntryKind.INVOICE).annotate(paid=Coalesce(ExactSum("paid_by__amount"), ZERO))


def _charges(which: Q, having: Q = ANY) -> list[Charge]:
    rows = (
        _with_paid(which)
        .filter(having)
        .order_by("account_id", "entry_no")
        .values_list("invoice_id", "account_id", "pk", "amount", "paid")
    )
    return [
        Charge(invoice_no, account_no, entry_no, amount, amount - paid)
        for invoice_no, account_no, entry_no, amount, paid in rows
        if invoice_no is not None
    ]


def open_credits(account_nos: Collection[int]) -> dict[int, list[OpenItem]]:
    """The payments and cash credits of each account of which something is left, the oldest first."""
    rows = (
        LedgerEntry.objects.filter(account__in=account_nos, amount__lt=0, kind__in=FREE_KINDS)
        .annotate(taken=TAKEN)
        .filter(taken__lt=-F("amount"))
        .order_by("account_id", "entry_no")
        .values_list("account_id", "pk", "amount", "taken")
    )
    credits: dict[int, list[OpenItem]] = defaultdict(list)
    for account_no, entry_no, amount, taken in rows:
        credits[account_no].append(OpenItem(entry_no, -amount - taken))
    return credits


def with_taken(entries: QuerySet[LedgerEntry]) -> QuerySet[Any]:
    """Credits with `taken`: what of each is applied or refunded."""
    return entries.annotate(taken=TAKEN)


def left_of_credit(entry_no: int) -> Decimal:
    """What is left of one payment or credit."""
    amount, taken = LedgerEntry.objects.filter(pk=entry_no).annotate(taken=TAKEN).values_list("amount", "taken").get()
    return Decimal(-amount - taken)


def amount_due(invoice: Any) -> Decimal | None:
    """What is due on one of `with_due`; None where nothing is owed on it: a credit memo, and what was not issued."""
    if invoice.status not in ISSUED_STATUSES or invoice.kind == InvoiceKind.CREDIT_MEMO:
        return None
    return Decimal(invoice.total_amount - invoice.amount_paid)


def open_invoices(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Those that are issued and on which something is due, as `with_due`."""
    return with_due(invoices).filter(IS_OPEN)


IS_OPEN = Q(status=InvoiceStatus.APPROVED) & ~Q(kind=InvoiceKind.CREDIT_MEMO) & Q(total_amount__gt=F("amount_paid"))


def with_due(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Invoices with `amount_paid`: what is taken of payments and credits for them. The rest of an issued one is due."""
    paid = (
        Allocation.objects.filter(debit__invoice=OuterRef("pk"), debit__kind=EntryKind.INVOICE)
        .order_by()
        .values("debit__invoice")
        .annotate(sum=ExactSum("amount"))
        .values("sum")
    )
    return invoices.annotate(amount_paid=Coalesce(Subquery(paid, output_field=DecimalField()), ZERO))
