"""Generating invoices: what is stored on the document: lines, cycles, taxes and terms."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import PlanInstance
from accounts.rates import RateTerms
from billing_site.errors import ErrorCode
from tests.support.factories import (
    ClientFactory,
    ContactFactory,
    ServiceFactory,
    TaxRateFactory,
    a_plan,
    an_account,
    an_instance,
)
from tests.support.generated import FEB_10, JAN_10, bill, lines_of, refused


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
