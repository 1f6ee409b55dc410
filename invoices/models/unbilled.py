"""Usage and one-time charges. Each row names the invoice that holds it, if any.

A pending invoice holds its usage and orders. Discarding releases them, approval keeps them.
"""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client, PlanInstance, Service
from accounts.models.rates import RateField
from accounts.validators import validate_billing_day
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR, UnitsField
from billing_site.common.units import UNIT_PLACES
from invoices.models.documents import Invoice
from invoices.models.line_references import LineReferencesModel

MORE_THAN_NONE = [MinValueValidator(Decimal(1).scaleb(-UNIT_PLACES)), MOST_UNITS_VALIDATOR]

MOST_OF_A_RATE = Decimal("9999999999")


class Usage(models.Model):
    """Units of a service used at a moment, under a plan instance that charges for its usage."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    record_id = models.CharField(max_length=100, help_text=_("The client's own id of the record. Each id is loaded once."))
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="usage")
    plan_instance = models.ForeignKey(PlanInstance, on_delete=models.PROTECT, related_name="usage", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+", db_index=False)
    units = UnitsField(validators=MORE_THAN_NONE)
    charged_units = UnitsField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("The units that are charged, if the plan rounds each record. Empty: the units."),
    )
    used_at = models.DateTimeField()
    used_on = models.DateField(editable=False, help_text=_("Day of use in the client's time zone. Decides the billing period."))
    description = models.CharField(max_length=200, blank=True)
    loaded_at = models.DateTimeField(auto_now_add=True)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="usage", db_index=False
    )
    released_from = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
        help_text=_("The voided invoice that billed it last. If its void is undone, it is billed again as it was."),
    )

    class Meta:
        verbose_name_plural = _("usage")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "record_id"], name="one_usage_per_record_id"),
            models.CheckConstraint(condition=Q(units__gt=0), name="usage_has_units"),
        ]
        indexes = [
            # Planning adds up unbilled usage by plan instance. Holding and releasing find it by invoice.
            models.Index(fields=["plan_instance", "used_on"], condition=Q(invoice__isnull=True), name="usage_not_billed"),
            models.Index(fields=["invoice"], condition=Q(invoice__isnull=False), name="usage_of_invoice"),
        ]

    def __str__(self) -> str:
        return self.record_id


class OneTimeCharge(LineReferencesModel):
    """An order, charged once, on the account's first invoice on or after its day. Its primary key is Aria's order_no."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="one_time_charges")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    client_order_id = models.CharField(
        max_length=100, blank=True, help_text=_("The client's own id of the order. Unique within the account.")
    )
    description = models.CharField(max_length=200, blank=True, help_text=_("Empty: the name of the service."))
    units = UnitsField(default=Decimal(1), validators=MORE_THAN_NONE)
    rate_per_unit = RateField(
        help_text=_(
            "In the account's currency. Below zero for a return: it is billed once the other lines of an invoice leave room "
            "for all of it."
        ),
        validators=[MinValueValidator(-MOST_OF_A_RATE)],
    )
    charge_date = models.DateField(validators=[validate_billing_day], help_text=_("First day on which it can be billed."))
    po_num = models.CharField(_("PO number"), max_length=1000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="one_time_charges"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "client_order_id"], condition=~Q(client_order_id=""), name="one_order_per_client_id"
            ),
            models.CheckConstraint(condition=Q(units__gt=0), name="order_has_units"),
        ]
        indexes = [
            models.Index(fields=["account"], condition=Q(invoice__isnull=True), name="order_not_billed"),
        ]

    def __str__(self) -> str:
        return self.description or str(self.service)
