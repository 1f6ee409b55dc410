"""Charges when a cycle has ended, charges once when a plan begins, and charges in advance."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from accounts.services.plans import change_plan, end_plan_instance
from billing_site.errors import BillingError, ErrorCode
from invoices.services.approving.acts import discard_invoices
from tests.support.billing import (
    ACTIVATION,
    ARREARS,
    FEB_5,
    FEB_9,
    FEB_10,
    JAN_10,
    JAN_31,
    MAR_9,
    MAR_10,
    USAGE,
    amounts,
    bill,
    charged,
)
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account, an_instance, some_usage

pytestmark = pytest.mark.usefixtures("audited")


def test_arrears_are_charged_for_the_cycle_that_has_ended(acme, process):
    plan = a_plan(acme, {"line": "30.00"})
    a_charge(plan, "support", "12.00", ARREARS)
    account = an_account(acme, plan)
    assert charged(bill(account, process, JAN_10)) == [("Line", 1, D(30), JAN_10, FEB_9)]
    assert charged(bill(account, process, FEB_10)) == [("Line", 1, D(30), FEB_10, MAR_9), ("Support", 1, D(12), JAN_10, FEB_9)]
    assert charged(bill(account, process, MAR_10), ARREARS) == [("Support", 1, D(12), FEB_10, MAR_9)]


def test_a_plan_that_charges_only_in_arrears_makes_no_invoice_when_it_begins(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "support", "12.00", ARREARS)
    account = an_account(acme, plan)
    assert bill(account, process, JAN_10) is None
    assert (account.next_bill_date, account.arrears_due_from) == (FEB_10, JAN_10)
    assert charged(bill(account, process, FEB_10)) == [("Support", 1, D(12), JAN_10, FEB_9)]


def test_the_last_cycle_in_arrears_is_billed_after_the_plan_has_ended(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "support", "31.00", ARREARS)
    account = an_account(acme, plan)
    bill(account, process, JAN_10)
    end_plan_instance(account.plan_instances.get(), date(2026, 1, 24), caller=BY_TEST)
    account.refresh_from_db()
    assert account.next_bill_date == FEB_10
    assert charged(bill(account, process, FEB_10)) == [("Support", 1, D(15), JAN_10, date(2026, 1, 24))]
    assert account.next_bill_date is None


def test_a_quarter_in_arrears_is_charged_once_among_monthly_invoices(acme, process):
    plan = PlanFactory(client=acme, billing_interval=3)
    a_charge(plan, "support", "90.00", ARREARS)
    account = an_account(acme)
    an_instance(account, plan, JAN_10)
    invoices = [bill(account, process, date(2026, 7, 10)) for _ in range(7)]
    assert [amounts(invoice, ARREARS) for invoice in invoices] == [[], [], [], [D(90)], [], [], [D(90)]]


def test_an_arrears_charge_that_a_plan_gets_later_does_not_reach_back(acme, process):
    account = an_account(acme)
    for day in (JAN_10, FEB_10):
        bill(account, process, day)
    a_charge(account.plan_instances.get().plan, "support", "12.00", ARREARS)
    assert amounts(bill(account, process, MAR_10), ARREARS) == [D(12)]


def test_a_customer_who_was_billed_elsewhere_is_charged_in_arrears_from_the_opening_position(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "support", "31.00", ARREARS)
    account = an_account(acme, a_plan(acme), start=date(2025, 6, 10))
    account.plan_instances.update(billed_through=date(2026, 1, 9))
    an_instance(account, plan, date(2025, 6, 10), billed_through=date(2026, 1, 9))
    assert account.next_bill_date == JAN_10
    assert amounts(bill(account, process, JAN_10)) == [D(30)]
    assert amounts(bill(account, process, FEB_10)) == [D(30), D(31)]


def test_ahead_of_its_date_a_cycle_is_billed_without_arrears_and_usage_which_wait_for_the_bill_date(acme, process):
    plan = a_plan(acme, {"line": "30.00"})
    a_charge(plan, "support", "12.00", ARREARS)
    a_charge(plan, "calls", "0.10", USAGE)
    account = an_account(acme, plan)
    bill(account, process, JAN_10)
    some_usage(account.plan_instances.get(), "calls", "50", JAN_31)
    advance = bill(account, process, FEB_5, advance=True)
    assert (advance.kind, amounts(advance)) == ("advance", [D(30)])
    assert (account.next_bill_date, account.last_bill_date, account.arrears_due_from) == (FEB_10, FEB_10, JAN_10)
    rest = bill(account, process, FEB_10)
    assert (rest.kind, amounts(rest), account.next_bill_date) == ("recurring", [D(12), D(5)], MAR_10)
    assert amounts(bill(account, process, MAR_10)) == [D(30), D(12)]


def test_an_account_that_begins_with_an_advance_invoice_is_charged_in_arrears_later(acme, process):
    plan = a_plan(acme, {"line": "30.00"})
    a_charge(plan, "support", "12.00", ARREARS)
    account = an_account(acme, plan, start=FEB_10)
    assert amounts(bill(account, process, JAN_31, advance=True)) == [D(30)]
    assert account.next_bill_date == MAR_10
    assert amounts(bill(account, process, MAR_10)) == [D(30), D(12)]


def test_an_advance_invoice_takes_the_fee_of_a_late_plan_and_leaves_its_arrears(acme, process):
    account = an_account(acme)
    bill(account, process, JAN_10)
    plan = a_plan(acme, {"tv": "31.00"})
    a_charge(plan, "support", "31.00", ARREARS)
    an_instance(account, plan, date(2026, 1, 25))
    assert charged(bill(account, process, JAN_31, advance=True)) == [
        ("Phone", 1, D(30), FEB_10, MAR_9),
        ("Tv", 1, D(16), date(2026, 1, 25), FEB_9),
        ("Tv", 1, D(31), FEB_10, MAR_9),
    ]
    assert charged(bill(account, process, FEB_10)) == [("Support", 1, D(16), date(2026, 1, 25), FEB_9)]


def test_an_activation_fee_is_charged_once_a_plan_instance(acme, process):
    plan = a_plan(acme, {"line": "30.00"})
    a_charge(plan, "setup", "99.00", ACTIVATION)
    account = an_account(acme, plan)
    assert charged(bill(account, process, JAN_10)) == [
        ("Setup", 1, D(99), JAN_10, JAN_10),
        ("Line", 1, D(30), JAN_10, FEB_9),
    ]
    an_instance(account, plan, FEB_10)
    assert amounts(bill(account, process, FEB_10)) == [D(30), D(99), D(30)]
    assert amounts(bill(account, process, MAR_10)) == [D(30), D(30)]


def test_a_discarded_first_invoice_leaves_the_activation_fee_to_the_next(acme, process, alice):
    plan = a_plan(acme, {"line": "30.00"})
    a_charge(plan, "setup", "99.00", ACTIVATION)
    account = an_account(acme, plan)
    pending = bill(account, process, JAN_10, force_pending=True)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=alice)
    assert amounts(bill(account, process, JAN_10), ACTIVATION) == [D(99)]


@pytest.mark.parametrize("line_type", [ChargeType.RECURRING, ARREARS])
def test_a_plan_that_is_replaced_on_the_13th_day_of_30_costs_12_and_its_successor_36(acme, process, line_type):
    """Bill day 15, cycle of 30 days from 15 June: plan A at 30.00 has 12 days, plan B at 60.00 the other 18."""
    day, cycle_end = date(2026, 6, 27), date(2026, 7, 14)
    plans = []
    for rate in ("30.00", "60.00"):
        plan = PlanFactory(client=acme)
        a_charge(plan, "line", rate, line_type)
        plans.append(plan)
    account = an_account(acme, plans[0], start=date(2026, 6, 15))
    change_plan(instance=account.plan_instances.get(), plan=plans[1], start_date=day, caller=BY_TEST)
    first = bill(account, process, date(2026, 6, 15))
    second = bill(account, process, date(2026, 7, 15))
    lines = [line for invoice in (first, second) if invoice for line in charged(invoice) if line[4] <= cycle_end]
    assert lines == [
        ("Line", 1, D("12.00"), date(2026, 6, 15), date(2026, 6, 26)),
        ("Line", 1, D("36.00"), day, cycle_end),
    ]


def test_an_end_up_to_which_arrears_were_charged_is_not_moved_out(acme, process):
    plan = PlanFactory(client=acme, billing_interval=3)
    a_charge(plan, "support", "90.00", ARREARS)
    account = an_account(acme)
    instance = an_instance(account, plan, JAN_10)
    bill(account, process, JAN_10)
    end_plan_instance(instance, JAN_31, caller=BY_TEST)
    assert amounts(bill(account, process, FEB_10), ARREARS) == [D("22.00")]
    for end_date in (date(2026, 12, 31), date(2026, 2, 1)):
        with pytest.raises(BillingError) as error:
            end_plan_instance(instance, end_date, caller=BY_TEST)
        assert (error.value.code, error.value.field) == (ErrorCode.INVALID_INPUT, "end_date")
        assert "the plan is billed in arrears up to 2026-01-31" in error.value.message
    assert end_plan_instance(instance, date(2026, 1, 30), caller=BY_TEST).end_date == date(2026, 1, 30)
    assert [amounts(bill(account, process, date(2026, 7, 10)), ARREARS) for _ in range(4)] == [[], [], [], []]


def test_an_end_that_nothing_was_charged_to_is_moved_as_often_as_one_likes(acme, process):
    account = an_account(acme)
    instance = account.plan_instances.get()
    bill(account, process, JAN_10)
    end_plan_instance(instance, JAN_31, caller=BY_TEST)
    end_plan_instance(instance, date(2026, 2, 24), caller=BY_TEST)
    account.refresh_from_db()
    assert charged(bill(account, process, FEB_10)) == [("Phone", 1, D("16.07"), FEB_10, date(2026, 2, 24))]
