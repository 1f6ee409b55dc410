"""PURE: the rates by which the VAT of a document is also told in the currency of a client's VAT accounts."""

import re
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.validators import validate_currency

RATE = re.compile(r"([A-Za-z]{3})\s+([0-9]{1,8}(?:\.[0-9]{1,8})?)")

EXAMPLE = "EUR 11.4523"
NOT_A_RATE = _("%(value)s is not an exchange rate. Give a currency and a number above 0, such as %(example)s.")


def exchange_rates(text: str) -> str:
    """Return rates such as "EUR 11.4523, USD 10.1" in one spelling. Refuses several rates of one currency, and a rate of 0."""
    rates: dict[str, str] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        found = RATE.fullmatch(part)
        if found is None or not Decimal(found[2]):
            raise ValidationError(NOT_A_RATE, params={"value": part, "example": EXAMPLE})
        currency = found[1].lower()
        validate_currency(currency)
        if currency in rates:
            raise ValidationError(
                _("Give one rate for each currency: %(currency)s is given twice."), params={"currency": currency.upper()}
            )
        rates[currency] = f"{currency.upper()} {found[2]}"
    return ", ".join(rates.values())


def exchange_rate(text: str, currency: str) -> str:
    """Return the rate of a currency, as it was written, or an empty text. `exchange_rates` has checked them."""
    rates = dict(part.split() for part in text.split(",") if part.strip())
    return rates.get(currency.upper(), "")
