"""The catalogue of a client: services, plans, and the charges of plans."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import BillingInterval, ChargeType
from accounts.models.clients import Address, Client
from accounts.models.history import MasterDataHistory
from accounts.tax_categories import STANDARD, categories_in, spelled


class ServiceLocation(Address):
    """A place from which a client serves or bills. Its primary key is Aria's svc_location_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="service_locations", db_index=False)
    client_service_location_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200, blank=True)
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_service_location_id"], name="one_location_per_client_id"),
        ]

    def __str__(self) -> str:
        return self.client_service_location_id


class Service(models.Model):
    """Something that is charged for. Its primary key is Aria's service_no."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="services", db_index=False)
    client_service_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    gl_code = models.CharField(_("GL code"), max_length=50, help_text=_("The general ledger account of this service."))
    tax_category = models.CharField(
        max_length=50,
        default=STANDARD,
        help_text=_("Decides which tax rates apply. One of the client's tax categories. zero and exempt have no tax."),
    )
    tax_inclusive = models.BooleanField(default=False, help_text=_("Prices of this service include tax (gross prices)."))
    location = models.ForeignKey(
        ServiceLocation,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text=_("Bill-from and ship-from address, for tax engines that need it."),
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["client", "client_service_id"], name="one_service_per_client_id")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.tax_category = known_category(self, "tax_category")


def known_category(row: Any, name: str) -> str:
    """Return the tax category in the client's spelling. Refuses one that the client does not have."""
    category: str = getattr(row, name)
    if not category or row.client_id is None:
        return category
    known = categories_in(row.client.tax_categories)
    found = spelled(category, known)
    if found is None:
        text = _("%(value)s is not a tax category of this client. Use one of %(known)s, or add it to the client's settings.")
        raise ValidationError({name: ValidationError(text, params={"value": category, "known": ", ".join(known)})})
    return found


class Plan(models.Model):
    """Charges for services that are billed every few months. Its primary key is Aria's plan_no.

    It can be sold in each currency in which all its charges have a rate.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="plans", db_index=False)
    client_plan_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    billing_interval = models.PositiveSmallIntegerField(
        choices=BillingInterval,
        default=BillingInterval.MONTHLY,
        help_text=_("Number of months that one recurring charge covers."),
    )
    term_months = models.PositiveSmallIntegerField(default=0, help_text=_("Minimum term in months. 0: month to month."))
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_plan_id"], name="one_plan_per_client_id"),
            models.CheckConstraint(condition=models.Q(billing_interval__in=[1, 3, 6, 12]), name="plan_billing_interval"),
        ]

    def __str__(self) -> str:
        return self.name


class PlanCharge(models.Model):
    """A plan's charge for one service: in advance, in arrears, by usage, or once when the plan begins."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="charges", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    line_type = models.PositiveSmallIntegerField(
        choices=ChargeType, default=ChargeType.RECURRING, help_text=_("When the service is charged. Decides the line type.")
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "service", "line_type"], name="one_charge_per_plan_service_and_type")
        ]

    def __str__(self) -> str:
        return f"{self.service}, {self.get_line_type_display()}"
