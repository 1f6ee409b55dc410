"""The versions of pending documents, and the adjustments that staff make to their lines."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoices.kinds import VersionAct
from invoices.models.documents import AmountField, Invoice


class DocumentVersion(models.Model):
    """One version of a pending document that was recalculated or adjusted.

    A document that never changed has none. The first change writes two rows: the document as it was generated, and the new
    version. `content` is the whole document; `invoices/written_documents.py` reads it.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version_no = models.PositiveIntegerField(help_text=_("From 1: as the document was generated."))
    act = models.CharField(max_length=20, choices=VersionAct)
    made_by = models.CharField(
        max_length=60, help_text=_("Who made this version: staff, API key or process. Four eyes compares it with the approver.")
    )
    made_at = models.DateTimeField()
    reason_code = models.PositiveSmallIntegerField(null=True, help_text=_("Reason for the adjustment."))
    comments = models.TextField(blank=True, max_length=3000)
    total_amount = AmountField()
    content = models.JSONField(help_text=_("The document of this version."))
    generated = models.JSONField(
        null=True, help_text=_("The document before adjustments. Empty: this version has no adjustments.")
    )
    tax_answer = models.JSONField(help_text=_("What tax data was missing for the document before adjustments."))

    class Meta:
        ordering = ["invoice", "version_no"]
        constraints = [models.UniqueConstraint(fields=["invoice", "version_no"], name="one_document_version_per_number")]

    def __str__(self) -> str:
        return gettext("version %(version)s of invoice %(number)s") % {"version": self.version_no, "number": self.invoice_id}


class Adjustment(models.Model):
    """A change of a pending document by a person or program: of one generated line, of the units of a metered charge, or a line
    that is added.

    It stays until another adjustment replaces it or it is withdrawn, and is applied again when the document is recalculated.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="adjustments", db_index=False)
    place = models.PositiveIntegerField(help_text=_("Position among the adjustments of the document, from 1."))
    line = models.JSONField(
        null=True, help_text=_("Which generated line is changed: its type, service, plan instance, days and band.")
    )
    line_no = models.PositiveIntegerField(
        null=True, help_text=_("Line number as generated, or the number of an added line. Empty: it no longer fits.")
    )
    title = models.CharField(max_length=200, help_text=_("Text of the line."))
    change = models.JSONField(help_text=_("What was requested."))
    changes = models.JSONField(help_text=_("What it changes: column, value before and after."))
    why_not = models.TextField(blank=True, help_text=_("Why it no longer fits. Empty: it is applied."))
    reason_code = models.PositiveSmallIntegerField(help_text=_("Reason for the adjustment."))
    comments = models.TextField(blank=True, max_length=3000)
    made_by = models.CharField(max_length=60, help_text=_("Who made it: staff, API key or process."))
    made_at = models.DateTimeField()
    from_version = models.PositiveIntegerField(help_text=_("First version that has it."))
    through_version = models.PositiveIntegerField(null=True, help_text=_("Last version that has it. Empty: it is current."))

    class Meta:
        ordering = ["invoice", "place", "id"]
        indexes = [
            models.Index(fields=["invoice"], name="adjustments_of_document"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(line_no__isnull=False) | ~Q(why_not=""), name="adjustment_fits_or_says_why_not")
        ]

    def __str__(self) -> str:
        return gettext("adjustment of %(title)s on invoice %(number)s") % {"title": self.title, "number": self.invoice_id}
