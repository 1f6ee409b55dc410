"""What a client sells: services, plans and what a plan charges for each service."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import BillingInterval
from accounts.models.clients import Address, Client
from accounts.validators import validate_currency, validate_significant_digits


class ServiceLocation(Address):
    """A place from which a client serves or bills. Its primary key is Aria's svc_location_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="service_locations")
    client_service_location_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_service_location_id"], name="one_location_per_client_id"),
        ]

    def __str__(self) -> str:
        return self.client_service_location_id


class Service(models.Model):
    """Something that is charged for. Its primary key is Aria's service_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="services")
    client_service_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    gl_code = models.CharField(_("GL code"), max_length=50, help_text=_("The account of the general ledger it is posted to."))
    tax_category = models.CharField(
        max_length=50, default="standard", help_text=_("Which rates of the tax table apply: standard, telecom, exempt ...")
    )
    tax_inclusive = models.BooleanField(default=False, help_text=_("Prices of this service contain the tax (gross prices)."))
    location = models.ForeignKey(
        ServiceLocation,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text=_("Where it is billed and shipped from, for tax engines that ask."),
    )

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["client", "client_service_id"], name="one_service_per_client_id")]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """Recurring charges in one currency, billed in advance every so many months. Its primary key is Aria's plan_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="plans")
    client_plan_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, validators=[validate_currency])
    billing_interval = models.PositiveSmallIntegerField(
        choices=BillingInterval, default=BillingInterval.MONTHLY, help_text=_("Months that one recurring charge covers.")
    )
    term_months = models.PositiveSmallIntegerField(
        default=0, help_text=_("Months that the customer is bound for. 0: from month to month.")
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_plan_id"], name="one_plan_per_client_id"),
            models.CheckConstraint(condition=models.Q(billing_interval__in=[1, 3, 6, 12]), name="plan_billing_interval"),
        ]

    def __str__(self) -> str:
        return self.name


class PlanCharge(models.Model):
    """What a plan charges for one service: a rate per unit, recurring in advance (Aria's line type 1)."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="charges")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    rate_per_unit = models.DecimalField(
        max_digits=20,
        decimal_places=10,
        validators=[MinValueValidator(0), validate_significant_digits],
        help_text=_("List price of one unit for one billing interval, in the plan's currency."),
    )

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["plan", "service"], name="one_charge_per_plan_and_service")]

    def __str__(self) -> str:
        return f"{self.service} at {self.rate_per_unit.normalize():f}"
