"""Orders, service credits, coupons and surcharges through the API: creation, refusals, and their use on invoices."""

import json
from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection

from accounts.callers import Caller
from accounts.models import Event
from accounts.services.plans import end_plan_instance
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.models import Coupon, CouponRedemption, OneTimeCharge, ServiceCredit, Surcharge
from invoices.services.billing.coupons import redeem_coupon
from tests.support.accounts_api import API, create, with_key, wrong
from tests.support.billing import bill
from tests.support.factories import BY_TEST, ClientFactory, ServiceFactory, a_charge, an_account
from tests.support.races import at_once

JAN_9, JAN_10, FEB_10, MAR_10 = date(2026, 1, 9), date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)


@pytest.fixture(autouse=True)
def tenth_of_january(time_machine):
    time_machine.move_to("2026-01-10T12:00:00+00:00", tick=False)


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True)


@pytest.fixture
def account(acme):
    return an_account(acme)


@pytest.fixture
def router(acme):
    return ServiceFactory(client=acme, client_service_id="router")


def lines(invoice):
    return [(line.line_type, line.description, line.amount) for line in invoice.lines.all()]


def delete(api, resource, number):
    response = api.delete(f"{API}/{resource}/{number}/")
    return response.status_code, response.json() if response.content else None


# One-time charges


def an_order(account, router, **change):
    return {"acct_no": account.pk, "service": router.pk, "rate_per_unit": "79.90"} | change


def test_an_order_is_on_the_next_invoice_and_on_no_other(api, account, router, process):
    order = create(api, "one-time-charges", an_order(account, router, units="2", description="Router, black", po_num="PO 7"))
    assert (order["charge_date"], order["invoice_no"], order["units"]) == ("2026-01-10", None, "2.0000")
    invoice = bill(account, process, JAN_10)
    assert lines(invoice) == [(1, "Phone", D(30)), (8, "Router, black", D("159.80"))]
    line = invoice.lines.get(line_type=8)
    assert (line.order_no, line.units, line.rate_per_unit, line.po_num) == (order["order_no"], 2, D("79.90"), "PO 7")
    assert api.get(f"{API}/one-time-charges/{order['order_no']}/").json()["invoice_no"] == invoice.pk
    assert [row["order_no"] for row in api.get(f"{API}/one-time-charges/?billed=true").json()["results"]] == [order["order_no"]]
    assert lines(bill(account, process, FEB_10)) == [(1, "Phone", D(30))]
    assert Event.objects.filter(act="order.added", account=account).count() == 1


def test_an_order_is_not_billed_before_its_day(api, account, router, process):
    create(api, "one-time-charges", an_order(account, router, charge_date="2026-01-11"))
    assert lines(bill(account, process, JAN_10)) == [(1, "Phone", D(30))]
    assert lines(bill(account, process, FEB_10))[1] == (8, "Router", D("79.90"))


def test_an_order_is_billed_on_the_bill_date_of_a_cycle_that_was_billed_ahead(api, account, router, process):
    bill(account, process, JAN_10)
    create(api, "one-time-charges", an_order(account, router))
    assert lines(bill(account, process, date(2026, 1, 20), advance=True)) == [(1, "Phone", D(30))]
    february = bill(account, process, MAR_10)
    assert (february.bill_date, lines(february)) == (FEB_10, [(8, "Router", D("79.90"))])


def test_the_same_order_again_is_the_order_that_is_there(api, account, router):
    body = an_order(account, router, client_order_id="O-1")
    assert create(api, "one-time-charges", body) == create(api, "one-time-charges", body)
    code, message, errors = wrong(api, "one-time-charges", {**body, "units": "2"})
    assert (code, list(errors)) == (90013, ["client_order_id"])
    assert "order O-1" in message
    assert OneTimeCharge.objects.count() == 1
    other = an_account(account.client)
    create(api, "one-time-charges", {**body, "acct_no": other.pk})


