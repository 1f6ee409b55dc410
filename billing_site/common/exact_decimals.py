"""Decimals of any size that both databases keep to the last digit: units, and prices of one unit.

PostgreSQL has `numeric`. SQLite's decimals are doubles, of 15 digits, so there they are text that sorts as the numbers do:
`00000000000000000012.5` is 12.5. Comparing, ordering, grouping, MIN and MAX are right on it as they are; it is added up by
`billing_site.common.storage.ExactSum`. No other arithmetic in SQL is right on these columns.
"""

from decimal import Context, Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.db import models

from billing_site.common.currencies import rounded_to
from billing_site.common.units import LEAST_UNIT_DECIMALS, MOST_UNITS, UNIT_PLACES, UNITS_DIGITS, padded

WHOLE_WIDTH = 20
_NINES = str.maketrans("0123456789", "9876543210")
_BELOW_ZERO_ENDS = "~"
_ROOMY = Context(prec=100)


def sortable_text(number: Decimal) -> str:
    """The number as text, whose order is that of the numbers. Below zero the digits are turned round, and "~" ends them."""
    whole, _, fraction = f"{number.copy_abs():f}".partition(".")
    fraction = fraction.rstrip("0")
    text = whole.zfill(WHOLE_WIDTH) + (f".{fraction}" if fraction else "")
    return text if number >= 0 else f"-{text.translate(_NINES)}{_BELOW_ZERO_ENDS}"


def number_of(text: str) -> Decimal:
    """The number that `sortable_text` has written."""
    below_zero = text.startswith("-")
    return Decimal(f"-{text[1:-1].translate(_NINES)}" if below_zero else text)


class RoundedInput(forms.DecimalField):
    """A number in a form. Digits beyond its decimals are rounded, as in calls of the API, and not refused."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        number = super().to_python(value)
        return None if number is None else rounded_to(number, self.decimal_places or 0)


class ExactDecimalField(models.DecimalField):
    """A decimal column that is exact on both databases. Its values have all decimals of the column, or those that they need but
    `least_decimals`."""

    least_decimals: int | None = None

    def get_internal_type(self) -> str:
        # Not that of Django's: SQLite's conversions of it go by doubles.
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str:
        return "text" if connection.vendor == "sqlite" else f"numeric({self.max_digits}, {self.decimal_places})"

    def to_python(self, value: Any) -> Any:
        number = Decimal(repr(value)) if isinstance(value, float) else super().to_python(value)
        return number if number is None else rounded_to(number, self.decimal_places)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return value
        number = self.to_python(value)
        return sortable_text(number) if connection.vendor == "sqlite" else number

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if value is None:
            return None
        return padded(number_of(value) if isinstance(value, str) else value, self.least_decimals or self.decimal_places)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": RoundedInput, **options})


class UnitsField(ExactDecimalField):
    """A number of units: up to 10 decimals, of which 4 are always written."""

    least_decimals = LEAST_UNIT_DECIMALS

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": UNITS_DIGITS, "decimal_places": UNIT_PLACES})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        del options["max_digits"], options["decimal_places"]
        return name, path, args, options


MOST_UNITS_VALIDATOR = MaxValueValidator(MOST_UNITS)


class _ExactSum:
    """The sum of a column of `sortable_text`, in whole ten-billionths while it is added up."""

    def __init__(self) -> None:
        self.parts = 0
        self.is_empty = True

    def step(self, text: str | None) -> None:
        if text is not None:
            self.is_empty = False
            self.parts += int(number_of(text).scaleb(UNIT_PLACES, _ROOMY))

    def finalize(self) -> str | None:
        return None if self.is_empty else sortable_text(Decimal(self.parts).scaleb(-UNIT_PLACES, _ROOMY))


def add_sqlite_functions(connection: Any, **_signal: Any) -> None:
    """Gives a new connection the function that `ExactSum` calls."""
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("exact_sum", 1, _ExactSum)
