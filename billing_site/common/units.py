"""PURE: maximum and decimals of units in one row, and their format."""

from decimal import Context, Decimal

_EXACT = Context(prec=100)

UNIT_PLACES, LEAST_UNIT_DECIMALS = 10, 4


MOST_UNITS = Decimal(10**15)
"""Maximum of one usage record, order or plan instance: a petabyte in bytes."""


UNITS_DIGITS = 28
"""Digits of a units column: enough for the sum of a thousand maximal records, and the precision of Python's decimals."""


LARGEST_UNITS = Decimal(10) ** (UNITS_DIGITS - UNIT_PLACES) - Decimal(1).scaleb(-UNIT_PLACES)
"""The largest number that a units column can hold."""


def padded(number: Decimal, decimals: int) -> Decimal:
    """Return the number without trailing zeros but with at least `decimals` decimals, so that both databases give the same
    text."""
    number = number.normalize(_EXACT)
    if int(number.as_tuple().exponent) > -decimals:
        number = number.quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
    return number
