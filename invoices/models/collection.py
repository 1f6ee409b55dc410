"""Collection attempts: one row each, written before the gateway is asked and updated with its answer."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import PaymentMethod
from invoices.kinds import FAILED_ATTEMPTS, OPEN_ATTEMPTS, AttemptStatus
from invoices.models.documents import AmountField, Invoice
from invoices.models.ledger import Payment

PROC_FIELDS = (
    "proc_cvv_response",
    "proc_avs_response",
    "proc_cavv_response",
    "proc_status_code",
    "proc_status_text",
    "proc_payment_id",
    "proc_auth_code",
    "proc_merch_comments",
)
"""What the gateway answered to a collection attempt."""


class CollectionAttempt(models.Model):
    """One attempt to collect the amount due on an invoice.

    An invoice has at most one open attempt: requested, started, or with unknown result. The request to the gateway (amount,
    token, key) is stored, so that it can be repeated.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="collection_attempts", db_index=False)
    attempt_no = models.PositiveIntegerField(help_text=_("Numbered from 1 within the invoice."))
    status = models.CharField(max_length=20, choices=AttemptStatus)
    at_issue = models.BooleanField(
        help_text=_(
            "The attempt was started when the invoice was issued. If it fails, the invoice can be voided or "
            "the account can go into dunning."
        )
    )
    idempotency_key = models.CharField(max_length=64, unique=True)
    amount = AmountField(null=True, help_text=_("Amount requested from the payment gateway. Empty: nothing was requested."))
    currency = models.CharField(max_length=3)
    payment_method = models.ForeignKey(PaymentMethod, on_delete=models.SET_NULL, null=True, related_name="+")
    gateway = models.CharField(max_length=30, blank=True)
    token = models.CharField(max_length=200, blank=True)
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, null=True, related_name="attempt")
    error_code = models.IntegerField(default=0, help_text=_("0, or the error code of the failure."))
    message = models.TextField(blank=True)
    proc_cvv_response = models.CharField(max_length=10, blank=True)
    proc_avs_response = models.CharField(max_length=10, blank=True)
    proc_cavv_response = models.CharField(max_length=10, blank=True)
    proc_status_code = models.CharField(max_length=50, blank=True)
    proc_status_text = models.CharField(max_length=300, blank=True)
    proc_payment_id = models.CharField(max_length=100, blank=True)
    proc_auth_code = models.CharField(max_length=50, blank=True)
    proc_merch_comments = models.CharField(max_length=300, blank=True)
    requested_by = models.CharField(max_length=60)
    requested_on = models.DateField(help_text=_("The client's date."))
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "attempt_no"], name="one_attempt_per_number"),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(status__in=OPEN_ATTEMPTS), name="one_open_attempt_per_invoice"
            ),
            models.CheckConstraint(
                condition=Q(status=AttemptStatus.COLLECTED, payment__isnull=False)
                | (~Q(status=AttemptStatus.COLLECTED) & Q(payment__isnull=True)),
                name="collected_attempt_has_a_payment",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "id"], condition=Q(status__in=OPEN_ATTEMPTS), name="open_attempts"),
            # The dashboard lists them.
            models.Index(fields=["invoice"], condition=Q(status__in=FAILED_ATTEMPTS), name="failed_attempts"),
        ]

    def __str__(self) -> str:
        shown = {"attempt": self.attempt_no, "invoice": self.invoice_id}
        return gettext("Attempt %(attempt)s on invoice %(invoice)s") % shown


class GatewayEvent(models.Model):
    """An accepted message of a gateway. Its id identifies repeated deliveries."""

    gateway = models.CharField(max_length=30)
    event_id = models.CharField(max_length=100)
    type = models.CharField(max_length=100)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["gateway", "event_id"], name="one_row_per_gateway_event")]

    def __str__(self) -> str:
        return self.event_id
