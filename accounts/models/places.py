"""Columns that several models use for tax: country, region, and exemption."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.kinds import TaxExemption
from accounts.validators import validate_country
from billing_site.common.places import REGIONS, country_code, is_region, region_code


class CountryField(models.CharField):
    """An ISO 3166-1 alpha-2 code. Names and other codes are accepted in any case: usa, United States."""

    LONGEST_NAME = 100

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "max_length": 2, "validators": [validate_country]})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        del options["max_length"], options["validators"]
        return name, path, args, options

    def to_python(self, value: Any) -> Any:
        return _code_or_text(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        """Return the two-letter code, also for values that no form or full_clean() has normalized."""
        return _code_or_text(super().get_prep_value(value))

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"max_length": self.LONGEST_NAME, **options})


def no_region(country: str, region: str) -> ValidationError:
    """Return what is wrong with a region that its country does not have."""
    text = _("%(country)s has no region %(region)s. Give its code or its name: %(code)s or %(name)s.")
    code, name = next(iter(REGIONS[country].items()))
    return ValidationError(text, params={"country": country, "region": region, "code": code, "name": name})


def _code_or_text(value: Any) -> Any:
    return (country_code(value) or value.strip()) if isinstance(value, str) else value


class PlaceModel(models.Model):
    """Stores a region by its code, if its country has codes. Then an unknown one is refused: no tax rate could ever match it.
    One that was stored before stays as it is."""

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        place: Any = self
        place.region = region_code(place.country or "", place.region or "")
        if not is_region(place.country or "", place.region) and not self._is_stored():
            raise ValidationError({"region": no_region(place.country, place.region)})

    def _is_stored(self) -> bool:
        """Whether the row is stored with this country and region."""
        place: Any = self
        rows: models.QuerySet[Any] = place._meta.default_manager.all()
        return self.pk is not None and rows.filter(pk=self.pk, country=place.country, region=place.region).exists()


class ChoiceField(models.CharField):
    """A field with choices. If a form leaves it out, it keeps its default."""

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"required": False, "empty_value": str(self.default), **options})


class ExemptionModel(models.Model):
    """Whether a customer is exempt from tax, why, and between which days."""

    tax_exemption = ChoiceField(
        max_length=20,
        choices=TaxExemption,
        default=TaxExemption.NONE,
        help_text=_("An exempt customer is charged no tax, and documents say why."),
    )
    tax_exemption_reason = models.CharField(
        max_length=200, blank=True, help_text=_("Printed on documents: the law, or the number of the certificate.")
    )
    tax_exemption_from = models.DateField(null=True, blank=True, help_text=_("First day. Empty: always."))
    tax_exemption_to = models.DateField(null=True, blank=True, help_text=_("Last day. Empty: until further notice."))

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        begins, ends = self.tax_exemption_from, self.tax_exemption_to
        if begins is not None and ends is not None and ends < begins:
            raise ValidationError({"tax_exemption_to": _("The exemption ends before it begins.")})
        if self.tax_exemption == TaxExemption.NONE and (self.tax_exemption_reason or begins or ends):
            raise ValidationError({"tax_exemption": _("Choose the exemption that the reason and the days are of.")})


EXEMPTION_FIELDS = ("tax_exemption", "tax_exemption_reason", "tax_exemption_from", "tax_exemption_to")
REGION_HELP = _("State or province: CA or California.")
COUNTRY_HELP = _("A code or a name: US, United States.")
