"""Validation of single values. Knows no model."""

import ipaddress
import re
import zoneinfo
from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.kinds import GuardedAct
from accounts.tax_categories import categories_in
from billing_site.common.currencies import is_currency
from billing_site.common.places import country_code

LONGEST_CATEGORY = 50
CONTACT_ROLES = ("account", "billing", "statement")

# SQLite stores a decimal as a double, which is exact up to 15 significant digits. Both databases keep this limit.
MAX_SIGNIFICANT_DIGITS = 15

FIRST_YEAR, LAST_YEAR = 1900, 2999


def validate_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(_("%(value)s is not a time zone of the IANA database."), params={"value": value})


def validate_currency(value: str) -> None:
    """Refuse anything but a three-letter ISO 4217 code in lower case, as Aria spells currencies."""
    if not is_currency(value):
        raise ValidationError(_("%(value)s is not a currency code such as usd."), params={"value": value})


def validate_country(value: str) -> None:
    if country_code(value) != value:
        raise ValidationError(
            _("%(value)s is not a country. Give a country code or name, such as US."), params={"value": value}
        )


def validate_tax_categories(value: str) -> None:
    for category in categories_in(value):
        if len(category) > LONGEST_CATEGORY:
            raise ValidationError(_("%(value)s is longer than 50 characters."), params={"value": category})


def validate_contact_roles(value: str) -> None:
    roles = value.split(",")
    if not value or len(set(roles)) != len(roles) or not set(roles) <= set(CONTACT_ROLES):
        raise ValidationError(_("Give account, billing or statement, each at most once, separated by commas."))


def validate_guarded_acts(value: str) -> None:
    names = value.split(",") if value else []
    if len(set(names)) != len(names) or not set(names) <= set(GuardedAct.values):
        known = ", ".join(GuardedAct.values)
        raise ValidationError(
            _("Give one or more of %(known)s, each at most once, separated by commas."), params={"known": known}
        )


def validate_role_names(value: str) -> None:
    names = value.split(",") if value else []
    if len(set(names)) != len(names) or any(not name or name != name.strip() for name in names):
        raise ValidationError(_("Give names of roles, each at most once, separated by commas."))


def validate_significant_digits(value: Decimal) -> None:
    if len(value.normalize().as_tuple().digits) > MAX_SIGNIFICANT_DIGITS:
        raise ValidationError(_("Give at most %(limit)s significant digits."), params={"limit": MAX_SIGNIFICANT_DIGITS})


def validate_billing_day(value: date) -> None:
    """Refuse days outside 1900 to 2999, so that periods can be counted in both directions."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValidationError(
            _("%(value)s is not between the years 1900 and 2999. Give another date."), params={"value": value}
        )


def validate_no_card_number(value: str) -> None:
    """Refuse a possible card number (12 to 19 digits that pass the Luhn check of ISO/IEC 7812): only tokens may be stored."""
    digits = [int(digit) for digit in re.sub(r"[ -]", "", value) if digit.isdecimal()]
    only_digits = len(digits) == len(re.sub(r"[ -]", "", value))
    if only_digits and 12 <= len(digits) <= 19 and _luhn_sum(digits) % 10 == 0:
        raise ValidationError(_("This looks like a card number. Give the token of the payment gateway instead."))


def _luhn_sum(digits: list[int]) -> int:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return sum(digits[-1::-2]) + sum(doubled)


def validate_alphanumeric(text: str) -> None:
    if not (text.isascii() and text.isalnum()):
        raise ValidationError(_("Use letters and digits only."), code="not_alphanumeric")


def networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the comma-separated addresses and networks."""
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]


def validate_networks(text: str) -> None:
    try:
        networks(text)
    except ValueError as error:
        raise ValidationError(_("%(why)s"), params={"why": error}, code="not_a_network") from error
