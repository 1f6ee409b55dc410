"""People who were erased, and documents whose personal data was blanked."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client
from invoices.kinds import SealedRows
from invoices.models.documents import Invoice


class Erasure(models.Model):
    """The erasure of the personal data of an account: who asked for it, why and when. Written once."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="erasures", db_index=False)
    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="erasure")
    at = models.DateTimeField()
    erased_by = models.CharField(max_length=60, help_text=_("Staff, API key or process."))
    reason = models.CharField(max_length=300, help_text=_("Such as the number of the request. No personal data."))
    rows = models.PositiveIntegerField(help_text=_("Number of rows in which data was blanked."))

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["client", "id"], name="erasures_of_client")]

    def __str__(self) -> str:
        return str(self.account_id)


class BlankedDocument(models.Model):
    """A document of an erased person whose personal data was blanked when it was no longer kept by law. Written once.

    The document keeps the fingerprint of its issue, which still proves the parts without personal data. `fingerprint` is that
    of the document as it is since, in all its parts.
    """

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, primary_key=True, related_name="blanked")
    erasure = models.ForeignKey(Erasure, on_delete=models.PROTECT, related_name="documents")
    at = models.DateTimeField()
    kept_until = models.DateField(help_text=_("Last day on which it was kept by law."))
    fingerprint = models.CharField(max_length=300)
    files = models.JSONField(default=list, help_text=_("Names that its removed files had in the storage of documents."))

    class Meta:
        ordering = ["invoice"]

    def __str__(self) -> str:
        return str(self.invoice_id)


class BlankedRow(models.Model):
    """An event, ledger entry or payment whose personal data was blanked: what it hashed to before, and since.

    Seals cover the hashes. A row that was blanked twice has two of these: the second begins with what the first has left.
    """

    kind = models.CharField(max_length=20, choices=SealedRows)
    row_no = models.PositiveBigIntegerField(help_text=_("Number of the event, transaction or payment."))
    format = models.PositiveSmallIntegerField(help_text=_("Which columns the hashes cover, as seals do."))
    erasure = models.ForeignKey(
        Erasure,
        on_delete=models.PROTECT,
        null=True,
        related_name="blanked_rows",
        help_text=_("Empty: it was older than events keep personal data."),
    )
    at = models.DateTimeField()
    hash_before = models.CharField(max_length=64)
    hash_after = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text=_("Of all rows that the same act blanked. The event of the act has it."))

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["kind", "row_no", "id"], name="blanked_rows_by_row")]

    def __str__(self) -> str:
        return f"{self.kind} {self.row_no}"
