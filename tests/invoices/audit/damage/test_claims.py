"""Documents hold just what they bill and use."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.models import OneTimeCharge, Usage
from tests.support.audits.names import HELD_ORDERS, HELD_USAGE, USES
from tests.support.audits.planting import (
    HELD_FEB,
    LINE,
    OFFICE_FEB,
    OFFICE_MAR,
    ORDER,
    THROWN_AWAY,
    USAGE,
    check_found,
    findings,
    findings_of,
    plant,
)
from tests.support.billing import FEB_10, JAN_10, bill, metered
from tests.support.factories import ServiceFactory, some_usage
from tests.support.orders import order

COUPON_USE = "UPDATE invoices_couponuse SET {} WHERE invoice_id = {{office_feb}} AND redemption_id = {{{}}}"
CREDIT_USE = "UPDATE invoices_credituse SET {} WHERE invoice_id = {{office_feb}} AND credit_id = {{{}}}"

DAMAGES = [
    (
        HELD_USAGE,
        USAGE.format("units = units + 1", "office calls"),
        OFFICE_FEB + ": bills 160.5 units of service {calls_service} of plan instance {office_instance}, but holds 161.5",
    ),
    (
        HELD_USAGE,
        LINE.format("units = 61", "office_feb", 5),
        OFFICE_FEB + ": bills 61 units of service {sms_service} of plan instance {office_instance}, but holds 60",
    ),
    (
        HELD_USAGE,
        LINE.format("units = 1", "held_feb", 3),
        HELD_FEB + ": bills 1 units of service {calls_service} of plan instance {held_instance}, but holds 80.25",
    ),
    (
        HELD_USAGE,
        USAGE.format("invoice_id = NULL", "held calls"),
        HELD_FEB + ": bills 80.25 units of service {calls_service} of plan instance {held_instance}, but holds 0",
    ),
    (
        HELD_USAGE,
        USAGE.format("invoice_id = {office_mar}", "not billed yet"),
        OFFICE_MAR + ": bills 45 units of service {calls_service} of plan instance {office_instance}, but holds 46",
    ),
    (
        HELD_USAGE,
        "DELETE FROM invoices_usage WHERE record_id = 'office data'",
        OFFICE_FEB + ": bills 1 units of service {data_service} of plan instance {office_instance}, but holds 0",
    ),
    (
        HELD_USAGE,
        "DELETE FROM invoices_usage WHERE record_id = 'office fax, late'",
        OFFICE_MAR + ": bills 2 units of service {fax_service} of plan instance {office_instance}, but holds 0",
    ),
    (
        HELD_ORDERS,
        ORDER.format("units = 2", "office_order"),
        OFFICE_FEB + ": line 16 bills 1 units at 79.9, but order {office_order} is of 2 units at 79.9",
    ),
    (
        HELD_ORDERS,
        ORDER.format("rate_per_unit = 80", "office_order"),
        OFFICE_FEB + ": line 16 bills 1 units at 79.9, but order {office_order} is of 1 units at 80",
    ),
    (
        HELD_ORDERS,
        LINE.format("units = NULL", "office_feb", 16),
        OFFICE_FEB + ": line 16 bills none units at 79.9, but order {office_order} is of 1 units at 79.9",
    ),
    (
        HELD_ORDERS,
        ORDER.format("invoice_id = NULL", "office_order"),
        OFFICE_FEB + ": line 16 bills order {office_order}, which the document does not hold",
    ),
    (
        USES,
        CREDIT_USE.format("amount = 19", "outage"),
        OFFICE_FEB + ": uses 19 of service credit {outage} on line 21, which credits 20",
    ),
]

WIDER = [
    # A flat fee among lines by the unit does not hide that too little is held.
    (
        HELD_USAGE,
        LINE.format("service_id = {data_service}", "office_feb", 7),
        OFFICE_FEB + ": bills 21 units of service {data_service} of plan instance {office_instance}, but holds 7",
    ),
    (
        HELD_USAGE,
        USAGE.format("service_id = {fee_service}", "office fax"),
        OFFICE_FEB + ": bills 0 units of service {fee_service} of plan instance {office_instance}, but holds 20",
    ),
    (
        HELD_USAGE,
        USAGE.format("invoice_id = {thrown_away}", "office sms"),
        THROWN_AWAY + ": is discarded, but holds 60 units of service {sms_service} of plan instance {office_instance}",
    ),
    (
        HELD_ORDERS,
        LINE.format("order_no = {held_order}", "office_feb", 16),
        OFFICE_FEB + ": line 16 bills order {held_order}, which the document does not hold",
    ),
    (
        HELD_ORDERS,
        ORDER.format("invoice_id = {office_mar}", "office_order"),
        OFFICE_MAR + ": holds order {office_order}, but has 0 lines of it",
    ),
    (
        HELD_ORDERS,
        LINE.format("line_type = 8, order_no = {office_order}", "office_feb", 17),
        OFFICE_FEB + ": holds order {office_order}, but has 2 lines of it",
    ),
    (
        HELD_ORDERS,
        LINE.format("order_no = NULL", "office_feb", 16),
        OFFICE_FEB + ": line 16 is of type 8, and names no order",
    ),
    (
        HELD_ORDERS,
        LINE.format("order_no = {office_order}", "office_feb", 1),
        OFFICE_FEB + ": line 1 is of type 1, and names order {office_order}",
    ),
    (
        HELD_ORDERS,
        ORDER.format("invoice_id = {thrown_away}", "office_order"),
        THROWN_AWAY + ": is discarded, but holds order {office_order}",
    ),
    (
        USES,
        COUPON_USE.format("line_no = 21", "office_ten"),
        OFFICE_FEB + ": uses coupon redemption {office_ten} on line 21, which is not a coupon",
    ),
    (
        USES,
        COUPON_USE.format("line_no = 99", "office_ten"),
        OFFICE_FEB + ": uses coupon redemption {office_ten} on line 99, which is not a coupon",
    ),
    (
        USES,
        COUPON_USE.format("line_no = 19", "office_five"),
        OFFICE_FEB + ": line 19 shows 2 uses of a coupon or credit",
    ),
    (
        USES,
        CREDIT_USE.format("line_no = 19", "outage"),
        OFFICE_FEB + ": uses service credit {outage} on line 19, which is not a service credit",
    ),
    (
        USES,
        CREDIT_USE.format("line_no = 99", "outage"),
        OFFICE_FEB + ": uses service credit {outage} on line 99, which is not a service credit",
    ),
    (
        USES,
        "DELETE FROM invoices_couponuse WHERE invoice_id = {office_feb}",
        OFFICE_FEB + ": line 19 shows 0 uses of a coupon or credit",
    ),
    (
        USES,
        "DELETE FROM invoices_credituse WHERE invoice_id = {office_feb}",
        OFFICE_FEB + ": line 21 shows 0 uses of a coupon or credit",
    ),
    (
        USES,
        "DELETE FROM invoices_credituse WHERE invoice_id = {held_feb}",
        HELD_FEB + ": line 10 shows 0 uses of a coupon or credit",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)


def test_a_flat_fee_stands_for_any_usage_of_its_cycle(world):
    plant(USAGE.format("units = 7000.5", "office data"), world)
    assert findings() == {}


@pytest.fixture
def left_out(acme, process):
    """An invoice of 20.00 and one of two orders that leaves out a record of 10^15 units and the second order, by name."""
    account, instance = metered(acme, rate="1", minimum_amount=D("20.00"))
    some_usage(instance, "calls", "1000000000000000", JAN_10, record_id="typo")
    router = ServiceFactory(client=acme, client_service_id="router")
    _, one = (order(account, router, rate_per_unit=D("40000000"), units=D(1000), charge_date=FEB_10) for _ in range(2))
    bill(account, process, JAN_10)
    invoice = bill(account, process, FEB_10)
    assert Event.objects.filter(act="account.left_out", error_code=90050, invoice_no=invoice.pk).count() == 2
    assert findings() == {}
    return invoice, one


def test_usage_that_was_left_out_is_not_held(left_out):
    invoice, _ = left_out
    Usage.objects.filter(record_id="typo").update(invoice=invoice)
    (found,) = findings_of(HELD_USAGE)
    assert found.endswith("but holds 1000000000000000")


def test_an_order_that_was_left_out_is_not_held(left_out):
    invoice, one = left_out
    OneTimeCharge.objects.filter(pk=one.pk).update(invoice=invoice)
    (found,) = findings_of(HELD_ORDERS)
    assert found.endswith(f"holds order {one.pk}, but has 0 lines of it")
