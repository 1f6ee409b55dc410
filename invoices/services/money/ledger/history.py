"""An account's transactions, the newest first (Aria's get_acct_trans_history)."""

from datetime import date
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Account, Client
from billing_site.common.languages import within_sentence
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import TRANSACTION_TYPES, EntryKind
from invoices.models import LedgerEntry

MOST_RECORDS = 999
DEFAULT_RECORDS = 99


class HistoryRequest(NamedTuple):
    """Filters. `transaction_type` is Aria's number; a number below zero selects the voids of that type. Dates are inclusive."""

    transaction_type: int | None = None
    start_date: date | None = None
    end_date: date | None = None
    include_voided: bool = True
    limit: int = DEFAULT_RECORDS
    offset: int = 0


def transaction_history(*, client: Client, account_no: int, request: HistoryRequest) -> list[LedgerEntry]:
    """Return the transactions of an account, the newest first, as Aria's get_acct_trans_history does.

    Each has the balance after it, whatever the filters leave out. Refuses an unknown account (1009).
    """
    if not Account.objects.filter(client=client, pk=account_no).exists():
        raise BillingError(
            ErrorCode.ACCOUNT_NOT_FOUND, Detail("account_no {account_no}", account_no=account_no), field="account_no"
        )
    entries = with_voids(LedgerEntry.objects.filter(account=account_no)).order_by("-entry_no")
    if request.transaction_type is not None:
        entries = entries.filter(_of_type(request.transaction_type))
    if request.start_date is not None:
        entries = entries.filter(entry_date__gte=request.start_date)
    if request.end_date is not None:
        entries = entries.filter(entry_date__lte=request.end_date)
    if not request.include_voided:
        entries = entries.filter(voids=None, voided_by=None)
    return list(entries[request.offset : request.offset + request.limit])


def with_voids(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Select the related rows that `transaction_type` and `description` need."""
    return entries.select_related("voids__invoice", "voided_by", "account", "invoice", "payment")


def transaction_type(entry: LedgerEntry) -> int:
    """Return Aria's number of the type. A void has that of the transaction that it voids, below zero."""
    if entry.voids is not None:
        return -TRANSACTION_TYPES[EntryKind(entry.voids.kind)]
    return TRANSACTION_TYPES[EntryKind(entry.kind)]


def description(entry: LedgerEntry) -> str:
    """Return a short text in the active language: Invoice INV-000001, Electronic payment 12, Void of payment 7."""
    if entry.voids is not None:
        voided = {"kind": within_sentence(entry.voids.get_kind_display()), "number": _number(entry.voids)}
        return _("Void of %(kind)s %(number)s") % voided
    return f"{entry.get_kind_display()} {_number(entry)}"


def _number(entry: LedgerEntry) -> str:
    """The number that people know a transaction by: that of its document, or its own."""
    if entry.kind in (EntryKind.INVOICE, EntryKind.CREDIT_MEMO) and entry.invoice is not None:
        return entry.invoice.document_number
    return str(entry.pk)


def _of_type(number: int) -> Q:
    kinds = [kind for kind, own in TRANSACTION_TYPES.items() if own == abs(number)]
    return Q(kind__in=kinds) if number > 0 else Q(voids__kind__in=kinds)
