"""Aria's one address, as its clients call it: each in its own spelling, each answered as it expects."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
import time_machine
from django.test import Client as Browser

from accounts.keys import create_key
from billing_site.api import METHODS
from invoices.models import Invoice, Usage
from tests.support.billing import JAN_10, USAGE, bill
from tests.support.calling import RIGHTS
from tests.support.factories import BY_TEST, a_charge, a_plan, an_account
from tests.support.paying import due

CORE, DISPATCHER = "/v1/core", "/api/ws/api_ws_class_dispatcher.php"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def sender(acme):
    """The members by which a call says who sends it."""
    return {
        "client_no": acme.pk,
        "auth_key": create_key(acme, name="integrator", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1],
    }


@pytest.fixture
def account(acme):
    return an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))


@pytest.fixture
def invoice(account, process):
    return bill(account, process, JAN_10)


def sent(body, *, url=CORE, query="", content_type="application/json"):
    """Return the answer as text, after checking that it is HTTP 200 and not compressed."""
    body = body if isinstance(body, (str, bytes)) else json.dumps(body)
    address = f"{url}?{query}" if query else url
    browser = Browser(raise_request_exception=False)
    response = browser.generic("POST", address, body, content_type=content_type, HTTP_ACCEPT_ENCODING="gzip")
    assert (response.status_code, response.headers.get("Content-Encoding")) == (200, None)
    return response


def answered(body, **options):
    response = sent(body, **options)
    assert response["Content-Type"] == "application/json"
    assert response.content[:1] == b"{"
    return response.json()


FORM = {"content_type": "application/x-www-form-urlencoded"}


def as_sent_by(client, members, lines, method="gen_rb_m", array="rb_line_items"):
    """A call with two rows as a public client of Aria's sends it: the body, and the rest of the request."""
    plain = urlencode({**members, "rest_call": method, "output_format": "json"})
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    if client == "node":
        named = {**members, "rest_call": method, "output_format": "json", array: lines}
        return json.dumps(named), {"query": "output_format=json", "content_type": "application/xml"}
    if client == "ruby":
        return json.dumps({"output_format": "json", **members, "rest_call": method, array: lines}), {}
    if client == "php":
        cells = {f"{name}[{place}]": cell for name, cells in columns.items() for place, cell in enumerate(cells)}
        return f"{plain}&{urlencode(cells)}", FORM
    if client == "java":
        cells = {f"{name}[{place}]": cell for place, line in enumerate(lines) for name, cell in line.items()}
        query = f"output_format=json&rest_call={method}"
        return urlencode({**members, **cells}), {"query": query, **FORM}
    if client == "ruby, older":
        cells = [(f"{array}[][{name}]", cell) for line in lines for name, cell in line.items()]
        return f"{plain}&{urlencode(cells)}", FORM
    if client == "ruby, columns":
        cells = [(f"{name}[]", cell) for name, cells in columns.items() for cell in cells]
        return f"{plain}&{urlencode(cells)}", FORM
    if client == "aria_api":
        return f"{plain}&{urlencode({name: '|'.join(map(str, cells)) for name, cells in columns.items()})}", FORM
    if client == "npm aria":
        return f"{plain}&{urlencode(columns, doseq=True)}", FORM
    raise AssertionError(client)


CLIENTS = ["node", "ruby", "php", "java", "ruby, older", "ruby, columns", "aria_api", "npm aria"]


