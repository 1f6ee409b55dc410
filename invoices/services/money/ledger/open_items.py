"""Read what is open on invoices and what is left of credits, one query each.

What is open is stored on the invoice (`Invoice.open_amount`): `entries.allocate` changes it, and an audit compares it with the
ledger. What is left of a credit follows from the ledger.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import ExactSum
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, EntryKind
from invoices.models import Allocation, Invoice, LedgerEntry
from invoices.plan.allocating import OpenItem


class OpenAfter(NamedTuple):
    """What is open on an invoice before and after an act."""

    invoice: Invoice
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        return self.after - self.before


def open_after(change: Mapping[int, Decimal]) -> tuple[OpenAfter, ...]:
    """Return what is open on invoices whose open amounts an act changes, given by ledger entry, in their order. One query."""
    rows = LedgerEntry.objects.filter(pk__in=[number for number, amount in change.items() if amount], invoice__isnull=False)
    changed = [(one.invoice, change[one.pk]) for one in rows.select_related("invoice").order_by("pk")]
    return tuple(
        OpenAfter(invoice, invoice.open_amount, invoice.open_amount + amount) for invoice, amount in changed if invoice
    )


IS_OPEN = Q(open_amount__gt=0)
"""Invoices on which something is due."""


class Charge(NamedTuple):
    """An issued invoice in the ledger. `due` is its open amount."""

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
    """Return issued invoices by number. A voided invoice has no open amount. One query."""
    return {row[0]: Charge._make(row) for row in charge_rows(sorted(invoice_nos))}


def open_charges(account_nos: Collection[int]) -> dict[int, list[Charge]]:
    """Return the open invoices of each account, the oldest first. One query."""
    charges: dict[int, list[Charge]] = defaultdict(list)
    for charge in map(Charge._make, open_charge_rows(sorted(account_nos))):
        charges[charge.account_no].append(charge)
    return charges


def invoices_of_charges(account_no: int, entry_nos: Sequence[int], field: str) -> list[int]:
    """Return the invoices of these charge transactions, in the order given. Refuses a number that is not a charge of the
    account (2001)."""
    rows = LedgerEntry.objects.filter(account=account_no, kind=EntryKind.INVOICE, pk__in=entry_nos)
    found: dict[int, int] = dict(rows.values_list("pk", "invoice_id"))
    for number in entry_nos:
        if number not in found:
            detail = Detail(
                "{field} {number} is not a charge of account {account_no}", field=field, number=number, account_no=account_no
            )
            raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field=field)
    return [found[number] for number in entry_nos]


@compiled_read
def charge_rows(invoice_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `charges_of` returns."""
    return _charges(Q(invoice__in=invoice_nos))


@compiled_read
def open_charge_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `open_charges` returns."""
    return _charges(Q(invoice__account__in=account_nos, invoice__open_amount__gt=0))


def _charges(which: Q) -> QuerySet[Any, tuple[Any, ...]]:
    rows = LedgerEntry.objects.filter(which, kind=EntryKind.INVOICE).order_by("account_id", "entry_no")
    return rows.values_list("invoice_id", "account_id", "pk", "amount", "invoice__open_amount")


def open_invoices(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Those of the invoices on which something is due."""
    return invoices.filter(IS_OPEN)


def paid_at_issue(invoice: Invoice) -> Decimal:
    """Return what payments and credits of the account covered of an issued invoice in the act that issued it. One query."""
    taken = Allocation.objects.filter(
        debit__invoice=invoice, debit__kind=EntryKind.INVOICE, created_at__lte=invoice.approved_at
    )
    return Decimal(taken.aggregate(sum=Coalesce(ExactSum("amount"), ZERO))["sum"])


def open_credits(account_nos: Collection[int]) -> dict[int, list[OpenItem]]:
    """Return the payments and cash credits of each account that are not used up, the oldest first. One query."""
    credits: dict[int, list[OpenItem]] = defaultdict(list)
    for account_no, entry_no, amount, taken in credit_rows(sorted(account_nos)):
        credits[account_no].append(OpenItem(entry_no, -amount - taken))
    return credits


@compiled_read
def credit_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `open_credits` returns."""
    return (
        LedgerEntry.objects.filter(account__in=account_nos, amount__lt=0, kind__in=FREE_KINDS)
        .annotate(taken=TAKEN)
        .filter(taken__lt=-F("amount"))
        .order_by("account_id", "entry_no")
        .values_list("account_id", "pk", "amount", "taken")
    )


def with_taken(entries: QuerySet[LedgerEntry]) -> QuerySet[Any]:
    """Annotate credits with `taken`: the amount that is applied or refunded."""
    return entries.annotate(taken=TAKEN)


def left_of_credit(entry_no: int) -> Decimal:
    """Return the unused amount of a payment or credit."""
    amount, taken = LedgerEntry.objects.filter(pk=entry_no).annotate(taken=TAKEN).values_list("amount", "taken").get()
    return Decimal(-amount - taken)
