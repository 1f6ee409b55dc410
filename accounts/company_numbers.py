"""PURE: official numbers of companies and bank accounts. Each function returns the spelling that is stored, or refuses.

Formats and check digits of each country come from the library python-stdnum.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from stdnum import bic as bics
from stdnum import ean, get_cc_module, iban
from stdnum.au import abn as australian
from stdnum.be import vat as belgian
from stdnum.exceptions import ValidationError as NotANumber
from stdnum.iso7064 import mod_97_10
from stdnum.it import iva as italian
from stdnum.no import orgnr as norwegian
from stdnum.se import orgnr as swedish

from accounts.identifier_codes import ADDRESSES, CLASSIFICATIONS, ICD, OBJECTS
from billing_site.common.places import country_code

SPELLED_OTHERWISE = {"EL": "GR", "XI": "GB"}
"""Prefixes of tax numbers that differ from the country's code: Greece, and Northern Ireland for trade with the EU."""

GLN_DIGITS = 13
GTIN_SCHEME = "0160"


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


CREDITOR_ID = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}")
MANDATE = re.compile("[A-Za-z0-9+?/:().,' -]{1,35}")
CARD_DIGITS = re.compile("[0-9]{4,6}")


def creditor_id(text: str) -> str:
    """Return the number by which banks know who collects direct debits (SEPA), without spaces. The three characters after the
    check digits are the creditor's own, so the check digits leave them out."""
    number = "".join(text.split()).upper()
    if CREDITOR_ID.fullmatch(number) is None or not mod_97_10.is_valid(number[7:] + number[:4]):
        raise ValidationError(_("%(value)s is not a valid creditor id, such as DE98ZZZ09999999999."), params={"value": text})
    return number


def mandate_reference(text: str) -> str:
    """Return the reference of a mandate, in the letters that banks take."""
    reference = text.strip()
    if MANDATE.fullmatch(reference) is None:
        raise ValidationError(
            _("%(value)s is not a mandate reference: banks take 35 letters without accents, digits, and + ? / : ( ) . , ' -."),
            params={"value": text},
        )
    return reference


def card_digits(text: str) -> str:
    """Return the last digits of a card number. An invoice must not name more of them."""
    digits = text.strip()
    if CARD_DIGITS.fullmatch(digits) is None:
        raise ValidationError(_("Give the last 4 to 6 digits of the card number, and no more."))
    return digits


class Identifier(NamedTuple):
    """A number with the code of its scheme, which may be empty."""

    scheme: str
    number: str


def identifier(text: str) -> Identifier:
    """Return a stored number of a party, item or place: 0088:4000001123452 has a scheme, 4711 has none."""
    scheme, colon, number = text.partition(":")
    return Identifier(scheme, number) if colon and scheme in ICD else Identifier("", text)


def party_number(text: str) -> str:
    """Return the number of a party or place, with the code of its scheme before a colon, or without a scheme."""
    scheme, colon, number = (part.strip() for part in text.partition(":"))
    if not colon:
        return scheme
    _check_scheme(text, scheme, number)
    return f"{scheme}:{number}"


def party_numbers(text: str) -> str:
    """Return the comma-separated numbers of a party. Refuses two of one scheme."""
    numbers = [party_number(part) for part in text.split(",") if part.strip()]
    schemes = [identifier(number).scheme for number in numbers]
    if len(set(schemes)) < len(schemes):
        raise ValidationError(_("%(value)s has two numbers of one scheme."), params={"value": text})
    return ", ".join(numbers)


def identifiers(text: str) -> list[Identifier]:
    """Return the stored numbers of a party."""
    return [identifier(part.strip()) for part in text.split(",") if part.strip()]


def registration_scheme(text: str) -> str:
    """Return the scheme of a registration number: a code of the list ICD."""
    scheme = text.strip()
    if scheme not in ICD:
        raise ValidationError(_("%(value)s is not a code of the list ICD, such as 0002."), params={"value": text})
    return scheme


