"""Parts of a cycle add up to it, also where an end is moved out. What an advance invoice leaves is due on the bill date."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from accounts.services.plans import end_plan_instance
from invoices.audit import run_audits
from invoices.services.billing.one_time_charges import add_one_time_charge, cancel_one_time_charge
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import amounts, bill
from tests.support.factories import BY_TEST, PlanFactory, ServiceFactory, a_charge, a_plan, an_account, an_instance, some_usage

JAN_1, JAN_6, JAN_31, MAR_31 = date(2031, 1, 1), date(2031, 1, 6), date(2031, 1, 31), date(2031, 3, 31)
FEB_1, APR_1, MAY_1, JUN_1, JUL_1 = (date(2031, month, 1) for month in (2, 4, 5, 6, 7))


def periods(invoice):
    return [(line.amount, line.period_start, line.period_end) for line in invoice.lines.all()]


def audited():
    assert [report for report in run_audits() if report.findings] == []


@pytest.mark.parametrize(
    ("end", "first", "rest"),
    [(JAN_6, "6.00", "84.00"), (JAN_31, "31.00", "59.00"), (date(2031, 2, 10), "41.00", "49.00")],
)
def test_a_quarter_that_ended_and_was_extended_costs_a_quarter(acme, process, end, first, rest):
    account = an_account(acme, a_plan(acme, {"phone": "90.00"}, billing_interval=3), start=JAN_1)
    instance = account.plan_instances.get()
    end_plan_instance(instance, end, caller=BY_TEST)
    assert periods(bill(account, process, JAN_1)) == [(D(first), JAN_1, end)]
    instance.refresh_from_db()
    end_plan_instance(instance, date(2999, 12, 31), caller=BY_TEST)
    account.refresh_from_db()
    bill_date = account.next_bill_date
    assert [(amount, last) for amount, _, last in periods(bill(account, process, bill_date))] == [(D(rest), MAR_31)]
    assert periods(bill(account, process, APR_1)) == [(D("90.00"), APR_1, date(2031, 6, 30))]
    assert account.next_bill_date == JUL_1
    audited()


def test_the_cycles_of_a_yearly_plan_that_was_extended_begin_as_before(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "365.00"}, billing_interval=12), start=date(2030, 3, 10))
    instance = account.plan_instances.get()
    end_plan_instance(instance, date(2030, 4, 9), caller=BY_TEST)
    assert amounts(bill(account, process, date(2030, 3, 10))) == [D("31.00")]
    instance.refresh_from_db()
    end_plan_instance(instance, date(2031, 9, 9), caller=BY_TEST)
    account.refresh_from_db()
    assert periods(bill(account, process, date(2030, 5, 10)))[0][0::2] == (D("334.00"), date(2031, 3, 9))
    assert periods(bill(account, process, date(2031, 3, 10))) == [(D("183.50"), date(2031, 3, 10), date(2031, 9, 9))]


def test_a_customer_who_was_billed_elsewhere_keeps_the_cycles_of_there(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "1.00"}), start=JAN_1)
    plan = a_plan(acme, {"tv": "365.00"}, billing_interval=12)
    an_instance(account, plan, date(2029, 3, 10), billed_through=date(2031, 1, 31))
    bill(account, process, JAN_1)
    invoice = bill(account, process, FEB_1)
    assert [(one.amount, one.period_end) for one in invoice.lines.filter(plan_name=plan.name, amount__gt=1)] == [
        (D("365.00"), JAN_31.replace(year=2032))
    ]


def metered_plan(client, rate="30.00"):
    plan = PlanFactory(client=client, name="Metered")
    a_charge(plan, "internet", rate)
    a_charge(plan, "calls", "0.10", ChargeType.USAGE)
    return plan


@pytest.mark.parametrize("start", [date(2031, 4, 10), date(2031, 5, 10)])
def test_an_advance_invoice_takes_the_fee_of_a_late_plan_that_also_meters(acme, process, start):
    """The plan began in the last cycle, or in this one: its fee comes with the coming cycle, its usage on the bill date."""
    account = an_account(acme, a_plan(acme, {"phone": "10.00"}), start=APR_1)
    bill(account, process, APR_1)
    bill(account, process, MAY_1)
    late = an_instance(account, metered_plan(acme), start)
    some_usage(late, "calls", "70", start)
    account.refresh_from_db()
    advance = bill(account, process, date(2031, 5, 20), advance=True)
    before = D("21.00") + 30 if start.month == 4 else D("21.29")
    assert (advance.kind, advance.net_amount) == ("advance", before + 30 + 10)
    recurring = bill(account, process, JUN_1)
    assert (recurring.kind, amounts(recurring)) == ("recurring", [D("7.00")])
    audited()
    assert amounts(bill(account, process, JUL_1)) == [D(10), D(30)]


def test_arrears_of_a_late_plan_that_an_advance_invoice_billed_come_again_when_their_invoice_is_voided(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "10.00"}), start=APR_1)
    bill(account, process, APR_1)
    bill(account, process, MAY_1)
    plan = metered_plan(acme)
    a_charge(plan, "line", "31.00", ChargeType.ARREARS)
    an_instance(account, plan, date(2031, 4, 10))
    bill(account, process, date(2031, 5, 20), advance=True)
    recurring = bill(account, process, JUN_1)
    assert amounts(recurring) == [D("21.70"), D("31.00")]
    void_invoice(client=acme, invoice_no=recurring.pk, caller=process, today=JUN_1, reason_code=5)
    account.refresh_from_db()
    assert amounts(bill(account, process, JUN_1)) == [D("21.70"), D("31.00")]
    audited()


def order(account, process, day, rate="5.00"):
    return add_one_time_charge(
        client=account.client,
        account_no=account.pk,
        caller=process,
        today=day,
        service=ServiceFactory(client=account.client, client_service_id="visit"),
        rate_per_unit=D(rate),
    )


@pytest.mark.parametrize("ordered_first", [True, False])
def test_an_order_is_billed_on_the_date_of_a_cycle_that_was_billed_ahead(acme, process, ordered_first):
    account = an_account(acme, a_plan(acme, {"phone": "10.00"}), start=APR_1)
    bill(account, process, APR_1)
    if ordered_first:
        order(account, process, date(2031, 4, 10))
    assert amounts(bill(account, process, date(2031, 4, 12), advance=True)) == [D(10)]
    if not ordered_first:
        assert account.next_bill_date == JUN_1
        order(account, process, date(2031, 4, 20))
        account.refresh_from_db()
    assert account.next_bill_date == MAY_1
    audited()
    assert amounts(bill(account, process, MAY_1)) == [D("5.00")]
    assert account.next_bill_date == JUN_1
    audited()


def test_an_order_that_is_taken_back_leaves_no_bill_date(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "10.00"}), start=APR_1)
    bill(account, process, APR_1)
    bill(account, process, date(2031, 4, 12), advance=True)
    number = order(account, process, date(2031, 4, 20)).pk
    order(account, process, MAY_1.replace(day=2))
    cancel_one_time_charge(client=acme, order_no=number, caller=process)
    account.refresh_from_db()
    assert account.next_bill_date == JUN_1
    audited()


def test_an_order_whose_invoice_is_voided_is_due_again_on_that_date(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "10.00"}), start=APR_1)
    bill(account, process, APR_1)
    bill(account, process, date(2031, 4, 12), advance=True)
    order(account, process, date(2031, 4, 20))
    account.refresh_from_db()
    invoice = bill(account, process, MAY_1)
    void_invoice(client=acme, invoice_no=invoice.pk, caller=process, today=MAY_1, reason_code=5)
    account.refresh_from_db()
    assert account.next_bill_date == MAY_1
    audited()
    assert amounts(bill(account, process, MAY_1)) == [D("5.00")]