def test_an_order_is_cancelled_while_no_invoice_holds_it(api, account, router, process):
    order = create(api, "one-time-charges", an_order(account, router))
    pending = bill(account, process, JAN_10, force_pending=True)
    status, answer = delete(api, "one-time-charges", order["order_no"])
    assert (status, answer["error_code"]) == (409, 90016)
    assert f"order {order['order_no']} is on invoice {pending.pk}" in answer["error_msg"]
    api.post(f"{API}/invoices/{pending.pk}/discard/", {}, format="json")
    assert delete(api, "one-time-charges", order["order_no"]) == (204, None)
    assert lines(bill(account, process, JAN_10)) == [(1, "Phone", D(30))]
    (event,) = Event.objects.filter(act="order.cancelled")
    assert event.before["order_no"] == order["order_no"]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"units": "0"}, 1016, "units"),
        ({"units": "-1"}, 1016, "units"),
        ({"units": "1000000000000001"}, 1016, "units"),
        ({"units": "NaN"}, 1016, "units"),
        ({"units": "0.00000000004"}, 1016, "units"),
        ({"rate_per_unit": None}, 1010, "rate_per_unit"),
        ({"charge_date": "10.1.2026"}, 1024, "charge_date"),
        ({"charge_date": "3000-01-01"}, 1016, "charge_date"),
        ({"service": 999999}, 1016, "service"),
        ({"acct_no": 999999}, 1009, "acct_no"),
        ({"description": "x" * 201}, 1012, "description"),
    ],
)
def test_a_wrong_order_is_refused_by_name(api, account, router, change, code, field):
    answer = wrong(api, "one-time-charges", an_order(account, router) | change)
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert not OneTimeCharge.objects.exists()


# Service credits


def a_credit(account, **change):
    return {"acct_no": account.pk, "amount": "50.00", "reason": "Outage in January", **change}


def test_a_credit_is_used_until_nothing_is_left(api, account, process):
    credit = create(api, "service-credits", a_credit(account))
    assert (credit["amount"], credit["used"], credit["remaining"]) == ("50.00", "0.00", "50.00")
    assert lines(bill(account, process, JAN_10)) == [(1, "Phone", D(30)), (3, "Outage in January", D(-30))]
    second = bill(account, process, FEB_10)
    assert lines(second) == [(1, "Phone", D(30)), (3, "Outage in January", D(-20))]
    assert second.lines.get(line_type=3).explanation == "of 50.00, 0.00 left"
    assert lines(bill(account, process, MAR_10)) == [(1, "Phone", D(30))]
    shown = api.get(f"{API}/service-credits/{credit['id']}/").json()
    assert (shown["used"], shown["remaining"]) == ("50.00", "0.00")


def test_a_pending_invoice_holds_its_part_of_a_credit_and_a_discarded_one_gives_it_back(api, account, process):
    credit = create(api, "service-credits", a_credit(account))
    pending = bill(account, process, JAN_10, force_pending=True)
    assert api.get(f"{API}/service-credits/{credit['id']}/").json()["remaining"] == "20.00"
    api.post(f"{API}/invoices/{pending.pk}/discard/", {}, format="json")
    assert api.get(f"{API}/service-credits/{credit['id']}/").json()["remaining"] == "50.00"


def test_an_expired_credit_is_not_used_and_keeps_its_rest(api, account, process):
    credit = create(api, "service-credits", a_credit(account, expires_on="2026-01-10"))
    assert len(lines(bill(account, process, JAN_10))) == 2
    assert len(lines(bill(account, process, FEB_10))) == 1
    assert api.get(f"{API}/service-credits/{credit['id']}/").json()["remaining"] == "20.00"


def test_a_credit_is_ended_before_it_is_used_up(api, account, process):
    credit = create(api, "service-credits", a_credit(account))
    response = api.post(f"{API}/service-credits/{credit['id']}/expire/", {"expires_on": "2026-01-09"}, format="json")
    assert (response.status_code, response.json()["expires_on"]) == (200, "2026-01-09")
    assert len(lines(bill(account, process, JAN_10))) == 1
    (event,) = Event.objects.filter(act="credit.expired")
    assert (event.before["expires_on"], event.after["expires_on"]) == (None, "2026-01-09")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": "0"}, 1016, "amount"),
        ({"amount": "-5"}, 1016, "amount"),
        ({"amount": "5.001"}, 1016, "amount"),
        ({"amount": "NaN"}, 1016, "amount"),
        ({"amount": "123456789012.00"}, 1012, "amount"),
        ({"reason": ""}, 1010, "reason"),
        ({"expires_on": "2026-01-09"}, 1016, "expires_on"),
        ({"service": 999999}, 1016, "service"),
        ({"acct_no": 999999}, 1009, "acct_no"),
    ],
)
def test_a_wrong_credit_is_refused_by_name(api, account, change, code, field):
    answer = wrong(api, "service-credits", a_credit(account, **change))
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert not ServiceCredit.objects.exists()


