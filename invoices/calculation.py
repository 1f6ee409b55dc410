"""PURE: amounts of money: rounding, line amounts, splits, totals and tax lines. The one place that rounds.

Amounts are Decimal, in the document's currency. Rounding is half up (away from zero) to the currency's smallest unit.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from billing_site.common.currencies import AMOUNT_PLACES, LARGEST_AMOUNT, decimals_of, rounded_to
from billing_site.errors import BillingError, ErrorCode

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
FACTOR_PLACES = Decimal("1E-10")

MOST_BEFORE_TAX = (LARGEST_AMOUNT / 2).quantize(Decimal(1), ROUND_DOWN)
"""What usage and orders may bring the lines of an invoice to: taxes have room beside them."""

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@cache
def smallest_unit(currency: str) -> Decimal:
    """1 for JPY, 0.01 for USD, 0.001 for KWD."""
    return Decimal(1).scaleb(-decimals_of(currency))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount in whole smallest units of the currency, half up."""
    if abs(amount) > LARGEST_AMOUNT:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, f"{amount:f} {currency}")
    return amount.quantize(smallest_unit(currency), context=_EXACT)


def asked_amount(amount: Decimal, currency: str) -> Decimal:
    """An amount as it was sent, rounded where it is the result of a computation: where it has more decimals than any currency.

    66.66666666666667 USD is 66.67. With at most four decimals it is returned as it is: half a yen is a mistake, which the
    caller refuses.
    """
    return amount if amount == rounded_to(amount, AMOUNT_PLACES) else rounded(amount, currency)


class Share(NamedTuple):
    """So many days of a period of `total` days, of which `remaining` are left from the first of these days on."""

    days: int
    remaining: int
    total: int

    @property
    def factor(self) -> Decimal:
        """Daily proration: days covered over days of the full period, to 10 decimals."""
        return ONE if self.days == self.total else (Decimal(self.days) / self.total).quantize(FACTOR_PLACES, context=_EXACT)


WHOLE = Share(1, 1, 1)


def line_amount(rate_per_unit: Decimal, units: Decimal, share: Share, currency: str) -> Decimal:
    """Rate x units for a share of a period's days, in whole smallest units.

    What is rounded is the amount of the days that remain from the share's first day on, and of those that remain after it; the
    share is the difference. So shares that make up a period add up to the period's amount, whoever bills them.
    """
    amount = _EXACT.multiply(rate_per_unit, units)
    if share.days == share.total:
        return rounded(amount, currency)
    remaining, after = (
        rounded(_EXACT.divide(_EXACT.multiply(amount, days), share.total), currency)
        for days in (share.remaining, share.remaining - share.days)
    )
    return remaining - after


def exact_share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """amount x part / whole, not yet rounded."""
    return _EXACT.divide(_EXACT.multiply(amount, part), whole)


def split(amount: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Parts of an amount in proportion to the weights, in smallest units, that add up to it exactly.

    The running total is what is rounded, so each part is within one unit of its share and the last takes what is left.
    """
    whole = sum(weights, ZERO)
    if not whole:
        return [ZERO] * (len(weights) - 1) + [amount]
    shares = [rounded(exact_share(amount, part, whole), currency) for part in accumulate(weights)]
    shares[-1] = amount
    return [after - before for before, after in pairwise([ZERO, *shares])]


def split_first(amount: Decimal, weights: Mapping[int, Decimal], first: Container[int], currency: str) -> dict[int, Decimal]:
    """Parts of an amount by key: of the weights of the keys in `first` as much as these hold, of all others the rest."""
    own = {key: weight for key, weight in weights.items() if key in first}
    others = {key: weight for key, weight in weights.items() if key not in first}
    of_own = min(amount, sum(own.values(), ZERO)) if others else amount
    parts = dict(zip(own, split(of_own, list(own.values()), currency), strict=True)) if own else {}
    rest = amount - of_own if own else amount
    return parts | (dict(zip(others, split(rest, list(others.values()), currency), strict=True)) if others else {})


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, refused where it is too large to be stored exactly."""
    result = sum(amounts, ZERO)
    if abs(result) > LARGEST_AMOUNT:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, f"{result:f}")
    return result


def tax_amounts(
    percent: Decimal, contained: Decimal, amounts: Sequence[Decimal], currency: str, *, per_line: bool
) -> list[Decimal]:
    """What a rate takes from each of the lines that it taxes: percent of a net price, percent / (100 + all contained percents)
    of a gross one. Rounded once over all of them, its cents spread (EN 16931, BR-CO-17), or each line by itself."""
    whole = HUNDRED + contained
    if per_line:
        return [rounded(exact_share(amount, percent, whole), currency) for amount in amounts]
    return split(rounded(exact_share(sum(amounts, ZERO), percent, whole), currency), amounts, currency)
