"""Proxy models of the ledger and documents by kind of act. Each has a page in the admin, where adding a row performs the act.

The page selects the rows.
"""

from django.utils.translation import gettext_lazy as _

from invoices.models.documents import Invoice
from invoices.models.ledger import LedgerEntry


class CashCredit(LedgerEntry):
    class Meta:
        proxy = True
        ordering = ["-id"]


class WriteOff(LedgerEntry):
    class Meta:
        proxy = True
        ordering = ["-id"]
        verbose_name = _("write-off")


class Dispute(LedgerEntry):
    class Meta:
        proxy = True
        ordering = ["-id"]


class TransactionVoid(LedgerEntry):
    class Meta:
        proxy = True
        ordering = ["-id"]
        verbose_name = _("void")


class CreditMemo(Invoice):
    class Meta:
        proxy = True
        ordering = ["-id"]
