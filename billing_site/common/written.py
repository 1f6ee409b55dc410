"""PURE: numbers with decimals, and days, as people and programs write them in text. Every door reads them by these rules.

A number in text has no exponent: a spreadsheet makes 100 of the part number 1E2, and nobody who reads amounts sees it.
"""

import re
from datetime import date, datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

WITH_EXPONENT = _("This number has an exponent. Write all its digits: 100, not 1e2.")

NO_MOMENT = _("Give a moment with its offset, such as 2026-02-10T09:30:00Z.")

_DIGITS = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_NUMBER = re.compile(_DIGITS)
_SMALL_DOUBLE = re.compile(rf"{_DIGITS}[eE]-0*(?:[5-9]|[1-9][0-9]+)")
_EXPONENT = re.compile(rf"{_DIGITS}[eE][-+]?[0-9]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_number(text: str) -> bool:
    """Whether the text is a number in digits. `Decimal` also accepts NaN, 1e5, 1_000 and digits of other scripts."""
    return _NUMBER.fullmatch(text) is not None


def has_exponent(text: str) -> bool:
    """Whether the text is a number with an exponent: 1e2."""
    return _EXPONENT.fullmatch(text) is not None


def is_small_double(text: str) -> bool:
    """Whether the text is a number below 0.0001 as programs write a double: 5e-05. Only calls accept it."""
    return _SMALL_DOUBLE.fullmatch(text) is not None


def decimal_of(value: object) -> Decimal:
    """Return the number of a text, of JSON or of a field that has read it. Raises ValueError for a text that is no number in
    digits, and for any other value that is no number."""
    if isinstance(value, str) and is_number(value):
        return Decimal(value)
    if isinstance(value, Decimal | int | float) and not isinstance(value, bool):
        number = Decimal(str(value))
        if number.is_finite():
            return number
    raise ValueError(f"{str(value)[:40]} is no number in digits")


def moment_of(text: str) -> datetime:
    """Return the moment of a text as yyyy-mm-ddThh:mm:ss with its offset, or Z. Raises ValueError for any other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text[:40]} has no offset")
    return moment


def day_of(text: str) -> date:
    """Return the day of a text as yyyy-mm-dd. Raises ValueError for any other text: Python also reads 20260131 and weeks."""
    if _DAY.fullmatch(text) is None:
        raise ValueError(f"{text[:40]} is no day as yyyy-mm-dd")
    return date.fromisoformat(text)
