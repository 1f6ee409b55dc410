"""The columns of a place: a country by its code, and a region of it."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.places import country_code, region_code
from accounts.validators import validate_country


class CountryField(models.CharField):
    """An ISO 3166-1 alpha-2 code. Names and other codes of a country are read, in any case: usa, United States."""

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
        """Written and searched by its code too, where no form or full_clean() has seen it."""
        return _code_or_text(super().get_prep_value(value))

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"max_length": self.LONGEST_NAME, **options})


def _code_or_text(value: Any) -> Any:
    return (country_code(value) or value.strip()) if isinstance(value, str) else value


class PlaceModel(models.Model):
    """Keeps a region by its code, where its country has codes."""

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        place: Any = self
        place.region = region_code(place.country or "", place.region or "")


REGION_HELP = _("State or province: CA or California.")
COUNTRY_HELP = _("A code or a name: US, United States.")
