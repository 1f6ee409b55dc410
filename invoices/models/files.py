"""The files of issued documents, which are made once and kept."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.kinds import EInvoiceFormat, EInvoiceProfile
from billing_site.errors import recorded
from invoices.kinds import FileKind, FileState
from invoices.models.documents import Invoice


class DocumentFile(models.Model):
    """A file of an issued document. It is owed from the transaction that issues the document, and made after it, once: what a
    customer has received stays as it was. A file that cannot be made stays owed with its reason, and is tried again."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="files", db_index=False)
    kind = models.CharField(max_length=10, choices=FileKind)
    format = models.CharField(
        max_length=10, choices=EInvoiceFormat, blank=True, default="", db_default="", help_text=_("Of an electronic invoice.")
    )
    profile = models.CharField(
        max_length=10, choices=EInvoiceProfile, blank=True, default="", db_default="", help_text=_("Of an electronic invoice.")
    )
    state = models.CharField(max_length=10, choices=FileState, default=FileState.OWED)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why the file could not be made."))
    detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the reason, for its translation. JSON.")
    )
    tried_at = models.DateTimeField(null=True, help_text=_("Time of the last try to make it."))
    tries = models.PositiveIntegerField(default=0)
    media_type = models.CharField(max_length=100, blank=True)
    template_version = models.CharField(max_length=20, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text=_("Number of bytes."))
    name = models.CharField(max_length=200, blank=True, help_text=_("Name in the storage of documents."))
    made_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["invoice", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "kind"], name="one_file_per_kind"),
            models.CheckConstraint(
                condition=~Q(state=FileState.MADE) | (Q(made_at__isnull=False) & ~Q(sha256="") & ~Q(name="")),
                name="files_that_are_made_have_a_hash",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=~Q(state=FileState.MADE), name="files_to_make")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.invoice_id}"

    @property
    def why_missing(self) -> str:
        """Why the file could not be made, as a text of which a page shows the translation."""
        return recorded(self.reason, self.detail)
