"""PURE: bill days, billing periods, and the dates when cycles are due. No money, no database.

Both ends of a period are included: a monthly period from 25 January runs through 24 February.
"""

import calendar
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import NamedTuple, Protocol, TypeVar

from accounts.kinds import TrialUnit

ONE_DAY = timedelta(days=1)


class Period(NamedTuple):
    """The days from start to end, both included. `full_days` is the number of days of the full period that they belong to.

    `full_end` is the last day of the full period, if these days end earlier.
    """

    start: date
    end: date
    full_days: int
    full_end: date | None = None

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def remaining_days(self) -> int:
        """The number of days from the first of these days to the end of the full period."""
        return ((self.full_end or self.end) - self.start).days + 1

    @property
    def is_whole(self) -> bool:
        return self.days == self.full_days

    def cut(self, end: date | None) -> "Period":
        """Return these days up to `end`, if they end later."""
        return self if end is None or end >= self.end else self._replace(end=end, full_end=self.full_end or self.end)


class InstanceDates(NamedTuple):
    """The dates of a plan instance: first day, last day (None: open-ended), and the day through which it is billed in advance.

    `interval` is the number of months of its cycles. `in_arrears`: its plan bills cycles or usage when they have ended.
    `billed_elsewhere_through` is the last day billed before the customer came here. `ahead_since` is set if an advance invoice
    was the first to bill the instance: the day from which the account's arrears were then due. `end_entered_after` is set if
    the end was entered after a recurring bill of a later date: that bill's date. `trial_end` is the last day of a free trial.
    `interval` is that of charges in advance. `arrears_interval` is that of usage and charges in arrears, if it is another one.
    """

    start: date
    end: date | None
    billed_through: date | None
    interval: int = 1
    in_arrears: bool = False
    billed_elsewhere_through: date | None = None
    ahead_since: date | None = None
    end_entered_after: date | None = None
    trial_end: date | None = None
    arrears_interval: int | None = None

    @property
    def arrears_months(self) -> int:
        return self.arrears_interval or self.interval

    @property
    def charged_from(self) -> date:
        """The first day that costs anything: the day after the trial, or the start."""
        return self.start if self.trial_end is None else max(self.start, self.trial_end + ONE_DAY)

    @property
    def cycles_from(self) -> date:
        """The first day billed here. Cycles that are billed in advance are counted from it."""
        return self.start if self.billed_elsewhere_through is None else self.billed_elsewhere_through + ONE_DAY

    @property
    def unbilled_from(self) -> date | None:
        """The first unbilled day, or None if the instance is billed to its end."""
        day = self.charged_from if self.billed_through is None else self.billed_through + ONE_DAY
        return None if self.end is not None and day > self.end else day


def bill_date_in_month(year: int, month: int, bill_day: int) -> date:
    """Return the bill day of a month. In a shorter month it is the last day."""
    return date(year, month, min(bill_day, calendar.monthrange(year, month)[1]))


def bill_date_months_on(day: date, months: int, bill_day: int) -> date:
    """Return the bill date `months` months after the month of `day`. Negative: before it."""
    years, month0 = divmod(day.month - 1 + months, 12)
    return bill_date_in_month(day.year + years, month0 + 1, bill_day)


def bill_date_on_or_after(day: date, bill_day: int) -> date:
    this_month = bill_date_in_month(day.year, day.month, bill_day)
    return this_month if this_month >= day else bill_date_months_on(day, 1, bill_day)


@lru_cache(maxsize=10_000)
def cycle_from(start: date, bill_day: int, interval: int) -> Period:
    """Return the period that begins on `start`: from a bill day `interval` months, else the stub up to the next bill day.

    A stub is part of the full period that ends with it, so a price for three months is prorated over that quarter's days.
    """
    next_bill_date = bill_date_on_or_after(start, bill_day)
    if next_bill_date == start:
        end = bill_date_months_on(start, interval, bill_day) - ONE_DAY
        return Period(start, end, (end - start).days + 1)
    full_start = bill_date_months_on(next_bill_date, -interval, bill_day)
    return Period(start, next_bill_date - ONE_DAY, (next_bill_date - full_start).days)


