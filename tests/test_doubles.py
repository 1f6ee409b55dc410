"""Numbers as programs that compute in doubles send them: read by their shortest digits, and rounded, at every door."""

import json
from base64 import b64encode
from decimal import Decimal as D
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser
from rest_framework import serializers

from accounts.api.serializers import RowSerializer
from accounts.keys import create_key
from billing_site.api import METHODS
from billing_site.common.fields import DigitsField
from invoices.models import InvoiceLine, Usage
from tests.support.billing import JAN_10, USAGE, bill, metered
from tests.support.calling import RIGHTS
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account
from tests.support.paying import billed

pytestmark = pytest.mark.django_db

DOUBLES = [0.1 + 0.2, 2 / 3, 1 / 3, 1 + 1e-7, 1.1 * 1.1, 29.99 * 3]


def serializers_below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from serializers_below(one)


def numbers_of(serializer):
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.ListSerializer):
            yield from numbers_of(field.child)
        elif isinstance(field, serializers.DecimalField) and not field.read_only:
            yield f"{type(serializer).__name__}.{name}", field


def all_numbers():
    for name in METHODS:
        yield from numbers_of(getattr(METHODS[name], name).method_call.arguments())
    ours = ("accounts.", "invoices.", "rebills.")
    for one in set(serializers_below(serializers.Serializer)):
        # Rows of reports are only written.
        if (
            one.__module__.startswith(ours)
            and not one.__module__.startswith("invoices.pages.")
            and (not issubclass(one, RowSerializer) or hasattr(one, "Meta"))
        ):
            yield from numbers_of(one())


def test_no_field_of_any_body_refuses_a_double_for_its_digits(db):
    names = set()
    for name, field in all_numbers():
        names.add(name)
        assert isinstance(field, DigitsField), name
        for value in DOUBLES:
            exact = D(repr(value))
            for sent in (value, repr(value), f"{value:.17f}", float(f"{value:e}")):
                read = field.run_validation(sent)
                assert abs(read - exact) <= max(D(1).scaleb(-field.decimal_places), D("0.000001")), (name, sent)
        for sent in ("NaN", "Infinity", "-inf", float("nan"), float("inf"), "1,5", "1.5e2", "0x1p3", True, [1]):
            with pytest.raises(serializers.ValidationError):
                field.run_validation(sent)
    assert {"RbLineItem.rb_units", "RbLineItem.rb_rate_per_unit", "RbLineItem.rb_amount", "PaymentArguments.amount"} <= names
    assert {"UsageRecordSerializer.units", "OneTimeChargeSerializer.rate_per_unit", "PlanInstanceSerializer.units"} <= names
    assert {"TierSerializer.from_unit", "RateSerializer.rate_per_unit", "CouponSerializer.percent"} <= names


@pytest.fixture
def key(acme):
    return create_key(acme, name="integrator", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]


@pytest.fixture
def api(acme, key):
    browser = Browser(headers={"Authorization": "Basic " + b64encode(f"{acme.pk}:{key}".encode()).decode()})

    def post(path, body, status=200):
        answer = browser.post(f"/api/v1/{path}/", json.dumps(body), content_type="application/json")
        assert answer.status_code == status, answer.content
        return answer.json()

    return post


