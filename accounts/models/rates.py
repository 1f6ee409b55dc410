"""Prices of charges: rate schedules and their bands."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.kinds import BANDED_MODELS, BandEdge, RateModel
from accounts.models.accounts import PlanInstance
from accounts.models.catalogue import PlanCharge
from accounts.models.history import MasterDataHistory
from accounts.validators import validate_billing_day, validate_currency
from billing_site.common.exact_decimals import MOST_UNITS_VALIDATOR, ROUNDS_TO_0, ExactDecimalField, UnitsField, rounds_to_0

FROM_THE_BEGINNING = date(1900, 1, 1)


class RateField(ExactDecimalField):
    """The price of one unit: 10 digits before the point, and 10 decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"validators": [MinValueValidator(0)], **options, "max_digits": 20, "decimal_places": 10})

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Refuse also a price other than 0 that would be stored as 0."""
        if isinstance(value, Decimal) and rounds_to_0(value, self.decimal_places):
            raise ValidationError(ROUNDS_TO_0, code="rounds_to_0")
        return super().clean(value, model_instance)


class RateSchedule(models.Model):
    """The price of a charge in one currency: a list price, or a plan instance's own price that replaces it.

    If several are valid on a day, the one that began last applies. So a price for one month may overlap one without an end. The
    day that counts is the first day of the charged period.
    """

    charge = models.ForeignKey(PlanCharge, on_delete=models.CASCADE, related_name="rates")
    plan_instance = models.ForeignKey(
        PlanInstance,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="own_rates",
        help_text=_("Plan instance that has this customer price. Empty: a list price."),
    )
    currency = models.CharField(max_length=3, validators=[validate_currency])
    model = models.CharField(max_length=10, choices=RateModel, default=RateModel.PER_UNIT)
    band_edge = models.CharField(
        max_length=7,
        choices=BandEdge,
        default=BandEdge.ABOVE,
        help_text=_("Of a volume price: whether a band begins above its number of units, or when this number is reached."),
    )
    rate_per_unit = RateField(
        null=True,
        blank=True,
        help_text=_("The rate per unit, or the fee of a flat price. Empty if each band has its own rate."),
    )
    minimum_amount = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Minimum charge of a full period. Part of a period: the same part of it."),
    )
    maximum_amount = models.DecimalField(
        max_digits=15,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Maximum charge of a full period. Part of a period: the same part of it."),
    )
    valid_from = models.DateField(default=FROM_THE_BEGINNING, validators=[validate_billing_day])
    valid_to = models.DateField(
        null=True, blank=True, validators=[validate_billing_day], help_text=_("Last day. Empty: no end.")
    )
    history = MasterDataHistory()

    class Meta:
        ordering = ["charge", "currency", "valid_from", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["charge", "currency", "valid_from"],
                condition=Q(plan_instance__isnull=True),
                name="one_list_rate_per_day_it_begins",
            ),
            models.UniqueConstraint(
                fields=["plan_instance", "charge", "currency", "valid_from"],
                condition=Q(plan_instance__isnull=False),
                name="one_own_rate_per_day_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(model__in=BANDED_MODELS, rate_per_unit__isnull=True)
                | (~Q(model__in=BANDED_MODELS) & Q(rate_per_unit__isnull=False)),
                name="a_rate_or_bands",
            ),
            models.CheckConstraint(
                condition=Q(band_edge=BandEdge.ABOVE) | Q(band_edge=BandEdge.REACHED, model=RateModel.VOLUME),
                name="bands_are_reached_by_volume",
            ),
            models.CheckConstraint(
                condition=Q(maximum_amount__isnull=True)
                | Q(minimum_amount__isnull=True)
                | Q(maximum_amount__gte=F("minimum_amount")),
                name="rate_minimum_below_maximum",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="rate_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        if self.rate_per_unit is None:
            return gettext("%(model)s in %(currency)s") % {"model": self.get_model_display(), "currency": self.currency}
        return f"{self.rate_per_unit.normalize():f} {self.currency}"


class RateTier(models.Model):
    """A band of units at one rate, from above `from_unit` through the next band's `from_unit`. The last band has no end. If the
    price's `band_edge` is `reached`, it begins at `from_unit` and ends below the next one.

    Only the beginning is stored, so bands can neither overlap nor have gaps.
    """

    schedule = models.ForeignKey(RateSchedule, on_delete=models.CASCADE, related_name="tiers", db_index=False)
    from_unit = UnitsField(
        validators=[MinValueValidator(0), MOST_UNITS_VALIDATOR],
        help_text=_("Units above this number, up to the next band, have this rate. The first band starts at 0."),
    )
    rate_per_unit = RateField()
    history = MasterDataHistory()

    class Meta:
        ordering = ["schedule", "from_unit"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "from_unit"], name="one_band_per_unit_it_begins"),
            models.CheckConstraint(condition=Q(from_unit__gte=0), name="band_begins_at_0_or_above"),
        ]

    def __str__(self) -> str:
        shown = {"units": f"{self.from_unit.normalize():f}", "rate": f"{self.rate_per_unit.normalize():f}"}
        return gettext("above %(units)s at %(rate)s") % shown
