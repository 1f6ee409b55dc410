"""Generating invoices: what is stored on the document, and each refusal by its code with nothing written but an event."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.clock import offset_to, today
from accounts.models import Account, Event, PlanInstance
from accounts.rates import RateTerms
from accounts.services.plans import assign_plan
from billing_site.errors import BillingError, ErrorCode
from invoices.models import BilledPeriod, Invoice, InvoiceLine, NumberSeries, TaxDetail
from invoices.plan.facts import BillingRequest
from invoices.services.approving.decide_pending import approve_invoices
from invoices.services.billing.generating import generate_invoice, generate_invoices
from invoices.services.planning.previewing import preview_invoices
from tests.support.factories import (
    BY_TEST,
    ClientFactory,
    ContactFactory,
    ServiceFactory,
    TaxRateFactory,
    a_plan,
    an_account,
    an_instance,
)
from tests.support.outcomes import error_of

JAN_10 = date(2026, 1, 10)
FEB_10 = date(2026, 2, 10)


def bill(account, caller, day=JAN_10, **request):
    number = generate_invoice(
        client=account.client,
        account_no=account.pk,
        request=BillingRequest(day, **request),
        caller=caller,
    )
    account.refresh_from_db()
    return Invoice.objects.filter(pk=number).first()


def lines_of(invoice):
    return [
        (line.period_start, line.period_end, line.amount, line.proration_text) for line in invoice.lines.filter(line_type=1)
    ]


def refused(account, caller, day=JAN_10, **request):
    """The refusal of a bill, after proof that it wrote nothing but one event."""
    written = [model.objects.count() for model in (Invoice, InvoiceLine, TaxDetail, BilledPeriod)]
    before = Account.objects.values().get(pk=account.pk)
    events = Event.objects.count()
    with pytest.raises(BillingError) as error:
        bill(account, caller, day, **request)
    assert [model.objects.count() for model in (Invoice, InvoiceLine, TaxDetail, BilledPeriod)] == written
    assert Account.objects.values().get(pk=account.pk) == before
    assert Event.objects.count() == events + 1
    event = Event.objects.latest("pk")
    assert (event.act, event.error_code) == ("invoice.refused", error.value.code.number)
    assert event.message == error.value.message
    return error.value


def test_an_invoice_is_generated_approved_and_numbered(acme, process):
    TaxRateFactory(client=acme)
    account = an_account(acme)
    invoice = bill(account, process)
    assert (invoice.kind, invoice.status, invoice.document_number) == ("recurring", "approved", "INV-000001")
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D(30), D(3), D(33))
    assert [(line.line_no, line.line_type, line.description, line.amount) for line in invoice.lines.all()] == [
        (1, 1, "Phone", D(30)),
        (2, 2, "Sales tax 10 % (US-CA)", D(3)),
    ]
    detail = invoice.tax_details.get()
    assert (detail.tax_line_no, detail.taxed_line_no, detail.percent, detail.taxable_amount, detail.amount) == (2, 1, 10, 30, 3)
    assert (detail.authority, detail.authority_level, detail.jurisdiction) == ("Sales tax", 1, "US-CA")
    assert (account.bill_day, account.last_bill_date, account.next_bill_date) == (10, JAN_10, FEB_10)
    assert account.plan_instances.get().billed_through == date(2026, 2, 9)


def test_parties_dates_and_terms_are_frozen_on_the_document(acme, process):
    account = an_account(acme)
    ContactFactory(account=account, contact_no=2, role="billing", name="Accounts Payable", company="Byron Ltd", city="Oakland")
    invoice = bill(account, process)
    acme.name, acme.payment_terms_days = "Other", 99
    acme.save()
    account.contacts.update(name="Somebody else", city="Elsewhere")
    invoice.refresh_from_db()
    assert (invoice.seller["name"], invoice.seller["city"]) == ("Acme Telecom", "Springfield")
    assert (invoice.bill_to["name"], invoice.bill_to["company"], invoice.bill_to["city"]) == (
        "Accounts Payable",
        "Byron Ltd",
        "Oakland",
    )
    assert (invoice.invoice_date, invoice.payment_terms_days, invoice.due_date) == (JAN_10, 14, date(2026, 1, 24))


def test_an_accounts_own_payment_terms_win(acme, process):
    assert bill(an_account(acme, payment_terms_days=0), process).due_date == JAN_10


def test_a_line_tells_its_story(acme, process):
    plan = a_plan(acme, {"phone": "20.00"}, name="Phone plan")
    account = an_account(acme, plan)
    PlanInstance.objects.all().delete()
    location = acme.service_locations.create(client_service_location_id="HQ", country="US")
    plan.charges.get().service.__class__.objects.update(location=location)
    an_instance(
        account, plan, JAN_10, units=D("2.5"), po_num="PO-7", prices={plan.charges.get(): RateTerms("usd", D("18.1234567890"))}
    )
    line = bill(account, process).lines.get()
    assert (line.plan_name, line.gl_code, line.tax_category, line.po_num) == ("Phone plan", "4000", "standard", "PO-7")
    assert (line.units, line.rate_per_unit, line.list_rate_per_unit) == (D("2.5"), D("18.123456789"), D(20))
    assert (line.proration_factor, line.amount) == (1, D("45.31"))
    assert (line.bill_from_location, line.ship_from_location) == (location, location)
    assert line.bill_to_contact == line.ship_to_contact == account.contacts.get()


def test_each_cycle_is_billed_once_the_oldest_first(acme, process):
    account = an_account(acme)
    invoices = [bill(account, process, date(2026, 4, 1)) for _ in range(3)]
    assert [invoice.bill_date for invoice in invoices] == [JAN_10, FEB_10, date(2026, 3, 10)]
    assert [invoice.number for invoice in invoices] == [1, 2, 3]
    assert refused(account, process, date(2026, 4, 1)).code is ErrorCode.BILL_DATE_IN_FUTURE


def test_bill_day_31_follows_the_ends_of_the_months(acme, process):
    account = an_account(acme, start=date(2028, 1, 31))
    invoices = [bill(account, process, date(2028, 12, 31)) for _ in range(4)]
    assert [(invoice.period_start, invoice.period_end) for invoice in invoices] == [
        (date(2028, 1, 31), date(2028, 2, 28)),
        (date(2028, 2, 29), date(2028, 3, 30)),
        (date(2028, 3, 31), date(2028, 4, 29)),
        (date(2028, 4, 30), date(2028, 5, 30)),
    ]
    assert {invoice.total_amount for invoice in invoices} == {D(30)}


def test_intervals_of_1_3_6_and_12_months_meet_on_one_account(acme, process):
    account = an_account(acme, a_plan(acme, {"m": "1.00"}))
    for interval, rate in ((3, "3.00"), (6, "6.00"), (12, "12.00")):
        an_instance(account, a_plan(acme, {f"x{interval}": rate}, billing_interval=interval), JAN_10)
    totals = [bill(account, process, date(2027, 6, 1)).total_amount for _ in range(13)]
    assert totals == [D(n) for n in (22, 1, 1, 4, 1, 1, 10, 1, 1, 4, 1, 1, 22)]


def test_a_first_cycle_before_the_bill_day_is_a_stub(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}), bill_day=15)
    assert lines_of(bill(account, process)) == [(JAN_10, date(2026, 1, 14), D(5), "5 of 31 days")]
    assert account.next_bill_date == date(2026, 1, 15)
    assert lines_of(bill(account, process, date(2026, 1, 15))) == [(date(2026, 1, 15), date(2026, 2, 14), D(31), "")]


def test_a_plan_that_begins_in_a_billed_cycle_is_caught_up_on_the_next_bill(acme, process):
    account = an_account(acme)
    bill(account, process)
    an_instance(account, a_plan(acme, {"tv": "31.00"}), date(2026, 1, 20))
    assert account.next_bill_date == FEB_10
    assert lines_of(bill(account, process, FEB_10)) == [
        (FEB_10, date(2026, 3, 9), D(30), ""),
        (date(2026, 1, 20), date(2026, 2, 9), D(21), "21 of 31 days"),
        (FEB_10, date(2026, 3, 9), D(31), ""),
    ]


def test_a_plan_that_begins_on_the_day_of_a_bill_is_caught_up_on_the_next(acme, process):
    account = an_account(acme)
    bill(account, process)
    an_instance(account, a_plan(acme, {"tv": "31.00"}), JAN_10)
    assert account.next_bill_date == FEB_10
    assert bill(account, process, FEB_10).total_amount == D("92.00")


def test_a_plan_that_ends_in_the_cycle_is_charged_for_its_days(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}))
    PlanInstance.objects.update(end_date=date(2026, 1, 12))
    assert lines_of(bill(account, process)) == [(JAN_10, date(2026, 1, 12), D(3), "3 of 31 days")]
    assert account.next_bill_date is None
    assert refused(account, process, date(2027, 1, 1)).code is ErrorCode.NO_BILLABLE_PLAN


@pytest.mark.parametrize(
    ("currency", "rate", "percent", "net", "tax", "total"),
    [
        ("jpy", "1000.5", "10", "1001", "100", "1101"),
        ("usd", "10.005", "10", "10.01", "1.00", "11.01"),
        ("kwd", "1.2345", "10", "1.235", "0.124", "1.359"),
    ],
)
def test_currencies_with_0_2_and_3_decimals(acme, process, currency, rate, percent, net, tax, total):
    TaxRateFactory(client=acme, percent=D(percent))
    invoice = bill(an_account(acme, a_plan(acme, {"phone": rate}, currency=currency), currency=currency), process)
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D(net), D(tax), D(total))


def test_inclusive_prices_show_gross_lines_and_a_tax_line_that_adds_nothing(acme, process):
    TaxRateFactory(client=acme, name="VAT", percent=D(19))
    plan = a_plan(acme, {"phone": "119.00"})
    ServiceFactory(client=acme, client_service_id="phone").__class__.objects.update(tax_inclusive=True)
    invoice = bill(an_account(acme, plan), process)
    assert [(line.description, line.amount) for line in invoice.lines.all()] == [
        ("Phone", D(119)),
        ("VAT 19 % (US-CA), 19.00 included in prices", D(0)),
    ]
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D(100), D(19), D(119))


@pytest.mark.parametrize(
    ("order", "tax"),
    [("account,billing,statement", "3.00"), ("billing,account", "6.00"), ("statement,account", "3.00"), ("statement", "0")],
)
def test_the_taxable_address_is_the_first_of_the_clients_order_that_the_account_has(acme, process, order, tax):
    TaxRateFactory(client=acme, percent=D(10))
    TaxRateFactory(client=acme, region="NV", percent=D(20))
    acme.taxable_address_order = order
    acme.save()
    account = an_account(acme)
    ContactFactory(account=account, contact_no=2, role="billing", region="NV")
    assert bill(account, process).tax_amount == D(tax)


def test_the_clients_rounding_makes_tax_per_document_or_per_line(process):
    for rounding, tax in (("document", "0.02"), ("line", "0.03")):
        client = ClientFactory(tax_rounding=rounding)
        TaxRateFactory(client=client, percent=D(5))
        account = an_account(client, a_plan(client, {"a": "0.10", "b": "0.10", "c": "0.10"}))
        assert bill(account, process).tax_amount == D(tax)


def test_two_categories_of_one_rate_have_one_tax_line(acme, process):
    """10.00 and 15.00 at 7.25 % are 25.00 and 1.81 of tax (EN 16931, BR-CO-17), not 0.73 and 1.09."""
    plan = a_plan(acme, {"internet": "10.00", "telephone": "15.00"})
    acme.services.filter(client_service_id="telephone").update(tax_category="telecom")
    for category in ("standard", "telecom"):
        TaxRateFactory(client=acme, category=category, percent=D("7.25"))
    invoice = bill(an_account(acme, plan), process)
    assert (invoice.net_amount, invoice.tax_amount) == (D(25), D("1.81"))
    assert invoice.lines.get(line_type=2).amount == D("1.81")


@pytest.mark.parametrize("taxed_at", ["ship_from", "bill_from"])
@pytest.mark.parametrize(("region", "tax"), [("CA", "3"), ("NV", "0")])
def test_where_a_service_has_no_location_the_clients_own_address_is_where_it_comes_from(acme, process, taxed_at, region, tax):
    """The client is in California, its customer in Oregon."""
    TaxRateFactory(client=acme, taxed_at=taxed_at, region=region)
    account = an_account(acme)
    account.contacts.update(region="OR", city="Portland")
    assert bill(account, process).tax_amount == D(tax)


def test_a_services_own_location_counts_before_the_clients_address(acme, process):
    TaxRateFactory(client=acme, taxed_at="ship_from", region="CA")
    plan = a_plan(acme)
    place = acme.service_locations.create(client_service_location_id="Reno", region="NV", country="US")
    acme.services.update(location=place)
    assert bill(an_account(acme, plan), process).tax_amount == 0


def test_a_tax_engine_that_fails_refuses_the_invoice(acme, process):
    acme.tax_engine = "failing"
    acme.save()
    error = refused(an_account(acme), process)
    assert error.code is ErrorCode.TAXATION_FAILED
    assert error.third_party_errors == (
        {"error_class": "taxation", "error_code": "503", "error_msg": "the tax engine is not available"},
    )


# Why an invoice is pending


@pytest.mark.parametrize(
    ("client_requires", "account_requires", "forced", "status"),
    [
        (False, False, False, "approved"),
        (True, False, False, "pending"),
        (False, True, False, "pending"),
        (False, False, True, "pending"),
    ],
)
def test_an_invoice_waits_where_client_account_or_call_ask_for_it(process, client_requires, account_requires, forced, status):
    client = ClientFactory(invoice_approval_required=client_requires)
    account = an_account(client, invoice_approval_required=account_requires)
    invoice = bill(account, process, force_pending=forced)
    assert invoice.status == status
    assert (invoice.number is None) == (status == "pending")


def test_a_pending_invoice_moves_no_date_and_takes_no_number(acme, process):
    account = an_account(acme)
    invoice = bill(account, process, force_pending=True)
    assert (account.next_bill_date, account.last_bill_date) == (JAN_10, None)
    assert account.plan_instances.get().billed_through is None
    assert (invoice.document_number, invoice.invoice_date, invoice.due_date, invoice.fingerprint) == ("", None, None, "")
    assert not NumberSeries.objects.exists()


# Refusals


def test_a_bill_date_in_the_future_is_refused(acme, process):
    assert refused(an_account(acme, start=date(2026, 1, 11)), process).code is ErrorCode.BILL_DATE_IN_FUTURE


def test_a_pending_invoice_blocks_the_next_and_is_named(acme, process):
    account = an_account(acme)
    invoice = bill(account, process, force_pending=True)
    error = refused(account, process)
    assert error.code is ErrorCode.PENDING_INVOICE
    assert f"invoice {invoice.pk}" in error.message


def test_test_accounts_are_refused(acme, process):
    assert refused(an_account(acme, is_test=True), process).code is ErrorCode.TEST_ACCOUNT


@pytest.mark.parametrize("status", [-99, -15, -4, -3, -2, -1, 0, 31, 32, 41, 61, 99])
def test_statuses_that_prevent_billing(acme, process, status):
    assert refused(an_account(acme, status=status), process).code is ErrorCode.ACCOUNT_STATUS


@pytest.mark.parametrize("status", [1, 2, 3, 10, 11, 18, 21, 22, 51])
def test_statuses_that_are_billed(acme, process, status):
    assert bill(an_account(acme, status=status), process).total_amount == D(30)


def test_an_account_without_a_plan_is_refused(acme, process):
    account = an_account(acme)
    account.plan_instances.all().delete()
    Account.objects.update(next_bill_date=None)
    assert refused(account, process).code is ErrorCode.NO_BILLABLE_PLAN


def test_another_clients_account_does_not_exist(acme, umbra, process):
    account = an_account(umbra)
    with pytest.raises(BillingError) as error:
        generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(JAN_10), caller=process)
    assert error.value.code is ErrorCode.ACCOUNT_NOT_FOUND
    event = Event.objects.get()
    assert (event.client, event.account, event.error_code) == (acme, None, 1009)


def test_a_plan_in_another_currency_is_refused(acme, process):
    account = an_account(acme)
    with pytest.raises(BillingError) as error:
        assign_plan(account=account, plan=a_plan(acme, {"tv": "1"}, currency="eur"), start_date=JAN_10, caller=BY_TEST)
    assert error.value.code is ErrorCode.CURRENCY_MISMATCH


def test_an_amount_that_cannot_be_stored_is_refused(acme, process):
    plan = a_plan(acme, {"phone": "9999999999.99"})
    account = an_account(acme, plan)
    PlanInstance.objects.update(units=D(1000))
    assert refused(account, process).code is ErrorCode.AMOUNT_TOO_LARGE


# Alternate bill day


def test_an_alternate_bill_day_makes_a_stub_and_a_new_anniversary(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}))
    assert lines_of(bill(account, process, alt_bill_day=15)) == [(JAN_10, date(2026, 1, 14), D(5), "5 of 31 days")]
    assert (account.bill_day, account.next_bill_date) == (15, date(2026, 1, 15))


def test_an_alternate_bill_day_before_the_start_runs_into_the_next_month(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}))
    assert lines_of(bill(account, process, alt_bill_day=5)) == [(JAN_10, date(2026, 2, 4), D(26), "26 of 31 days")]


def test_the_same_day_as_alternate_bill_day_bills_a_whole_cycle(acme, process):
    account = an_account(acme)
    assert lines_of(bill(account, process, alt_bill_day=10)) == [(JAN_10, date(2026, 2, 9), D(30), "")]


@pytest.mark.parametrize("day", [0, 32, -1, 10**13])
def test_an_alternate_bill_day_outside_the_month_is_refused(acme, process, day):
    error = refused(an_account(acme), process, alt_bill_day=day)
    assert (error.code, error.field) == (ErrorCode.ALT_BILL_DAY_RANGE, "alt_bill_day")


def test_an_alternate_bill_day_is_for_the_first_invoice_only(acme, process):
    account = an_account(acme)
    bill(account, process)
    assert refused(account, process, FEB_10, alt_bill_day=15).code is ErrorCode.ALT_BILL_DAY_NOT_FIRST


def test_an_alternate_bill_day_waits_for_approval(acme, process, alice):
    account = an_account(acme)
    invoice = bill(account, process, alt_bill_day=15, force_pending=True)
    assert account.bill_day == 10
    approve_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, today=JAN_10)
    account.refresh_from_db()
    assert (account.bill_day, account.next_bill_date) == (15, date(2026, 1, 15))


# Advance invoices


def test_an_advance_invoice_bills_the_coming_cycle_once(acme, process):
    account = an_account(acme)
    bill(account, process)
    advance = bill(account, process, date(2026, 1, 20), advance=True)
    assert (advance.kind, advance.bill_date, advance.period_end) == ("advance", FEB_10, date(2026, 3, 9))
    assert (account.next_bill_date, account.last_bill_date) == (date(2026, 3, 10), FEB_10)
    error = refused(account, process, date(2026, 2, 9), advance=True)
    assert error.code is ErrorCode.BILL_DATE_IN_FUTURE
    assert "2026-02-10 already has an advance invoice" in error.message
    assert bill(account, process, FEB_10, advance=True).bill_date == date(2026, 3, 10)


def test_an_advance_invoice_may_wait_and_blocks_meanwhile(umbra, process):
    account = an_account(umbra, start=date(2026, 2, 1))
    assert bill(account, process, JAN_10, advance=True).status == "pending"
    assert refused(account, process, JAN_10, advance=True).code is ErrorCode.PENDING_INVOICE


def test_a_cycle_that_is_due_is_billed_as_recurring_even_in_advance_mode(acme, process):
    assert bill(an_account(acme), process, advance=True).kind == "recurring"


def test_an_alternate_bill_day_is_refused_in_advance_mode(acme, process):
    account = an_account(acme, start=date(2026, 2, 1))
    assert refused(account, process, advance=True, alt_bill_day=5).code is ErrorCode.ALT_BILL_DAY_NOT_FIRST


# Nothing to bill, and zero


def test_a_cycle_without_charges_moves_the_dates_and_makes_no_invoice(acme, process):
    plan = a_plan(acme)
    plan.charges.all().delete()
    account = an_account(acme, plan)
    assert bill(account, process) is None
    assert (account.next_bill_date, account.last_bill_date) == (FEB_10, JAN_10)
    assert Event.objects.get().act == "account.nothing_to_bill"


def test_lines_that_sum_to_zero_make_a_numbered_invoice(acme, process):
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "0"})), process)
    assert (invoice.total_amount, invoice.document_number) == (0, "INV-000001")


# Batches and previews


def test_a_preview_has_the_figures_of_the_invoice_and_writes_nothing(acme, process):
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "19.99", "tv": "10.01"}), bill_day=15)
    (previewed,) = preview_invoices(client=acme, account_nos=[account.pk], request=BillingRequest(JAN_10))
    assert not Invoice.objects.exists() and not Event.objects.exists()
    invoice = bill(account, process)
    plan = previewed.plan
    assert (plan.net_amount, plan.tax_amount, plan.total_amount) == (D("4.83"), D("0.35"), D("5.18"))
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("4.83"), D("0.35"), D("5.18"))
    assert [(line.line_no, line.amount) for line in plan.lines] == [(line.line_no, line.amount) for line in invoice.lines.all()]


def test_one_bad_account_in_a_batch_of_200_leaves_199_invoices(acme, process):
    accounts = [an_account(acme, contact=False) for _ in range(200)]
    Account.objects.filter(pk=accounts[77].pk).update(status=-2)
    outcomes = generate_invoices(
        client=acme,
        account_nos=[account.pk for account in accounts],
        request=BillingRequest(JAN_10),
        caller=process,
    )
    assert Invoice.objects.count() == 199
    assert [outcome.account_no for outcome in outcomes if error_of(outcome)] == [accounts[77].pk]
    assert sorted(Invoice.objects.values_list("number", flat=True)) == list(range(1, 200))


def test_an_account_that_the_database_refuses_harms_no_other(acme, process):
    """A live document of the same bill date, planted behind the services' back, is caught by the unique key alone."""
    accounts = [an_account(acme) for _ in range(5)]
    planted = bill(accounts[2], process)
    Account.objects.filter(pk=accounts[2].pk).update(next_bill_date=JAN_10, last_bill_date=None)
    PlanInstance.objects.filter(account=accounts[2]).update(billed_through=None)
    outcomes = generate_invoices(
        client=acme, account_nos=[one.pk for one in accounts], request=BillingRequest(JAN_10), caller=process
    )
    assert [error_of(outcome).code if error_of(outcome) else None for outcome in outcomes] == [
        None,
        None,
        ErrorCode.IN_PROGRESS,
        None,
        None,
    ]
    assert Invoice.objects.filter(account=accounts[2]).get() == planted
    assert sorted(Invoice.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5]


