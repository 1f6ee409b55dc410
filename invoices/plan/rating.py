"""PURE: calculate what units cost at a price: per unit, tiered, volume or flat, with minimum and maximum.

A band has the units above its beginning through the beginning of the next band, fractions included. Tiered: the units of each
band at its own rate. Volume: all units at the rate of the band that their total is in. The bands of a volume price may begin
at their beginning instead of above it.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import BandEdge, RateModel
from accounts.rates import Band, Rates, shown_units
from billing_site.common.currencies import Currency
from billing_site.common.units import LARGEST_UNITS
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import Billed, ChargeTerms, MinimumBasis
from invoices.calculation import ONE, WHOLE, ZERO, Share, line_amount, rounded, total


class RatedPart(NamedTuple):
    """Units at one rate, and their amount, rounded once."""

    units: Decimal
    band: Band
    amount: Decimal


class Bound(NamedTuple):
    """The adjustment to a minimum or maximum, which of the two it is, and its explanation. 0 if none applies."""

    adjustment: Decimal = ZERO
    bound: str = ""
    reason: str = ""


class RatedCharge(NamedTuple):
    """The parts of a charge, and the adjustment to its minimum or maximum."""

    parts: tuple[RatedPart, ...]
    adjustment: Decimal = ZERO
    bound: str = ""
    reason: str = ""

    @property
    def amount(self) -> Decimal:
        return total([*(part.amount for part in self.parts), self.adjustment])


class Bounds(NamedTuple):
    """The minimum and maximum of a period, or the prorated ones of a part of it."""

    minimum: Decimal | None
    maximum: Decimal | None

    def hold(self, amount: Decimal) -> Decimal:
        if self.minimum is not None and amount < self.minimum:
            return self.minimum
        return amount if self.maximum is None else min(amount, self.maximum)


def terms_of(
    rates: Rates,
    currency: Currency,
    *,
    share: Share = WHOLE,
    bounds_share: Share = WHOLE,
    minimum_shares: Sequence[Share] | None = None,
    before: Billed | None = None,
) -> ChargeTerms:
    """Return the terms of a price for some days. `share` is the part of the period that units are charged for; `bounds_share`
    is the same for the minimum and the maximum. `minimum_shares` are the parts that have a minimum, if others are paused."""
    bounds = _bounds(rates, bounds_share, currency)
    minimum = bounds.minimum
    if minimum is not None and minimum_shares is not None:
        parts = [_bounds(rates, part, currency).minimum or ZERO for part in minimum_shares]
        minimum = total(parts) if parts else None
    return ChargeTerms(rates.model, rates.bands, minimum, bounds.maximum, share, before, rates.edge)


def counted(terms: ChargeTerms, units: Decimal, currency: Currency, *, is_usage: bool) -> RatedCharge:
    """Return what units cost by these terms. Without usage only the minimum is charged; without late usage nothing is."""
    rates = Rates(0, currency.code, terms.model, terms.bands, terms.minimum, terms.maximum, edge=terms.edge)
    if is_usage and not units:
        return unused(rates, WHOLE, currency) if terms.before is None else RatedCharge(())
    if terms.before is not None:
        return rated_late(rates, units, terms.before, currency)
    return rated(rates, units, currency, share=terms.share)


def bound_of(terms: ChargeTerms, raw: Decimal, currency: Currency) -> Bound:
    """Return the adjustment of `raw`, the amount of all units, to the minimum or maximum of these terms."""
    bounds = Bounds(terms.minimum, terms.maximum)
    return _bound(bounds, raw, currency) if terms.before is None else _bound_late(bounds, raw, terms.before, currency)


def usage_story(terms: ChargeTerms, units: Decimal) -> str:
    """Return what the columns of a usage line do not show: units of a flat fee, and units that were billed before."""
    story = [f"flat fee, {shown_units(units)} units were used"] if terms.model == RateModel.FLAT else []
    if terms.per_record:
        story.append(terms.per_record)
    if terms.before is not None:
        story.append(f"late usage, {shown_units(terms.before.units)} units were billed before")
    return "; ".join(story)


def minimum_story(basis: MinimumBasis, charged: Decimal, currency: Currency) -> str:
    """Return how the line of a plan's minimum was calculated, if the document charges so much."""
    if basis.missing(charged) < ZERO:
        return "within the minimum of the plan that was charged before"
    return f"charges of {shown(basis.before + charged, currency)}, up to the plan's minimum of {shown(basis.minimum, currency)}"