# Coupons


def a_coupon(**change):
    return {"code": "TEN", "name": "Ten percent off", "percent": "10", "valid_from": "2026-01-01", **change}


def test_a_coupon_of_two_cycles_is_on_two_invoices(api, account, process):
    create(api, "coupons", a_coupon(cycles=2, max_redemptions=5))
    redemption = create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    assert (redemption["redemption_no"], redemption["uses"], redemption["cycles_left"]) == (1, 0, 2)
    invoices = [bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10)]
    assert [len(lines(invoice)) for invoice in invoices] == [2, 2, 1]
    assert lines(invoices[0])[1] == (4, "Ten percent off", D("-3.00"))
    shown = api.get(f"{API}/coupon-redemptions/{redemption['id']}/").json()
    assert (shown["uses"], shown["cycles_left"]) == (2, 0)
    coupon = api.get(f"{API}/coupons/").json()["results"][0]
    assert (coupon["redemptions"], coupon["redemptions_left"]) == (1, 4)


def test_a_discarded_invoice_gives_a_coupons_cycle_back_and_a_regenerated_one_takes_it_again(api, account, process):
    create(api, "coupons", a_coupon(cycles=1))
    create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    pending = bill(account, process, JAN_10, force_pending=True)
    answer = api.post(f"{API}/invoices/{pending.pk}/regenerate/", {}, format="json").json()
    assert [line["line_type"] for line in answer["lines"]] == [1, 4]
    api.post(f"{API}/invoices/{answer['invoice_no']}/discard/", {}, format="json")
    assert len(lines(bill(account, process, JAN_10))) == 2
    assert len(lines(bill(account, process, FEB_10))) == 1


def test_a_coupon_for_some_services_is_taken_off_these(acme, api, account, router, process):
    coupon = create(api, "coupons", a_coupon(percent=None, amount="5.00", currency="usd", services=[router.pk]))
    assert (coupon["percent"], coupon["amount"], coupon["services"]) == (None, "5.00", [router.pk])
    create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    create(api, "one-time-charges", an_order(account, router, rate_per_unit="3.00"))
    invoice = bill(account, process, JAN_10)
    assert lines(invoice) == [(1, "Phone", D(30)), (8, "Router", D(3)), (4, "Ten percent off", D(-3))]
    assert invoice.lines.get(line_type=4).explanation == "of 5.00, the rest is lost"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"valid_from": "2026-01-11"}, 90015, "it starts on 2026-01-11"),
        ({"valid_to": "2026-01-09"}, 90015, "it ended on 2026-01-09"),
        ({"max_redemptions": 0}, 90015, "it is already redeemed 0 times, its limit"),
        ({"percent": None, "amount": "5", "currency": "eur"}, 90007, "coupon TEN is in eur, the account in usd"),
        ({"code": "OTHER"}, 1002, "coupon TEN"),
    ],
)
def test_a_coupon_that_cannot_be_redeemed_says_why(api, account, change, code, words):
    create(api, "coupons", a_coupon(**change))
    answer = wrong(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    assert (answer[0], list(answer[2])) == (code, ["code"])
    assert words in answer[1]
    assert not CouponRedemption.objects.exists()
    assert Event.objects.get(act="coupon.refused").error_code == code


def test_a_coupon_is_redeemed_once_an_account(api, account):
    create(api, "coupons", a_coupon())
    create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    assert wrong(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})[0] == 90014
    assert CouponRedemption.objects.count() == 1


def test_a_redemption_is_withdrawn_while_no_invoice_has_used_it(api, account, process):
    create(api, "coupons", a_coupon(max_redemptions=1))
    redemption = create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    pending = bill(account, process, JAN_10, force_pending=True)
    status, answer = delete(api, "coupon-redemptions", redemption["id"])
    assert (status, answer["error_code"]) == (409, 90016)
    assert f"on invoice {pending.pk}" in answer["error_msg"]
    api.post(f"{API}/invoices/{pending.pk}/discard/", {}, format="json")
    assert delete(api, "coupon-redemptions", redemption["id"]) == (204, None)
    other = an_account(account.client)
    assert create(api, "coupon-redemptions", {"acct_no": other.pk, "code": "TEN"})["redemption_no"] == 1