def item_number(text: str) -> str:
    """Return the number of an item in trade: a GTIN of 8, 12, 13 or 14 digits, without spaces and hyphens, or a number with
    the code of another scheme before a colon."""
    scheme, colon, number = (part.strip() for part in text.partition(":"))
    if colon and scheme != GTIN_SCHEME:
        _check_scheme(text, scheme, number)
        return f"{scheme}:{number}"
    try:
        return ean.validate(number if colon else text)
    except NotANumber as error:
        raise ValidationError(_("%(value)s is not a valid GTIN."), params={"value": text}) from error


def classifications(text: str) -> str:
    """Return the comma-separated codes that classify an item, each after the code of its list: STI:65434568, HS:8517."""
    found = []
    for part in (one for one in text.split(",") if one.strip()):
        list_code, colon, code = (one.strip() for one in part.partition(":"))
        if list_code.upper() not in CLASSIFICATIONS or not code:
            raise ValidationError(
                _("%(value)s is not a classification. Give the code of its list before a colon, such as STI:65434568."),
                params={"value": part.strip()},
            )
        found.append(f"{list_code.upper()}:{code}")
    if len({one.partition(":")[0] for one in found}) < len(found):
        raise ValidationError(_("%(value)s has two codes of one list."), params={"value": text})
    return ", ".join(found)


def object_reference(text: str) -> str:
    """Return the number of an invoiced object, with the code of its kind before a colon, or without one."""
    kind, colon, number = (part.strip() for part in text.partition(":"))
    return f"{kind.upper()}:{number}" if colon and kind.upper() in OBJECTS else text.strip()


def _check_scheme(text: str, scheme: str, number: str) -> None:
    if scheme not in ICD or not number:
        raise ValidationError(
            _("%(value)s has no known scheme. Give a code of the list ICD before a colon, such as 0088:4000001123452."),
            params={"value": text},
        )
    if broken_address_rule(scheme, number):
        raise ValidationError(
            _("%(value)s is not a valid number of the scheme %(scheme)s. Check its digits."),
            params={"value": number, "scheme": scheme},
        )


def _is(pattern: str) -> Callable[[str], bool]:
    return lambda number: re.fullmatch(pattern, number) is not None


ADDRESS_RULES: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "0007": ("PEPPOL-COMMON-R049", swedish.is_valid),
    "0088": ("PEPPOL-COMMON-R040", lambda number: len(number) == GLN_DIGITS and ean.is_valid(number)),
    "0151": ("PEPPOL-COMMON-R050", australian.is_valid),
    "0184": ("PEPPOL-COMMON-R042", _is("(DK)?[0-9]{8}")),
    "0192": ("PEPPOL-COMMON-R041", norwegian.is_valid),
    "0201": ("PEPPOL-COMMON-R044", _is("[A-Za-z0-9]{6}")),
    "0208": ("PEPPOL-COMMON-R043", belgian.is_valid),
    "0210": ("PEPPOL-COMMON-R045", _is("[A-Za-z0-9]{16}|[0-9]{11}")),
    "0211": ("PEPPOL-COMMON-R047", lambda number: number.startswith("IT") and italian.is_valid(number)),
}
"""Schemes of electronic addresses that are numbers with check digits: the rule of the Peppol network, and whether a number
keeps it."""


def broken_address_rule(scheme: str, address: str) -> str:
    """Return the rule of the Peppol network that an electronic address breaks by its check digits. Empty if none is known."""
    rule, is_valid = ADDRESS_RULES.get(scheme, ("", bool))
    return rule if rule and not is_valid(address) else ""


def electronic_scheme(text: str) -> str:
    """Return the scheme of an electronic address: a code of the list CEF EAS, such as 0088 for a GLN or 9930 for a German
    tax id."""
    scheme = text.strip().upper()
    if scheme not in ADDRESSES:
        raise ValidationError(
            _("%(value)s is not a scheme of electronic addresses. Give a code such as 0088, 9930 or EM."),
            params={"value": text},
        )
    return scheme
