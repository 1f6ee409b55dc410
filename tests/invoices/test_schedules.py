"""What is done for each client once a day: the hour in its zone, nights that change the clock, failures, several workers."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import ApiCall
from billing_site.errors import BillingError
from invoices.kinds import RunState, ScheduledAct
from invoices.models import AuditRun, BillingRun, Invoice, Schedule, Worker
from invoices.services.runs.runs import pause_run
from invoices.services.work import schedules
from invoices.services.work.executor import work
from invoices.services.work.schedules import do_next, moment_of, set_schedule, switch_off, troubled_schedules
from invoices.services.work.workers import working
from tests.support.factories import ClientFactory, an_account

pytestmark = pytest.mark.django_db
PROCESS = Caller(process="test")


@pytest.fixture(autouse=True)
def real_clocks(settings):
    settings.VIRTUAL_CLOCK = False


@pytest.fixture
def berlin():
    return ClientFactory(time_zone="Europe/Berlin")


def do_all(moment: str) -> int:
    """Do what is due at a moment, and return how many schedules that were."""
    with time_machine.travel(moment, tick=False), working("test") as worker:
        done = 0
        while do_next(worker):
            done += 1
    return done


def noted(monkeypatch):
    """The days for which bills are made instead of billing."""
    days = []
    monkeypatch.setitem(schedules._ACTS, ScheduledAct.BILL, lambda client, day: days.append(day) or "")
    return days


def at(hour: int, client, moment: str, act=ScheduledAct.BILL) -> Schedule:
    with time_machine.travel(moment, tick=False):
        return set_schedule(client=client, act=act, hour=hour, caller=PROCESS)


@pytest.mark.parametrize(
    "day, hour, moment",
    [
        (date(2026, 3, 28), 2, "2026-03-28T01:00Z"),
        (date(2026, 3, 29), 2, "2026-03-29T01:00Z"),  # skipped: 2 o'clock is 3 o'clock
        (date(2026, 3, 29), 3, "2026-03-29T01:00Z"),
        (date(2026, 10, 25), 2, "2026-10-25T00:00Z"),  # twice: the first one
        (date(2026, 10, 25), 3, "2026-10-25T02:00Z"),
    ],
)
def test_an_hour_in_a_night_that_changes_the_clock(day, hour, moment):
    assert moment_of(day, hour, "Europe/Berlin") == datetime.fromisoformat(moment)


@pytest.mark.parametrize("first", ["2026-03-27", "2026-10-23"])
def test_it_is_done_once_on_each_day_also_when_the_clock_changes(berlin, monkeypatch, first):
    days = noted(monkeypatch)
    begin = datetime.fromisoformat(f"{first}T12:00:00").replace(tzinfo=UTC)
    at(2, berlin, begin.isoformat())
    for half_hour in range(2 * 24 * 4):
        do_all((begin + timedelta(minutes=30 * half_hour)).isoformat())
    assert days == [begin.date() + timedelta(days=n) for n in (1, 2, 3, 4)]


def test_an_hour_that_has_begun_is_first_done_tomorrow(berlin, monkeypatch):
    days = noted(monkeypatch)
    schedule = at(6, berlin, "2026-01-10T05:00Z")
    assert (schedule.next_day, schedule.next_at) == (date(2026, 1, 11), datetime(2026, 1, 11, 5, tzinfo=UTC))
    assert (do_all("2026-01-10T22:59Z"), do_all("2026-01-11T05:00Z"), do_all("2026-01-11T05:01Z")) == (0, 1, 0)
    assert days == [date(2026, 1, 11)]


def test_days_that_nobody_worked_on_are_not_caught_up(berlin, monkeypatch):
    days = noted(monkeypatch)
    at(6, berlin, "2026-01-10T00:00Z")
    assert do_all("2026-01-20T12:00Z") == 1
    assert (days, Schedule.objects.get().next_day) == ([date(2026, 1, 20)], date(2026, 1, 21))


def test_what_fails_is_tried_again_and_told(berlin, monkeypatch):
    at(6, berlin, "2026-01-10T00:00Z")
    answers = ["The gateway is down.", ""]
    monkeypatch.setitem(schedules._ACTS, ScheduledAct.BILL, lambda client, day: answers.pop(0))
    assert do_all("2026-01-10T05:00Z") == 1
    schedule = Schedule.objects.get()
    assert (schedule.message, schedule.last_success_at, schedule.next_day) == ("The gateway is down.", None, date(2026, 1, 10))
    with time_machine.travel("2026-01-10T06:30Z", tick=False):
        assert troubled_schedules(berlin) == [schedule]
    assert (do_all("2026-01-10T05:09Z"), do_all("2026-01-10T05:10Z")) == (0, 1)
    schedule.refresh_from_db()
    assert (schedule.message, schedule.next_day) == ("", date(2026, 1, 11))
    with time_machine.travel("2026-01-10T06:30Z", tick=False):
        assert troubled_schedules(berlin) == []


def test_an_unexpected_error_harms_no_other_schedule(berlin, monkeypatch):
    monkeypatch.setitem(schedules._ACTS, ScheduledAct.BILL, lambda client, day: 1 / 0)
    at(6, berlin, "2026-01-10T00:00Z")
    at(6, berlin, "2026-01-10T00:00Z", ScheduledAct.AUDIT)
    assert do_all("2026-01-10T05:00Z") == 2
    assert Schedule.objects.get(act="bill").message == "unexpected error"
    assert AuditRun.objects.get().client == berlin


def test_two_workers_do_not_do_the_same(berlin, monkeypatch):
    days = noted(monkeypatch)
    at(6, berlin, "2026-01-10T00:00Z")
    with time_machine.travel("2026-01-10T06:00Z", tick=False), working("one") as one:
        Schedule.objects.update(claimed_by=one.pk)
        assert do_all("2026-01-10T06:00Z") == 0
        Worker.objects.filter(pk=one.pk).update(seen_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert do_all("2026-01-10T06:00Z") == 1
    assert days == [date(2026, 1, 10)]


def test_a_virtual_clock_decides_where_there_is_one(settings, berlin, monkeypatch):
    days = noted(monkeypatch)
    settings.VIRTUAL_CLOCK = True
    at(6, berlin, "2026-01-10T00:00Z")
    berlin.clock_offset = timedelta(days=3)
    berlin.save()
    assert do_all("2026-01-10T06:00Z") == 1
    assert days == [date(2026, 1, 13)]


def test_a_scheduled_run_is_billed_by_the_worker(berlin, monkeypatch):
    an_account(berlin)
    at(6, berlin, "2026-01-10T00:00Z")
    at(6, berlin, "2026-01-10T00:00Z", ScheduledAct.PRUNE_LOGS)
    ApiCall.objects.create(at=datetime(2020, 1, 1, tzinfo=UTC), client=berlin, method="x", http_status=200, milliseconds=1)
    with time_machine.travel("2026-01-10T06:00Z", tick=False):
        assert work(once=True) > 0
    run = BillingRun.objects.get()
    assert (run.state, run.started_by, Invoice.objects.count()) == (RunState.FINISHED, "process:schedule", 1)
    assert (ApiCall.objects.count(), Worker.objects.count()) == (0, 0)


def test_a_run_that_a_person_has_paused_is_told_by_its_schedule(berlin):
    an_account(berlin)
    at(6, berlin, "2026-01-10T00:00Z")
    do_all("2026-01-10T05:00Z")
    pause_run(BillingRun.objects.get(), caller=PROCESS)
    do_all("2026-01-11T05:00Z")
    assert Schedule.objects.get().message == f"Billing run {BillingRun.objects.get().pk} is paused. Resume or cancel it."


def test_a_schedule_that_is_set_to_its_own_hour_again_keeps_its_day(berlin):
    at(6, berlin, "2026-01-10T00:00Z")
    assert at(6, berlin, "2026-01-10T08:00Z").next_day == date(2026, 1, 10)
    with time_machine.travel("2026-01-10T08:00Z", tick=False):
        assert len(troubled_schedules(berlin)) == 1
        off = switch_off(Schedule.objects.get(), caller=PROCESS)
        assert (off.is_on, off.hour, troubled_schedules(berlin)) == (False, 6, [])
    assert at(6, berlin, "2026-01-10T08:00Z").next_day == date(2026, 1, 11)


@pytest.mark.parametrize(
    "act, rights, allowed",
    [
        ("bill", {"may_change_settings": True}, True),
        ("bill", {}, False),
        ("audit", {"may_change_settings": True}, True),
        ("collect", {"may_change_settings": True}, False),
        ("collect", {"may_change_settings": True, "may_collect": True}, True),
        ("collect", {"may_collect": True}, False),
        ("resume_collections", {"may_change_settings": True}, False),
        ("discard_stale", {"may_change_settings": True, "may_collect": True}, False),
        ("discard_stale", {"may_change_settings": True, "may_approve": True}, True),
        ("bill", {"read_only": True}, False),
    ],
)
def test_who_schedules_an_act_needs_the_right_to_it(berlin, act, rights, allowed):
    caller = Caller(api_key=create_key(berlin, name="program", caller=PROCESS, **rights)[0])
    if allowed:
        assert set_schedule(client=berlin, act=ScheduledAct(act), hour=6, caller=caller).is_on
    else:
        with pytest.raises(BillingError):
            set_schedule(client=berlin, act=ScheduledAct(act), hour=6, caller=caller)
        assert Schedule.objects.count() == 0


def test_an_hour_that_is_none_is_refused(berlin):
    with pytest.raises(BillingError, match="hour: 24 is not from 0 to 23"):
        set_schedule(client=berlin, act=ScheduledAct.BILL, hour=24, caller=PROCESS)