def rated(
    rates: Rates, units: Decimal, currency: Currency, *, share: Share = WHOLE, bounds_share: Share = WHOLE
) -> RatedCharge:
    """Return what units cost in a period. `share` prorates the amounts, `bounds_share` the minimum and maximum."""
    parts = tuple(_parts(rates, ZERO, units, currency, share))
    return _held(parts, _bounds(rates, bounds_share, currency), currency)


def unused(rates: Rates, share: Share, currency: Currency) -> RatedCharge:
    """Return what a period without usage costs: its minimum."""
    return _held((), _bounds(rates, share, currency), currency)


def rated_late(rates: Rates, units: Decimal, billed: Billed, currency: Currency, bounds_share: Share = WHOLE) -> RatedCharge:
    """Return what units cost that arrive after their period was billed.

    Tiered: in the bands after the billed units. Volume: at the rate of the band that all units of the period reach; billed
    units keep their rate. They use up a minimum that was charged before, and do not exceed the maximum together with what was
    charged.
    """
    parts = tuple(_parts(rates, billed.units, billed.units + units, currency, WHOLE))
    bounds = _bounds(rates, bounds_share, currency)
    return RatedCharge(parts, *_bound_late(bounds, total(part.amount for part in parts), billed, currency))


def _held(parts: tuple[RatedPart, ...], bounds: Bounds, currency: Currency) -> RatedCharge:
    """Return the parts with the adjustment of their sum."""
    return RatedCharge(parts, *_bound(bounds, total(part.amount for part in parts), currency))


def _bound(bounds: Bounds, raw: Decimal, currency: Currency) -> Bound:
    due = bounds.hold(raw)
    if due < raw:
        return Bound(due - raw, "maximum", _above(bounds, currency))
    if due > raw:
        return Bound(due - raw, "minimum", f"up to the minimum of {shown(due, currency)}")
    return Bound()


def _bound_late(bounds: Bounds, raw: Decimal, billed: Billed, currency: Currency) -> Bound:
    within = min(max(billed.adjustment, ZERO), raw)
    due = raw - within
    room = due if bounds.maximum is None else max(bounds.maximum - billed.amount - billed.adjustment, ZERO)
    if room < due:
        return Bound(room - raw, "maximum", _above(bounds, currency))
    if within:
        return Bound(-within, "minimum", "within the minimum that was charged before")
    return Bound()


def _above(bounds: Bounds, currency: Currency) -> str:
    return f"above the maximum of {shown(bounds.maximum or ZERO, currency)}"


def _bounds(rates: Rates, share: Share, currency: Currency) -> Bounds:
    least, most = (None if one is None else line_amount(one, ONE, share, currency) for one in (rates.minimum, rates.maximum))
    return Bounds(least, most)


def _parts(rates: Rates, start: Decimal, end: Decimal, currency: Currency, share: Share) -> Iterator[RatedPart]:
    """Yield the units above `start` through `end` by band. `start` units may be billed already. Refuses too many units
    (90008)."""
    if end > LARGEST_UNITS:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, Detail("{units} units", units=end))
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
        yield end - start, band_reached(rates.bands, end, rates.edge)


def band_reached(bands: tuple[Band, ...], units: Decimal, edge: str = BandEdge.ABOVE.value) -> Band:
    """Return the band that contains this number of units; the first band for 0. `edge` says which band has its beginning."""
    if edge == BandEdge.REACHED:
        return next(band for band in bands if band.to_unit is None or units < band.to_unit)
    return next(band for band in bands if band.to_unit is None or units <= band.to_unit)


def single_rate(rates: Rates) -> Decimal | None:
    """Return the rate of a price without bands, else None."""
    return None if rates.is_banded else rates.bands[0].rate


def shown(amount: Decimal, currency: Currency) -> str:
    return f"{rounded(amount, currency):f}"
