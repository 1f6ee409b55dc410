"""Whatever is changed, and whenever it is entered: each day of each plan is charged once, as if all had been known before."""

import os
from datetime import date, timedelta
from decimal import Decimal as D
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.kinds import ChargeType
from accounts.services.plans import change_plan, end_plan_instance
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.plan.unused import unused_of
from invoices.services.planning.charged_days import read_charged_days
from tests.support.billing import bill
from tests.support.billing import charged as charged_by
from tests.support.factories import ClientFactory, PlanFactory, a_charge, a_plan, an_account, an_instance

START = date(2031, 1, 10)
BILLS = 9


class Change(NamedTuple):
    """Change the plan from a day on, after a number of bills."""

    day: int
    entered_after: int
    rate: str
    interval: int
    units: int


@st.composite
def changes(draw):
    days = sorted(draw(st.sets(st.integers(1, 200), min_size=1, max_size=3)))
    entered = sorted(draw(st.lists(st.integers(0, BILLS - 1), min_size=len(days), max_size=len(days))))
    rates, intervals, units = st.sampled_from(["10.00", "33.33", "90.00"]), st.sampled_from([1, 3, 12]), st.integers(1, 3)
    return [Change(day, after, draw(rates), draw(intervals), draw(units)) for day, after in zip(days, entered, strict=True)]


def a_plan_at(client, rate, interval):
    plan = PlanFactory(client=client, billing_interval=interval)
    a_charge(plan, "phone", rate)
    a_charge(plan, "line", rate, ChargeType.ARREARS)
    return plan


def charged(account, process, changes, interval, end, *, known):
    """Return the net amount of all invoices, minus what is still to be given back."""
    for number in range(BILLS):
        for change in changes:
            if (0 if known else change.entered_after) == number:
                change_plan(
                    instance=account.plan_instances.select_related("account").latest("pk"),
                    plan=a_plan_at(account.client, change.rate, change.interval),
                    start_date=START + timedelta(change.day),
                    units=D(change.units),
                    caller=process,
                )
        if (0 if known else BILLS - 1) == number:
            last = account.plan_instances.select_related("account").latest("pk")
            end_plan_instance(last, max(last.start_date, START + timedelta(end)), credit_unused=True, caller=process)
        account.refresh_from_db()
        if account.next_bill_date is not None:
            bill(account, process, account.next_bill_date)
    while account.next_bill_date is not None:
        bill(account, process, account.next_bill_date)
    rest = unused_of(read_charged_days([account.pk]).get(account.pk, []), currency_of("usd"))
    return sum((one.net_amount for one in account.invoices.all()), D(0)) - sum((one.amount for one in rest), D(0))


@pytest.mark.django_db
@settings(
    deadline=None,
    max_examples=int(os.environ.get("SOAK_EXAMPLES", "6")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=changes(), interval=st.sampled_from([1, 3, 12]), end=st.integers(1, 400))
def test_each_day_is_charged_once_whenever_changes_are_entered(db, process, changes, interval, end):
    # Each of a client of its own, because no document is dated before the client's last one.
    late, known = (
        an_account(one, a_plan_at(one, "30.00", interval), start=START) for one in (ClientFactory(), ClientFactory())
    )
    as_entered = charged(late, process, changes, interval, end, known=False)
    assert as_entered == charged(known, process, changes, interval, end, known=True)
    assert [report for report in run_audits() if report.findings] == []


def a_quarter_in_arrears_beside_a_month(client):
    """Of 90.00 a quarter in arrears from 10 January (90 days), beside a plan that has a bill each month."""
    account = an_account(client, a_plan(client, {"phone": "10.00"}), start=START)
    quarterly = PlanFactory(client=client, billing_interval=3)
    a_charge(quarterly, "line", "90.00", ChargeType.ARREARS)
    return account, an_instance(account, quarterly, START)


ARREARS = ChargeType.ARREARS
BILL_DATES = [date(2031, 1, 10), date(2031, 2, 10), date(2031, 3, 10)]


def test_a_quarter_in_arrears_is_charged_to_an_end_that_is_entered_after_a_bill_of_a_later_day(db, process):
    account, instance = a_quarter_in_arrears_beside_a_month(ClientFactory())
    assert [charged_by(bill(account, process, day), ARREARS) for day in BILL_DATES] == [[], [], []]
    end_plan_instance(instance, date(2031, 2, 20), caller=process)
    line = ("Line", D(1), D("42.00"), START, date(2031, 2, 20))
    assert charged_by(bill(account, process, date(2031, 4, 10)), ARREARS) == [line]
    assert charged_by(bill(account, process, date(2031, 5, 10)), ARREARS) == []


def test_an_end_that_was_entered_late_can_be_moved_out_until_it_is_billed(db, process):
    account, instance = a_quarter_in_arrears_beside_a_month(ClientFactory())
    for day in BILL_DATES:
        bill(account, process, day)
    for end in (date(2031, 2, 20), date(2031, 2, 5), date(2031, 3, 1)):
        end_plan_instance(instance, end, caller=process)
    line = ("Line", D(1), D("51.00"), START, date(2031, 3, 1))
    assert charged_by(bill(account, process, date(2031, 4, 10)), ARREARS) == [line]
    with pytest.raises(BillingError, match="the plan is billed in arrears up to 2031-03-01"):
        end_plan_instance(instance, date(2031, 3, 2), caller=process)


def test_an_end_that_was_known_at_its_bill_is_charged_once(db, process):
    account, instance = a_quarter_in_arrears_beside_a_month(ClientFactory())
    bill(account, process, BILL_DATES[0])
    end_plan_instance(instance, date(2031, 2, 5), caller=process)
    assert charged_by(bill(account, process, BILL_DATES[1]), ARREARS) == [("Line", D(1), D("27.00"), START, date(2031, 2, 5))]
    end_plan_instance(instance, date(2031, 2, 1), caller=process)
    assert charged_by(bill(account, process, BILL_DATES[2]), ARREARS) == []