@pytest.mark.parametrize("resource", ["coupons", "surcharges"])
@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"percent": "100.01"}, 1016, "percent"),
        ({"percent": "-1"}, 1016, "percent"),
        ({"percent": "0"}, 1016, "percent"),
        ({"percent": None}, 1016, "percent amount"),
        ({"amount": "5", "currency": "usd"}, 1016, "percent amount"),
        ({"percent": None, "amount": "5"}, 1016, "currency"),
        ({"percent": None, "amount": "0", "currency": "usd"}, 1016, "amount"),
        ({"percent": None, "amount": "5.001", "currency": "usd"}, 1016, "amount"),
        ({"percent": None, "amount": "5", "currency": "zzz"}, 1016, "currency"),
        ({"valid_to": "2025-12-31"}, 1016, "valid_to"),
        ({"valid_from": None}, 1010, "valid_from"),
        ({"services": [999999]}, 1016, "services"),
        ({"services": "all"}, 1016, "services"),
        ({"services": {}}, 1016, "services"),
        ({"services": [{}]}, 1016, "services"),
    ],
)
def test_a_wrong_percent_or_amount_is_refused_by_name(api, account, router, resource, change, code, fields):
    good = a_coupon()
    if resource == "surcharges":
        good["service"] = router.pk
        del good["code"]
    answer = wrong(api, resource, {**good, **change})
    assert (answer[0], list(answer[2])) == (code, fields.split()), answer
    assert not Coupon.objects.exists()
    assert not Surcharge.objects.exists()


def test_a_code_is_used_once_a_client(api):
    create(api, "coupons", a_coupon())
    assert wrong(api, "coupons", a_coupon())[0] == 1016
    assert Coupon.objects.count() == 1


# Surcharges


def test_a_surcharge_is_on_every_invoice_that_charges_for_its_services(acme, api, account, router, process):
    phone = ServiceFactory(client=acme, client_service_id="phone")
    body = {"name": "Recovery fee", "service": router.pk, "percent": "2.5", "services": [phone.pk]}
    surcharge = create(api, "surcharges", {**body, "valid_from": "2026-01-10", "valid_to": "2026-02-10"})
    assert (surcharge["services"], surcharge["percent"]) == ([phone.pk], "2.500000")
    invoices = [bill(account, process, day) for day in (JAN_10, FEB_10, MAR_10)]
    assert [lines(invoice)[1:] for invoice in invoices] == [[(9, "Recovery fee", D("0.75"))]] * 2 + [[]]


@pytest.mark.parametrize("resource", ["coupons", "surcharges"])
def test_a_coupon_or_surcharge_is_changed_over_its_version_and_removed_if_unused(acme, api, account, router, resource):
    good = a_coupon() if resource == "coupons" else {**a_coupon(), "service": router.pk}
    if resource == "surcharges":
        del good["code"]
    row = create(api, resource, good)
    path = f"{API}/{resource}/{row['id']}/"
    seen = api.get(path)["ETag"]
    body = {"name": "New year", "valid_to": "2026-12-31", "services": [router.pk]}
    changed = api.patch(path, body, format="json", HTTP_IF_MATCH=seen)
    assert changed.status_code == 200, changed.json()
    assert changed.json() == {**row, **body}
    late = api.patch(path, {"name": "Late"}, format="json", HTTP_IF_MATCH=seen)
    assert (late.status_code, late.json()["error_code"]) == (412, 90162)
    both = api.patch(path, {"amount": "5.00"}, format="json").json()
    assert (both["error_code"], list(both["errors"])) == (1016, ["percent", "amount"])
    amount = api.patch(path, {"percent": None, "amount": "5.00", "currency": "usd"}, format="json").json()
    assert (amount["percent"], amount["amount"], amount["currency"]) == (None, "5.00", "usd")
    if resource == "coupons":
        redemption = create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
        assert delete(api, resource, row["id"])[1]["error_code"] == 90163
        assert api.patch(path, {"max_redemptions": 0}, format="json").json()["error_code"] == 1016
        assert delete(api, "coupon-redemptions", redemption["id"])[0] == 204
    assert delete(api, resource, row["id"]) == (204, None)
    assert api.get(path).status_code == 404


# Other clients, many at once


