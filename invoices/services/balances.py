"""What an account owes: derived from its documents, never stored."""

from decimal import Decimal

from django.db.models import Sum

from accounts.models import Account
from invoices.calculation import ZERO, rounded
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice


def account_balance(account: Account) -> Decimal:
    """The total of the account's approved invoices. Pending and discarded ones have no effect."""
    approved = Invoice.objects.filter(account=account, status=InvoiceStatus.APPROVED)
    return rounded(approved.aggregate(total=Sum("total_amount"))["total"] or ZERO, account.currency)
