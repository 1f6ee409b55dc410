"""Find when one-time charges are due after an advance invoice.

An advance invoice has no one-time charges. They are due on the bill date of its cycle, even if nothing else is due then.
"""

from collections.abc import Collection, Mapping
from datetime import date

from django.db.models import Max, Q

from accounts.models import Account
from accounts.periods import billed_ahead
from accounts.services.plan_dates import plans_changed
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice, OneTimeCharge

NOT_ISSUED = Q(invoice=None) | Q(invoice__status=InvoiceStatus.PENDING)
"""Selects one-time charges that no issued invoice holds."""


def orders_due_on(dates: Mapping[int, date]) -> dict[int, date]:
    """Return the accounts for which an open one-time charge is due on the given bill date of a cycle that was billed in
    advance.

    The charge must be for that day or an earlier one. One query, none if `dates` is empty.
    """
    if not dates:
        return {}
    rows = OneTimeCharge.objects.filter(NOT_ISSUED, account__in=dates).order_by().values_list("account_id", "charge_date")
    return {account_no: dates[account_no] for account_no, day in rows if day <= dates[account_no]}


def orders_due_of(account_no: int, *, with_one_on: date | None = None, without: int | None = None) -> date | None:
    """Return the day on which an account's one-time charges are due if its cycle was billed in advance, else None.

    `with_one_on` is the day of a charge that is not stored yet and counts too, `without` the number of one that does
    not count.
    """
    approved = Invoice.objects.filter(account=account_no, status=InvoiceStatus.APPROVED)
    newest = approved.aggregate(
        advance=Max("bill_date", filter=Q(kind=InvoiceKind.ADVANCE)),
        recurring=Max("bill_date", filter=Q(kind=InvoiceKind.RECURRING)),
    )
    ahead = billed_ahead(newest["advance"], newest["recurring"])
    if ahead is None or (with_one_on is not None and with_one_on <= ahead):
        return ahead
    stored = OneTimeCharge.objects.filter(NOT_ISSUED, account=account_no, charge_date__lte=ahead).order_by()
    return ahead if set(stored.values_list("pk", flat=True)) - {without} else None


def orders_cancelled(account_nos: Collection[int]) -> None:
    """Update `orders_due` of accounts whose one-time charges were cancelled, as `orders_changed` does."""
    for account in Account.objects.filter(pk__in=account_nos, orders_due__isnull=False).order_by("pk"):
        orders_changed(account)


def orders_billed(account_nos: Collection[int]) -> None:
    """Update accounts whose one-time charges a document has taken, or has issued, outside a cycle. Under their locks."""
    for account in Account.objects.filter(pk__in=account_nos).order_by("pk"):
        orders_changed(account)


def orders_changed(account: Account) -> None:
    """Update an account after a one-time charge was added, changed or cancelled. Under its lock.

    Invoices that were planned before are not recorded.
    """
    account.orders_due = orders_due_of(account.pk)
    account.save(update_fields=["orders_due"])
    plans_changed(account)
