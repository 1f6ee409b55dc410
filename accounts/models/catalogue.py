"""The catalogue of a client: services, plans, and the charges of plans."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import BillingInterval, ChargeType, TrialUnit
from accounts.models.clients import Address, Client
from accounts.models.history import MasterDataHistory
from accounts.models.identities import ClassificationsField, ItemNumberField, UnitCodeField
from accounts.models.places import CountryField
from accounts.tax_categories import STANDARD, categories_in, spelled
from accounts.unit_codes import PIECE
from accounts.validators import validate_currency
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR, UnitsField

LONGEST_TRIAL = 999
LEAST_UNITS = Decimal("1E-10")


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
    unit_code = UnitCodeField(
        max_length=4,
        default=PIECE,
        db_default=PIECE,
        help_text=_("What is counted, for electronic invoices: a code of UNECE Recommendation 20. C62: piece. HUR: hour."),
    )
    price_units = UnitsField(
        default=Decimal(1),
        db_default=1,
        validators=[MinValueValidator(LEAST_UNITS), MOST_UNITS_VALIDATOR],
        help_text=_(
            "Number of units whose price electronic invoices name: 12 for that of a dozen. Prices are entered for one unit."
        ),
    )
    item_number = ItemNumberField(
        _("GTIN"),
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Number of the item in trade, for electronic invoices: a GTIN of 8, 12, 13 or 14 digits, or a number with its "
            "scheme before it, 0173:02-BAA120."
        ),
    )
    buyer_item_number = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Number by which customers know the item, for electronic invoices."),
    )
    classifications = ClassificationsField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_("Codes that classify the item, each with its list, separated by commas: STI:65434568, HS:8517."),
    )
    origin_country = CountryField(
        max_length=2, blank=True, default="", db_default="", help_text=_("Country that the item comes from, by two letters.")
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_service_id"], name="one_service_per_client_id"),
            models.CheckConstraint(condition=models.Q(price_units__gt=0), name="price_units_are_positive"),
        ]

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
    trial_length = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(LONGEST_TRIAL)],
        help_text=_(
            "Free days, weeks or months from the start of the plan, for customers who get it from now on. 0: no trial."
        ),
    )
    trial_unit = models.CharField(max_length=6, choices=TrialUnit, default=TrialUnit.DAYS)
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "client_plan_id"], name="one_plan_per_client_id"),
            models.CheckConstraint(condition=models.Q(billing_interval__in=[1, 3, 6, 12]), name="plan_billing_interval"),
            models.CheckConstraint(condition=models.Q(trial_length__lte=LONGEST_TRIAL), name="plan_trial_length"),
            models.CheckConstraint(condition=models.Q(trial_unit__in=TrialUnit.values), name="plan_trial_unit"),
        ]

    def __str__(self) -> str:
        return self.name


class PlanMinimum(models.Model):
    """The least that all recurring charges and usage of a plan amount to in a billing interval, in one currency."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="minimums", db_index=False)
    currency = models.CharField(max_length=3, validators=[validate_currency])
    amount = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        validators=[MinValueValidator(0)],
        help_text=_("Minimum of a full billing interval of the plan. Part of it: the same part of the minimum."),
    )
    service = models.ForeignKey(
        Service,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The service of the line that adds what is missing. Empty: the service of the plan's first charge."),
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["plan", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "currency"], name="one_minimum_per_plan_and_currency"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="plan_minimum_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency}"


class PlanCharge(models.Model):
    """A plan's charge for one service: in advance, in arrears, by usage, or once when the plan begins."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="charges", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    line_type = models.PositiveSmallIntegerField(
        choices=ChargeType, default=ChargeType.RECURRING, help_text=_("When the service is charged. Decides the line type.")
    )
    billing_interval = models.PositiveSmallIntegerField(
        choices=BillingInterval,
        null=True,
        blank=True,
        help_text=_("Number of months that this charge covers. Empty: the plan's billing interval."),
    )
    record_increment = UnitsField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_UNITS), MOST_UNITS_VALIDATOR],
        help_text=_("Of usage: the units of each record are rounded up to a multiple of this number when it is loaded."),
    )
    record_minimum = UnitsField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_UNITS), MOST_UNITS_VALIDATOR],
        help_text=_("Of usage: each record counts as at least so many units when it is loaded."),
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "service", "line_type"], name="one_charge_per_plan_service_and_type"),
            models.CheckConstraint(
                condition=models.Q(billing_interval__isnull=True) | models.Q(billing_interval__in=[1, 3, 6, 12]),
                name="charge_billing_interval",
            ),
            models.CheckConstraint(
                condition=~models.Q(line_type=ChargeType.ACTIVATION) | models.Q(billing_interval__isnull=True),
                name="an_activation_has_no_interval",
            ),
            models.CheckConstraint(
                condition=models.Q(line_type=ChargeType.USAGE)
                | models.Q(record_increment__isnull=True, record_minimum__isnull=True),
                name="increments_are_of_usage",
            ),
            models.CheckConstraint(
                condition=models.Q(record_increment__isnull=True) | models.Q(record_increment__gt=0),
                name="record_increment_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service}, {self.get_line_type_display()}"

    def clean(self) -> None:
        """Refuse values that the type of the charge does not have. The database refuses them too, but names no field."""
        super().clean()
        rounded = [name for name in ("record_increment", "record_minimum") if getattr(self, name) is not None]
        if rounded and self.line_type != ChargeType.USAGE:
            raise ValidationError({name: _("Only a charge for usage has this. Leave it empty.") for name in rounded})
        if self.line_type == ChargeType.ACTIVATION and self.billing_interval is not None:
            raise ValidationError({"billing_interval": _("A charge that is due once has no interval. Leave it empty.")})
