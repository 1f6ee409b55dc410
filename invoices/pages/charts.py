"""Bar charts of monthly figures, drawn as SVG by the server. The table beside a chart has the same figures."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.services.lists.dashboard import Month

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 300, 78, 14, 32
GRID_LINES = 4
GAP = 0.25
"""The part of a month's width that is left free beside its bars."""


class Bar(NamedTuple):
    x: str
    y: str
    width: str
    height: str
    series: int
    amount: Decimal
    month: date
    address: str = ""


class Label(NamedTuple):
    """A scale line with its amount, or a month."""

    at: str
    amount: Decimal = ZERO
    month: date | None = None


class Chart(NamedTuple):
    width: int
    height: int
    left: int
    right: int
    base: str
    foot: int
    bars: list[Bar]
    scale: list[Label]
    months: list[Label]


def chart_of(months: Sequence[Month], addresses: Sequence[Sequence[str]]) -> Chart | None:
    """Return three bars per month, each with the address of the list behind it; None if fewer than two months have figures.

    If more was taken back than received in a month, its bar is below the base line.
    """
    if sum(any(one[1:]) for one in months) < 2:
        return None
    values = [amount for one in months for amount in one[1:]]
    least, most = min([ZERO, *values]), max([ZERO, *values])
    step = _step(most - least)
    lowest = step * (least / step).to_integral_value(ROUND_FLOOR)
    highest = step * (most / step).to_integral_value(ROUND_CEILING)
    if highest == lowest:
        highest = step
    space = HEIGHT - TOP - BOTTOM

    def y(amount: Decimal) -> float:
        return TOP + float((highest - amount) / (highest - lowest)) * space

    slot = (WIDTH - LEFT) / max(len(months), 1)
    width = slot * (1 - GAP) / 3
    bars = []
    for place, one in enumerate(months):
        for series, amount in enumerate(one[1:]):
            x = LEFT + place * slot + slot * GAP / 2 + series * width
            ends = sorted((y(amount), y(ZERO)))
            if amount:
                sides = _svg(x), _svg(ends[0]), _svg(width), _svg(max(ends[1] - ends[0], 1))
                bars.append(Bar(*sides, series + 1, amount, one.first, addresses[place][series]))
    lines = [lowest + step * count for count in range(int((highest - lowest) / step) + 1)]
    return Chart(
        WIDTH,
        HEIGHT,
        LEFT,
        WIDTH,
        _svg(y(ZERO)),
        HEIGHT - 8,
        bars,
        [Label(_svg(y(amount)), amount=amount) for amount in lines],
        [Label(_svg(LEFT + (place + 0.5) * slot), month=one.first) for place, one in enumerate(months)],
    )


def _step(span: Decimal) -> Decimal:
    """Return the distance of scale lines: 1, 2 or 5 times a power of ten."""
    if span <= 0:
        return Decimal(1)
    raw = span / GRID_LINES
    power = Decimal(10) ** raw.adjusted()
    return next(power * times for times in (1, 2, 5, 10) if power * times >= raw)


def _svg(number: float) -> str:
    return f"{number:.1f}"
