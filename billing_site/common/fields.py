"""Types of values in the API and in filters. Each has its own validation codes, from which errors are chosen."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_filters.filters import BaseInFilter, ChoiceFilter, Filter
from django_filters.filterset import FilterSet
from django_filters.widgets import BaseCSVWidget
from rest_framework import serializers

from billing_site.common.currencies import rounded_to
from billing_site.common.exact_decimals import ABOVE_0, ROUNDS_TO_0, DigitsInput, is_least, rounds_to_0
from billing_site.common.units import LEAST_UNIT_DECIMALS, UNIT_PLACES, UNITS_DIGITS, padded
from billing_site.common.written import NO_MOMENT, WITH_EXPONENT, day_of, has_exponent, is_number, is_small_double, moment_of
from billing_site.errors import ErrorCode

NO_SUCH_NUMBER = "does_not_exist"
"""The validation code of a number that no row has."""

LARGEST_LONG, LONGEST_LONG = 2**63 - 1, 22


class LongField(serializers.Field):
    """A whole number of up to 22 digits, as JSON number or text.

    Aria's numbers have up to 22 digits, database keys up to 19. A number beyond the database's range cannot exist, so it is
    refused with the validation code `no_such`.
    """

    default_error_messages = {
        "not_a_long": _("Not a valid long."),
        "max_length": _("No more than {max_digits} digits."),
        "no_such": _("{number} does not exist."),
    }

    def __init__(self, *, max_digits: int = LONGEST_LONG, no_such: str = NO_SUCH_NUMBER, **options: Any) -> None:
        super().__init__(**options)
        self.max_digits, self.no_such = max_digits, no_such

    def to_internal_value(self, data: Any) -> int:
        number = self.whole_number(data)
        if abs(number) > LARGEST_LONG:
            raise serializers.ValidationError(self.error_messages["no_such"].format(number=number), code=self.no_such)
        return number

    def whole_number(self, data: Any) -> int:
        """Return the number, even if it is beyond the database's range."""
        text = str(data) if type(data) in (int, str) else ""
        if not re.fullmatch(r"-?[0-9]+", text):
            self.fail("not_a_long")
        if len(text.lstrip("-")) > self.max_digits:
            self.fail("max_length", max_digits=self.max_digits)
        return int(text)

    def to_representation(self, value: int) -> int:
        return value


class DigitsField(serializers.DecimalField):
    """A number as JSON number, or in text written with the digits 0 to 9 (`billing_site.common.written`).

    Decimals beyond `decimal_places` are rounded half up and never refused, because programs that compute with doubles send
    0.30000000000000004, and as text 5e-05, the one exponent that is accepted. A JSON number is read by the shortest digits that
    identify its double, and may have any exponent.
    """

    default_error_messages = {
        "decimal_comma": _("This is not a number. Write decimals with a point: 1.5."),
        "exponent": WITH_EXPONENT,
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, str) and not (is_number(data) or is_small_double(data)):
            self.fail(self._why_no_number(data))
        number: Decimal = super().to_internal_value(data)
        return number

    def _why_no_number(self, text: str) -> str:
        if has_exponent(text):
            return "exponent"
        return "decimal_comma" if re.fullmatch(r"[-+]?[0-9]*,[0-9]+", text) else "invalid"

    def validate_precision(self, value: Decimal) -> Decimal:
        number: Decimal = super().validate_precision(rounded_to(value, self.decimal_places or 0))
        return number


class RateNumberField(DigitsField):
    """The price of one unit, with up to 10 decimals. One that is not 0 and would be stored as 0 is refused."""

    default_error_messages = {"rounds_to_0": ROUNDS_TO_0}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": 20, "decimal_places": 10})

    def validate_precision(self, value: Decimal) -> Decimal:
        if rounds_to_0(value, self.decimal_places or 0):
            self.fail("rounds_to_0")
        return super().validate_precision(value)


class UnitsNumberField(DigitsField):
    """A number of units. Output has at least four decimals."""

    def __init__(self, **options: Any) -> None:
        if "min_value" in options and is_least(options["min_value"]):
            options["error_messages"] = {"min_value": ABOVE_0, **options.get("error_messages", {})}
        super().__init__(**{**options, "max_digits": UNITS_DIGITS, "decimal_places": UNIT_PLACES})

    def to_representation(self, value: Any) -> str:
        return f"{padded(Decimal(value), LEAST_UNIT_DECIMALS):f}"


