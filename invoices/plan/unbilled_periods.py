"""PURE: find what a voided document billed that no live document bills and that will not be billed by itself."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from accounts.periods import ONE_DAY, InstanceDates

Days = tuple[date, date]
"""A first and a last day."""


class InstanceDays(NamedTuple):
    """Days of a plan instance."""

    plan_instance_no: int
    start: date
    end: date


class ServiceDays(NamedTuple):
    """Days of a plan instance for which a service was charged in arrears."""

    plan_instance_no: int
    service_no: int
    start: date
    end: date


class Activated(NamedTuple):
    """An activation fee that was charged."""

    plan_instance_no: int
    service_no: int


class Billed(NamedTuple):
    """What documents bill: days in advance, days in arrears, activation fees."""

    periods: tuple[InstanceDays, ...] = ()
    arrears: tuple[ServiceDays, ...] = ()
    activations: tuple[Activated, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.periods or self.arrears or self.activations)


def still_unbilled(
    voided: Billed, live: Billed, dates: Mapping[int, InstanceDates], arrears_open: Mapping[int, date]
) -> Billed:
    """Return what voided documents billed and live ones do not, without what will be billed by itself.

    `dates` are those of the plan instances: days after `billed_through` are still due, and days after their ends are not
    charged. `arrears_open` are the first days of the cycles whose arrears are still open.
    """
    return Billed(
        tuple(_missing_periods(voided.periods, live.periods, dates)),
        tuple(_missing_arrears(voided.arrears, live.arrears, dates, arrears_open)),
        tuple(one for one in voided.activations if one not in live.activations and _is_begun(dates[one.plan_instance_no])),
    )


def gaps(wanted: Days, covered: Iterable[Days]) -> list[Days]:
    """Return the days of `wanted` that are not in `covered`, as intervals in order."""
    start, end = wanted
    found: list[Days] = []
    for first, last in sorted(covered):
        if last < start or first > end:
            continue
        if first > start:
            found.append((start, first - ONE_DAY))
        start = max(start, last + ONE_DAY)
    return [*found, (start, end)] if start <= end else found


def _missing_periods(
    voided: Sequence[InstanceDays], live: Sequence[InstanceDays], dates: Mapping[int, InstanceDates]
) -> Iterable[InstanceDays]:
    for number, start, end in voided:
        instance = dates[number]
        if instance.billed_through is None:
            continue
        last = min(end, instance.billed_through, instance.end or end)
        covered = [(one.start, one.end) for one in live if one.plan_instance_no == number]
        yield from (InstanceDays(number, *days) for days in gaps((start, last), covered))


def _missing_arrears(
    voided: Sequence[ServiceDays],
    live: Sequence[ServiceDays],
    dates: Mapping[int, InstanceDates],
    arrears_open: Mapping[int, date],
) -> Iterable[ServiceDays]:
    for number, service_no, start, end in voided:
        opened, last = arrears_open.get(number), dates[number].end
        until = min(end, last or end, opened - ONE_DAY if opened is not None else end)
        covered = [(one.start, one.end) for one in live if (one.plan_instance_no, one.service_no) == (number, service_no)]
        yield from (ServiceDays(number, service_no, *days) for days in gaps((start, until), covered))


def _is_begun(dates: InstanceDates) -> bool:
    """Return whether the first days are billed. If not, the activation fee will be charged with them."""
    return dates.billed_through is not None
