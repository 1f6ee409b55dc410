"""Numbers as people type them and as fields show them: read and written in the reader's language, in this one place."""

import re
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from billing_site.common.written import WITH_EXPONENT, has_exponent

AMBIGUOUS = "ambiguous"
"""The code of the refusal of a number that can be read in two ways."""

SPACES = "\u00a0\u202f"
"""Spaces that do not break, which some languages group by."""

GROUPED = re.compile(rf"[1-9][0-9]{{0,2}}(?:([.,'\u2019 {SPACES}])[0-9]{{3}})(?:\1[0-9]{{3}})*")
"""Whole numbers in groups of three digits: 1.234.567, 1,234,567, 1'234'567 or 1 234 567."""

ONE_COMMA = re.compile(r"[0-9]*,[0-9]*")

MINUSES = ("-", "\u2212")
SIGNED = re.compile(r"([+\-\u2212]?)(.*)", re.DOTALL)
DIGITS = re.compile(r"[0-9]+")


def plain_number(text: str) -> str:
    """Return a typed number as programs write it: 1234.56 for 1.234,56 and for 1,234.56. Empty stays empty.

    The last one of point and comma separates the decimals, the other one groups. Refuses what is not a number, and what has two
    meanings, by a ValidationError: a single separator that is not the decimal one of the reader's language, and that may
    separate thousands, such as 1.234 on a German page. On an English page any single comma may: 12,50 may be a slip for 1,250.
    """
    typed = text.strip(f" \t\r\n{SPACES}")
    if not typed:
        return ""
    sign, number = SIGNED.fullmatch(typed).groups()  # type: ignore[union-attr]
    whole, decimals = _parts(number)
    if GROUPED.fullmatch(whole):
        whole = re.sub("[^0-9]", "", whole)
    if not DIGITS.fullmatch(whole + decimals) or not DIGITS.fullmatch(whole or "0"):
        if has_exponent(typed):
            raise ValidationError(WITH_EXPONENT, code="exponent")
        raise ValidationError(_("Enter a number."), code="invalid")
    minus = "-" if sign in MINUSES else ""
    return f"{minus}{whole or '0'}.{decimals}" if decimals else f"{minus}{whole or '0'}"


def _parts(number: str) -> tuple[str, str]:
    """Return a number's whole part, perhaps in groups, and its decimals. Refuses one that can be read in two ways."""
    separators = [sign for sign in number if sign in ".,"]
    if not separators or separators.count(separators[-1]) > 1:
        return number, ""
    last, own = separators[-1], get_format("DECIMAL_SEPARATOR")
    if last != own and (GROUPED.fullmatch(number) or ONE_COMMA.fullmatch(number)):
        ways = {"typed": number, "thousands": number.replace(last, ""), "decimals": number.replace(last, own)}
        raise ValidationError(
            _("%(typed)s can be read in two ways. Write %(thousands)s or %(decimals)s."), code=AMBIGUOUS, params=ways
        )
    whole, _separator, decimals = number.rpartition(last)
    return whole, decimals


def address_number(typed: str) -> str:
    """Return a typed number as the address of a page keeps it, which readers of every language open: with a point, and never
    with three decimals, because 1.500 has two meanings. What is refused as a number stays as it is typed."""
    try:
        number = plain_number(typed)
    except ValidationError:
        return typed
    return f"{number}0" if len(number.partition(".")[2]) == 3 else number


def typed_number(number: Decimal | str | None) -> str:
    """Return a number as it is typed into a field: with the decimal separator of the reader's language, without groups. None is
    empty."""
    if number is None:
        return ""
    text = number if isinstance(number, str) else f"{number:f}"
    return text.replace(".", get_format("DECIMAL_SEPARATOR"))


def short_number(number: Decimal) -> str:
    """Return a number for a sentence or a field: without the zeros that the database adds, in the reader's language."""
    return typed_number(number.normalize())
