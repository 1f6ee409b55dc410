"""The lines of a rebill: the rules one by one, with literal amounts."""

from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from accounts.models import Service
from billing_site.errors import BillingError
from tests.support.billing import FEB_10, JAN_10, JAN_31, USAGE, bill
from tests.support.credit_memos import with_coupons_and_credits
from tests.support.factories import PlanFactory, ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.memos import totals
from tests.support.payments import refused_as, rows
from tests.support.rebilling import a_request, amounts_of, line, lines_of, previewed, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def invoice(acme, process):
    """Phone 30.00, TV 20.00 and net 50.00 for a month; no tax."""
    return bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00", "net": "50.00"})), process, JAN_10)


def of_line(document, line_no):
    row = document.lines.get(line_no=line_no)
    return row.units, row.rate_per_unit, row.amount


@pytest.mark.parametrize(
    ("given", "units", "rate", "amount"),
    [
        ({}, "1", "30", "30.00"),
        ({"units": "3"}, "3", "30", "90.00"),
        ({"rate_per_unit": "12.3456789"}, "1", "12.3456789", "12.35"),
        ({"units": "0.3333", "rate_per_unit": "10"}, "0.3333", "10", "3.33"),  # 3.333
        ({"amount": "17.00"}, "1", None, "17.00"),  # without a rate
        ({"amount": "30.00"}, "1", "30", "30.00"),  # equal to rate x units
        ({"amount": "0.00"}, "1", None, "0.00"),
        ({"units": "0"}, "0", "30", "0.00"),
        ({"amount": "90.00", "units": "3"}, "3", "30", "90.00"),
        ({"amount": "17.00", "units": "3"}, "3", None, "17.00"),
        ({"amount": "17.00", "rate_per_unit": "3"}, "1", None, "17.00"),
        ({"amount": "45.00", "units": "3", "rate_per_unit": "15"}, "3", "15", "45.00"),
        ({"amount": "3.33", "units": "0.3333", "rate_per_unit": "10"}, "0.3333", "10", "3.33"),  # equal once rounded
    ],
)
def test_units_rate_and_amount_are_taken_from_the_original_where_they_are_not_given(
    invoice, process, given, units, rate, amount
):
    rebill = rebilled(invoice, process, line(1, **given), 2, 3)
    assert of_line(rebill, 1) == (D(units), None if rate is None else D(rate), D(amount))
    assert rebill.total_amount == D(amount) + 70


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"amount": "44.99", "units": "3", "rate_per_unit": "15"}, 90029, "amount"),
        ({"amount": "-1.00"}, 1016, "amount"),  # no other line is there to take it off
        ({"units": "-1"}, 1016, "units"),
        ({"rate_per_unit": "-0.01"}, 1016, "rate_per_unit"),
        ({"amount": "1.001"}, 1016, "amount"),
        ({"units": "99999999999", "rate_per_unit": "99999"}, 90008, "rate_per_unit"),
        ({"service_no": 10**9}, 1016, "service_no"),
        ({"client_service_id": "unknown"}, 1016, "client_service_id"),
        ({"bill_from_location_no": 77}, 1016, "bill_from_location_no"),
        ({"ship_from_location_no": 77}, 1016, "ship_from_location_no"),
        ({"bill_to_address_seq": 77}, 1016, "bill_to_address_seq"),
        ({"ship_to_address_seq": 77}, 1016, "ship_to_address_seq"),
    ],
)
def test_what_contradicts_itself_or_does_not_exist_is_refused_with_nothing_written(invoice, process, given, code, field):
    before = rows()
    assert refused_as(rebilled, invoice, process, line(1, **given)) == (code, field)
    assert rows() == before


def test_another_clients_service_location_and_contact_do_not_exist(acme, umbra, invoice, process):
    theirs = ServiceFactory(client=umbra)
    assert refused_as(rebilled, invoice, process, line(1, service_no=theirs.pk)) == (1016, "service_no")
    assert refused_as(rebilled, invoice, process, line(1, client_service_id="theirs")) == (1016, "client_service_id")


@pytest.mark.parametrize(
    ("lines", "code", "field"),
    [
        ((), 1008, "lines"),
        ((1, 1), 1016, "line_no"),
        ((0,), 1016, "line_no"),
        ((-3,), 1016, "line_no"),
        ((line(9, exclude=True),), 1016, "line_no"),
        ((line(1, exclude=True),), 1008, "lines"),
    ],
)
def test_lines_that_cannot_be_are_refused(invoice, process, lines, code, field):
    before = rows()
    assert refused_as(rebilled, invoice, process, *lines) == (code, field)
    assert rows() == before


def test_a_tax_line_cannot_be_asked_for(acme, process):
    TaxRateFactory(client=acme)
    taxed = bill(an_account(acme), process, JAN_10)
    assert refused_as(rebilled, taxed, process, 1, 2) == (90042, "line_no")


