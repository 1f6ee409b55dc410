"""Decimals of any size, exact on both databases: units, and prices of one unit.

PostgreSQL stores them as `numeric`. SQLite's decimals are doubles of 15 digits, so there they are text that sorts like the
numbers: `00000000000000000012.5` is 12.5. Comparison, order, grouping, MIN and MAX work on it directly. To add it up, use
`billing_site.common.storage.ExactSum`. Other SQL arithmetic on these columns is wrong.
"""

from decimal import Context, Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.formats import sanitize_separators
from django.utils.translation import gettext_lazy as _

from billing_site.common.currencies import rounded_to
from billing_site.common.units import LEAST_UNIT_DECIMALS, MOST_UNITS, UNIT_PLACES, UNITS_DIGITS, padded
from billing_site.common.written import WITH_EXPONENT, has_exponent, is_number

WHOLE_WIDTH = 20
_NINES = str.maketrans("0123456789", "9876543210")
_BELOW_ZERO_ENDS = "~"
_ROOMY = Context(prec=100)


def sortable_text(number: Decimal) -> str:
    """Return the number as text that sorts like numbers. For negative numbers the digits are inverted and followed by "~"."""
    whole, _, fraction = f"{number.copy_abs():f}".partition(".")
    fraction = fraction.rstrip("0")
    text = whole.zfill(WHOLE_WIDTH) + (f".{fraction}" if fraction else "")
    return text if number >= 0 else f"-{text.translate(_NINES)}{_BELOW_ZERO_ENDS}"


def number_of(text: str) -> Decimal:
    """Return the number that `sortable_text` wrote."""
    below_zero = text.startswith("-")
    return Decimal(f"-{text[1:-1].translate(_NINES)}" if below_zero else text)


class DigitsInput(forms.DecimalField):
    """A number in a form, written with the digits 0 to 9 in the reader's language."""

    default_error_messages = {"exponent": WITH_EXPONENT}

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        text = sanitize_separators(value) if self.localize else value
        if isinstance(text, str) and text.strip() and not is_number(text.strip()):
            code = "exponent" if has_exponent(text.strip()) else "invalid"
            raise ValidationError(self.error_messages[code], code=code)
        return super().to_python(value)


def form_field(column: Any, **options: Any) -> Any:
    """Return the form field of a column. Forms of columns take it from here: Django's own for decimals accepts exponents."""
    return column.formfield(**form_class(column), **options)


def form_class(column: Any) -> dict[str, Any]:
    """Return the options that make Django's form field of a column one of ours."""
    is_plain = isinstance(column, models.DecimalField) and not isinstance(column, ExactDecimalField)
    return {"form_class": DigitsInput} if is_plain else {}


ROUNDS_TO_0 = _("This is so small that it would be stored as 0.")


def rounds_to_0(number: Decimal, decimal_places: int) -> bool:
    """Whether a number other than 0 would be stored as 0."""
    return number != 0 and rounded_to(number, decimal_places) == 0


class RoundedInput(DigitsInput):
    """A number in a form. Extra decimals are rounded as in API calls, not refused, unless nothing would be left."""

    default_error_messages = {"rounds_to_0": ROUNDS_TO_0}

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        number = super().to_python(value)
        if number is not None and rounds_to_0(number, self.decimal_places or 0):
            raise ValidationError(self.error_messages["rounds_to_0"], code="rounds_to_0")
        return None if number is None else rounded_to(number, self.decimal_places or 0)


class ExactDecimalField(models.DecimalField):
    """A decimal column that is exact on both databases. Values have all decimals of the column, or with `least_decimals` at
    least that many."""

    least_decimals: int | None = None

    def get_internal_type(self) -> str:
        # Not Django's own type: SQLite's conversions of it use doubles.
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


ABOVE_0 = _("This must be above 0.")


def is_least(units: Decimal) -> bool:
    """Whether this is the least number of units above 0 that can be stored."""
    return units == Decimal(1).scaleb(-UNIT_PLACES)


class UnitsField(ExactDecimalField):
    """A number of units: up to 10 decimals, always written with at least 4."""

    least_decimals = LEAST_UNIT_DECIMALS

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": UNITS_DIGITS, "decimal_places": UNIT_PLACES})

    def run_validators(self, value: Any) -> None:
        """Refuse a value. The least number of units above 0 is called that, because nobody reads 1E-10."""
        try:
            super().run_validators(value)
        except ValidationError as error:
            above_0 = [
                one
                for one in error.error_list
                if one.code == "min_value" and one.params and is_least(one.params["limit_value"])
            ]
            kept = [one for one in error.error_list if one not in above_0]
            raise ValidationError([*kept, *(ValidationError(ABOVE_0, code=one.code) for one in above_0)]) from error

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        del options["max_digits"], options["decimal_places"]
        return name, path, args, options


MOST_UNITS_VALIDATOR = MaxValueValidator(MOST_UNITS)


class _ExactSum:
    """The SQL sum of a `sortable_text` column, added up in whole ten-billionths."""

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
    """Register the function that `ExactSum` uses on a new connection."""
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("exact_sum", 1, _ExactSum)