@lru_cache(maxsize=10_000)
def cycle_of(day: date, start: date, bill_day: int, interval: int) -> Period:
    """Return the cycle that contains `day`, counted from the instance's start."""
    first = cycle_from(start, bill_day, interval)
    if day <= first.end:
        return first
    base = first.end + ONE_DAY
    months = (day.year - base.year) * 12 + day.month - base.month
    cycle_start = bill_date_months_on(base, months - months % interval, bill_day)
    if cycle_start > day:
        cycle_start = bill_date_months_on(cycle_start, -interval, bill_day)
    return cycle_from(cycle_start, bill_day, interval)


def cycles_due(dates: InstanceDates, bill_date: date, bill_day: int) -> Iterator[Period]:
    """Yield the periods that a bill of `bill_date` charges in advance: earlier unbilled days, and the cycle that begins then.

    Catch-up days of an instance that began late are separate periods. The last cycle is cut at the instance's end. If the end
    is moved to a later day, the rest of that cycle belongs to the same full period, so that its parts add up to it.
    """
    start = dates.unbilled_from
    while start is not None and start <= bill_date:
        cycle = cycle_of(start, dates.cycles_from, bill_day, dates.interval)._replace(start=start).cut(dates.end)
        yield cycle
        start = None if cycle.end == dates.end else cycle.end + ONE_DAY


def arrears_cycles(dates: InstanceDates, bill_day: int, arrears_due_from: date | None) -> Iterator[Period]:
    """Yield the cycles that no recurring invoice has charged in arrears yet, oldest first, without end.

    `arrears_due_from` is the bill date of the account's last recurring invoice: cycles that had ended by then are charged. An
    instance that no recurring invoice has billed is charged from its start, or from its opening position if it was billed
    elsewhere. The cycle that was running on that date is still open, even if an end entered later cuts it before that date.
    """
    if not dates.in_arrears:
        return
    opening = dates.billed_through + ONE_DAY if dates.billed_through and arrears_due_from is None else None
    first = max(opening or dates.start, dates.charged_from)
    day: date | None = first
    if arrears_due_from is not None and _was_on_recurring(dates, arrears_due_from):
        day = max(first, arrears_due_from)
        if is_end_open(dates.end, dates.end_entered_after, arrears_due_from):
            day = cycle_of(day, dates.start, bill_day, dates.arrears_months).start
    while day is not None and (dates.end is None or day <= dates.end):
        cycle = cycle_of(day, dates.start, bill_day, dates.arrears_months).cut(dates.end)
        yield cycle._replace(start=max(cycle.start, first))
        day = cycle.end + ONE_DAY


def is_end_open(end: date | None, entered_after: date | None, arrears_due_from: date) -> bool:
    """Whether the account's last recurring bill (of `arrears_due_from`) did not know the instance's end.

    The end is then on that date or later, or was entered after the bill.
    """
    if end is None or end >= arrears_due_from:
        return True
    return entered_after is not None and arrears_due_from <= entered_after


def _was_on_recurring(dates: InstanceDates, arrears_due_from: date) -> bool:
    """Whether a recurring invoice billed the instance, and so charged its arrears up to that date."""
    only_ahead = dates.ahead_since is not None and arrears_due_from <= dates.ahead_since
    return dates.billed_through is not None and not only_ahead


def arrears_due(dates: InstanceDates, bill_date: date, bill_day: int, arrears_due_from: date | None) -> Iterator[Period]:
    """Yield the cycles that a recurring bill of `bill_date` charges in arrears: those that ended before it."""
    return takewhile(lambda cycle: cycle.end < bill_date, arrears_cycles(dates, bill_day, arrears_due_from))


def ended_through(dates: InstanceDates, bill_date: date, bill_day: int, interval: int | None = None) -> date:
    """Return the last day whose usage a bill of `bill_date` charges: the end of the instance's last ended cycle.

    Later usage is billed when its cycle has ended. Usage after the instance's last day belongs to its last cycle. `interval` is
    that of the charge, if it has its own.
    """
    if dates.end is not None and dates.end < bill_date:
        return date.max
    if bill_date <= dates.start:
        return dates.start - ONE_DAY
    return cycle_of(bill_date, dates.start, bill_day, interval or dates.arrears_months).start - ONE_DAY


