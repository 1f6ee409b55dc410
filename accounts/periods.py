"""PURE: bill days, billing periods and the dates at which cycles are due. Knows nothing of money or of the database.

Days are inclusive at both ends: a monthly period from 25 January runs through 24 February.
"""

import calendar
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

ONE_DAY = timedelta(days=1)


class Period(NamedTuple):
    """The days from start to end, both included, and how many days the full period has that they are (part of)."""

    start: date
    end: date
    full_days: int

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def is_whole(self) -> bool:
        return self.days == self.full_days


class InstanceDates(NamedTuple):
    """When a plan instance begins, ends (its last day; None: runs on) and through which day it is billed."""

    start: date
    end: date | None
    billed_through: date | None

    @property
    def unbilled_from(self) -> date | None:
        """The first day that is still to be billed; None when the instance is billed to its end."""
        day = self.start if self.billed_through is None else self.billed_through + ONE_DAY
        return None if self.end is not None and day > self.end else day


def bill_date_in_month(year: int, month: int, bill_day: int) -> date:
    """The bill day of a month; in a shorter month its last day."""
    return date(year, month, min(bill_day, calendar.monthrange(year, month)[1]))


def bill_date_months_on(day: date, months: int, bill_day: int) -> date:
    """The bill date so many months after the month of `day` (before it, where negative)."""
    years, month0 = divmod(day.month - 1 + months, 12)
    return bill_date_in_month(day.year + years, month0 + 1, bill_day)


def bill_date_on_or_after(day: date, bill_day: int) -> date:
    this_month = bill_date_in_month(day.year, day.month, bill_day)
    return this_month if this_month >= day else bill_date_months_on(day, 1, bill_day)


def cycle_from(start: date, bill_day: int, interval: int) -> Period:
    """The period that begins on `start`: `interval` months from a bill day, else the stub to the day before the next one.

    A stub is part of the full period that ends with it, so a price for three months is spread over that quarter's days.
    """
    next_bill_date = bill_date_on_or_after(start, bill_day)
    if next_bill_date == start:
        end = bill_date_months_on(start, interval, bill_day) - ONE_DAY
        return Period(start, end, (end - start).days + 1)
    full_start = bill_date_months_on(next_bill_date, -interval, bill_day)
    return Period(start, next_bill_date - ONE_DAY, (next_bill_date - full_start).days)


def cycles_due(dates: InstanceDates, bill_date: date, bill_day: int, interval: int) -> Iterator[Period]:
    """The periods of a plan instance that a bill of `bill_date` charges: its unbilled days before it, and the cycle it begins.

    An instance that began late gets its catch-up days as periods of their own. One that ends gets the days it has.
    """
    start = dates.unbilled_from
    while start is not None and start <= bill_date:
        cycle = cycle_from(start, bill_day, interval)
        end = cycle.end if dates.end is None else min(cycle.end, dates.end)
        yield Period(start, end, cycle.full_days)
        start = None if end == dates.end else end + ONE_DAY


def next_bill_date(instances: Iterable[InstanceDates], bill_day: int, last_bill_date: date | None) -> date | None:
    """When an account is due next: the earliest of its instances' dates; None when all are billed to their ends.

    The first cycle is due when the first instance begins. From then on cycles are due on bill days after the last one, so
    an instance that begins in between waits for the next bill day, and its catch-up days are charged there.
    """
    running = [dates for dates in instances if dates.unbilled_from is not None]
    if not running:
        return None
    earliest = min(dates.unbilled_from for dates in running if dates.unbilled_from is not None)
    if last_bill_date is None and all(dates.billed_through is None for dates in running):
        return earliest
    if last_bill_date is not None:
        earliest = max(earliest, last_bill_date + ONE_DAY)
    return bill_date_on_or_after(earliest, bill_day)
