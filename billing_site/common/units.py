"""PURE: how many units one row may have, with how many decimals, and how units are written."""

from decimal import Context, Decimal

_EXACT = Context(prec=100)

UNIT_PLACES, LEAST_UNIT_DECIMALS = 10, 4


MOST_UNITS = Decimal(10**15)
"""Of one record, order or plan instance: a petabyte in bytes."""


UNITS_DIGITS = 28
"""Of a column of units: sums of a thousand such records have room, and Python's own decimals have as many digits."""


LARGEST_UNITS = Decimal(10) ** (UNITS_DIGITS - UNIT_PLACES) - Decimal(1).scaleb(-UNIT_PLACES)
"""What a column of units holds."""


def padded(number: Decimal, decimals: int) -> Decimal:
    """The number without zeros at its end, but with at least so many decimals: it is written alike on every database."""
    number = number.normalize(_EXACT)
    if int(number.as_tuple().exponent) > -decimals:
        number = number.quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
    return number