def test_lines_come_in_any_order_and_are_numbered_from_1(invoice, process):
    rebill = rebilled(invoice, process, line(9, client_service_id="tv", amount="1.00"), 3, line(2, units="2"))
    assert [(one.line_no, one.description, one.source_line_no) for one in rebill.lines.all()] == [
        (1, "Tv", 2),
        (2, "Net", 3),
        (3, "Tv", None),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"amount": "5.00"}, (None, None, D(5))),
        ({"rate_per_unit": "2.50"}, (D(1), D("2.5"), D("2.5"))),
        ({"rate_per_unit": "2.50", "units": "3"}, (D(3), D("2.5"), D("7.5"))),
        ({"rate_per_unit": "2.50", "units": "3", "amount": "7.50"}, (D(3), D("2.5"), D("7.5"))),
    ],
)
def test_a_line_number_beyond_the_originals_last_adds_a_line(invoice, process, given, expected):
    rebill = rebilled(invoice, process, 1, line(4, client_service_id="tv", comments="forgotten", **given))
    added = rebill.lines.get(line_no=2)
    assert of_line(rebill, 2) == expected
    assert (added.line_type, added.description, added.gl_code, added.comments) == (8, "Tv", "4000", "forgotten")
    assert (added.bill_to_contact_id, added.source_line_no) == (invoice.lines.first().bill_to_contact_id, None)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"client_service_id": "tv"}, 90029, "amount"),
        ({"client_service_id": "tv", "units": "3"}, 90029, "amount"),
        ({"amount": "3"}, 1016, "service_no"),
    ],
)
def test_an_added_line_has_a_service_and_an_amount_or_rate_and_units(invoice, process, given, code, field):
    assert refused_as(rebilled, invoice, process, 1, line(4, **given)) == (code, field)


def test_another_service_takes_its_name_gl_code_category_and_location(acme, invoice, process):
    other = ServiceFactory(client=acme, client_service_id="fax", name="Fax", gl_code="4711", tax_category="reduced")
    rebill = rebilled(invoice, process, line(1, service_no=other.pk), line(2, client_service_id="tv"))
    changed, same = rebill.lines.all()
    assert (changed.service, changed.description, changed.gl_code, changed.tax_category) == (other, "Fax", "4711", "reduced")
    assert (changed.amount, changed.units) == (D(30), D(1))
    assert (same.description, same.source_line_no) == ("Tv", 2)
    plan = previewed(a_request(rebill, line(1, client_service_id="phone")), acme)
    assert plan.differences[0].changes == ("service Fax -> Phone",)


def test_part_of_a_period_stays_the_same_part_of_another_price(acme, process):
    """16 of 31 days: from 10 January, with an alternate bill day of 26."""
    account = an_account(acme)
    invoice = bill(account, process, JAN_10, alt_bill_day=26)
    assert amounts_of(invoice) == [D("15.48")]  # 30 x 16 / 31
    rebill = rebilled(invoice, process, line(1, rate_per_unit="31"))
    assert (amounts_of(rebill), rebill.lines.get().proration_text) == ([D(16)], "16 of 31 days")


def test_a_line_per_band_is_changed_by_itself(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "calls", None, USAGE, tiers={"0": "0.10", "100": "0.05"})
    account = an_account(acme, plan)
    instance = account.plan_instances.get()
    some_usage(instance, "calls", "150", JAN_31)
    bill(account, process, JAN_10)
    invoice = bill(account, process, FEB_10)
    assert amounts_of(invoice) == [D(10), D("2.5")]
    rebill = rebilled(invoice, process, 1, line(2, units="20"))
    assert lines_of(rebill) == [(6, D(100), D("0.1"), D(10), 1), (6, D(20), D("0.05"), D(1), 2)]
    assert list(rebill.lines.values_list("tier_no", flat=True)) == [1, 2]
    # Late usage goes on where the rebill has stopped: above 120 units.
    some_usage(instance, "calls", "10", JAN_31, "late")
    assert amounts_of(bill(account, process, FEB_10.replace(month=3)))[0] == D("0.5")


