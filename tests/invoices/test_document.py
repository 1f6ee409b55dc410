"""The shape of a document: what a line is, and the lines that are made of it."""

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal as D

import pytest

from invoices.calculation import WHOLE, Share
from invoices.document import Line, Tax, columns_of, period_of
from invoices.services.correcting.credit_memos import _charging_lines
from tests.support.contents import a_document

RECURRING, TAX, SERVICE_CREDIT, COUPON, ORDER = 1, 2, 3, 4, 8
JAN_10, FEB_9, MAR_9 = date(2026, 1, 10), date(2026, 2, 9), date(2026, 3, 9)


def a_line(line_type=RECURRING, amount="30.00", **columns):
    return Line(**{"line_no": 1, "line_type": line_type, "description": "Phone", "amount": D(amount), **columns})


@pytest.mark.parametrize(
    ("line", "charges", "is_reduction", "gives_days_back"),
    [
        (a_line(), True, False, False),
        (a_line(amount="0"), True, False, False),
        (a_line(amount="-5.00"), False, True, False),
        (a_line(ORDER, "-5.00"), False, True, False),
        (a_line(COUPON, "-5.00"), False, True, False),
        (a_line(COUPON, "0"), False, True, False),
        (a_line(SERVICE_CREDIT, "-5.00"), False, True, False),
        (a_line(SERVICE_CREDIT, "-5.00", plan_instance_id=6), False, False, True),
        (a_line(SERVICE_CREDIT, "5.00", plan_instance_id=6), False, False, True),
        (a_line(TAX, "3.00"), False, False, False),
        (a_line(TAX, "-3.00"), False, False, False),
        (a_line(TAX, "0"), False, False, False),
    ],
)
def test_a_line_charges_takes_off_gives_days_back_or_is_a_tax(line, charges, is_reduction, gives_days_back):
    assert line.is_charge == charges
    assert line.is_reduction == is_reduction
    assert line.gives_days_back == gives_days_back


def test_a_line_of_nothing_charges_but_leaves_nothing_to_credit():
    back = a_line(SERVICE_CREDIT, "-1.00", plan_instance_id=6, line_no=4)
    lines = (a_line(), a_line(amount="0", line_no=2), a_line(amount="-5.00", line_no=3), back, a_line(TAX, "3.00", line_no=5))
    assert [line.line_no for line in lines if line.is_charge] == [1, 2]
    assert [line.line_no for line in _charging_lines(replace(a_document(), lines=lines))] == [1, 4]


RATED = a_line(
    service_id=5,
    plan_instance_id=6,
    plan_name="Basic",
    gl_code="4000",
    tax_category="standard",
    units=D(2),
    rate_per_unit=D("15.00"),
    list_rate_per_unit=D("16.00"),
    rate_schedule_no=9,
    tier_no=1,
    tier_from=D(0),
    tier_to=D(10),
    percent=D(50),
    base_amount=D("60.00"),
    explanation="late usage",
    order_no=3,
    coupon_code="HALF",
    proration_factor=D("0.5"),
    proration_text="15 of 30 days",
    period_total_days=30,
    proration_remaining_days=15,
    period_start=JAN_10,
    period_end=FEB_9,
    po_num="PO",
    bill_from_location_id=1,
    ship_from_location_id=2,
    bill_to_contact_id=7,
    ship_to_contact_id=8,
    source_line_no=4,
    comments="why",
)


def test_a_line_that_is_negated_names_its_source_and_not_how_its_amount_came_about():
    kept = ("service_id", "plan_instance_id", "plan_name", "gl_code", "tax_category", "order_no", "period_start", "period_end")
    kept += ("po_num", "bill_from_location_id", "ship_from_location_id", "bill_to_contact_id", "ship_to_contact_id")
    expected = a_line(amount="-30.00", source_line_no=1, **{name: getattr(RATED, name) for name in kept})
    assert RATED.negated() == expected
    assert RATED.credited(D("10.00"), 7) == replace(expected, line_no=7, amount=D("-10.00"))


def test_a_line_without_its_rating_keeps_its_units_and_rate():
    rating = ("list_rate_per_unit", "rate_schedule_no", "tier_no", "tier_from", "tier_to", "percent", "base_amount")
    gone = dict.fromkeys(rating)
    assert RATED.unrated(amount=D(1)) == replace(RATED, amount=D(1), **gone)


def test_a_blank_line_is_an_order_of_nothing():
    assert Line.blank() == a_line(ORDER, "0", line_no=0, description="")


def test_the_days_of_a_line_are_a_share_of_its_full_period():
    assert RATED.share == Share(31, 15, 30)
    assert a_line(period_start=JAN_10, period_end=FEB_9).share == WHOLE


def test_a_negated_tax_gives_back_what_it_took():
    tax = a_document().taxes[0]
    assert tax.negated() == replace(tax, taxable_amount=D(-30), amount=D(-3))
    assert tax.identity == ("Sales tax", 1, "US-CA", D(10), False)


def test_the_period_of_lines_is_that_of_all_that_have_days():
    lines = [a_line(), a_line(period_start=JAN_10, period_end=FEB_9), a_line(period_start=FEB_9, period_end=MAR_9)]
    assert period_of(lines, (FEB_9, FEB_9)) == (JAN_10, MAR_9)
    assert period_of(lines[:1], (FEB_9, FEB_9)) == (FEB_9, FEB_9)


def test_values_go_by_name_only():
    with pytest.raises(TypeError):
        Line(1, 1)
    assert list(columns_of(RATED)) == [field.name for field in fields(Line)]
    assert columns_of(a_document().taxes[0])["percent"] == D(10)
    assert Tax(**columns_of(a_document().taxes[0])) == a_document().taxes[0]