def test_another_clients_rows_do_not_exist(acme, umbra, api, account, router, process):
    other = with_key(umbra, may_approve=True)
    strange = ServiceFactory(client=umbra, client_service_id="strange")
    order = create(api, "one-time-charges", an_order(account, router))
    credit = create(api, "service-credits", a_credit(account))
    coupon = create(api, "coupons", a_coupon())
    redemption = create(api, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})
    surcharge = create(api, "surcharges", {"name": "Fee", "service": router.pk, "percent": "1", "valid_from": "2026-01-01"})
    for resource, number in [
        ("one-time-charges", order["order_no"]),
        ("service-credits", credit["id"]),
        ("coupons", coupon["id"]),
        ("coupon-redemptions", redemption["id"]),
        ("surcharges", surcharge["id"]),
    ]:
        assert other.get(f"{API}/{resource}/").json()["results"] == []
        assert other.get(f"{API}/{resource}/{number}/").status_code == 404
    for resource, number in [("one-time-charges", order["order_no"]), ("coupon-redemptions", redemption["id"])]:
        assert delete(other, resource, number)[0] == 404
    assert wrong(other, "coupon-redemptions", {"acct_no": account.pk, "code": "TEN"})[0] == 1009
    assert wrong(other, "service-credits", a_credit(account))[0] == 1009
    for body in (an_order(account, strange), a_credit(account, service=strange.pk)):
        resource = "one-time-charges" if "rate_per_unit" in body else "service-credits"
        assert (wrong(api, resource, body)[0], resource) == (1016, resource)
    assert [report for report in run_audits() if report.findings] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_coupon_limited_to_five_is_redeemed_five_times_by_twenty_at_once():
    client = ClientFactory()
    Coupon.objects.create(client=client, code="TEN", name="Ten", percent=10, valid_from=JAN_9, max_redemptions=5)
    accounts = [an_account(client) for _ in range(20)]

    def redeem(number):
        return redeem_coupon(
            client=client, account_no=accounts[number].pk, caller=Caller(process="test"), code="TEN", today=JAN_10
        )

    results = at_once(redeem)
    assert sorted(one.redemption_no for one in results if isinstance(one, CouponRedemption)) == [1, 2, 3, 4, 5]
    assert {one.code.number for one in results if isinstance(one, BillingError)} == {90015}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_one_account_redeems_a_coupon_once_however_many_ask_at_once():
    client = ClientFactory()
    Coupon.objects.create(client=client, code="TEN", name="Ten", percent=10, valid_from=JAN_9)
    account = an_account(client)
    results = at_once(
        lambda _: redeem_coupon(client=client, account_no=account.pk, caller=Caller(process="test"), code="TEN", today=JAN_10)
    )
    assert sum(isinstance(one, CouponRedemption) for one in results) == 1
    assert {one.code.number for one in results if isinstance(one, BillingError)} == {90014}


def test_an_order_or_usage_that_no_invoice_would_ever_take_is_refused(acme, api, account, router, process):
    plan = account.plan_instances.get().plan
    calls = a_charge(plan, "calls", "1.00", 6)
    bill(account, process, JAN_10)
    end_plan_instance(account.plan_instances.get(), date(2026, 1, 20), caller=BY_TEST)
    bill(account, process, FEB_10)
    answer = wrong(api, "one-time-charges", an_order(account, router))
    assert (answer[0], list(answer[2])) == (7003, ["acct_no"])
    record = {
        "record_id": "1",
        "acct_no": account.pk,
        "service": calls.service_id,
        "units": "1",
        "used_at": "2026-01-10T08:00:00",
    }
    (result,) = api.post(f"{API}/usage/", {"records": [record]}, format="json").json()["results"]
    assert (result["error_code"], list(result["errors"])) == (90012, ["acct_no"])
    create(api, "one-time-charges", an_order(an_account(acme), router))


@pytest.mark.parametrize("resource", ["coupons", "surcharges"])
def test_half_a_surrogate_pair_is_refused_and_not_echoed(api, router, resource):
    body = {**a_coupon(percent=None, amount="5"), "service": router.pk}
    text = json.dumps({**body, "currency": "X"}).replace('"X"', '"\\ud800"')
    response = api.generic("POST", f"{API}/{resource}/", text, content_type="application/json")
    assert (response.status_code, response.json()["error_code"]) == (400, 1016)


@pytest.mark.parametrize("amount", ["1_000", "١٢", "1e400", "0x10", " 1", True, [], {}])
def test_an_amount_is_written_in_plain_digits(api, account, amount):
    assert wrong(api, "service-credits", a_credit(account, amount=amount))[0] in (1012, 1016)
    assert not ServiceCredit.objects.exists()