def test_what_has_no_rate_needs_an_amount(acme, process):
    """What brings a charge up to its minimum has neither rate nor units."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "phone", "5.00", ChargeType.RECURRING, minimum_amount=D(12))
    invoice = bill(an_account(acme, plan), process, JAN_10)
    assert amounts_of(invoice) == [D(5), D(7)]
    assert refused_as(rebilled, invoice, process, 1, line(2, units="2")) == (90029, "amount")
    assert amounts_of(rebilled(invoice, process, 1, line(2, amount="3.00"))) == [D(5), D(3)]


def test_an_unchanged_rebill_equals_its_original_with_coupons_and_credits(acme, process):
    invoice = bill(with_coupons_and_credits(acme), process, JAN_10)
    charges = [one.line_no for one in invoice.lines.exclude(line_type=2)]
    rebill = rebilled(invoice, process, *reversed(charges))
    assert (totals(rebill), amounts_of(rebill)) == (totals(invoice), amounts_of(invoice))
    stories = ("description", "explanation", "percent", "base_amount", "rate_schedule_no", "amount", "line_type")
    assert list(rebill.lines.values_list(*stories)) == list(invoice.lines.values_list(*stories))
    details = ("credit_line_no", "credited_line_no", "amount")
    assert list(rebill.credit_details.values_list(*details)) == list(invoice.credit_details.values_list(*details))


def test_what_takes_off_takes_no_more_than_the_lines_leave_room_for(acme, process):
    """Ten percent, 5.00 and 7.77 off phone 30.00 and TV 9.99; of the phone only 1.00 is left: 0.10 and 0.90 of the 5.00."""
    invoice = bill(with_coupons_and_credits(acme), process, JAN_10)
    tv, off = invoice.lines.get(description="Tv").line_no, invoice.lines.filter(line_type__in=[3, 4])
    assert [one.amount for one in off] == [D("-4.00"), D("-5.00"), D("-7.77")]
    rebill = rebilled(invoice, process, line(1, amount="1.00"), line(tv, amount="0.00"), *[one.line_no for one in off])
    assert rebill.net_amount == 0
    assert list(rebill.lines.filter(line_type__in=[3, 4]).values_list("amount", "explanation")) == [
        (D("-0.10"), "10 % of 1.00"),
        (D("-0.90"), "of 5.00, the rest is lost"),
    ]


def test_an_amount_of_a_line_that_takes_off_may_be_lowered_and_not_raised(acme, process):
    invoice = bill(with_coupons_and_credits(acme), process, JAN_10)
    five = invoice.lines.filter(line_type=4).last()
    assert refused_as(rebilled, invoice, process, 1, 2, line(five.line_no, amount="-5.01")) == (1016, "amount")
    assert refused_as(rebilled, invoice, process, 1, 2, line(five.line_no, amount="5.00")) == (1016, "amount")
    assert refused_as(rebilled, invoice, process, 1, 2, line(five.line_no, units="1")) == (90029, "amount")
    lowered = rebilled(invoice, process, 1, 2, line(five.line_no, amount="-2.00"))
    taken = lowered.lines.get(line_type=4)
    assert (taken.amount, taken.explanation) == (D(-2), "amount set on the rebill")


def test_a_line_above_a_maximum_goes_with_its_charge(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "phone", "50.00", ChargeType.RECURRING, maximum_amount=D(40))
    invoice = bill(an_account(acme, plan), process, JAN_10)
    assert amounts_of(invoice) == [D(50), D(-10)]
    assert refused_as(rebilled, invoice, process, 2) == (1008, "lines")
    assert amounts_of(rebilled(invoice, process, line(1, rate_per_unit="5"), 2)) == [D(5)]


def test_po_numbers_and_comments_are_of_the_line(invoice, process):
    rebill = rebilled(invoice, process, line(1, po_num="PO-7", comments="their new number"), 2)
    assert list(rebill.lines.values_list("po_num", "comments")) == [("PO-7", "their new number"), ("", "")]


@pytest.mark.parametrize(
    ("currency", "rate", "amount"), [("jpy", "99.5", "100"), ("usd", "9.995", "10.00"), ("kwd", "9.9995", "10.000")]
)
def test_amounts_are_rounded_half_up_in_the_precision_of_the_currency(acme, process, currency, rate, amount):
    account = an_account(acme, a_plan(acme, {"phone": "30"}, currency=currency), currency=currency)
    assert amounts_of(rebilled(bill(account, process, JAN_10), process, line(1, rate_per_unit=rate))) == [D(amount)]


def test_a_service_that_is_gone_from_the_catalogue_of_prices_is_still_rebilled(acme, process, invoice):
    Service.objects.filter(client=acme).update(name="Renamed", gl_code="9999")
    kept = rebilled(invoice, process, 1).lines.get()
    assert (kept.description, kept.gl_code) == ("Phone", "4000")


def test_a_refused_line_says_where_it_stands(acme, process, invoice):
    wrong = line(1, units="-1")._replace(path="rb_line_items[3]", prefix="rb_")
    with pytest.raises(BillingError) as refused:
        previewed(a_request(invoice, wrong), acme)
    assert refused.value.field == "rb_line_items[3].rb_units"
    assert (
        refused.value.message
        == "invalid input: rb_line_items[3].rb_units: -1 is below 0; to give something back, add a line with a negative amount"
    )
