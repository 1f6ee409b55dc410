"""What is done for each client once a day, from an hour of its time zone on.

A schedule is due when the hour of its day has begun in the client's zone. On a day that skips the hour it is due at the next
hour that there is; on a day that has the hour twice, at the first one. After it was done, or days later, its next day is
tomorrow: it is never done twice for one day, and never more than once to catch up. What fails is tried again after a while.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import APPROVE, CHANGE_SETTINGS, COLLECT, GENERATE, SEND_STATEMENTS, Right, check_may, may
from accounts.trail import Act, record_acts
from billing_site.common.work_now import note_work
from billing_site.errors import BillingError, Detail, ErrorCode, stored_detail
from invoices.kinds import ScheduledAct
from invoices.models import Schedule, Worker
from invoices.services.work.registry import Interrupted, KindOfWork
from invoices.services.work.workers import live_workers

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(minutes=10)
"""What has failed is tried again after this time, until it succeeds or its day is over."""

LATE_AFTER = timedelta(hours=1)
"""What is not done by then is late."""

NEEDED_BESIDE_SETTINGS: Mapping[ScheduledAct, Right] = {
    ScheduledAct.BILL: GENERATE,
    ScheduledAct.COLLECT: COLLECT,
    ScheduledAct.RESUME_COLLECTIONS: COLLECT,
    ScheduledAct.SEND_STATEMENTS: SEND_STATEMENTS,
    ScheduledAct.DISCARD_STALE: APPROVE,
}
"""Who schedules an act must have the right to it, beside the right to change settings. The others need only that."""

USUAL_HOUR = 6
"""The hour of a schedule for which nobody has chosen one."""

Perform = Callable[[Client, date], str]
"""Do a scheduled act of a client for a day. Returns why it could not be done, as a Detail, or an empty text."""

_ACTS: dict[ScheduledAct, Perform] = {}


def register_act(act: ScheduledAct, perform: Perform) -> None:
    """Have a scheduled act done by a function. It must be safe to do again on the same day."""
    _ACTS[act] = perform


def moment_of(day: date, hour: int, zone: str) -> datetime:
    """The moment in UTC at which an hour of a day begins in a time zone: the next one if the day skips it, the first of two."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def may_schedule(caller: Caller, act: ScheduledAct) -> bool:
    """Whether the caller may set the schedule of an act."""
    return all(may(caller, right) for right in _needed(act))


def _needed(act: ScheduledAct) -> list[Right]:
    return [CHANGE_SETTINGS, *([NEEDED_BESIDE_SETTINGS[act]] if act in NEEDED_BESIDE_SETTINGS else [])]


@transaction.atomic
def set_schedule(*, client: Client, act: ScheduledAct, hour: int, caller: Caller, is_on: bool = True) -> Schedule:
    """Do an act each day from an hour of the client's zone on, or with `is_on` false no more.

    The first day is today if the hour has not begun, else tomorrow. A schedule that has the hour already keeps its next day.
    Refuses who may not change settings (90009) or has no right to the act (90009, 90025, 90026), and (1016) an hour that is not
    from 0 to 23."""
    for right in _needed(act):
        check_may(caller, right)
    if not 0 <= hour <= 23:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("hour: {hour} is not from 0 to 23", hour=hour), field="hour")
    schedule = Schedule.objects.select_for_update(no_key=True).filter(client=client, act=act).first()
    if schedule is None or not (is_on and schedule.is_on and schedule.hour == hour):
        schedule, _ = Schedule.objects.update_or_create(client=client, act=act, defaults=_first_time(client, hour, is_on))
    after = {"act": act.value, "hour": hour, "is_on": is_on}
    record_acts(client, caller, [Act("schedule.changed", after=after, row_no=schedule.pk)])
    return schedule


@transaction.atomic
def do_now(*, client: Client, act: ScheduledAct, caller: Caller) -> Schedule:
    """Have a worker do a scheduled act as soon as it can, in place of the next time. A schedule that is off is switched on.

    Refuses as set_schedule.
    """
    known = Schedule.objects.filter(client=client, act=act).first()
    schedule = set_schedule(client=client, act=act, hour=known.hour if known else USUAL_HOUR, caller=caller)
    schedule.next_at = clock.local_time(client)
    schedule.save(update_fields=["next_at"])
    return schedule


def is_due(schedule: Schedule) -> bool:
    """Whether a worker does the act now, or as soon as it can."""
    return schedule.is_on and schedule.next_at <= clock.local_time(schedule.client)


