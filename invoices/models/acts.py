"""The ledger and the documents by what was done: each with a page of its own in the admin, where adding one is doing it.

Which rows each has, its page says.
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
