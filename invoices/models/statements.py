"""Statements: which document was sent, to whom, and the result."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, Contact
from accounts.models.history import MasterDataHistory
from billing_site.common.languages import Language
from invoices.kinds import MailKind, StatementStatus
from invoices.models.documents import Invoice


class Statement(models.Model):
    """An e-mail that sends a document to a contact.

    It is recorded in the transaction that issues the document, and sent afterwards. If it fails it can be sent again.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="statements")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    email = models.EmailField(blank=True, help_text=_("E-mail address of the contact when the statement was sent."))
    copy_of = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="copies",
        db_index=False,
        help_text=_("The statement that this one is a copy of, for a contact that gets copies."),
    )
    status = models.CharField(max_length=10, choices=StatementStatus)
    error_code = models.IntegerField(default=0)
    message = models.CharField(max_length=300, blank=True, help_text=_("Why the statement could not be sent."))
    requested_by = models.CharField(max_length=60)
    requested_at = models.DateTimeField()
    settled_at = models.DateTimeField(
        null=True,
        help_text=_("Time at which the statement was sent or failed. While it is being sent: time at which sending started."),
    )

    tries = models.PositiveSmallIntegerField(default=0, db_default=0, help_text=_("How often it was tried."))
    next_try_at = models.DateTimeField(null=True, help_text=_("Time of the next try. Empty: it is not tried again by itself."))
    message_id = models.CharField(
        max_length=250,
        blank=True,
        default="",
        db_default="",
        help_text=_("Message-ID of the e-mail, by which a bounce names it."),
    )
    provider_id = models.CharField(
        max_length=250, blank=True, default="", db_default="", help_text=_("Id that the mail provider gave the e-mail.")
    )

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["copy_of", "contact"], name="one_copy_per_contact")]
        indexes = [
            # Unsent statements, to resume after a crash.
            models.Index(
                fields=["id"],
                condition=models.Q(status__in=[StatementStatus.REQUESTED, StatementStatus.SENDING]),
                name="statements_to_send",
            ),
            # The dashboard lists them.
            models.Index(
                fields=["invoice"],
                condition=models.Q(status__in=[StatementStatus.FAILED, StatementStatus.BOUNCED]),
                name="failed_statements",
            ),
            models.Index(fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="statements_to_try_again"),
            models.Index(fields=["message_id"], condition=~models.Q(message_id=""), name="statement_of_message"),
            models.Index(fields=["provider_id"], condition=~models.Q(provider_id=""), name="statement_of_provider"),
        ]

    def __str__(self) -> str:
        shown = {"invoice": self.invoice_id, "email": self.email or self.get_status_display()}
        return gettext("%(invoice)s to %(email)s") % shown


class MailText(models.Model):
    """A client's own subject and opening words for the e-mails that send documents of a kind, in a language."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="mail_texts", db_index=False)
    kind = models.CharField(max_length=20, choices=MailKind)
    language = models.CharField(max_length=5, choices=Language)
    subject = models.CharField(max_length=200, blank=True, help_text=_("Empty: the usual subject."))
    opening = models.TextField(
        max_length=2000, blank=True, help_text=_("Words above the document. An empty line begins a new paragraph.")
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["client", "kind", "language"]
        constraints = [
            models.UniqueConstraint(fields=["client", "kind", "language"], name="one_mail_text_per_kind_and_language")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_language_display()}"
