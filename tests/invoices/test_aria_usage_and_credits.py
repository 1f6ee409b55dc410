"""Aria's method calls of usage, orders, service credits and coupons."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoices.models import Coupon, CouponRedemption, Invoice, OneTimeCharge, ServiceCredit, Usage
from tests.support.billing import JAN_10, bill, metered
from tests.support.calling import caller_of, refused, rows_stored
from tests.support.dying import answer_never_told
from tests.support.paying import paying

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


@pytest.fixture
def caller_account(acme):
    """An account whose calls are charged."""
    return metered(acme)[0]


def used(account, **more):
    asked = {"acct_no": account.pk, "usage_type_code": "calls", "usage_units": 12.5, "client_record_id": "c1"}
    return {**asked, "usage_date": "2026-01-12 09:30:00", **more}


@pytest.mark.parametrize("method", ["record_usage", "record_usage_m"])
def test_usage_is_recorded_once(call, caller_account, method):
    first = call(method, **used(caller_account, comments="to Oslo"))
    row = Usage.objects.get()
    assert (first["usage_rec_no"], row.units, str(row.used_on)) == (row.pk, D("12.5"), "2026-01-12")
    assert call(method, **used(caller_account, comments="to Oslo")) == first
    refused(call(method, **used(caller_account, usage_units=13)), 90013, "client_record_id")
    refused(call(method, **used(caller_account, client_record_id="c2", usage_type_code="fax")), 1016, "usage_type_code fax")
    refused(call(method, **used(caller_account, client_record_id="c2", usage_date="x")), 1024, "usage_date")
    refused(call(method, **used(caller_account, amt=1)), 1016, "amt: not supported here")


def test_usage_without_date_and_id_is_of_now_and_recorded_once_under_a_receipt(call, caller_account):
    asked = used(caller_account, client_record_id=None, usage_date=None, client_receipt_id="r1")
    assert call("record_usage_m", **asked) == call("record_usage_m", **asked)
    assert str(Usage.objects.get().used_on) == "2026-01-31"


@pytest.mark.parametrize("method", ["record_usage_m", "bulk_record_usage_m"])
def test_usage_without_an_id_is_not_recorded_again_if_the_first_call_died(call, caller_account, method):
    row = used(caller_account, client_record_id=None)
    bad = used(caller_account, client_record_id="c2", usage_type_code="fax")
    asked = row if method == "record_usage_m" else {"usage_recs": [row, bad]}
    never_told = answer_never_told(lambda: call(method, **asked, client_receipt_id="r1"))
    assert Usage.objects.count() == 1
    assert call(method, **asked, client_receipt_id="r1") == never_told
    assert Usage.objects.count() == 1
    other = {"usage_recs": [row]} if method.startswith("bulk") else {**asked, "usage_units": 13}
    refused(call(method, **other, client_receipt_id="r1"), 1012)


def test_members_of_a_record_beside_the_list_of_records_are_not_ignored(call, caller_account):
    asked = {"usage_recs": [used(caller_account, usage_units=1)], "usage_units": 500}
    refused(call("bulk_record_usage_m", **asked), 1016, "usage_units: the rows are in usage_recs")
    assert not Usage.objects.exists()


def test_a_bad_record_of_many_is_listed_and_the_others_are_stored(call, caller_account):
    good, bad = used(caller_account), used(caller_account, client_record_id="c2", usage_type_code="fax")
    (row,) = call("bulk_record_usage_m", usage_recs=[good, bad, used(caller_account, client_record_id="c3")])["error_records"]
    assert (row["out_client_record_id"], row["record_error_code"]) == ("c2", 1016)
    assert "usage_type_code fax" in row["record_error_msg"]
    assert sorted(Usage.objects.values_list("record_id", flat=True)) == ["c1", "c3"]


def test_usage_is_shown_summed_up_and_discarded(call, caller_account):
    number = call("record_usage_m", **used(caller_account))["usage_rec_no"]
    (row,) = call("get_usage_history_m", acct_no=caller_account.pk, specified_usage_type_code="calls")["usage_history_recs"]
    assert (row["usage_rec_no"], row["units"], row["usage_date"], row["usage_time"]) == (number, 12.5, "2026-01-12", "09:30:00")
    assert call("get_usage_history_m", acct_no=caller_account.pk, date_range_start="2026-01-13")["usage_history_recs"] == []
    summary = call("get_unbilled_usage_summary_m", acct_no=caller_account.pk)
    assert (summary["ptd_balance_amount"], [one["units"] for one in summary["unbilled_usage_rec"]]) == (1.25, [12.5])
    answer = call("discard_usage_m", usage_record_nos=[{"usage_record_no": number}, {"usage_record_no": 999}])
    (failed,) = answer["failed_records"]
    assert (failed["usage_record_no"], failed["record_error_code"], Usage.objects.count()) == (999, 1002, 0)


def test_a_history_of_usage_takes_as_many_queries_however_long(call, caller_account):
    def count():
        with CaptureQueriesContext(connection) as captured:
            rows = call("get_usage_history_m", acct_no=caller_account.pk)["usage_history_recs"]
        return len(captured), len(rows)

    call("record_usage_m", **used(caller_account))
    few = count()
    call("bulk_record_usage_m", usage_recs=[used(caller_account, client_record_id=f"n{one}") for one in range(3)])
    assert (few, count()) == ((few[0], 1), (few[0], 4))


# Orders


@pytest.mark.parametrize("method", ["create_order", "create_order_m"])
def test_an_order_is_billed_with_the_next_invoice(acme, call, process, method):
    account = paying(acme)
    row = {"client_sku": "phone", "units": 2, "amount": 4.5, "line_comments": "Handset"}
    asked = {"acct_no": account.pk, "order_line_items": [row], "client_receipt_id": "r1"}
    answer = call(method, **asked)
    assert call(method, **asked) == answer
    order = OneTimeCharge.objects.get()
    assert (answer["order_no"], answer["invoice_no"], order.units, order.rate_per_unit) == (order.pk, None, 2, D("4.5"))
    assert bill(account, process, date(2026, 2, 10)).total_amount == D("39.00")
    refused(call(method, acct_no=account.pk, order_line_items=[{**row, "client_sku": "x"}]), 1002, "client_sku x")
    refused(call(method, acct_no=account.pk, order_line_items=[row], alt_pay_method=1), 1016, "alt_pay_method")


ROUTER = {"client_sku": "phone", "units": 2, "amount": 4.5, "line_comments": "Router"}
CABLE = {"client_sku": "phone", "amount": 1.25}


@pytest.mark.parametrize("method", ["create_order", "create_order_m"])
def test_an_order_of_several_lines_is_billed_at_once(acme, call, method):
    account = paying(acme)
    asked = {"acct_no": account.pk, "order_line_items": [ROUTER, CABLE], "client_order_id": "o1", "bill_immediately": 1}
    before = rows_stored()
    seen = call(method, **asked, do_write="false")
    assert (seen["total_charges_after_tax"], seen["order_no"], seen["invoice_no"], rows_stored()) == (10.25, None, None, before)
    answer = call(method, **asked, client_receipt_id="r1")
    assert call(method, **asked, client_receipt_id="r1") == answer
    orders, invoice = list(OneTimeCharge.objects.order_by("pk")), Invoice.objects.get()
    assert (answer["order_no"], answer["invoice_no"], answer["total_charges_after_tax"]) == (orders[0].pk, invoice.pk, 10.25)
    assert [(one.client_order_id, one.invoice_id) for one in orders] == [("o1", invoice.pk), ("o1/2", invoice.pk)]
    first, second = answer["cart_invoice_line_items"]
    assert (first["line_amount"], first["line_units"], second["line_amount"]) == (9.0, 2.0, 1.25)
    refused(call(method, **asked), 90013, "client_order_id")


def test_an_order_of_several_lines_waits_for_the_next_invoice(acme, call, process):
    account = paying(acme)
    asked = {"acct_no": account.pk, "order_line_items": [ROUTER, CABLE], "client_order_id": "o1"}
    first = call("create_order_m", **asked)
    assert (call("create_order_m", **asked), OneTimeCharge.objects.count()) == (first, 2)
    refused(call("create_order_m", **{**asked, "order_line_items": [ROUTER, ROUTER]}), 90013, "client_order_id")
    refused(call("create_order_m", acct_no=account.pk, order_line_items=[ROUTER, {**CABLE, "client_sku": "x"}]), 1002, "x")
    assert OneTimeCharge.objects.count() == 2
    assert bill(account, process, date(2026, 2, 10)).total_amount == D("40.25")


@pytest.mark.parametrize("immediately", [0, 1])
def test_an_order_takes_as_many_queries_however_many_lines(acme, call, immediately):
    account = paying(acme)

    def count(lines):
        with CaptureQueriesContext(connection) as captured:
            call("create_order_m", acct_no=account.pk, order_line_items=[CABLE] * lines, bill_immediately=immediately)
        return len(captured)

    count(1)
    assert count(1) == count(6)


# Service credits and coupons


def test_a_service_credit_is_given_used_and_cancelled(acme, call, process):
    account = paying(acme)
    asked = {"acct_no": account.pk, "amount": 40, "comments": "Outage", "client_receipt_id": "r1"}
    assert call("create_advanced_service_credit_m", **asked) == call("create_advanced_service_credit_m", **asked)
    bill(account, process, JAN_10)
    (row,) = call("get_unapplied_service_credits_m", acct_no=account.pk)["unapplied_service_credits_details"]
    assert (row["initial_amount"], row["amount_left_to_apply"]) == (40.0, 10.0)
    rows = [{"credit_ids": row["credit_id_2"]}]
    unknown = [*rows, {"credit_ids": 999}]
    refused(call("cancel_unapplied_service_credits_m", acct_no=account.pk, credit_ids=unknown), 1002, "credit 999")
    assert ServiceCredit.objects.get().expires_on is None
    other = paying(acme)
    refused(call("cancel_unapplied_service_credits_m", acct_no=other.pk, credit_ids=rows), 1002, "credit_ids")
    assert call("cancel_unapplied_service_credits_m", acct_no=account.pk, credit_ids=rows)["error_code"] == 0
    assert call("get_unapplied_service_credits_m", acct_no=account.pk)["unapplied_service_credits_details"] == []
    assert str(ServiceCredit.objects.get().expires_on) == "2026-01-30"
    refused(call("create_advanced_service_credit_m", acct_no=account.pk, amount=1), 1010, "comments")
    refused(call("create_advanced_service_credit_m", acct_no=account.pk, amount=1, percent_amount=5), 1016, "percent_amount")


@pytest.mark.parametrize("method", ["apply_coupon_to_acct", "apply_coupon_to_acct_m"])
def test_a_coupon_is_applied_once(acme, call, method):
    Coupon.objects.create(client=acme, code="TEN", name="Ten", percent=D(10), valid_from=JAN_10)
    account = paying(acme)
    assert call(method, acct_no=account.pk, coupon_code="TEN")["user_success_msg"] == "Coupon TEN was applied"
    assert CouponRedemption.objects.get().account == account
    refused(call(method, acct_no=account.pk, coupon_code="TEN"), 90014)
    refused(call(method, acct_no=account.pk, coupon_code="NONE"), 1002, "coupon")


@pytest.mark.parametrize(("zone", "day"), [("America/Los_Angeles", "2026-01-30"), ("UTC", "2026-01-31")])
def test_days_of_accounts_and_credits_are_by_the_clients_clock(acme, call, zone, day):
    acme.time_zone = zone
    acme.save()
    with time_machine.travel(datetime(2026, 1, 31, 2, tzinfo=UTC), tick=False):
        account = metered(acme)[0]
        call("create_advanced_service_credit_m", acct_no=account.pk, amount=5, comments="late")
        (row,) = call("get_unapplied_service_credits_m", acct_no=account.pk)["unapplied_service_credits_details"]
        details = call("get_acct_details_all_m", acct_no=account.pk)
    assert (row["create_date"], details["acct_start_date"]) == (day, day)
