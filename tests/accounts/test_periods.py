"""Bill days, cycles and due dates: literal dates, month ends and leap years."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.periods import (
    InstanceDates,
    bill_date_in_month,
    bill_date_on_or_after,
    cycle_from,
    cycles_due,
    next_bill_date,
)
from tests.factories import an_account


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
        # A late beginner waits for the next bill day.
        (
            [
                InstanceDates(date(2026, 1, 10), None, date(2027, 1, 9)),
                InstanceDates(date(2026, 1, 20), None, None),
            ],
            10,
            date(2026, 1, 10),
            date(2026, 2, 10),
        ),
        # One that begins on the day of the last bill waits for the next one too.
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
        an_account(acme, start=start)
