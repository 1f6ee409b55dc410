"""PURE: official numbers of companies and bank accounts. Each function returns the spelling that is stored, or refuses.

Formats and check digits of each country come from the library python-stdnum.
"""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from stdnum import bic as bics
from stdnum import get_cc_module, iban
from stdnum.exceptions import ValidationError as NotANumber

from billing_site.common.places import country_code

SPELLED_OTHERWISE = {"EL": "GR", "XI": "GB"}
"""Prefixes of tax numbers that differ from the country's code: Greece, and Northern Ireland for trade with the EU."""

LETTER_SCHEMES = ("AN", "AQ", "AS", "AU", "EM")
"""Schemes of electronic addresses (CEF EAS) with letters. All others have four digits."""


def tax_id(text: str) -> str:
    """Return a tax number that begins with the code of its country, such as DE136695976, without spaces and dots.

    It is checked by the rules of its country, if these are known.
    """
    number = "".join(text.split()).upper()
    prefix = number[:2]
    country = SPELLED_OTHERWISE.get(prefix, prefix)
    if country_code(country) != country or not re.search("[0-9]", number[2:]):
        raise ValidationError(
            _("%(value)s is not a tax id. Begin it with the code of its country, such as DE136695976."), params={"value": text}
        )
    rules = get_cc_module(country.lower(), "vat")
    if rules is None:
        return number
    # Some countries' rules include the prefix, others do not.
    for part in (number, number[2:]):
        if rules.is_valid(part):
            kept: str = rules.validate(part)
            return kept if kept.startswith(prefix) else prefix + kept
    raise ValidationError(_("%(value)s is not a valid tax id of %(country)s."), params={"value": text, "country": country})


def tax_id_country(number: str) -> str:
    """Return the country of a tax id."""
    return SPELLED_OTHERWISE.get(number[:2], number[:2])


def tax_ids(text: str) -> str:
    """Return the comma-separated tax ids. Refuses several ids of one country."""
    numbers = [tax_id(part) for part in text.split(",") if part.strip()]
    prefixes = [number[:2] for number in numbers]
    twice = next((prefix for prefix in prefixes if prefixes.count(prefix) > 1), None)
    if twice is not None:
        raise ValidationError(_("Give one tax id for each country: %(country)s is there twice."), params={"country": twice})
    return ", ".join(numbers)


def tax_id_for(text: str, countries: tuple[str, ...]) -> str:
    """Return the tax id of the first of these countries that has one, else the first tax id. `tax_ids` has checked them."""
    numbers = [part.strip() for part in text.split(",") if part.strip()]
    by_country = {tax_id_country(number): number for number in reversed(numbers)}
    found = (by_country[country] for country in countries if country in by_country)
    return next(found, numbers[0] if numbers else "")


def iban_number(text: str) -> str:
    """Return an IBAN without spaces."""
    try:
        return iban.validate(text)
    except NotANumber as error:
        raise ValidationError(_("%(value)s is not a valid IBAN."), params={"value": text}) from error


def bic_number(text: str) -> str:
    """Return a BIC, the code of a bank."""
    try:
        return bics.validate(text)
    except NotANumber as error:
        raise ValidationError(_("%(value)s is not a valid BIC."), params={"value": text}) from error


def electronic_scheme(text: str) -> str:
    """Return the scheme of an electronic address: a code of the list CEF EAS, such as 0088 for a GLN or 9930 for a German
    tax id."""
    scheme = text.strip().upper()
    if scheme not in LETTER_SCHEMES and not re.fullmatch("[0-9]{4}", scheme):
        raise ValidationError(
            _("%(value)s is not a scheme of electronic addresses. Give a code such as 0088, 9930 or EM."),
            params={"value": text},
        )
    return scheme
