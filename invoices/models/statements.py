"""Statements: which document was sent, to whom, and the result."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Contact
from invoices.kinds import StatementStatus
from invoices.models.documents import Invoice


class Statement(models.Model):
    """An e-mail that sends a document to a contact.

    It is recorded in the transaction that issues the document, and sent afterwards. If it fails it can be sent again.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="statements")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    email = models.EmailField(blank=True, help_text=_("E-mail address of the contact when the statement was sent."))
    status = models.CharField(max_length=10, choices=StatementStatus)
    error_code = models.IntegerField(default=0)
    message = models.CharField(max_length=300, blank=True, help_text=_("Why the statement could not be sent."))
    requested_by = models.CharField(max_length=60)
    requested_at = models.DateTimeField()
    settled_at = models.DateTimeField(
        null=True,
        help_text=_("Time at which the statement was sent or failed. While it is being sent: time at which sending started."),
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            # Unsent statements, to resume after a crash.
            models.Index(
                fields=["id"],
                condition=models.Q(status__in=[StatementStatus.REQUESTED, StatementStatus.SENDING]),
                name="statements_to_send",
            ),
            # The dashboard lists them.
            models.Index(fields=["invoice"], condition=models.Q(status=StatementStatus.FAILED), name="failed_statements"),
        ]

    def __str__(self) -> str:
        shown = {"invoice": self.invoice_id, "email": self.email or self.get_status_display()}
        return gettext("%(invoice)s to %(email)s") % shown
