"""PURE: the price of a charge as a value: its terms, its bands, and which of several prices applies on a day."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_CEILING, Context, Decimal
from itertools import pairwise
from typing import NamedTuple

from accounts.kinds import BANDED_MODELS, BandEdge, RateModel
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, Detail, ErrorCode, word

ZERO = Decimal(0)
_EXACT = Context(prec=60)


class PerRecord(NamedTuple):
    """How the units of each usage record are rounded before they are priced: up to a multiple of `increment`, and to at least
    `minimum`. None: they are not."""

    increment: Decimal | None = None
    minimum: Decimal | None = None

    def charged(self, units: Decimal) -> Decimal | None:
        """Return the units that a record counts as, or None if records are not rounded."""
        if self.increment is None:
            return None if self.minimum is None else max(units, self.minimum)
        least = max(units, self.minimum or ZERO)
        increments = _EXACT.divide(least, self.increment).to_integral_value(ROUND_CEILING)
        return _EXACT.multiply(increments, self.increment)

    @property
    def story(self) -> str:
        """Return the rounding in words, empty if there is none."""
        words = [] if self.increment is None else [f"in increments of {shown_units(self.increment)}"]
        words += [] if self.minimum is None else [f"of at least {shown_units(self.minimum)}"]
        return f"each record {', '.join(words)}" if words else ""


class Band(NamedTuple):
    """Units above `from_unit` through `to_unit` (None: no end) at one rate. Bands are numbered from 1. If the price's edge is
    `reached`, the band has `from_unit` itself and not `to_unit`."""

    tier_no: int
    from_unit: Decimal
    to_unit: Decimal | None
    rate: Decimal


class Rates(NamedTuple):
    """One price of a charge in one currency. A rate that is the same for all units is a single band."""

    schedule_no: int
    currency: str
    model: str
    bands: tuple[Band, ...]
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    valid_from: date = date.min
    valid_to: date | None = None
    edge: str = BandEdge.ABOVE.value

    @property
    def is_banded(self) -> bool:
        return self.model in BANDED_MODELS

    def is_valid(self, currency: str, day: date) -> bool:
        return self.currency == currency and self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def bands_of(tiers: Iterable[tuple[Decimal, Decimal]]) -> tuple[Band, ...]:
    """Return bands from their beginnings and rates. Each band ends where the next one begins."""
    ordered = sorted(tiers)
    ends: list[Decimal | None] = [from_unit for from_unit, _ in ordered[1:]]
    return tuple(
        Band(number, from_unit, to_unit, rate)
        for number, ((from_unit, rate), to_unit) in enumerate(zip(ordered, [*ends, None], strict=True), 1)
    )


def rates_on(day: date, currency: str, prices: Iterable[Rates]) -> Rates | None:
    """Return the price that applies on a day: of the valid ones, the one that began last."""
    return max((one for one in prices if one.is_valid(currency, day)), key=lambda one: one.valid_from, default=None)


class TierTerms(NamedTuple):
    """A requested band. `to_unit` may be left out: it is where the next band begins."""

    from_unit: Decimal
    rate_per_unit: Decimal
    to_unit: Decimal | None = None


class RateTerms(NamedTuple):
    """A requested price, before it is stored."""

    currency: str
    rate_per_unit: Decimal | None = None
    model: str = RateModel.PER_UNIT.value
    tiers: tuple[TierTerms, ...] = ()
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    band_edge: str = BandEdge.ABOVE.value


def rates_of(terms: RateTerms, schedule_no: int = 0) -> Rates:
    """Return a price by its terms, with its bands in order."""
    one_rate = [] if terms.rate_per_unit is None else [(ZERO, terms.rate_per_unit)]
    bands = bands_of(one_rate or [(tier.from_unit, tier.rate_per_unit) for tier in terms.tiers])
    return Rates(
        schedule_no,
        terms.currency,
        terms.model,
        bands,
        terms.minimum_amount,
        terms.maximum_amount,
        terms.valid_from or date.min,
        terms.valid_to,
        terms.band_edge,
    )


def check_terms(terms: RateTerms) -> None:
    """Refuse a price that is inconsistent.

    A flat fee and a price per unit have one rate; tiered and volume prices have bands without gaps from 0. The minimum is not
    above the maximum, and the end not before the beginning.
    """
    _check_rate_or_bands(terms)
    if terms.band_edge == BandEdge.REACHED and terms.model != RateModel.VOLUME:
        raise _wrong(
            "band_edge",
            Detail(
                "only a volume price has bands that are reached; begin each band of a {model} price one unit lower",
                model=word(terms.model),
            ),
        )
    least, most = terms.minimum_amount, terms.maximum_amount
    if least is not None and most is not None and least > most:
        raise _wrong(
            "maximum_amount",
            Detail("the minimum {least} is above the maximum {most}", least=shown_units(least), most=shown_units(most)),
        )
    if terms.valid_from is not None and terms.valid_to is not None and terms.valid_to < terms.valid_from:
        raise _wrong(
            "valid_to",
            Detail("it starts on {start} but ends on {end}", start=terms.valid_from, end=terms.valid_to),
        )


def _check_rate_or_bands(terms: RateTerms) -> None:
    if terms.model in BANDED_MODELS:
        if terms.rate_per_unit is not None:
            raise _wrong(
                "rate_per_unit",
                Detail("a {model} price has a rate in each band; leave rate_per_unit out", model=word(terms.model)),
            )
        check_bands(terms.tiers)
    else:
        if terms.tiers:
            raise _wrong("tiers", Detail("a {model} price has no bands; leave them out", model=word(terms.model)))
        if terms.rate_per_unit is None:
            raise BillingError(ErrorCode.MISSING_PARAMETER, field="rate_per_unit")


def check_bands(tiers: Sequence[TierTerms]) -> None:
    """Refuse bands that do not begin at 0 or that overlap or leave gaps."""
    if not tiers:
        raise BillingError(ErrorCode.MISSING_PARAMETER, field="tiers")
    ordered = sorted(tiers, key=lambda tier: tier.from_unit)
    if ordered[0].from_unit != ZERO:
        raise _wrong(
            "tiers",
            Detail("units up to {first} have no band; the first band must start at 0", first=shown_units(ordered[0].from_unit)),
        )
    for one, after in pairwise(ordered):
        begin, end = after.from_unit, one.to_unit
        if one.from_unit == begin:
            raise _wrong("tiers", Detail("two bands start at {begin}", begin=shown_units(begin)))
        if end is not None and end > begin:
            raise _wrong(
                "tiers",
                Detail(
                    "bands overlap: one ends at {end}, the next starts at {begin}",
                    end=shown_units(end),
                    begin=shown_units(begin),
                ),
            )
        if end is not None and end < begin:
            raise _wrong(
                "tiers", Detail("units from {end} to {begin} have no band", end=shown_units(end), begin=shown_units(begin))
            )
    if ordered[-1].to_unit is not None:
        raise _wrong(
            "tiers",
            Detail(
                "units above {last} have no band; leave the end of the last band empty", last=shown_units(ordered[-1].to_unit)
            ),
        )


def _wrong(field: str, detail: Detail) -> BillingError:
    return BillingError(ErrorCode.RATE_TERMS, detail, field=field)


def shown_rate(rate: Decimal, currency: str) -> str:
    """Return a rate with at least the decimals of its currency: 30.00 and 0.0125."""
    least = currency_of(currency).exponent
    shown = f"{rate.normalize():f}"
    return shown if len(shown.partition(".")[2]) > least else f"{rate:.{least}f}"


def shown_units(units: Decimal) -> str:
    return f"{units.normalize():f}"