@pytest.fixture
def invoice(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    return bill(account, process, JAN_10)


RB_DOUBLES = [
    ("rb_units", 0.1 + 0.2, "30.00"),
    ("rb_units", 2 / 3, "66.67"),
    ("rb_units", 1 / 3, "33.33"),
    ("rb_units", 0.33333, "33.33"),
    ("rb_units", 1e-7, "0.00"),
    ("rb_rate_per_unit", 1 / 3, "0.33"),
    ("rb_rate_per_unit", 1234567890.1234567, "1234567890.12"),
    ("rb_amount", 0.1 + 0.2, "0.30"),
    ("rb_amount", 2 / 3, "0.67"),
    ("rb_amount", 33.333333333333336, "33.33"),
]


@pytest.mark.parametrize("door", ["number", "text", "form"])
@pytest.mark.parametrize(("name", "value", "amount"), RB_DOUBLES)
def test_gen_rb_m_takes_doubles(acme, key, invoice, door, name, value, amount):
    line = {"line_no": 1, "service_no": invoice.lines.get(line_no=1).service_id, name: repr(value) if door == "text" else value}
    call = {
        "rest_call": "gen_rb_m",
        "output_format": "json",
        "client_no": acme.pk,
        "auth_key": key,
        "acct_no": invoice.account_id,
        "orig_invoice_no": invoice.pk,
        "reason_cd": 1,
        "do_write": "false",
    }
    if door == "form":
        columns = {f"{field}[0]": repr(cell) if isinstance(cell, float) else cell for field, cell in line.items()}
        body = urlencode(call | columns)
        answer = Browser().post("/v1/core", body, content_type="application/x-www-form-urlencoded").json()
    else:
        body = json.dumps(call | {"rb_line_items": [line]})
        answer = Browser().post("/v1/core", body, content_type="application/json").json()
    assert (answer["error_code"], answer.get("amount")) == (0, float(amount)), answer


def test_a_rebills_units_are_kept_to_ten_decimals(invoice, api):
    body = {"invoice_no": invoice.pk, "unlisted_lines": "carry", "reason_code": 1, "lines": [{"line_no": 1, "units": 2 / 3}]}
    number = api("rebills", body, 201)["invoice_no"]
    line = InvoiceLine.objects.get(invoice=number, line_no=1)
    assert (line.units, line.amount) == (D("0.6666666667"), D("66.67"))


@pytest.mark.parametrize(
    ("sent", "paid"),
    [(0.1 + 0.2, "-0.30"), ("0.30000000000000004", "-0.30"), (2 / 3, "-0.67"), (1.3e1, "-13.00"), (4.35 * 100, "-435.00")],
)
def test_payments_and_credits_take_doubles(acme, process, api, sent, paid):
    account, _invoice = billed(acme, process)
    body = {"acct_no": account.pk, "amount": sent}
    assert api("payments", {**body, "type": "check", "reference": "x"}, 201)["amount"] == paid
    assert api("cash-credits", {**body, "reason_code": 1}, 201)["amount"] == paid
    credit = api("service-credits", {**body, "reason": "x"}, 201)
    assert credit["amount"] == paid[1:]


def test_corrections_and_refunds_take_doubles(acme, process, api):
    account, invoice = billed(acme, process)
    paid = api("payments", {"acct_no": account.pk, "amount": "1.00", "type": "check", "reference": "x"}, 201)
    reason = {"reason_code": 1, "comments": "x"}
    assert api(f"payments/{paid['transaction_id']}/refund", {"amount": 0.1 + 0.2, "reason_code": 2}, 201)["amount"] == "0.30"
    lines = [{"line_no": 1, "amount": 1 / 3}]
    assert api("credit-memos", {"invoice_no": invoice.pk, "lines": lines, **reason}, 201)["total_amount"] == "-0.33"
    assert api("credit-memos", {"invoice_no": invoice.pk, "amount": 0.1 * 3, **reason}, 201)["total_amount"] == "-0.30"
    assert api("write-offs", {"invoice_no": invoice.pk, "amount": 2 / 3, "reason_code": 1}, 201)["amount"] == "-0.67"
    assert api("disputes", {"invoice_no": invoice.pk, "amount": 1.1 * 1.1, "reason_code": 1}, 201)["amount"] == "-1.21"


@pytest.mark.parametrize("amount", ["99.5", 99.5, "0.5", "1.0001", "99.50000", "995e-1"])
def test_half_a_yen_is_a_mistake_and_not_a_double(acme, process, api, amount):
    account = an_account(acme, a_plan(acme, {"phone": "999"}, currency="jpy"), currency="jpy")
    invoice = bill(account, process, JAN_10)
    answer = api("credit-memos", {"invoice_no": invoice.pk, "amount": amount, "reason_code": 1, "comments": "x"}, 400)
    assert (answer["error_code"], list(answer["errors"])) == (1016, ["amount"])
    payment = {"acct_no": account.pk, "amount": amount, "type": "check", "reference": "x"}
    assert api("payments", payment, 400)["error_code"] == 1016


def test_a_third_of_an_amount_in_yen_is_rounded_to_yen(acme, process, api):
    account = an_account(acme, a_plan(acme, {"phone": "999"}, currency="jpy"), currency="jpy")
    bill(account, process, JAN_10)
    body = {"acct_no": account.pk, "amount": 1000 / 3, "type": "check", "reference": "x"}
    assert api("payments", body, 201)["amount"] == "-333"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (1 / 3, "0.3333333333"),
        ("0.30000000000000004", "0.3"),
        (1e-7, "0.0000001"),
        ("1e-10", "0.0000000001"),
        ("999999999999999.9999999999", "999999999999999.9999999999"),
        (10**15, "1000000000000000"),
        (1e15, "1000000000000000"),
        (50 / 60, "0.8333333333"),
    ],
)
def test_usage_and_orders_keep_ten_decimals_and_petabytes(acme, api, sent, stored):
    account, _instance = metered(acme, rate="0.0000000001")
    record = {
        "record_id": "r",
        "acct_no": account.pk,
        "client_service_id": "calls",
        "units": sent,
        "used_at": "2026-01-10T00:00",
    }
    assert api("usage", {"records": [record]})["created"] == 1
    assert Usage.objects.get().units == D(stored)
    service = Usage.objects.get().service_id
    body = {"acct_no": account.pk, "service": service, "units": sent, "rate_per_unit": "0.0000000001"}
    order = api("one-time-charges", body, 201)
    assert D(order["units"]) == D(stored)


def test_prices_and_bands_take_doubles(acme, api):
    plan = PlanFactory(client=acme)
    charge = a_charge(plan, "bytes", line_type=USAGE, tiers={"0": "1"})
    tiers = [{"from_unit": 0, "rate_per_unit": 1 / 3}, {"from_unit": 1e15 / 3, "rate_per_unit": 0.1 + 0.2}]
    rate = api(
        "rates", {"charge": charge.pk, "currency": "usd", "model": "tiered", "tiers": tiers, "valid_from": "2026-02-01"}, 201
    )
    assert [(D(one["from_unit"]), D(one["rate_per_unit"])) for one in rate["tiers"]] == [
        (0, D("0.3333333333")),
        (D("333333333333333.3"), D("0.3")),
    ]
