"""A campaign: one correction of many issued documents, with its preview and its result for each."""

from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.kinds import CreditTo
from accounts.models import Account, Client
from billing_site.errors import recorded
from invoices.models import Invoice
from rebills.kinds import WITH_REBILL, CampaignState, ItemState, Statements


class RebillCampaign(models.Model):
    """A correction of many issued documents. What it would do and has done is counted from its items, never stored."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="rebill_campaigns")
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=CampaignState, default=CampaignState.PREVIEWING)
    is_recheck = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text=_("It only shows what would differ. It can never be approved."),
    )
    selection: Any = models.JSONField(default=dict, help_text=_("Which documents it was made from."))
    rules: Any = models.JSONField(default=list, help_text=_("What it changes on their lines."))
    reason_code = models.PositiveSmallIntegerField(null=True)
    comments = models.TextField(blank=True, max_length=3000, help_text=_("Printed on each credit memo and rebill."))
    statements = models.CharField(max_length=10, choices=Statements, default=Statements.HELD)
    collect = models.BooleanField(
        default=False, help_text=_("Whether the amount due on each rebill is collected from the customer's payment method.")
    )
    collect_limit = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("A rebill with a larger amount to collect is issued and not collected. Empty: no limit."),
    )
    collect_total_limit = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("A campaign that would collect more than this in one currency cannot be approved. Empty: no limit."),
    )
    credit_to = models.CharField(
        max_length=20,
        choices=CreditTo,
        blank=True,
        default="",
        db_default="",
        help_text=_("Where payments go that the rebills free. Empty: as the client's setting says."),
    )
    refund_limit = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("If a rebill would refund more than this, the money is kept as credit instead. Empty: no limit."),
    )
    refund_total_limit = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("A campaign that would refund more than this in one currency cannot be approved. Empty: no limit."),
    )
    keeps_due_date = models.BooleanField(null=True, help_text=_("Empty: the client's setting decides."))
    built_by = models.CharField(max_length=60, help_text=_("Who built it. Another person must approve it."))
    changed_by: Any = models.JSONField(
        default=list, db_default=[], help_text=_("Others who have changed it before its approval.")
    )
    built_at = models.DateTimeField(auto_now_add=True)
    previewed_at = models.DateTimeField(null=True)
    fingerprint = models.CharField(max_length=64, blank=True, help_text=_("Of all that the preview shows."))
    approved_by = models.CharField(max_length=60, blank=True)
    approved_at = models.DateTimeField(null=True)
    undo_asked_by = models.CharField(max_length=60, blank=True, default="", db_default="")
    undo_approved_by = models.CharField(max_length=60, blank=True, default="", db_default="")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    stop_reason = models.CharField(max_length=300, blank=True)
    stop_detail = models.TextField(blank=True, editable=False, help_text=_("Parts of the reason, for its translation. JSON."))

    class Meta:
        ordering = ["-id"]
        verbose_name = _("rebill campaign")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=CampaignState.values), name="campaign_state"),
            models.CheckConstraint(
                condition=Q(is_recheck=False)
                | Q(state__in=(CampaignState.PREVIEWING, CampaignState.PREVIEWED, CampaignState.CANCELLED)),
                name="a_recheck_only_previews",
            ),
            models.CheckConstraint(condition=Q(is_recheck=True) | Q(reason_code__isnull=False), name="campaign_has_a_reason"),
        ]

    def __str__(self) -> str:
        return gettext("Campaign %(number)s") % {"number": self.pk}

    @property
    def builders(self) -> tuple[str, ...]:
        """Who has built it: none of them may approve it."""
        return (self.built_by, *self.changed_by)

    @property
    def why_stopped(self) -> str:
        """Why the campaign was stopped, as a text of which a page shows the translation."""
        return recorded(self.stop_reason, self.stop_detail)


def _amount(**options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=15, decimal_places=4, null=True, **options)


class CampaignItem(models.Model):
    """One document of a campaign: its preview, and what became of it. Amounts are in `currency`."""

    campaign = models.ForeignKey(RebillCampaign, on_delete=models.CASCADE, related_name="items", db_index=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="campaign_items")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    changes: Any = models.JSONField(
        default=list, db_default=[], help_text=_("Changes of single lines from a file: line, field and value.")
    )
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.WAITING)
    currency = models.CharField(max_length=3)
    fingerprint = models.CharField(max_length=300, blank=True, db_default="")
    is_collected = models.BooleanField(
        default=False, db_default=False, help_text=_("Whether the amount due on the rebill is collected.")
    )
    net_before = _amount()
    tax_before = _amount()
    net_after = _amount()
    tax_after = _amount()
    difference = _amount(help_text=_("Total of the rebill less total of the document."))
    carried = _amount(help_text=_("Payments of the document that pay the rebill."))
    collected = _amount(help_text=_("What is to be collected."))
    keeps_credit = models.BooleanField(
        default=False, db_default=False, help_text=_("Whether its refund would exceed the limit, so that it is kept as credit.")
    )
    refunded = _amount(help_text=_("Payments of the document that are refunded."))
    left_as_credit = _amount(help_text=_("Payments of the document that are left to the customer as credit."))
    to_other_invoices = _amount(help_text=_("Payments of the document that pay other invoices."))
    due = _amount(help_text=_("What is left to pay on the rebill."))
    open_when_approved = _amount(
        editable=False, help_text=_("What was open on the rebill when the undo of the campaign was approved.")
    )
    rebill = models.OneToOneField(Invoice, on_delete=models.PROTECT, null=True, related_name="campaign_item")
    error_code = models.IntegerField(default=0, db_default=0)
    message = models.TextField(blank=True, db_default="")
    detail = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text=_("Parts of the message, for its translation. JSON.")
    )
    claimed_by = models.BigIntegerField(
        null=True, editable=False, help_text=_("Number of the worker that previews or rebills it now.")
    )

    class Meta:
        ordering = ["id"]
        verbose_name = _("document of a campaign")
        verbose_name_plural = _("documents of campaigns")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "invoice"], name="one_item_per_document_of_a_campaign"),
            models.CheckConstraint(condition=Q(state__in=ItemState.values), name="campaign_item_state"),
            models.CheckConstraint(
                condition=Q(state__in=WITH_REBILL, rebill__isnull=False) | (~Q(state__in=WITH_REBILL) & Q(rebill__isnull=True)),
                name="campaign_item_has_a_rebill_when_rebilled",
            ),
            models.CheckConstraint(
                condition=~Q(state=ItemState.READY) | (Q(difference__isnull=False) & ~Q(fingerprint="")),
                name="campaign_item_is_bound_when_ready",
            ),
        ]
        indexes = [
            # The items that a worker takes next, and those of one state on a page.
            models.Index(fields=["campaign", "state", "account", "id"], name="campaign_item_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id}: {self.state}"

    @property
    def total_before(self) -> Decimal | None:
        return None if self.net_before is None or self.tax_before is None else self.net_before + self.tax_before

    @property
    def total_after(self) -> Decimal | None:
        return None if self.net_after is None or self.tax_after is None else self.net_after + self.tax_after


class CampaignTax(models.Model):
    """One tax of a document of a campaign, added up over its lines, before and after."""

    item = models.ForeignKey(CampaignItem, on_delete=models.CASCADE, related_name="taxes")
    authority = models.CharField(max_length=200, blank=True)
    jurisdiction = models.CharField(max_length=100, blank=True)
    percent = models.DecimalField(max_digits=9, decimal_places=6)
    before = models.DecimalField(max_digits=15, decimal_places=4)
    after = models.DecimalField(max_digits=15, decimal_places=4)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = _("campaign taxes")

    def __str__(self) -> str:
        return f"{self.authority} {self.percent}"
