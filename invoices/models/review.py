"""Data of the approval queue: comparisons of pending documents with earlier ones, and decisions on many documents."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client
from invoices.kinds import BULK_ACTS, DataKind, DecisionResult
from invoices.models.documents import AmountField, Invoice


class Comparison(models.Model):
    """A pending document compared with the account's last one, at the time it was generated; a rebill with its original."""

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, primary_key=True, related_name="comparison")
    previous = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    change_amount = AmountField(null=True, help_text=_("Total minus the total of the last invoice."))
    change_percent = models.DecimalField(
        max_digits=13,
        decimal_places=2,
        null=True,
        help_text=_("Difference in percent of the last total. Empty if the last total is 0."),
    )
    new_lines = models.PositiveIntegerField(help_text=_("Recurring services that were not on the last invoice."))
    missing_lines = models.PositiveIntegerField(
        help_text=_("Recurring services of the last invoice that are missing on this one.")
    )
    has_po = models.BooleanField(help_text=_("At least one line has a PO number."))
    facts_read_at = models.DateTimeField(
        null=True,
        help_text=_("Time at which the data for this document was read. Empty on older documents."),
    )

    def __str__(self) -> str:
        return gettext("%(invoice)s beside %(previous)s") % {"invoice": self.invoice_id, "previous": self.previous_id}


class DataChange(models.Model):
    """A change of something that documents are generated from: of one account, or of catalogue, tax table or settings.

    `row_no` is the changed plan, service, location or coupon, `country` the place of a tax rate. A pending document generated
    from facts read before the change is out of date.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=DataKind)
    row_no = models.PositiveBigIntegerField(null=True)
    country = models.CharField(max_length=2, blank=True)
    text = models.CharField(max_length=300)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["account", "changed_at"], condition=Q(account__isnull=False), name="data_change_of_account"),
            models.Index(fields=["client", "changed_at"], condition=Q(account__isnull=True), name="data_change_of_client"),
        ]

    def __str__(self) -> str:
        return self.text


class Decision(models.Model):
    """A decision of a member of staff on many documents: on pending ones, or to collect open ones.

    It is carried out in parts, with an outcome per document. An interrupted decision can be resumed.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="decisions")
    act = models.CharField(max_length=20, choices=BULK_ACTS)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=1000, blank=True)
    client_notes = models.TextField(max_length=1000, null=True)  # noqa: DJ001 - null keeps the notes of the documents
    custom_status_label = models.CharField(max_length=100, null=True)  # noqa: DJ001 - null keeps the label
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_act_display()} {self.pk}"


class DecisionOutcome(models.Model):
    """The outcome of a decision for one document. `taken_at`: when a process began with it."""

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="outcomes", db_index=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="decision_outcomes")
    result = models.CharField(max_length=10, choices=DecisionResult, default=DecisionResult.WAITING)
    new_invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    error_code = models.IntegerField(default=0)
    message = models.TextField(blank=True)
    detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the message, for its translation. JSON.")
    )
    taken_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["decision", "invoice"], name="one_outcome_per_document_of_a_decision"),
            models.CheckConstraint(
                condition=Q(result=DecisionResult.DONE) | Q(new_invoice__isnull=True), name="new_invoice_when_done"
            ),
        ]
        # The remaining documents of a decision, in their order.
        indexes = [models.Index(fields=["decision", "result", "invoice"], name="decision_outcome_by_result")]

    def __str__(self) -> str:
        return f"{self.invoice_id}: {self.result}"
