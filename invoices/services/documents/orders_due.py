"""When one-time charges are due that were ordered for a cycle which an advance invoice has billed ahead of its date.

An advance invoice has no one-time charges: they are due on the bill date of its cycle, also where nothing else is due then.
"""

from collections.abc import Collection, Mapping
from datetime import date

from django.db.models import Max, Q

from accounts.models import Account
from accounts.periods import billed_ahead
from accounts.services import plans_changed
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice, OneTimeCharge

NOT_ISSUED = Q(invoice=None) | Q(invoice__status=InvoiceStatus.PENDING)
"""One-time charges that no issued invoice holds."""


def orders_due_on(dates: Mapping[int, date]) -> dict[int, date]:
    """Of accounts and the bill dates of their cycles that were billed ahead, those for which a one-time charge is due then: one
    that no issued invoice holds, ordered for that day or an earlier one. One query, none where no cycle was."""
    if not dates:
        return {}
    rows = OneTimeCharge.objects.filter(NOT_ISSUED, account__in=dates).order_by().values_list("account_id", "charge_date")
    return {account_no: dates[account_no] for account_no, day in rows if day <= dates[account_no]}


def orders_due_of(account_no: int) -> date | None:
    """When the one-time charges of an account are due, where its next cycle was billed ahead; else None: with that cycle."""
    approved = Invoice.objects.filter(account=account_no, status=InvoiceStatus.APPROVED)
    newest = approved.aggregate(
        advance=Max("bill_date", filter=Q(kind=InvoiceKind.ADVANCE)),
        recurring=Max("bill_date", filter=Q(kind=InvoiceKind.RECURRING)),
    )
    ahead = billed_ahead(newest["advance"], newest["recurring"])
    return None if ahead is None else orders_due_on({account_no: ahead}).get(account_no)


def orders_cancelled(account_nos: Collection[int]) -> None:
    """The same for the accounts of a batch, whose one-time charges were taken back."""
    for account in Account.objects.filter(pk__in=account_nos, orders_due__isnull=False).order_by("pk"):
        orders_changed(account)


def orders_changed(account: Account) -> None:
    """Brings an account in line after a one-time charge of it was added, changed or taken back. Call it under its lock. An
    invoice that was planned before is not recorded."""
    account.orders_due = orders_due_of(account.pk)
    account.save(update_fields=["orders_due"])
    plans_changed(account)
