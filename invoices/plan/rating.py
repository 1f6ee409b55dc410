"""PURE: what units cost at a price: per unit, tiered, volume or flat, between a minimum and a maximum.

A band holds the units above where it begins through where the next begins, so fractions of units have a band too. Tiered:
each band's units at the band's own rate. Volume: all units at the rate of the band that their total lies in.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import RateModel
from accounts.rates import Band, Rates
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import LARGEST_AMOUNT, ONE, WHOLE, ZERO, Share, line_amount, rounded, total


class RatedPart(NamedTuple):
    """Units at one rate, and their amount, rounded once."""

    units: Decimal
    band: Band
    amount: Decimal


class RatedCharge(NamedTuple):
    """Parts with their amounts; and where their sum is out of its bounds, what is missing or too much, and of which bound."""

    parts: tuple[RatedPart, ...]
    adjustment: Decimal = ZERO
    bound: str = ""
    reason: str = ""

    @property
    def amount(self) -> Decimal:
        return total([*(part.amount for part in self.parts), self.adjustment])


class Bounds(NamedTuple):
    """The least and the most that a period may cost; for part of a period its part of them."""

    minimum: Decimal | None
    maximum: Decimal | None

    def hold(self, amount: Decimal) -> Decimal:
        if self.minimum is not None and amount < self.minimum:
            return self.minimum
        return amount if self.maximum is None else min(amount, self.maximum)


def rated(
    rates: Rates,
    units: Decimal,
    currency: str,
    *,
    share: Share = WHOLE,
    bounds_share: Share = WHOLE,
    billed: Decimal | None = None,
) -> RatedCharge:
    """The amount of some units in a period. `share` prorates the amounts, `bounds_share` the minimum and the maximum.

    `billed` are the units of the same period that an earlier invoice has charged already: these ones come on top of them,
    in the bands where they stopped, and are charged what the period then costs more.
    """
    before = billed or ZERO
    if before + units > LARGEST_AMOUNT:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, f"{before + units:f} units")
    bounds = _bounds(rates, bounds_share, currency)
    parts = tuple(_parts(rates, before, before + units, currency, share))
    already = total(part.amount for part in _parts(rates, ZERO, before, currency, share)) if before else ZERO
    raw = total(part.amount for part in parts)
    due = bounds.hold(already + raw) - (ZERO if billed is None else bounds.hold(already))
    return RatedCharge(parts, due - raw, *_reason(bounds, already + raw, due - raw, currency))


def unused(rates: Rates, share: Share, currency: str) -> RatedCharge:
    """What a period costs in which nothing was used: its minimum, and no fee."""
    bounds = _bounds(rates, share, currency)
    due = bounds.hold(ZERO)
    return RatedCharge((), due, *_reason(bounds, ZERO, due, currency))


def _bounds(rates: Rates, share: Share, currency: str) -> Bounds:
    least, most = (None if one is None else line_amount(one, ONE, share, currency) for one in (rates.minimum, rates.maximum))
    return Bounds(least, most)


def _reason(bounds: Bounds, amount: Decimal, adjustment: Decimal, currency: str) -> tuple[str, str]:
    """Which bound asks for an adjustment, and why."""
    if not adjustment:
        return "", ""
    if bounds.maximum is not None and amount > bounds.maximum:
        return "maximum", f"above the maximum of {shown(bounds.maximum, currency)}"
    minimum = shown(bounds.minimum or ZERO, currency)
    return (
        "minimum",
        f"up to the minimum of {minimum}" if adjustment > 0 else f"within the minimum of {minimum}, charged before",
    )


def _parts(rates: Rates, start: Decimal, end: Decimal, currency: str, share: Share) -> Iterator[RatedPart]:
    """The units above `start` through `end` of a period, of which `start` units may be billed already."""
    for units, band in _units_by_band(rates, start, end):
        yield RatedPart(units, band, line_amount(band.rate, units, share, currency))


def _units_by_band(rates: Rates, start: Decimal, end: Decimal) -> Iterator[tuple[Decimal, Band]]:
    if rates.model == RateModel.FLAT:
        yield (ZERO if start else ONE), rates.bands[0]
    elif rates.model == RateModel.TIERED and end > start:
        for band in rates.bands:
            units = (end if band.to_unit is None else min(end, band.to_unit)) - max(start, band.from_unit)
            if units > ZERO:
                yield units, band
    else:
        yield end - start, band_reached(rates.bands, end)


def band_reached(bands: tuple[Band, ...], units: Decimal) -> Band:
    """The band that so many units reach; the first for none."""
    return next(band for band in bands if band.to_unit is None or units <= band.to_unit)


def single_rate(rates: Rates) -> Decimal | None:
    """The one rate of a price that has no bands."""
    return None if rates.is_banded else rates.bands[0].rate


def shown(amount: Decimal, currency: str) -> str:
    return f"{rounded(amount, currency):f}"
