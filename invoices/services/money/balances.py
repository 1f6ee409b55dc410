"""The balance of an account."""

from decimal import Decimal

from accounts.models import Account
from billing_site.common.currencies import currency_of
from invoices.calculation import ZERO, rounded
from invoices.models import LedgerEntry


def account_balance(account: Account) -> Decimal:
    """Return invoices less credits and payments, plus refunds. Pending and discarded invoices do not count. One query."""
    newest = LedgerEntry.objects.filter(account=account).order_by("-entry_no").values_list("balance_after", flat=True)
    return rounded(newest.first() or ZERO, currency_of(account.currency))
