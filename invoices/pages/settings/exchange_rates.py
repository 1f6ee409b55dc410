"""The field for exchange rates of the VAT currency, typed and shown in the reader's language."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.tax_currencies import EXAMPLE, NOT_A_RATE, RATE
from billing_site.common.numbers import plain_number, typed_number

BETWEEN = re.compile(r"[;\r\n]|,(?=\s|[A-Za-z]|$)")
"""What separates two rates. A comma before a digit belongs to the number."""

CURRENCY_AND_NUMBER = re.compile(r"([A-Za-z]{3})\s+(\S.*)")


class ShownRates(forms.BoundField):
    """Shows the stored rates in the reader's language, and what was typed as it was typed."""

    def value(self) -> Any:
        value = super().value()
        return value if self.form.is_bound else _shown(value, "\n")


class ExchangeRatesInput(forms.CharField):
    """Exchange rates, one on a line, or with ; or a comma and a blank between. Cleaned to "EUR 11.4523, USD 10.1"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea({"rows": 3, "spellcheck": "false"}), **options)

    def get_bound_field(self, form: Any, field_name: str) -> ShownRates:
        return ShownRates(form, self, field_name)

    def to_python(self, value: Any) -> str:
        """Return the rates as they are stored. Refuses, by its currency, one whose number can be read in two ways."""
        parts = (part.strip() for part in BETWEEN.split(super().to_python(value) or ""))
        return ", ".join(_plain_rate(part) for part in parts if part)

    def said(self, value: Any) -> str:
        """Return stored rates in the reader's language."""
        return _shown(value, "; ")


def _plain_rate(part: str) -> str:
    found = CURRENCY_AND_NUMBER.fullmatch(part)
    if found is None:
        raise _not_a_rate(part)
    currency = found[1].upper()
    try:
        rate = f"{currency} {plain_number(found[2])}"
    except ValidationError as why:
        raise ValidationError(f"{currency}: {why.messages[0]}", code=why.code) from None
    number = RATE.fullmatch(rate)
    if number is None or not Decimal(number[2]):
        raise _not_a_rate(part)
    return rate


def _not_a_rate(part: str) -> ValidationError:
    return ValidationError(NOT_A_RATE, params={"value": part, "example": typed_number(EXAMPLE)})


def _shown(rates: Any, between: str) -> str:
    return between.join(typed_number(part.strip()) for part in (rates or "").split(",") if part.strip())