class TrueFalseField(serializers.BooleanField):
    """true or false, as JSON boolean or text."""

    default_error_messages = {"not_true_or_false": _("This must be true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if isinstance(data, bool):
            return data
        if data not in ("true", "false"):
            self.fail("not_true_or_false")
        return bool(data == "true")


class FlagField(TrueFalseField):
    """1 or 0, or true or false, as number, boolean or text, because Aria's pages name both for the same field."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) in (int, str) and str(data) in ("0", "1"):
            return str(data) == "1"
        return super().to_internal_value(data)


class GivenSerializer(serializers.Serializer):
    """Members of a body. An empty text or null counts as not sent, also inside lists of objects."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = {name: value for name, value in data.items() if value is not None and value != ""}
        return super().to_internal_value(data)


class ShortListField(serializers.ListField):
    """A list whose length is checked before its items: a million items would give a million errors."""

    def run_child_validation(self, data: Any) -> Any:
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().run_child_validation(data)


def rows_of(row: serializers.Serializer, *, most: int, **options: Any) -> "serializers.ListSerializer[Any]":
    """Return an array field whose length is checked before its rows are read."""
    return serializers.ListSerializer(child=row, max_length=most, **options)


class DayField(serializers.DateField):
    """A date as yyyy-mm-dd. A page may give the day itself."""

    default_error_messages = {"not_a_date": _("Not a date as yyyy-mm-dd.")}

    def to_internal_value(self, value: Any) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            return day_of(value if isinstance(value, str) else "")
        except ValueError:
            self.fail("not_a_date")


class MomentField(serializers.DateTimeField):
    """A moment as yyyy-mm-ddThh:mm:ss with its offset, or Z."""

    default_error_messages = {"not_a_date": NO_MOMENT}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return moment_of(value if isinstance(value, str) else "")
        except ValueError:
            self.fail("not_a_date")


class ValueFilter(Filter):
    """A filter that compares one query value with one column."""

    def __init__(self, field_name: str, lookup_expr: str = "exact", **options: Any) -> None:
        super().__init__(field_name=field_name, lookup_expr=lookup_expr, **options)  # type: ignore[no-untyped-call]


class OneOrSeveralSelect(BaseCSVWidget, forms.Select):
    """A select with all choices. If several are requested, separated by commas, they are offered as one more option."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        selected = [str(one) for one in value or ()]
        if len(selected) > 1:
            labels = {str(choice): str(label) for choice, label in self.choices}
            self.choices = [*self.choices, (",".join(selected), ", ".join(labels.get(one, one) for one in selected))]
        return forms.Select.render(self, name, ",".join(selected), attrs, renderer)


class ChoicesFilter(BaseInFilter, ChoiceFilter):
    """A filter for one choice, or several separated by commas."""

    def __init__(self, choices: Any, **options: Any) -> None:
        options = {"choices": choices.choices, "widget": OneOrSeveralSelect, "empty_label": _("Any"), **options}
        super().__init__(**options)  # type: ignore[no-untyped-call]


class TrueFalseInput(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value not in (None, "", "true", "false"):
            raise ValidationError(_("This must be true or false."), code="not_true_or_false")
        return value == "true" if value else None


class TrueFalseFilter(ValueFilter):
    """A filter for true or false. `method` implements it."""

    field_class: type[forms.Field] = TrueFalseInput


class TextFilter(ValueFilter):
    field_class: type[forms.Field] = forms.CharField

    def __init__(self, field_name: str, lookup_expr: str = "exact", *, max_length: int = 100, **options: Any) -> None:
        super().__init__(field_name, lookup_expr, max_length=max_length, **options)


class AmountFilter(ValueFilter):
    field_class: type[forms.Field] = DigitsInput

    def __init__(self, field_name: str, lookup_expr: str = "exact", **options: Any) -> None:
        super().__init__(field_name, lookup_expr, max_digits=15, decimal_places=4, **options)


class LongInput(forms.IntegerField):
    """A whole number of up to 22 digits. A number beyond the database's range is replaced by the largest, which no row has
    either."""

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str) and len(value.strip().lstrip("-")) > LONGEST_LONG:
            raise ValidationError(_("No more than %(digits)d digits.") % {"digits": LONGEST_LONG}, code="max_length")
        number: int | None = super().to_python(value)
        return number if number is None else max(-LARGEST_LONG, min(number, LARGEST_LONG))


class LongFilter(ValueFilter):
    field_class: type[forms.Field] = LongInput


class DayInput(forms.DateField):
    """A date as yyyy-mm-dd. Other formats are ambiguous and refused."""

    def to_python(self, value: Any) -> date | None:
        if isinstance(value, date) or not value:
            return value or None
        try:
            return day_of(value)
        except ValueError as error:
            raise ValidationError(_("Not a date as yyyy-mm-dd."), code="not_a_date") from error


class DayFilter(ValueFilter):
    field_class: type[forms.Field] = DayInput


class RangesInOrder(forms.Form):
    """Values of which `..._from` and `..._to`, or `..._min` and `..._max`, are a range. One that ends before it begins finds
    nothing, so it is refused."""

    def clean(self) -> None:
        for begin, end in (("_from", "_to"), ("_min", "_max")):
            for name in [name for name in self.cleaned_data if name.endswith(begin)]:
                other = name.removesuffix(begin) + end
                first, last = self.cleaned_data[name], self.cleaned_data.get(other)
                if first is not None and last is not None and first > last:
                    self.add_error(name, _("The range ends before it begins."))


class RangeFilterSet(FilterSet):
    """A filter set with ranges."""

    def get_form_class(self) -> type[forms.Form]:
        form: type[forms.Form] = super().get_form_class()  # type: ignore[no-untyped-call]
        return type(RangesInOrder.__name__, (RangesInOrder, form), {})


class ErrorCodeField(serializers.IntegerField):
    """The error code of a refused item, 0 if it was done."""

    def get_attribute(self, instance: Any) -> int:
        error: Any = super().get_attribute(instance)
        return error.code.number if error is not None else ErrorCode.OK.number


class ErrorMessageField(serializers.CharField):
    """The error message of a refused item, `done` if it was done."""

    def __init__(self, *, done: str = ErrorCode.OK.message, **options: Any) -> None:
        super().__init__(**options)
        self.done = done

    def get_attribute(self, instance: Any) -> str:
        error: Any = super().get_attribute(instance)
        return error.message if error is not None else self.done