@pytest.mark.parametrize("url", [CORE, DISPATCHER])
@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_rebills_in_its_own_spelling(sender, account, invoice, client, url):
    lines = [
        {"line_no": 1, "client_service_id": "phone", "rb_units": "0.5"},
        {"line_no": 2, "client_service_id": "tv", "rb_units": 1},
    ]
    members = {**sender, "acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1, "do_collect": 0, "po_num": ""}
    body, request = as_sent_by(client, members, lines)
    answer = answered(body, url=url, **request)
    assert (answer["error_code"], answer["amount"]) == (0, 35.0)
    assert Invoice.objects.get(pk=answer["invoice_no"]).lines.count() == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_credits_lines_in_its_own_spelling(sender, account, invoice, client):
    lines = [{"line_no": 1, "cm_line_amount": "2.5"}, {"line_no": 2, "cm_line_amount": 4}]
    memo = {"acct_no": account.pk, "orig_invoice_no": invoice.pk, "cm_reason_cd": 1, "cm_comments": "down | again"}
    body, request = as_sent_by(client, {**sender, **memo}, lines, "create_cm_m", "cm_line_items")
    answer = answered(body, **request)
    assert (answer["error_code"], answer["cm_total"]) == (0, 6.5)
    assert [row["cm_line_amount_out"] for row in answer["cm_details"]] == [2.5, 4.0]


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_records_usage_in_its_own_spelling(sender, acme, account, client):
    plan = account.plan_instances.get().plan
    a_charge(plan, "calls", "0.10", USAGE)
    rows = [
        {
            "client_acct_id": "",
            "acct_no": account.pk,
            "usage_type_code": "calls",
            "usage_units": units,
            "client_record_id": name,
        }
        for name, units in (("c1", "1.5"), ("c2", 2))
    ]
    body, request = as_sent_by(client, sender, rows, "bulk_record_usage_m", "usage_recs")
    assert answered(body, **request)["error_records"] == []
    assert sorted(Usage.objects.values_list("record_id", "units")) == [("c1", Decimal("1.5")), ("c2", 2)]


@pytest.mark.parametrize(
    "spelled",
    [
        lambda number: [("invoice_no[0]", number)],
        lambda number: [("invoice_no[]", number)],
        lambda number: [("invoice_no[0][invoice_no]", number)],
        lambda number: [("invoice_no", number)],
        lambda number: [("invoice_no", f"{number}|")],
    ],
)
@pytest.mark.parametrize("method", ["record_external_payment", "record_external_payment_m"])
def test_a_payment_pays_the_named_invoice_in_every_spelling(sender, account, invoice, process, spelled, method):
    newer = bill(account, process, JAN_10.replace(month=2))
    named = urlencode([*{**sender, "rest_call": method, "output_format": "json"}.items(), *spelled(newer.pk)])
    answer = answered(f"{named}&acct_no={account.pk}&payment_amount=20.00&reference_code=x", **FORM)
    assert answer["error_code"] == 0
    assert (due(invoice), due(newer)) == (50, 30)


def test_the_answer_is_that_of_the_methods_own_address(sender, account):
    members = {**sender, "acct_no": account.pk, "client_receipt_id": "r1"}
    here = answered({**members, "rest_call": "gen_invoice", "output_format": "json"})
    there = sent(members, url="/api/v1/invoices/gen_invoice/").json()
    form = sent(urlencode(members), url="/api/v1/invoices/gen_invoice/", **FORM).json()
    assert here == there == form
    assert here["invoice_no"] == Invoice.objects.get().pk


def test_a_get_is_answered_too(sender, account):
    query = urlencode({**sender, "acct_no": account.pk, "rest_call": "gen_invoice", "output_format": "json"})
    assert Browser().get(f"{DISPATCHER}?{query}").json()["invoice_no"] == Invoice.objects.get().pk


def test_xml_is_answered_where_it_is_asked_for(sender, account):
    response = sent({**sender, "acct_no": account.pk, "rest_call": "gen_invoice", "output_format": "xml"})
    assert response["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(response.content)
    assert [(field.tag, field.text) for field in root] == [
        ("error_code", "0"),
        ("error_msg", "OK"),
        ("invoice_no", str(Invoice.objects.get().pk)),
        ("third_party_errors", None),
    ]


def test_wddx_is_answered_where_no_format_is_asked_for(sender, account):
    response = sent(urlencode({**sender, "acct_no": account.pk, "rest_call": "gen_invoice"}), **FORM)
    number = Invoice.objects.get().pk
    assert response.content.decode() == (
        "<wddxPacket version='1.0'><header/><data><struct><var name=\"error_code\"><number>0</number></var>"
        '<var name="error_msg"><string>OK</string></var>'
        f'<var name="invoice_no"><number>{number}</number></var><var name="third_party_errors"><null/></var>'
        "</struct></data></wddxPacket>"
    )


def test_lists_stand_in_wddx_and_xml_as_arrays_and_items(sender, account, invoice):
    history = {**sender, "account_no": account.pk, "rest_call": "get_acct_trans_history"}
    wddx = sent({**history, "output_format": "wddx"}).content.decode()
    assert '<var name="history"><array length=\'1\'><struct><var name="transaction_id"><number>' in wddx
    xml = ElementTree.fromstring(sent({**history, "output_format": "xml"}).content)
    assert xml.find("history/item/transaction_amount").text == "50.0"


@pytest.mark.parametrize(
    ("format", "null"), [("wddx", '<var name="tax_details"><null/></var>'), ("xml", "<tax_details></tax_details>")]
)
def test_an_empty_list_is_null_in_wddx_and_xml(format, null, sender, account, invoice):
    members = {**sender, "acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1, "do_write": "false"}
    rebill = {
        **members,
        "rest_call": "gen_rb_m",
        "rb_line_items": [{"line_no": 1, "client_service_id": "phone", "rb_amount": 2}],
    }
    assert null in sent({**rebill, "output_format": format}).content.decode()
    as_json = answered({**rebill, "output_format": "json"})
    assert (as_json["excluded_line_nos"], as_json["recounted_line_nos"], as_json["tax_details"]) == ("2", None, [])


@pytest.mark.parametrize("format", ["json", "xml", "wddx"])
def test_a_refusal_is_written_in_the_format_too(sender, format):
    response = sent({**sender, "acct_no": 999, "rest_call": "gen_invoice", "output_format": format})
    assert "1009" in response.content.decode()


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({"rest_call": "gen_nothing"}, -1, "API not found: rest_call gen_nothing"),
        ({"rest_call": ["gen_invoice"]}, -1, "API not found: rest_call ['gen_invoice']"),
        ({"rest_call": ""}, 1010, "Missing required parameter: rest_call"),
        ({}, 1010, "Missing required parameter: rest_call"),
        ({"output_format": "yaml"}, 1016, "invalid input: output_format: give one of json, xml, wddx"),
    ],
)
def test_what_no_method_is_meant_by_is_refused(members, code, message):
    answer = answered({"output_format": "json", **members})
    assert answer == {"error_code": code, "error_msg": message}


def test_a_body_that_cannot_be_read_is_refused_in_json():
    assert answered("{")["error_code"] == 1012


def test_each_method_of_the_table_is_an_action_of_its_viewset_and_no_other_has_one():
    found = {
        name for viewset in set(METHODS.values()) for name in dir(viewset) if hasattr(getattr(viewset, name), "method_call")
    }
    assert found == set(METHODS)
    assert all(getattr(METHODS[name], name).method_call.name == name for name in METHODS)
