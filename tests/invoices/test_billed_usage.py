"""Usage on invoices: by cycle and band, held and let go of, late, between its least and its most, and before it is billed."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import RateSchedule
from accounts.services.plans import end_plan_instance
from invoices.models import Invoice, Usage
from invoices.plan import unbilled_usage
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices, regenerate_invoices
from invoices.services.billing.generating import generate_invoices
from invoices.services.planning.facts import read_facts
from invoices.services.planning.previewing import preview_invoices, rate_unbilled_usage
from tests.support.billing import (
    APR_10,
    FEB_9,
    FEB_10,
    JAN_10,
    JAN_31,
    MAR_5,
    MAR_9,
    MAR_10,
    USAGE,
    amounts,
    bill,
    charged,
    metered,
)
from tests.support.factories import BY_TEST, TaxRateFactory, a_charge, a_plan, an_instance, some_usage
from tests.support.outcomes import error_of

pytestmark = pytest.mark.usefixtures("audited")


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
    end_plan_instance(instance, date(2026, 1, 20), caller=BY_TEST)
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


def test_late_usage_of_an_ended_plan_is_on_the_accounts_next_invoice(acme, process):
    account, instance = metered(acme)
    an_instance(account, a_plan(acme), JAN_10)
    bill(account, process, JAN_10)
    end_plan_instance(instance, JAN_31, caller=BY_TEST)
    bill(account, process, FEB_10)
    some_usage(instance, "calls", "20", JAN_31)
    assert charged(bill(account, process, MAR_10), USAGE) == [("Calls", D(20), D("2.00"), JAN_10, JAN_31)]


def late_lines(invoice):
    return [(line.description, line.amount, line.explanation) for line in invoice.lines.all()]


def test_late_usage_goes_on_in_its_bands_after_the_plan_was_ended_in_its_billed_cycle(acme, process):
    account, instance = metered(acme, tiers={"0": "1.00", "100": "0.10"})
    an_instance(account, a_plan(acme, {"line": "1.00"}), JAN_10)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "90", date(2026, 2, 1))
    bill(account, process, FEB_10)
    end_plan_instance(instance, date(2026, 1, 20), caller=BY_TEST)
    some_usage(instance, "calls", "20", date(2026, 1, 13))
    assert amounts(bill(account, process, MAR_10), USAGE) == [D("10.00"), D("1.00")]


def test_a_minimum_that_came_later_is_not_said_to_have_been_charged(acme, process):
    account, instance = metered(acme, rate="1.00")
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "2", JAN_31)
    bill(account, process, FEB_10)
    RateSchedule.objects.update(minimum_amount=D("50.00"))
    some_usage(instance, "calls", "20", JAN_31)
    assert late_lines(bill(account, process, MAR_10)) == [
        ("Calls", D("20.00"), "late usage, 2 units were billed before"),
        ("Calls, minimum", D("50.00"), "up to the minimum of 50.00"),
    ]


def test_late_usage_does_not_go_above_the_maximum_with_what_was_charged_whatever_the_rate_is_now(acme, process):
    account, instance = metered(acme, rate="1.00", maximum_amount=D("20.00"))
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "500", JAN_31)
    bill(account, process, FEB_10)
    RateSchedule.objects.update(rate_per_unit=D("0.10"))
    some_usage(instance, "calls", "100", JAN_31)
    assert late_lines(bill(account, process, MAR_10)) == [
        ("Calls", D("10.00"), "late usage, 500 units were billed before"),
        ("Calls, maximum", D("-10.00"), "above the maximum of 20.00"),
    ]


def test_usage_before_an_opening_position_is_charged_and_no_minimum_is_given_back(acme, process):
    account, instance = metered(acme, rate="1.00", minimum_amount=D("31.00"))
    type(instance).objects.update(billed_through=FEB_9)
    type(account).objects.update(next_bill_date=FEB_10)
    account.refresh_from_db()
    some_usage(instance, "calls", "5", JAN_31)
    assert late_lines(bill(account, process, FEB_10)) == [("Calls", D("5.00"), "late usage, 0 units were billed before")]


def test_all_usage_after_a_plans_last_day_is_on_the_invoice_of_its_last_cycle_also_in_a_batch(acme, process):
    behind, instance = metered(acme, rate="1.00")
    ahead, _ = metered(acme, rate="1.00")
    for account, days in ((behind, [JAN_10]), (ahead, [JAN_10, FEB_10])):
        for day in days:
            bill(account, process, day)
    some_usage(instance, "calls", "5", date(2026, 1, 15))
    some_usage(instance, "calls", "100", date(2026, 2, 20))
    end_plan_instance(instance, date(2026, 1, 20), caller=BY_TEST)
    outcomes = generate_invoices(client=acme, account_nos=[behind.pk, ahead.pk], request=BillingRequest(MAR_10), caller=process)
    assert [error_of(one) for one in outcomes] == [None, None]
    assert Invoice.objects.get(account=behind).total_amount == D("105.00")
    assert not Usage.objects.filter(invoice=None).exists()


def test_usage_is_billed_by_the_alternate_bill_day_that_is_asked_for(acme, process):
    account, instance = metered(acme, rate="1.00")
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "3", date(2026, 1, 12))
    some_usage(instance, "calls", "4", date(2026, 2, 1))
    assert charged(bill(account, process, FEB_10, alt_bill_day=25)) == [
        ("Calls", D(3), D("3.00"), JAN_10, date(2026, 1, 24)),
    ]