def charged_cycle(dates: InstanceDates, day: date, bill_day: int, interval: int) -> Period:
    """Return the cycle of a day, cut at the end of the plan instance and at the end of its trial.

    A day after the end belongs to the last cycle. The days of a trial are a period of their own.
    """
    within = day if dates.end is None else min(day, dates.end)
    cycle = cycle_of(within, dates.start, bill_day, interval).cut(dates.end)
    if within < dates.charged_from:
        return cycle.cut(dates.charged_from - ONE_DAY)
    return cycle._replace(start=max(cycle.start, dates.charged_from))


def trial_end(start: date, length: int, unit: str) -> date | None:
    """Return the last day of a trial of so many days, weeks or months from `start`, or None if its length is 0."""
    if not length:
        return None
    if unit == TrialUnit.MONTHS:
        return bill_date_months_on(start, length, start.day) - ONE_DAY
    return start + timedelta(days=length * (7 if unit == TrialUnit.WEEKS else 1)) - ONE_DAY


Pause = tuple[date, date | None]
"""The first and the last day of a pause of billing. None: it goes on."""


def outside_pauses(period: Period, pauses: Iterable[Pause]) -> list[Period]:
    """Return the parts of a period that are in no pause, in order. Each is a part of the same full period."""
    parts, start = [], period.start
    for first, last in sorted(pauses, key=lambda pause: pause[0]):
        if first > period.end:
            break
        if last is not None and last < start:
            continue
        if first > start:
            parts.append(period._replace(start=start).cut(first - ONE_DAY))
        if last is None or last >= period.end:
            return parts
        start = last + ONE_DAY
    return [*parts, period._replace(start=start)]


def next_bill_date(
    instances: Iterable[InstanceDates],
    bill_day: int,
    last_bill_date: date | None,
    arrears_due_from: date | None = None,
    orders_due: date | None = None,
) -> date | None:
    """Return when an account is due next: the earliest date of its instances, or None if all are billed to their ends.

    `orders_due` is the date of a cycle that was billed in advance, if one-time charges are due on that date. The first cycle is
    due when the first instance begins. Later cycles are due on bill days, so an instance that begins in between is first billed
    on the next bill day, with its catch-up days. Arrears are due on the bill day after their cycle, also if the next cycle was
    billed before its date.
    """
    instances = list(instances)
    running = [dates.unbilled_from for dates in instances if dates.unbilled_from is not None]
    if last_bill_date is None and all(dates.billed_through is None for dates in instances):
        return min(running, default=None)
    ended = [cycle.end for dates in instances for cycle in islice(arrears_cycles(dates, bill_day, arrears_due_from), 1)]
    due = [_bill_date_after(day, bill_day, last_bill_date) for day in running]
    due += [_bill_date_after(day + ONE_DAY, bill_day, arrears_due_from) for day in ended]
    due += [] if orders_due is None else [orders_due]
    return min(due, default=None)


def billed_ahead(advance: date | None, recurring: date | None) -> date | None:
    """Return the bill date of the newest advance invoice, if no recurring invoice has that date or a later one."""
    return advance if advance is not None and (recurring is None or recurring < advance) else None


def _bill_date_after(day: date, bill_day: int, last: date | None) -> date:
    """Return the first bill date on or after `day` and after `last`."""
    return bill_date_on_or_after(day if last is None else max(day, last + ONE_DAY), bill_day)


class Dated(Protocol):
    """A row of master data that is valid from a day on."""

    @property
    def valid_from(self) -> date: ...


D = TypeVar("D", bound=Dated)


def began_last(valid: Iterable[D], same: Callable[[D], Hashable]) -> list[D]:
    """Return the rows that apply. Of valid rows that `same` treats as equal, only the one that began last is kept, in input
    order."""
    newest: dict[Hashable, D] = {}
    rows = list(valid)
    for row in rows:
        held = newest.setdefault(same(row), row)
        if row.valid_from > held.valid_from:
            newest[same(row)] = row
    return [row for row in rows if newest[same(row)] is row]
