"""A billing run, its outcome for each account, and named filters."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client
from accounts.models.clients import RunLimits
from billing_site.errors import recorded
from invoices.kinds import RunMode, RunResult, RunState
from invoices.models.documents import Invoice


class RunFilter(models.Model):
    """A client's filter of accounts, stored under a name."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="run_filters", db_index=False)
    name = models.CharField(max_length=100)
    filter = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["client", "name"], name="one_run_filter_per_name")]

    def __str__(self) -> str:
        return self.name


class BillingRun(RunLimits):
    """One run over a client's accounts that match a filter. Its totals are counted from its outcomes, never stored."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="billing_runs")
    state = models.CharField(max_length=12, choices=RunState, default=RunState.RUNNING, db_default=RunState.RUNNING)
    mode = models.CharField(max_length=15, choices=RunMode, default=RunMode.AS_CONFIGURED, db_default=RunMode.AS_CONFIGURED)
    is_dry_run = models.BooleanField(
        _("dry run"), default=False, db_default=False, help_text=_("Invoices are planned, and nothing but the run is written.")
    )
    filter: Any = models.JSONField(
        default=dict, db_default={}, help_text=_("Which accounts the run takes in. Empty: all that are due.")
    )
    compared_with = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="compared_runs",
        help_text=_("The dry run with which this run is compared."),
    )
    bill_date = models.DateField(help_text=_("The client's date of the run. Accounts that are due on or before it are billed."))
    started_by = models.CharField(max_length=60)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(
        max_length=300, blank=True, default="", db_default="", help_text=_("Why the run was stopped before its end.")
    )
    stop_detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the reason, for its translation. JSON.")
    )
    stopped_by = models.CharField(
        max_length=30, blank=True, default="", db_default="", editable=False, help_text=_("The limit that stopped the run.")
    )
    held_until = models.DateTimeField(null=True, editable=False, help_text=_("Not used any more. The next release removes it."))

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state"),
            models.CheckConstraint(condition=Q(mode__in=RunMode.values), name="run_mode"),
            models.CheckConstraint(condition=Q(is_dry_run=False) | Q(compared_with=None), name="a_real_run_is_compared"),
        ]
        # The background process selects the active runs.
        indexes = [models.Index(fields=["state"], name="run_by_state", condition=Q(finished_at=None))]

    def __str__(self) -> str:
        return gettext("Billing run %(number)s of %(day)s") % {"number": self.pk, "day": self.bill_date}

    @property
    def why_stopped(self) -> str:
        """Why the run was stopped, as a text of which a page shows the translation."""
        return recorded(self.stop_reason, self.stop_detail)


class RunPart(models.Model):
    """What one transaction of a run has invoiced in one currency. Their sums are compared with the limits of the run."""

    run = models.ForeignKey(BillingRun, on_delete=models.CASCADE, related_name="parts")
    at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    invoices = models.PositiveIntegerField()
    total_amount = models.DecimalField(max_digits=20, decimal_places=4)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return gettext("%(invoices)s invoices of run %(number)s") % {"invoices": self.invoices, "number": self.run_id}


class RunOutcome(models.Model):
    """The outcome for one account: an invoice, nothing to bill, or a refusal with code and message.

    A dry run has the figures of the invoice that would be generated instead. An account that is not billed yet in an active run
    is left out of other runs, and its outcome there names that run.
    """

    run = models.ForeignKey(BillingRun, on_delete=models.CASCADE, related_name="outcomes", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    result = models.CharField(max_length=20, choices=RunResult, default=RunResult.WAITING)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="run_outcomes")
    error_code = models.IntegerField(default=0)
    message = models.TextField(blank=True)
    detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the message, for its translation. JSON.")
    )
    is_dry_run = models.BooleanField(default=False, db_default=False, editable=False)
    other_run = models.ForeignKey(
        BillingRun,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        help_text=_("The run that bills the account."),
    )
    claimed_by = models.BigIntegerField(
        null=True, editable=False, help_text=_("Number of the worker that bills the account now, or has billed it.")
    )
    currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    net_amount = models.DecimalField(max_digits=15, decimal_places=4, null=True)
    tax_amount = models.DecimalField(max_digits=15, decimal_places=4, null=True)
    total_amount = models.DecimalField(max_digits=15, decimal_places=4, null=True)
    previous_total = models.DecimalField(
        max_digits=15, decimal_places=4, null=True, help_text=_("Total of the account's last invoice. Empty: there is none.")
    )
    flags = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text=_("The flags that the invoice would have.")
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "account"], name="one_outcome_per_account_of_a_run"),
            models.CheckConstraint(
                condition=Q(result=RunResult.INVOICED, invoice__isnull=False)
                | (~Q(result=RunResult.INVOICED) & Q(invoice__isnull=True)),
                name="run_outcome_has_an_invoice_when_invoiced",
            ),
            models.CheckConstraint(
                condition=~Q(result=RunResult.BILLABLE)
                | Q(is_dry_run=True, net_amount__isnull=False, tax_amount__isnull=False, total_amount__isnull=False),
                name="dry_run_outcome_has_figures",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(result=RunResult.WAITING, is_dry_run=False),
                name="account_waits_in_one_run",
            ),
        ]
        # A resumed run selects its remaining accounts, by number.
        indexes = [models.Index(fields=["run", "result", "account"], name="run_outcome_by_result")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.result}"

    @property
    def change_amount(self) -> Any:
        """The difference between the total of a dry run and the account's last invoice, or None if there is none."""
        if self.total_amount is None or self.previous_total is None:
            return None
        return self.total_amount - self.previous_total