# Time zones


@pytest.mark.parametrize(
    ("zone", "expected"), [("Pacific/Kiritimati", date(2026, 1, 10)), ("Pacific/Pago_Pago", date(2026, 1, 9))]
)
def test_a_client_is_due_when_its_own_day_begins(acme, process, time_machine, zone, expected):
    time_machine.move_to("2026-01-09T12:30:00+00:00")
    acme.time_zone = zone
    acme.save()
    assert today(acme) == expected
    account = an_account(acme)
    if expected == JAN_10:
        assert bill(account, process, today(acme)).bill_date == JAN_10
    else:
        assert refused(account, process, today(acme)).code is ErrorCode.BILL_DATE_IN_FUTURE


@pytest.mark.parametrize(
    ("moment", "expected"), [("2026-01-10T04:59:59+00:00", date(2026, 1, 9)), ("2026-01-10T05:00:00+00:00", JAN_10)]
)
def test_midnight_is_the_clients_own(acme, time_machine, moment, expected):
    time_machine.move_to(moment, tick=False)
    acme.time_zone = "America/New_York"
    assert today(acme) == expected


def test_a_clients_clock_may_run_ahead_of_the_real_one(acme, settings, time_machine):
    time_machine.move_to("2026-01-01T00:00:00+00:00", tick=False)
    acme.clock_offset = offset_to(date(2026, 3, 1), "UTC")
    settings.VIRTUAL_CLOCK = True
    assert today(acme) == date(2026, 3, 1)
    settings.VIRTUAL_CLOCK = False
    assert today(acme) == date(2026, 1, 1)
