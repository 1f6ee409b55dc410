"""What day and time it is for a client: its time zone, and outside production a virtual offset that only moves forward.

Doors ask this module and hand `today` to the services, which never read a clock themselves.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import MOVE_CLOCK, check_may
from accounts.trail import Act, acts_of_call, record_acts
from accounts.validators import LAST_YEAR
from billing_site.errors import BillingError, ErrorCode


def local_time(client: Client) -> datetime:
    """The client's date and time. In production the virtual offset counts for nothing."""
    return _at_offset(client, client.clock_offset if settings.VIRTUAL_CLOCK else timedelta())


def _at_offset(client: Client, offset: timedelta) -> datetime:
    return (timezone.now() + offset).astimezone(ZoneInfo(client.time_zone))


def today(client: Client) -> date:
    """The client's date, on which its accounts are or are not due."""
    return local_time(client).date()


def offset_to(day: date, time_zone: str) -> timedelta:
    """The clock offset with which a new client's virtual clock begins at noon of a day, past or future."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(time_zone)) - timezone.now()


ADVANCED = "clock.advanced"
BY_COMMAND = Caller(process="clock")


def advance_clock(client: Client, hours: int, caller: Caller = BY_COMMAND) -> datetime:
    """Moves the client's virtual clock forward by whole hours (Aria's advance_virtual_datetime) and gives the new time."""
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
        now = _at_offset(client, locked.clock_offset)
        record_acts(client, caller, [Act(ADVANCED, after={"hours": hours, "local_time": now.isoformat()})])
    client.clock_offset = locked.clock_offset
    return now


def clock_set_by(caller: Caller) -> datetime:
    """The time to which the caller's call has moved the clock."""
    (event,) = acts_of_call(caller.receipt, ADVANCED)
    return datetime.fromisoformat(event.after["local_time"])


def _check_end(offset: timedelta) -> None:
    """No plan ends after the year 2999, and no day can be told after 9999: a clock that stood there would never tell a time."""
    if (timezone.now() + offset).year > LAST_YEAR:
        raise BillingError(ErrorCode.INVALID_INPUT, f"hours: the clock ends with the year {LAST_YEAR}", field="hours")


def advance_clock_to(client: Client, day: date) -> datetime:
    """Moves the client's virtual clock to noon of a day that has not passed yet. The day it already is: nothing moves."""
    now = local_time(client)
    if day == now.date():
        return now
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(client.time_zone))
    hours, rest = divmod(noon - now, timedelta(hours=1))
    if hours < 0:
        raise BillingError(ErrorCode.CLOCK_BACKWARDS, field="date")
    return advance_clock(client, hours + bool(rest))