def _first_time(client: Client, hour: int, is_on: bool) -> dict[str, object]:
    """The columns of a schedule that is set now."""
    now = clock.local_time(client)
    has_begun = moment_of(now.date(), hour, client.time_zone) <= now
    next_day = now.date() + timedelta(days=has_begun)
    return {"hour": hour, "is_on": is_on, "next_day": next_day, "next_at": moment_of(next_day, hour, client.time_zone)}


def switch_off(schedule: Schedule, *, caller: Caller) -> Schedule:
    """Do the act of a schedule no more. Its hour and its last success are kept. Refuses as set_schedule."""
    act = ScheduledAct(schedule.act)
    return set_schedule(client=schedule.client, act=act, hour=schedule.hour, caller=caller, is_on=False)


def due_since(schedule: Schedule) -> datetime:
    """The moment in UTC since or from which a schedule is due, also while a failed one is tried again later."""
    return moment_of(schedule.next_day, schedule.hour, schedule.client.time_zone)


def is_late(schedule: Schedule) -> bool:
    """Whether a schedule should have been done an hour ago."""
    return schedule.is_on and due_since(schedule) + LATE_AFTER < clock.local_time(schedule.client)


def schedules_of(client: Client) -> list[Schedule]:
    """The client's schedules that were ever on, in the order of ScheduledAct."""
    order = list(ScheduledAct)
    rows = Schedule.objects.filter(client=client).select_related("client")
    return sorted(rows, key=lambda one: order.index(ScheduledAct(one.act)))


def troubled_schedules(client: Client) -> list[Schedule]:
    """The client's schedules that are late or have failed the last time, in the order of ScheduledAct."""
    return [one for one in schedules_of(client) if one.is_on and (one.message or is_late(one))]


def do_next(worker: Worker) -> bool:
    """Do the schedule that is due the longest, if there is one. Says whether there was."""
    schedule = _claim(worker)
    if schedule is None:
        return False
    client, act = schedule.client, ScheduledAct(schedule.act)
    day = clock.today(client)
    note_work(schedule=act.value, client=client.pk)
    try:
        problem = _ACTS[act](client, day)
    except (OperationalError, InterfaceError):
        raise
    except Interrupted:
        Schedule.objects.filter(pk=schedule.pk, claimed_by=worker.pk).update(claimed_by=None)
        return True
    except Exception as error:
        logger.exception("schedule %s of client %s failed", act.value, client.pk)
        problem = (error if isinstance(error, BillingError) else BillingError(ErrorCode.UNEXPECTED)).as_detail
    _record(schedule, worker, day, problem)
    return True


def _claim(worker: Worker) -> Schedule | None:
    """Mark a schedule that is due as being done. Where machines claim at once, each takes another one."""
    with transaction.atomic():
        skip_locked = connection.features.has_select_for_update_skip_locked
        free = Q(claimed_by=None) | ~Q(claimed_by__in=live_workers().values("pk"))
        rows = _due().filter(free).select_related("client").order_by("next_at", "pk")
        schedule = rows.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked).first()
        if schedule is not None:
            Schedule.objects.filter(pk=schedule.pk).update(claimed_by=worker.pk, last_started_at=timezone.now())
        return schedule


def _due() -> QuerySet[Schedule]:
    """Schedules whose moment has come, by the virtual clocks of their clients where there are any."""
    rows, now = Schedule.objects.filter(is_on=True), timezone.now()
    if not settings.VIRTUAL_CLOCK:
        return rows.filter(next_at__lte=now)
    due = [one.pk for one in rows.select_related("client") if one.next_at <= now + one.client.clock_offset]
    return rows.filter(pk__in=due)


def _record(schedule: Schedule, worker: Worker, day: date, problem: str) -> None:
    """Write the result, unless another worker has taken it over, or someone has changed the schedule meanwhile."""
    offset = schedule.client.clock_offset if settings.VIRTUAL_CLOCK else timedelta()
    columns: dict[str, object] = {"claimed_by": None, "message": problem[:300], "detail": stored_detail(problem)}
    if problem:
        columns["next_at"] = timezone.now() + offset + RETRY_AFTER
    else:
        next_day = day + timedelta(days=1)
        columns |= {
            "last_success_at": timezone.now(),
            "next_day": next_day,
            "next_at": moment_of(next_day, schedule.hour, schedule.client.time_zone),
        }
    mine = Schedule.objects.filter(pk=schedule.pk, claimed_by=worker.pk)
    unchanged = mine.filter(hour=schedule.hour, next_day=schedule.next_day)
    if not unchanged.update(**columns):
        mine.update(claimed_by=None)


SCHEDULES = KindOfWork("schedules", do_next)
