"""PURE: money: rounding, line amounts, splits, totals and tax lines. The only module that rounds.

Amounts are Decimal, in the document's currency, and are rounded to its smallest unit in the way that the currency says.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Context, Decimal
from itertools import accumulate, pairwise
from typing import NamedTuple

from billing_site.common.currencies import AMOUNT_PLACES, LARGEST_AMOUNT, ROUNDING, Currency, currency_of, rounded_to
from billing_site.errors import BillingError, Detail, ErrorCode

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
FACTOR_PLACES = Decimal("1E-10")

MOST_BEFORE_TAX = (LARGEST_AMOUNT / 2).quantize(Decimal(1), ROUND_DOWN)
"""Limit of an invoice's lines from usage and orders, so that taxes can be added."""

_EXACT = Context(prec=60, rounding=ROUNDING)


def rounded(amount: Decimal, currency: Currency) -> Decimal:
    """Return the amount in whole smallest units of the currency. Refuses one that is too large to be stored (90008)."""
    if abs(amount) > LARGEST_AMOUNT:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, Detail("{amount} {currency}", amount=amount, currency=str(currency)))
    return amount.quantize(currency.smallest_unit, currency.rounding, _EXACT)


def asked_amount(amount: Decimal, currency: Currency) -> Decimal:
    """Return a sent amount, rounded if it has more decimals than any currency and so is the result of a computation.

    66.66666666666667 USD is 66.67. With at most four decimals it is unchanged: half a yen is a mistake, which the caller
    refuses.
    """
    return amount if amount == rounded_to(amount, AMOUNT_PLACES) else rounded(amount, currency)


class Share(NamedTuple):
    """A number of days of a period of `total` days. `remaining` are the days from the first of these to the period's end."""

    days: int
    remaining: int
    total: int

    @property
    def factor(self) -> Decimal:
        """Return the daily proration factor: days covered divided by days of the full period, to 10 decimals."""
        return ONE if self.days == self.total else (Decimal(self.days) / self.total).quantize(FACTOR_PLACES, context=_EXACT)


WHOLE = Share(1, 1, 1)


def line_amount(rate_per_unit: Decimal, units: Decimal, share: Share, currency: Currency) -> Decimal:
    """Return rate x units for a share of a period, rounded to the currency's smallest unit.

    Rounded are the amount of the days remaining from the share's first day, and the amount of those remaining after the share.
    The result is their difference. So shares that make up a period add up to the period's amount, even on different invoices.
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
    """Return amount x part / whole, not rounded."""
    return _EXACT.divide(_EXACT.multiply(amount, part), whole)


def split(amount: Decimal, weights: Sequence[Decimal], currency: Currency) -> list[Decimal]:
    """Split an amount in proportion to the weights, into rounded parts that add up to it exactly.

    The running total is rounded, so each part is within one unit of its share, and the last part takes the remainder.
    """
    whole = sum(weights, ZERO)
    if not whole:
        return [ZERO] * (len(weights) - 1) + [amount]
    shares = [rounded(exact_share(amount, part, whole), currency) for part in accumulate(weights)]
    shares[-1] = amount
    return [after - before for before, after in pairwise([ZERO, *shares])]


def split_in_order(
    amount: Decimal, weights: Mapping[int, Decimal], first: Sequence[Container[int]], currency: Currency
) -> dict[int, Decimal]:
    """Split an amount by key: first among the keys in `first[0]`, up to their weights, then those in `first[1]` and so on, then
    the rest among the others."""
    if not first:
        return dict(zip(weights, split(amount, list(weights.values()), currency), strict=True)) if weights else {}
    own = {key: weight for key, weight in weights.items() if key in first[0]}
    others = {key: weight for key, weight in weights.items() if key not in first[0]}
    of_own = (min(amount, sum(own.values(), ZERO)) if others else amount) if own else ZERO
    return split_in_order(of_own, own, (), currency) | split_in_order(amount - of_own, others, first[1:], currency)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum. Refuses a sum that is too large to be stored exactly."""
    result = sum(amounts, ZERO)
    if abs(result) > LARGEST_AMOUNT:
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, format(result, "f"))
    return result


def tax_amounts(
    percent: Decimal, contained: Decimal, amounts: Sequence[Decimal], currency: Currency, *, per_line: bool
) -> list[Decimal]:
    """Return the tax of a rate on each line that it taxes.

    For a net price it is the percent; for a gross price percent / (100 + contained percents). It is rounded once over all lines
    with its cents spread (EN 16931, BR-CO-17), or with `per_line` on each line.
    """
    whole = HUNDRED + contained
    if per_line:
        return [rounded(exact_share(amount, percent, whole), currency) for amount in amounts]
    tax = rounded(exact_share(sum(amounts, ZERO), percent, whole), currency)
    below = [min(amount, ZERO) for amount in amounts]
    if not any(below):
        return split(tax, amounts, currency)
    above = [max(amount, ZERO) for amount in amounts]
    of_above = rounded(exact_share(sum(above, ZERO), percent, whole), currency)
    parts = zip(_spread(of_above, above, currency), _spread(tax - of_above, below, currency), strict=True)
    return [one + other for one, other in parts]


def _spread(amount: Decimal, weights: Sequence[Decimal], currency: Currency) -> list[Decimal]:
    """Split an amount over the weights that are not zero."""
    parts = iter(split(amount, [weight for weight in weights if weight], currency) if any(weights) else ())
    return [next(parts) if weight else ZERO for weight in weights]


def amount_text(amount: Decimal, code: str) -> str:
    """Return an amount as events and their receivers read it: with the decimals of its currency, without a sign for it."""
    return f"{rounded(amount, currency_of(code)):f}"
