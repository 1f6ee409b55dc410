"""Bill days, cycles and due dates: literal dates, month ends and leap years."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from hypothesis import strategies as st

from accounts.periods import (
    InstanceDates,
    arrears_due,
    bill_date_in_month,
    bill_date_on_or_after,
    cycle_from,
    cycle_of,
    cycles_due,
    ended_through,
    next_bill_date,
)
from tests.support.factories import AccountFactory, a_plan, an_instance
from tests.support.random_examples import given


@pytest.mark.parametrize(
    ("year", "month", "bill_day", "expected"),
    [
        (2026, 1, 31, date(2026, 1, 31)),
        (2026, 2, 31, date(2026, 2, 28)),
        (2028, 2, 31, date(2028, 2, 29)),
        (2028, 2, 30, date(2028, 2, 29)),
        (2026, 4, 31, date(2026, 4, 30)),
        (2100, 2, 29, date(2100, 2, 28)),
    ],
)
def test_a_short_month_bills_on_its_last_day(year, month, bill_day, expected):
    assert bill_date_in_month(year, month, bill_day) == expected


@pytest.mark.parametrize(
    ("day", "bill_day", "expected"),
    [
        (date(2026, 1, 10), 10, date(2026, 1, 10)),
        (date(2026, 1, 11), 10, date(2026, 2, 10)),
        (date(2026, 12, 11), 10, date(2027, 1, 10)),
        (date(2026, 2, 28), 31, date(2026, 2, 28)),
        (date(2028, 2, 28), 31, date(2028, 2, 29)),
    ],
)
def test_the_next_bill_date_is_the_day_itself_or_after(day, bill_day, expected):
    assert bill_date_on_or_after(day, bill_day) == expected


@pytest.mark.parametrize(
    ("start", "bill_day", "interval", "end", "days", "full_days"),
    [
        # Whole periods, from 25 January through 24 February as Aria has it.
        (date(2026, 1, 25), 25, 1, date(2026, 2, 24), 31, 31),
        (date(2026, 1, 31), 31, 1, date(2026, 2, 27), 28, 28),
        (date(2026, 2, 28), 31, 1, date(2026, 3, 30), 31, 31),
        (date(2028, 1, 31), 31, 1, date(2028, 2, 28), 29, 29),
        (date(2028, 2, 29), 29, 12, date(2029, 2, 27), 365, 365),
        (date(2026, 1, 15), 15, 3, date(2026, 4, 14), 90, 90),
        (date(2026, 1, 15), 15, 6, date(2026, 7, 14), 181, 181),
        # Stubs to the day before the next bill day: part of the full period that ends with them.
        (date(2026, 1, 10), 15, 1, date(2026, 1, 14), 5, 31),
        (date(2026, 1, 16), 15, 1, date(2026, 2, 14), 30, 31),
        (date(2026, 1, 10), 15, 3, date(2026, 1, 14), 5, 92),
        (date(2026, 1, 20), 1, 12, date(2026, 1, 31), 12, 365),
        (date(2026, 2, 10), 31, 1, date(2026, 2, 27), 18, 28),
    ],
)
def test_a_cycle_is_whole_from_a_bill_day_and_a_stub_from_any_other(start, bill_day, interval, end, days, full_days):
    cycle = cycle_from(start, bill_day, interval)
    assert (cycle.start, cycle.end, cycle.days, cycle.full_days) == (start, end, days, full_days)


def test_an_instance_that_began_late_gets_its_catch_up_days_and_the_cycle():
    late = InstanceDates(date(2026, 1, 20), None, None)
    assert [(p.start, p.end, p.days, p.full_days) for p in cycles_due(late, date(2026, 2, 1), 1)] == [
        (date(2026, 1, 20), date(2026, 1, 31), 12, 31),
        (date(2026, 2, 1), date(2026, 2, 28), 28, 28),
    ]


def test_an_instance_that_began_months_ago_gets_a_period_for_each_month():
    late = InstanceDates(date(2025, 11, 20), None, None)
    assert [(p.start, p.days, p.full_days) for p in cycles_due(late, date(2026, 2, 1), 1)] == [
        (date(2025, 11, 20), 11, 30),
        (date(2025, 12, 1), 31, 31),
        (date(2026, 1, 1), 31, 31),
        (date(2026, 2, 1), 28, 28),
    ]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (date(2026, 2, 1), [(date(2026, 2, 1), date(2026, 2, 1), 28)]),
        (date(2026, 2, 10), [(date(2026, 2, 1), date(2026, 2, 10), 28)]),
        (date(2026, 2, 28), [(date(2026, 2, 1), date(2026, 2, 28), 28)]),
        (date(2026, 1, 31), []),
    ],
)
def test_an_instance_that_ends_gets_the_days_it_has(end, expected):
    ending = InstanceDates(date(2026, 1, 1), end, date(2026, 1, 31))
    assert [(p.start, p.end, p.full_days) for p in cycles_due(ending, date(2026, 2, 1), 1)] == expected


def test_an_instance_that_is_billed_ahead_has_no_cycle_due():
    quarterly = InstanceDates(date(2026, 1, 1), None, date(2026, 3, 31), 3)
    assert list(cycles_due(quarterly, date(2026, 2, 1), 1)) == []


@pytest.mark.parametrize(
    ("instances", "bill_day", "last", "expected"),
    [
        # Never billed: due when the first instance begins, whatever the bill day.
        ([InstanceDates(date(2026, 1, 10), None, None)], 15, None, date(2026, 1, 10)),
        # Billed through: the day after.
        ([InstanceDates(date(2026, 1, 10), None, date(2026, 2, 9))], 10, date(2026, 1, 10), date(2026, 2, 10)),
        # The earliest of a monthly and a yearly instance.
        (
            [
                InstanceDates(date(2026, 1, 10), None, date(2026, 2, 9)),
                InstanceDates(date(2026, 1, 10), None, date(2027, 1, 9)),
            ],
            10,
            date(2026, 1, 10),
            date(2026, 2, 10),
        ),
        # A plan that begins between two bill days is first billed on the next one.
        (
            [
                InstanceDates(date(2026, 1, 10), None, date(2027, 1, 9)),
                InstanceDates(date(2026, 1, 20), None, None),
            ],
            10,
            date(2026, 1, 10),
            date(2026, 2, 10),
        ),
        # A plan that begins on the day of the last bill is first billed on the next bill day too.
        (
            [
                InstanceDates(date(2026, 1, 10), None, date(2026, 2, 9)),
                InstanceDates(date(2026, 1, 10), None, None),
            ],
            10,
            date(2026, 1, 10),
            date(2026, 2, 10),
        ),
        # Billed elsewhere before: the day after, although no cycle was billed here.
        ([InstanceDates(date(2025, 1, 10), None, date(2026, 1, 9))], 10, None, date(2026, 1, 10)),
        # Billed to its end.
        ([InstanceDates(date(2026, 1, 10), date(2026, 1, 20), date(2026, 1, 20))], 10, date(2026, 1, 10), None),
        ([], 10, None, None),
    ],
)
def test_the_next_bill_date_of_an_account_is_the_earliest_of_its_instances(instances, bill_day, last, expected):
    assert next_bill_date(instances, bill_day, last) == expected


@given(
    start=st.dates(date(2020, 1, 1), date(2032, 12, 31)),
    bill_day=st.integers(1, 31),
    interval=st.sampled_from([1, 3, 6, 12]),
)
def test_cycles_follow_each_other_without_hole_or_overlap_and_end_before_a_bill_day(start, bill_day, interval):
    first = cycle_from(start, bill_day, interval)
    second = cycle_from(date.fromordinal(first.end.toordinal() + 1), bill_day, interval)
    assert second.is_whole
    assert second.start == bill_date_in_month(second.start.year, second.start.month, bill_day)
    assert 1 <= first.days <= first.full_days


@pytest.mark.parametrize("start", [date(1, 1, 1), date(1899, 12, 31), date(9999, 12, 31)])
def test_a_plan_begins_in_a_year_from_which_periods_can_be_counted(acme, start):
    with pytest.raises(ValidationError, match="not between the years 1900 and 2999"):
        an_instance(AccountFactory(client=acme), a_plan(acme), start)


# What is charged in arrears


def arrears(dates, bill_date, bill_day=10, due_from=None):
    return [(cycle.start, cycle.end, cycle.full_days) for cycle in arrears_due(dates, bill_date, bill_day, due_from)]


JAN_10, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)
FEB_9, MAR_9 = date(2026, 2, 9), date(2026, 3, 9)


def in_arrears(start, end=None, billed_through=None, interval=1):
    return InstanceDates(start, end, billed_through, interval, in_arrears=True)


@pytest.mark.parametrize(
    ("dates", "bill_date", "due_from", "expected"),
    [
        # The first bill finds no cycle that has ended, the second the first one.
        (in_arrears(JAN_10), JAN_10, None, []),
        (in_arrears(JAN_10, None, FEB_9), FEB_10, JAN_10, [(JAN_10, FEB_9, 31)]),
        # What a bill has charged is not charged by the next.
        (in_arrears(JAN_10, None, MAR_9), MAR_10, FEB_10, [(FEB_10, MAR_9, 28)]),
        # One that began in between has its catch-up days, and one that began long ago its cycles.
        (in_arrears(date(2026, 1, 20)), FEB_10, JAN_10, [(date(2026, 1, 20), FEB_9, 31)]),
        (
            in_arrears(date(2025, 12, 25)),
            FEB_10,
            JAN_10,
            [(date(2025, 12, 25), date(2026, 1, 9), 31), (JAN_10, FEB_9, 31)],
        ),
        # One that ended in the cycle has the days it had; one that ended before has been charged.
        (in_arrears(JAN_10, date(2026, 1, 20), FEB_9), FEB_10, JAN_10, [(JAN_10, date(2026, 1, 20), 31)]),
        (in_arrears(JAN_10, date(2026, 1, 20), FEB_9), MAR_10, FEB_10, []),
        # Billed elsewhere before: from the opening position, also in the middle of a cycle.
        (in_arrears(date(2025, 1, 10), None, date(2026, 1, 9)), FEB_10, None, [(JAN_10, FEB_9, 31)]),
        (in_arrears(date(2025, 1, 10), None, date(2026, 1, 14)), FEB_10, None, [(date(2026, 1, 15), FEB_9, 31)]),
        # A quarter is charged when it has ended, not in its months.
        (in_arrears(JAN_10, None, date(2026, 4, 9), 3), MAR_10, FEB_10, []),
        (
            in_arrears(JAN_10, None, date(2026, 4, 9), 3),
            date(2026, 4, 10),
            MAR_10,
            [(JAN_10, date(2026, 4, 9), 90)],
        ),
        # Nothing, where the plan charges nothing in arrears.
        (InstanceDates(JAN_10, None, FEB_9), FEB_10, JAN_10, []),
    ],
)
def test_cycles_are_charged_in_arrears_once_they_have_ended(dates, bill_date, due_from, expected):
    assert arrears(dates, bill_date, due_from=due_from) == expected


@pytest.mark.parametrize(
    ("dates", "bill_date", "expected"),
    [
        (in_arrears(JAN_10), FEB_10, FEB_9),
        (in_arrears(JAN_10), date(2026, 2, 20), FEB_9),
        (in_arrears(JAN_10, date(2026, 1, 20)), FEB_10, date.max),
        (in_arrears(JAN_10, None, None, 3), MAR_10, date(2026, 1, 9)),
        (in_arrears(JAN_10), JAN_10, date(2026, 1, 9)),
        (in_arrears(date(2026, 5, 1)), FEB_10, date(2026, 4, 30)),
    ],
)
def test_usage_is_billed_through_the_last_cycle_that_has_ended(dates, bill_date, expected):
    assert ended_through(dates, bill_date, 10) == expected


@pytest.mark.parametrize(
    ("dates", "last", "due_from", "expected"),
    [
        # Billed ahead of its date: due on the bill date all the same, for what has to be charged in arrears.
        (in_arrears(JAN_10, None, MAR_9), FEB_10, JAN_10, FEB_10),
        (InstanceDates(JAN_10, None, MAR_9), FEB_10, JAN_10, MAR_10),
        # Billed to its end in advance: due once more for the last cycle's arrears, then no more.
        (in_arrears(JAN_10, date(2026, 1, 20), date(2026, 1, 20)), JAN_10, JAN_10, FEB_10),
        (in_arrears(JAN_10, date(2026, 1, 20), date(2026, 1, 20)), FEB_10, FEB_10, None),
        # A plan that charges in arrears is due when it begins, as every plan is.
        (in_arrears(JAN_10), None, None, JAN_10),
    ],
)
def test_an_account_is_due_for_what_is_charged_in_arrears(dates, last, due_from, expected):
    assert next_bill_date([dates], 10, last, due_from) == expected


@given(
    start=st.dates(date(2020, 1, 1), date(2032, 12, 31)),
    offset=st.integers(0, 4000),
    bill_day=st.integers(1, 31),
    interval=st.sampled_from([1, 3, 6, 12]),
)
def test_the_cycle_of_a_day_is_the_one_that_counting_from_the_start_comes_to(start, offset, bill_day, interval):
    day = date.fromordinal(start.toordinal() + offset)
    cycle = cycle_from(start, bill_day, interval)
    while cycle.end < day:
        cycle = cycle_from(date.fromordinal(cycle.end.toordinal() + 1), bill_day, interval)
    assert cycle_of(day, start, bill_day, interval) == cycle


@given(
    start=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    length=st.none() | st.integers(0, 400),
    bill_day=st.integers(1, 31),
    interval=st.sampled_from([1, 3, 6, 12]),
)
def test_every_day_is_charged_in_arrears_once_and_in_advance_once(start, length, bill_day, interval):
    """Bills follow one another as the next bill date says, for three years."""
    end = None if length is None else date.fromordinal(start.toordinal() + length)
    dates = in_arrears(start, end, None, interval)
    last = due_from = None
    advance, behind = [], []
    while (due := next_bill_date([dates], bill_day, last, due_from)) is not None and due.year < 2030:
        behind += arrears_due(dates, due, bill_day, due_from)
        cycles = list(cycles_due(dates, due, bill_day))
        advance += cycles
        if cycles:
            dates = dates._replace(billed_through=cycles[-1].end)
        last = due_from = due
    for periods in (advance, behind):
        days = [day for one in periods for day in range(one.start.toordinal(), one.end.toordinal() + 1)]
        assert days == list(range(start.toordinal(), days[-1] + 1))
    assert behind == [cycle for cycle in advance if cycle.end < last]
    assert end is None or behind == advance
