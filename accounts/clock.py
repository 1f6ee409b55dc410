"""A client's date and time: its time zone and, outside production, a virtual offset that only moves forward.

Views and commands read the clock here and pass `today` to services, which never read a clock.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import MOVE_CLOCK, check_may
from accounts.trail import Act, acts_of_call, record_acts
from accounts.validators import LAST_YEAR
from billing_site.errors import BillingError, Detail, ErrorCode


class ClockTime(NamedTuple):
    """A moment by a client's virtual clock and by the real one, both in the client's time zone."""

    virtual: datetime
    system: datetime

    @property
    def offset_hours(self) -> int:
        """How far the virtual clock is ahead, in whole hours. Negative: behind."""
        # In UTC, because Python ignores daylight saving changes between two times of one zone.
        return round((self.virtual.astimezone(UTC) - self.system.astimezone(UTC)) / timedelta(hours=1))


def local_time(client: Client) -> datetime:
    """Return the client's date and time. In production the virtual offset is ignored."""
    return _in_zone(client, timezone.now() + (client.clock_offset if settings.VIRTUAL_CLOCK else timedelta()))


def _in_zone(client: Client, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(client.time_zone))


def clock_time(client: Client) -> ClockTime:
    """Return the time of both clocks. Refuses in production (90005)."""
    if not settings.VIRTUAL_CLOCK:
        raise BillingError(ErrorCode.CLOCK_IN_PRODUCTION)
    return _clock_time(client, timezone.now(), client.clock_offset)


def _clock_time(client: Client, at: datetime, offset: timedelta) -> ClockTime:
    return ClockTime(_in_zone(client, at + offset), _in_zone(client, at))


def today(client: Client) -> date:
    """Return the client's date, which decides whether its accounts are due."""
    return local_time(client).date()


def offset_to(day: date, time_zone: str) -> timedelta:
    """Return the offset that sets a new client's virtual clock to noon of a day, past or future."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(time_zone)) - timezone.now()


def day_of(client: Client, moment: datetime) -> date:
    """Return the client's date of a stored moment."""
    return _in_zone(client, moment).date()


ADVANCED = "clock.advanced"
BY_COMMAND = Caller(process="clock")


def advance_clock(client: Client, hours: int, caller: Caller = BY_COMMAND) -> ClockTime:
    """Move the client's virtual clock forward by whole hours (Aria's advance_virtual_datetime) and return the new time.

    Refuses in production (90005), negative hours (90006), and a time after the last supported year (1016).
    """
    if not settings.VIRTUAL_CLOCK:
        raise BillingError(ErrorCode.CLOCK_IN_PRODUCTION)
    check_may(caller, MOVE_CLOCK)
    if hours < 0:
        raise BillingError(ErrorCode.CLOCK_BACKWARDS, field="hours")
    with transaction.atomic():
        locked = Client.objects.select_for_update(no_key=True).get(pk=client.pk)
        locked.clock_offset += timedelta(hours=hours)
        _check_end(locked.clock_offset)
        locked.save(update_fields=["clock_offset"])
        at = timezone.now()
        moved = _clock_time(client, at, locked.clock_offset)
        record_acts(client, caller, [Act(ADVANCED, after={"hours": hours, "local_time": moved.virtual.isoformat()})], at)
    client.clock_offset = locked.clock_offset
    return moved


def clock_set_by(client: Client, caller: Caller) -> ClockTime:
    """Return the time to which this call moved the clock, and when, for a retry of the call."""
    (event,) = acts_of_call(caller.receipt, ADVANCED)
    return ClockTime(datetime.fromisoformat(event.after["local_time"]), _in_zone(client, event.at))


def _check_end(offset: timedelta) -> None:
    """Refuse a clock beyond the last supported year: no plan ends after 2999, and Python has no dates after 9999."""
    if (timezone.now() + offset).year > LAST_YEAR:
        raise BillingError(
            ErrorCode.INVALID_INPUT,
            Detail("hours: the virtual clock cannot go beyond the year {year}", year=LAST_YEAR),
            field="hours",
        )


def advance_clock_to(client: Client, day: date) -> datetime:
    """Move the client's virtual clock to noon of a day that is not in the past. If it is that day already, nothing moves."""
    now = local_time(client)
    if day == now.date():
        return now
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(client.time_zone))
    hours, rest = divmod(noon - now, timedelta(hours=1))
    if hours < 0:
        raise BillingError(ErrorCode.CLOCK_BACKWARDS, field="date")
    return advance_clock(client, hours + bool(rest)).virtual
