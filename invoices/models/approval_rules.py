"""Approval rules of a client in versions, approvals that people have given, and who stands in for whom."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, Plan
from accounts.validators import validate_currency
from invoices.models.documents import AmountField, Invoice

LONGEST_WAIT_HOURS = 24 * 365
MOST_APPROVERS = 5


class ApprovalRules(models.Model):
    """A version of a client's approval rules. It never changes: a change of the rules is a new version."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="approval_rules", db_index=False)
    version = models.PositiveIntegerField()
    comments = models.CharField(max_length=1000, blank=True, help_text=_("Why the rules were changed."))
    made_by = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    is_on = models.BooleanField(_("on"), default=False)
    switched_by = models.CharField(max_length=60, blank=True, help_text=_("Who has switched it on or off the last time."))
    switched_at = models.DateTimeField(null=True)
    claimed_by = models.BigIntegerField(null=True, editable=False, help_text=_("Number of the worker that does it now."))

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = _("approval rules")
        constraints = [
            models.UniqueConstraint(fields=["client", "version"], name="one_version_of_approval_rules"),
            models.UniqueConstraint(fields=["client"], condition=Q(is_on=True), name="one_version_of_rules_is_on"),
        ]

    def __str__(self) -> str:
        return gettext("Approval rules, version %(number)s") % {"number": self.version}


class ApprovalRule(models.Model):
    """A rule of a version. The first rule whose conditions all apply decides how a pending document is approved.

    A condition that is empty applies to every document; only `kinds` must name rebills. The total of a rebill is the larger one
    of its own and its original's.
    """

    rules = models.ForeignKey(ApprovalRules, on_delete=models.CASCADE, related_name="rows", db_index=False)
    position = models.PositiveSmallIntegerField(help_text=_("From 1. The first rule that applies decides."))
    name = models.CharField(max_length=100)
    kinds = models.CharField(
        max_length=100, blank=True, help_text=_("Kinds of documents, separated by commas. Empty: all but rebills.")
    )
    is_clean = models.BooleanField(
        null=True, blank=True, help_text=_("Yes: documents without flags. No: documents with a flag.")
    )
    flags = models.CharField(
        max_length=200, blank=True, help_text=_("The document has one of these flags, separated by commas. Empty: any.")
    )
    is_zero = models.BooleanField(default=False, help_text=_("The total is 0."))
    currency = models.CharField(
        max_length=3, blank=True, validators=[validate_currency], help_text=_("Needed with limits of the total. Empty: any.")
    )
    total_above = AmountField(null=True, blank=True, help_text=_("The total is above this amount."))
    total_below = AmountField(null=True, blank=True, help_text=_("The total is below this amount."))
    change_below_percent = models.DecimalField(
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("The total differs from the last document by less than this percent. A first invoice never does."),
    )
    account_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(36500)],
        help_text=_("The account was at least this number of days old when the document was generated."),
    )
    tag = models.CharField(max_length=100, blank=True, help_text=_("The account has this tag. Empty: any."))
    plan = models.ForeignKey(
        Plan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("A line charges this plan."),
    )
    approves_after_hours = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST_WAIT_HOURS)],
        help_text=_("The document approves by itself after this number of hours. Empty: a person approves it."),
    )
    approvers = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_APPROVERS)],
        help_text=_("How many different people must approve it."),
    )
    role = models.CharField(max_length=150, blank=True, help_text=_("Only people with this role may approve it. Empty: any."))
    escalates_after_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(365)],
        help_text=_("After this number of days the document is shown as escalated. Empty: never."),
    )

    class Meta:
        ordering = ["rules", "position"]
        constraints = [
            models.UniqueConstraint(fields=["rules", "position"], name="one_rule_per_position"),
            models.CheckConstraint(
                condition=Q(approves_after_hours__isnull=True) | Q(approvers=1, role=""),
                name="a_rule_waits_or_asks_people",
            ),
            models.CheckConstraint(condition=Q(approvers__gte=1), name="a_rule_has_approvers"),
        ]

    def __str__(self) -> str:
        return self.name


class GivenApproval(models.Model):
    """An approval by one person of a document that needs several. It counts for the document as it was then."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="given_approvals", db_index=False)
    given_by = models.CharField(max_length=60)
    given_at = models.DateTimeField()
    fingerprint = models.CharField(max_length=300, help_text=_("Fingerprint of the document that was approved."))

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "given_by", "fingerprint"], name="one_approval_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.given_by}"


class ApprovalProgress(models.Model):
    """What has happened to a pending document under approval rules: its automatic approval was stopped, or it has escalated."""

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, primary_key=True, related_name="approval_progress")
    stopped_by = models.CharField(max_length=60, blank=True)
    stopped_at = models.DateTimeField(null=True, help_text=_("It does not approve by itself. Empty: it may."))
    reason = models.CharField(max_length=1000, blank=True, help_text=_("Why it was stopped."))
    escalated_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = _("approval progress")

    def __str__(self) -> str:
        return str(self.invoice_id)


class StandIn(models.Model):
    """A member of staff who is away, and who has their role in approval rules meanwhile."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="stand_ins", db_index=False)
    person: Any = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", help_text=_("Who is away.")
    )
    stand_in: Any = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", help_text=_("Who may approve in their role.")
    )
    first_day = models.DateField()
    last_day = models.DateField()
    set_by = models.CharField(max_length=60)
    set_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="stand_in_ends_after_start"),
            models.CheckConstraint(condition=~Q(person=F("stand_in")), name="nobody_stands_in_for_themselves"),
        ]
        indexes = [models.Index(fields=["client", "last_day"], name="stand_in_of_client")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.stand_in_id}"
