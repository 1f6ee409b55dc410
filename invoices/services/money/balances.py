"""What an account owes: the balance after its newest entry in the ledger."""

from decimal import Decimal

from accounts.models import Account
from invoices.calculation import ZERO, rounded
from invoices.models import LedgerEntry


def account_balance(account: Account) -> Decimal:
    """Invoices, less credits and payments, and refunds. Pending and discarded invoices have no effect. One query by the
    account's newest entry, however many there are."""
    newest = LedgerEntry.objects.filter(account=account).order_by("-entry_no").values_list("balance_after", flat=True)
    return rounded(newest.first() or ZERO, account.currency)
