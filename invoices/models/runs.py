"""Billing runs and their outcomes for each account."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client
from invoices.kinds import RunResult
from invoices.models.documents import Invoice


class BillingRun(models.Model):
    """One billing run over a client's accounts that were due on a day. Its totals are counted from its outcomes, never
    stored."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="billing_runs")
    bill_date = models.DateField(help_text=_("The client's date of the run. Accounts that are due on or before it are billed."))
    started_by = models.CharField(max_length=60)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(
        null=True, editable=False, help_text=_("Until this time a process works on the run, unless the process was killed.")
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Billing run {self.pk} of {self.bill_date}"


class RunOutcome(models.Model):
    """The outcome for one account: an invoice, nothing to bill, or a refusal with code and message."""

    run = models.ForeignKey(BillingRun, on_delete=models.CASCADE, related_name="outcomes")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    result = models.CharField(max_length=20, choices=RunResult, default=RunResult.WAITING)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="run_outcomes")
    error_code = models.IntegerField(default=0)
    message = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "account"], name="one_outcome_per_account_of_a_run"),
            models.CheckConstraint(
                condition=Q(result=RunResult.INVOICED, invoice__isnull=False)
                | (~Q(result=RunResult.INVOICED) & Q(invoice__isnull=True)),
                name="run_outcome_has_an_invoice_when_invoiced",
            ),
        ]
        # A resumed run selects its remaining accounts, by number.
        indexes = [models.Index(fields=["run", "result", "account"], name="run_outcome_by_result")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.result}"
