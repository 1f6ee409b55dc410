"""What plans charge beyond a flat month, by the services: arrears, usage, activation, prices that change, least and most."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from accounts.models import RateSchedule
from accounts.rates import RateTerms, TierTerms
from accounts.services import add_price, change_plan, end_plan_instance
from billing_site.errors import BillingError, ErrorCode
from invoices.audit import run_audits
from invoices.models import Invoice, Usage
from invoices.plan import unbilled_usage
from invoices.plan.facts import BillingRequest
from invoices.services.facts import read_facts
from invoices.services.generating import generate_invoice
from invoices.services.pending import approve_invoices, discard_invoices, regenerate_invoices
from invoices.services.planning import preview_invoices
from invoices.services.unbilled import rate_unbilled_usage
from tests.factories import PlanFactory, TaxRateFactory, a_charge, a_plan, an_account, an_instance, some_usage

JAN_10, FEB_10, MAR_10, APR_10 = (date(2026, month, 10) for month in (1, 2, 3, 4))
JAN_31, FEB_5, FEB_9, MAR_5, MAR_9 = date(2026, 1, 31), date(2026, 2, 5), date(2026, 2, 9), date(2026, 3, 5), date(2026, 3, 9)
USAGE, ARREARS, ACTIVATION = ChargeType.USAGE, ChargeType.ARREARS, ChargeType.ACTIVATION


def bill(account, caller, day, **request):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=caller
    )
    account.refresh_from_db()
    return Invoice.objects.filter(pk=number).first()


def charged(invoice, *line_types):
    rows = invoice.lines.filter(line_type__in=line_types) if line_types else invoice.lines.exclude(line_type=2)
    return [(line.description, line.units, line.amount, line.period_start, line.period_end) for line in rows]


def amounts(invoice, *line_types):
    return [amount for _, _, amount, _, _ in charged(invoice, *line_types)]


def refused(account, caller, day):
    with pytest.raises(BillingError) as error:
        bill(account, caller, day)
    assert not Invoice.objects.exists()
    return error.value


@pytest.fixture(autouse=True)
def audited(db):
    """Whatever a test does through the services, the audit finds nothing wrong afterwards."""
    yield
    assert [report for report in run_audits() if report.findings] == []


def metered(client, rate="0.10", start=JAN_10, **terms):
    """An account whose plan charges for calls, and an instance of that plan."""
    plan = PlanFactory(client=client)
    a_charge(plan, "calls", None if "tiers" in terms else rate, USAGE, **terms)
    account = an_account(client, plan, start=start)
    return account, account.plan_instances.get()


# In arrears


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
    end_plan_instance(account.plan_instances.get(), date(2026, 1, 24))
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


def test_a_plan_that_has_to_be_caught_up_in_arrears_waits_for_the_bill_date(acme, process):
    account = an_account(acme)
    bill(account, process, JAN_10)
    plan = a_plan(acme, {"tv": "31.00"})
    a_charge(plan, "support", "31.00", ARREARS)
    an_instance(account, plan, date(2026, 1, 25))
    assert amounts(bill(account, process, JAN_31, advance=True)) == [D(30)]
    assert charged(bill(account, process, FEB_10)) == [
        ("Tv", 1, D(16), date(2026, 1, 25), FEB_9),
        ("Tv", 1, D(31), FEB_10, MAR_9),
        ("Support", 1, D(16), date(2026, 1, 25), FEB_9),
    ]


# Activation


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


# Usage


def test_usage_is_billed_by_cycle_and_a_line_a_band(acme, process):
    account, instance = metered(acme, tiers={"0": "0.10", "100": "0.05"})
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "80", JAN_10)
    some_usage(instance, "calls", "30.25", FEB_9)
    some_usage(instance, "calls", "7", FEB_10)
    assert charged(bill(account, process, FEB_10)) == [
        ("Calls", D(100), D("10.00"), JAN_10, FEB_9),
        ("Calls", D("10.25"), D("0.51"), JAN_10, FEB_9),
    ]
    assert charged(bill(account, process, MAR_10)) == [("Calls", D(7), D("0.70"), FEB_10, MAR_9)]


def test_splitting_a_record_in_two_changes_nothing(acme, process):
    bills = []
    for records in (["120.5"], ["100", "20.5"], ["0.0001", "120.4999"]):
        account, instance = metered(acme, tiers={"0": "0.10", "100": "0.05"})
        bill(account, process, JAN_10)
        for units in records:
            some_usage(instance, "calls", units, JAN_31)
        bills.append(charged(bill(account, process, FEB_10)))
    assert bills[0] == bills[1] == bills[2]


def test_ten_thousand_small_records_add_up_exactly(acme, process):
    account, instance = metered(acme, rate="1")
    bill(account, process, JAN_10)
    first = some_usage(instance, "calls", "0.1", JAN_31)
    Usage.objects.bulk_create(
        [
            Usage(
                client=acme,
                record_id=f"r{number}",
                account=account,
                plan_instance=instance,
                service_id=first.service_id,
                units=D("0.1"),
                used_at=first.used_at,
                used_on=first.used_on,
            )
            for number in range(9_999)
        ],
        batch_size=500,
    )
    assert charged(bill(account, process, FEB_10)) == [("Calls", D("1000.0000"), D("1000.00"), JAN_10, FEB_9)]


def test_a_pending_invoice_holds_its_usage_and_a_discarded_one_lets_go_of_it(acme, process, alice):
    account, instance = metered(acme)
    bill(account, process, JAN_10)
    record = some_usage(instance, "calls", "50", JAN_31)
    pending = bill(account, process, FEB_10, force_pending=True)
    record.refresh_from_db()
    assert record.invoice == pending
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=alice)
    record.refresh_from_db()
    assert record.invoice is None
    late = some_usage(instance, "calls", "10", JAN_31)
    again = bill(account, process, FEB_10, force_pending=True)
    assert charged(again) == [("Calls", D(60), D("6.00"), JAN_10, FEB_9)]
    approve_invoices(client=acme, invoice_nos=[again.pk], caller=alice, today=FEB_10)
    assert set(Usage.objects.values_list("pk", "invoice")) == {(record.pk, again.pk), (late.pk, again.pk)}


def test_regenerating_takes_in_the_usage_that_came_meanwhile(acme, process, alice):
    account, instance = metered(acme)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "50", JAN_31)
    pending = bill(account, process, FEB_10, force_pending=True)
    some_usage(instance, "calls", "10", JAN_31)
    (outcome,) = regenerate_invoices(client=acme, invoice_nos=[pending.pk], caller=alice, today=FEB_10)
    invoice = Invoice.objects.get(pk=outcome.invoice_no)
    assert charged(invoice) == [("Calls", D(60), D("6.00"), JAN_10, FEB_9)]
    assert invoice.usage.count() == 2


def test_late_usage_waits_for_the_next_invoice_and_says_which_period_it_belongs_to(acme, process):
    account, instance = metered(acme, tiers={"0": "0.10", "100": "0.05"})
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "90", JAN_31)
    bill(account, process, FEB_10)
    some_usage(instance, "calls", "20", JAN_31)
    some_usage(instance, "calls", "5", FEB_10)
    invoice = bill(account, process, MAR_10)
    assert charged(invoice) == [
        ("Calls", D(10), D("1.00"), JAN_10, FEB_9),
        ("Calls", D(10), D("0.50"), JAN_10, FEB_9),
        ("Calls", D(5), D("0.50"), FEB_10, MAR_9),
    ]
    assert [line.explanation for line in invoice.lines.all()] == ["late usage, 90 units were billed before"] * 2 + [""]


def test_late_usage_of_an_ended_plan_is_on_the_accounts_next_invoice(acme, process):
    account, instance = metered(acme)
    an_instance(account, a_plan(acme), JAN_10)
    bill(account, process, JAN_10)
    end_plan_instance(instance, JAN_31)
    bill(account, process, FEB_10)
    some_usage(instance, "calls", "20", JAN_31)
    assert charged(bill(account, process, MAR_10), USAGE) == [("Calls", D(20), D("2.00"), JAN_10, JAN_31)]


def test_a_minimum_is_charged_without_usage_and_for_part_of_a_cycle_in_part(acme, process):
    account, instance = metered(acme, minimum_amount=D("31.00"), start=date(2026, 1, 20))
    type(account).objects.update(bill_day=10)
    account.refresh_from_db()
    bill(account, process, date(2026, 1, 20))
    invoice = bill(account, process, FEB_10)
    assert charged(invoice) == [("Calls, minimum", None, D("21.00"), date(2026, 1, 20), FEB_9)]
    some_usage(instance, "calls", "100", FEB_10)
    invoice = bill(account, process, MAR_10)
    assert [(line.description, line.amount, line.explanation) for line in invoice.lines.all()] == [
        ("Calls", D("10.00"), ""),
        ("Calls, minimum", D("21.00"), "up to the minimum of 31.00"),
    ]


def test_what_is_above_a_maximum_is_taken_off_and_not_taxed(acme, process):
    TaxRateFactory(client=acme, percent=D(10))
    account, instance = metered(acme, tiers={"0": "0.10", "100": "0.05"}, maximum_amount=D("12.00"))
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "200", JAN_31)
    invoice = bill(account, process, FEB_10)
    assert [(line.description, line.amount, line.explanation) for line in invoice.lines.all()] == [
        ("Calls", D("10.00"), ""),
        ("Calls", D("5.00"), ""),
        ("Calls, maximum", D("-3.00"), "above the maximum of 12.00"),
        ("Sales tax 10 % (US-CA)", D("1.20"), ""),
    ]
    assert list(invoice.credit_details.values_list("credit_line_no", "credited_line_no", "amount")) == [(3, 1, 2), (3, 2, 1)]
    assert list(invoice.tax_details.values_list("taxed_line_no", "taxable_amount")) == [(1, D(8)), (2, D(4))]


def test_a_flat_fee_for_usage_is_charged_where_there_is_any(acme, process):
    account, instance = metered(acme, rate="25.00", model="flat")
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "3", JAN_31)
    assert charged(bill(account, process, FEB_10)) == [("Calls", D(1), D("25.00"), JAN_10, FEB_9)]
    assert bill(account, process, MAR_10) is None


def test_a_flat_fee_is_not_counted_towards_the_least_or_the_most_of_a_cycle_without_usage(acme, process):
    least, _ = metered(acme, rate="25.00", model="flat", minimum_amount=D("30.00"))
    most, _ = metered(acme, rate="25.00", model="flat", maximum_amount=D("20.00"))
    for account in (least, most):
        bill(account, process, JAN_10)
    assert charged(bill(least, process, FEB_10)) == [("Calls, minimum", None, D("30.00"), JAN_10, FEB_9)]
    assert bill(most, process, FEB_10) is None


def test_the_unbilled_view_shows_what_the_invoice_will(acme, process):
    account, instance = metered(acme, tiers={"0": "0.10", "100": "0.05"}, minimum_amount=D("20.00"))
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "150.5", JAN_31)
    facts = read_facts(acme, [account.pk], past_pending=True)
    shown = unbilled_usage(facts.accounts[account.pk], FEB_9)
    (previewed,) = preview_invoices(client=acme, account_nos=[account.pk], request=BillingRequest(FEB_10))
    invoice = bill(account, process, FEB_10)
    stored = [(line.description, line.units, line.amount) for line in invoice.lines.all()]
    assert [(line.description, line.units, line.amount) for line in shown] == stored
    assert [(line.description, line.units, line.amount) for line in previewed.plan.lines] == stored
    assert stored == [("Calls", D(100), D(10)), ("Calls", D("50.5"), D("2.53")), ("Calls, minimum", None, D("7.47"))]


def test_an_account_that_is_behind_bills_the_usage_of_each_cycle_with_its_cycle(acme, process):
    account, instance = metered(acme)
    for day, units in ((JAN_31, "10"), (FEB_10, "20"), (MAR_5, "30")):
        some_usage(instance, "calls", units, day)
    assert bill(account, process, APR_10) is None
    assert charged(bill(account, process, APR_10)) == [("Calls", D(10), D(1), JAN_10, FEB_9)]
    assert charged(bill(account, process, APR_10)) == [("Calls", D(50), D(5), FEB_10, MAR_9)]


# Prices


def test_a_new_price_holds_from_the_first_cycle_that_begins_after_it(acme, process):
    account = an_account(acme)
    charge = account.plan_instances.get().plan.charges.get()
    add_price(charge, RateTerms("usd", D("40.00"), valid_from=date(2026, 1, 20)))
    assert [amounts(bill(account, process, day)) for day in (JAN_10, FEB_10)] == [[D(30)], [D(40)]]


def test_a_price_for_a_month_stands_over_the_one_without_an_end(acme, process):
    account = an_account(acme)
    charge = account.plan_instances.get().plan.charges.get()
    add_price(charge, RateTerms("usd", D("5.00"), valid_from=FEB_10, valid_to=FEB_10))
    assert [amounts(bill(account, process, day)) for day in (JAN_10, FEB_10, MAR_10)] == [[D(30)], [D(5)], [D(30)]]


def test_a_plan_has_prices_in_several_currencies(acme, process):
    plan = a_plan(acme)
    add_price(plan.charges.get(), RateTerms("jpy", D("4500")))
    dollars, yen = an_account(acme, plan), an_account(acme, plan, currency="jpy")
    assert [bill(one, process, JAN_10).total_amount for one in (dollars, yen)] == [D(30), D(4500)]


def test_an_own_price_may_have_bands_and_shows_no_list_rate_where_there_is_not_one(acme, process):
    plan = a_plan(acme, {"seats": "10.00"})
    tiers = (TierTerms(D(0), D("8.00")), TierTerms(D(10), D("6.50")))
    account = an_account(acme)
    prices = {plan.charges.get(): RateTerms("usd", model="tiered", tiers=tiers)}
    an_instance(account, plan, JAN_10, units=D("12.5"), prices=prices)
    lines = bill(account, process, JAN_10).lines.filter(plan_name=plan.name).exclude(description="Phone")
    story = [(one.units, one.rate_per_unit, one.list_rate_per_unit, one.amount) for one in lines]
    assert story == [(10, 8, 10, D(80)), (D("2.5"), D("6.5"), 10, D("16.25"))]
    assert [(one.tier_no, one.tier_from, one.tier_to) for one in lines] == [(1, 0, 10), (2, 10, None)]


def test_a_charge_without_a_price_on_the_day_refuses_the_invoice_and_is_named(acme, process):
    account = an_account(acme)
    RateSchedule.objects.update(valid_from=FEB_10)
    error = refused(account, process, JAN_10)
    assert (error.code, error.message) == (
        ErrorCode.NO_RATE,
        "No price of the charge is valid on the day: Phone in usd on 2026-01-10",
    )


def test_bands_that_do_not_begin_at_0_refuse_the_invoice(acme, process):
    plan = PlanFactory(client=acme)
    charge = a_charge(plan, "seats", tiers={"0": "1.00"})
    account = an_account(acme, plan)
    charge.rates.get().tiers.update(from_unit=5)
    assert refused(account, process, JAN_10).code is ErrorCode.RATE_TERMS
    charge.rates.get().tiers.update(from_unit=0)


# A plan that changes in the middle of a cycle


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
    change_plan(instance=account.plan_instances.get(), plan=plans[1], start_date=day)
    first = bill(account, process, date(2026, 6, 15))
    second = bill(account, process, date(2026, 7, 15))
    lines = [line for invoice in (first, second) if invoice for line in charged(invoice) if line[4] <= cycle_end]
    assert lines == [
        ("Line", 1, D("12.00"), date(2026, 6, 15), date(2026, 6, 26)),
        ("Line", 1, D("36.00"), day, cycle_end),
    ]


def test_a_batch_of_rated_accounts_takes_the_same_number_of_queries_however_large(acme, process):
    counts = []
    for size in (1, 5):
        accounts = []
        for _ in range(size):
            account, instance = metered(acme)
            bill(account, process, JAN_10)
            some_usage(instance, "calls", "5", JAN_31)
            accounts.append(account.pk)
        with CaptureQueriesContext(connection) as queries:
            preview_invoices(client=acme, account_nos=accounts, request=BillingRequest(FEB_10))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_usage_of_a_service_that_the_plan_charges_for_no_more_is_neither_billed_nor_held(acme, process):
    account, instance = metered(acme)
    texts = a_charge(instance.plan, "texts", "0.05", USAGE)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "10", JAN_31)
    waiting = some_usage(instance, "texts", "99", JAN_31)
    texts.delete()
    assert charged(bill(account, process, FEB_10)) == [("Calls", D(10), D("1.00"), JAN_10, FEB_9)]
    waiting.refresh_from_db()
    assert waiting.invoice is None


def test_usage_after_the_plans_last_day_is_billed_with_its_last_cycle(acme, process):
    account, instance = metered(acme)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "10", JAN_31)
    end_plan_instance(instance, date(2026, 1, 20))
    account.refresh_from_db()
    assert charged(bill(account, process, FEB_10)) == [("Calls", D(10), D("1.00"), JAN_10, date(2026, 1, 20))]
    assert not Usage.objects.filter(invoice=None).exists()


def test_a_minimum_is_charged_once_where_a_customer_was_billed_elsewhere_in_the_middle_of_a_cycle(acme, process):
    account, instance = metered(acme, minimum_amount=D("31.00"))
    type(instance).objects.update(billed_through=date(2026, 1, 24))
    type(account).objects.update(next_bill_date=FEB_10)
    account.refresh_from_db()
    some_usage(instance, "calls", "10", JAN_31)
    invoice = bill(account, process, FEB_10)
    assert charged(invoice, USAGE) == [
        ("Calls", D(10), D("1.00"), date(2026, 1, 25), FEB_9),
        ("Calls, minimum", None, D("15.00"), date(2026, 1, 25), FEB_9),
    ]


def test_the_unbilled_view_goes_on_where_a_pending_invoice_stops(acme, process):
    account, instance = metered(acme, tiers={"0": "0.10", "100": "0.05"}, minimum_amount=D("5.00"))
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "100", JAN_31)
    bill(account, process, FEB_10, force_pending=True)
    some_usage(instance, "calls", "20", JAN_31)
    shown = rate_unbilled_usage(client=acme, account_no=account.pk, today=FEB_10)
    assert [(line.description, line.units, line.amount, line.period_start) for line in shown.lines] == [
        ("Calls", D(20), D("1.00"), JAN_10),
        ("Calls, minimum", None, D("5.00"), FEB_10),
    ]


def test_a_charge_that_has_only_a_customers_own_price_is_charged_at_it(acme, process):
    plan = PlanFactory(client=acme)
    charge = a_charge(plan, "special", "1.00")
    account = an_account(acme, plan)
    add_price(charge, RateTerms("usd", D("7.00")), account.plan_instances.get())
    other = an_account(acme, plan)
    RateSchedule.objects.filter(plan_instance=None).delete()
    assert amounts(bill(account, process, JAN_10)) == [D(7)]
    with pytest.raises(BillingError) as error:
        bill(other, process, JAN_10)
    assert error.value.code is ErrorCode.NO_RATE


def test_an_end_up_to_which_arrears_were_charged_is_not_moved_out(acme, process):
    plan = PlanFactory(client=acme, billing_interval=3)
    a_charge(plan, "support", "90.00", ARREARS)
    account = an_account(acme)
    instance = an_instance(account, plan, JAN_10)
    bill(account, process, JAN_10)
    end_plan_instance(instance, JAN_31)
    assert amounts(bill(account, process, FEB_10), ARREARS) == [D("22.00")]
    for end_date in (date(2026, 12, 31), date(2026, 2, 1)):
        with pytest.raises(BillingError) as error:
            end_plan_instance(instance, end_date)
        assert (error.value.code, error.value.field) == (ErrorCode.INVALID_INPUT, "end_date")
        assert "charged in arrears to 2026-01-31" in error.value.message
    assert end_plan_instance(instance, date(2026, 1, 30)).end_date == date(2026, 1, 30)
    assert [amounts(bill(account, process, date(2026, 7, 10)), ARREARS) for _ in range(4)] == [[], [], [], []]


def test_an_end_that_nothing_was_charged_to_is_moved_as_often_as_one_likes(acme, process):
    account = an_account(acme)
    instance = account.plan_instances.get()
    bill(account, process, JAN_10)
    end_plan_instance(instance, JAN_31)
    end_plan_instance(instance, date(2026, 2, 24))
    account.refresh_from_db()
    assert charged(bill(account, process, FEB_10)) == [("Phone", 1, D("16.07"), FEB_10, date(2026, 2, 24))]
