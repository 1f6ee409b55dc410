"""An account's payments and issued documents for Aria's read calls, the newest first."""

from datetime import date
from typing import Any, NamedTuple

from invoices.kinds import ISSUED_STATUSES, OFFSETTING_KINDS, PAYMENT_KINDS
from invoices.models import Invoice, LedgerEntry
from invoices.services.lists.invoice_history import MOST_INVOICES
from invoices.services.money.ledger.history import with_voids
from invoices.services.money.ledger.open_items import with_taken


class PaymentHistoryRequest(NamedTuple):
    """Filters. Dates are inclusive."""

    start: date | None
    end: date | None
    limit: int


def payments_of_account(account_no: int, request: PaymentHistoryRequest) -> list[Any]:
    """Return an account's payments with `taken` and the attempts of their gateways. One query."""
    rows = with_taken(with_voids(LedgerEntry.objects.filter(account=account_no, kind__in=PAYMENT_KINDS)))
    if request.start is not None:
        rows = rows.filter(entry_date__gte=request.start)
    if request.end is not None:
        rows = rows.filter(entry_date__lte=request.end)
    return list(rows.select_related("payment__attempt").order_by("-pk")[: request.limit])


def issued_documents(account_no: int, start: date | None, end: date | None) -> list[Invoice]:
    """Return issued invoices and rebills by their invoice date. One query."""
    rows = Invoice.objects.filter(account=account_no, status__in=ISSUED_STATUSES).exclude(kind__in=OFFSETTING_KINDS)
    if start is not None:
        rows = rows.filter(invoice_date__gte=start)
    if end is not None:
        rows = rows.filter(invoice_date__lte=end)
    return list(rows.order_by("-pk")[:MOST_INVOICES])
