"""Aria's numbers have up to 22 digits, a database's up to 19: a longer one is the number of nothing, at every door."""

import json
from base64 import b64encode
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from accounts.keys import create_key
from tests.support.billing import JAN_10, bill
from tests.support.calling import RIGHTS, caller_of, refused
from tests.support.factories import BY_TEST, an_account

LONG = [10**20 - 1, int("9" * 22), "9" * 20]
TOO_LONG = int("9" * 23)

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(acme, process):
    return bill(an_account(acme), process, JAN_10)


@pytest.mark.parametrize("number", [*LONG, TOO_LONG])
@pytest.mark.parametrize(
    ("name", "field", "members", "code"),
    [
        ("gen_invoice", "acct_no", {}, 1009),
        ("collect_from_account", "account_no", {}, 1009),
        ("get_acct_trans_history", "account_no", {}, 1009),
        ("record_external_payment", "acct_no", {"payment_amount": 1, "reference_code": "x"}, 1009),
        ("get_invoice_details_m", "invoice_no", {"acct_no": "ACCT"}, 3004),
        ("get_invoice_details", "src_transaction_id", {"acct_no": "ACCT"}, 3004),
        ("void_invoice", "invoice_no", {"reason_code": 5}, 3004),
        ("void_invoice", "reason_code", {"invoice_no": "INVOICE"}, 3024),
        ("gen_invoice_m", "master_plan_instance_no", {"acct_no": "ACCT"}, 14046),
        ("gen_invoice", "client_no", {"acct_no": "ACCT"}, 1004),
    ],
)
def test_a_long_number_is_only_unknown_to_a_method_call(acme, invoice, name, field, members, code, number):
    meant = {"ACCT": invoice.account_id, "INVOICE": invoice.pk}
    sent = {one: meant.get(value, value) for one, value in members.items()}
    refused(caller_of(acme)(name, **{**sent, field: number}), 1012 if number == TOO_LONG else code)


@pytest.fixture
def ask(acme):
    auth_key = create_key(acme, name="x", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    browser = Browser(HTTP_AUTHORIZATION=f"Basic {b64encode(f'{acme.pk}:{auth_key}'.encode()).decode()}")

    def ask(path, body=None):
        sent = None if body is None else json.dumps(body)
        answer = browser.generic(
            "GET" if body is None else "POST", f"/api/v1/{path}", sent or "", content_type="application/json"
        )
        return answer.status_code, answer.json().get("error_code"), answer.json()

    return ask


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("invoices/", {"acct_no": "N"}, 404, 1009),
        ("invoices/preview/", {"acct_no": "N"}, 404, 1009),
        ("contacts/", {"acct_no": "N", "contact_no": 1, "name": "X"}, 404, 1009),
        ("cash-credits/", {"acct_no": "N", "amount": "1.00", "reason_code": 1}, 404, 1009),
        ("invoices/collect/", {"invoice_nos": ["N"]}, 404, 3004),
        ("credit-memos/preview/", {"invoice_no": "N"}, 404, 3004),
        ("rebills/preview/", {"invoice_no": "N"}, 404, 3004),
        ("one-time-charges/", {"acct_no": "ACCT", "service": "N", "rate_per_unit": "1"}, 400, 1016),
        ("accounts/N/", None, 404, 1009),
        ("invoices/N/", None, 404, 3004),
        ("payments/N/", None, 404, 2001),
        ("plans/N/", None, 404, 1002),
        ("billing-runs/N/outcomes/", None, 404, 1002),
        ("rebills/chain/?invoice_no=N", None, 404, 3004),
        ("usage/unbilled/?acct_no=N", None, 404, 1009),
    ],
)
def test_a_long_number_is_only_unknown_to_a_resource(ask, invoice, path, body, status, code, number):
    meant = {"N": number, "ACCT": invoice.account_id}
    sent = body and {
        name: [meant.get(one, one) for one in value] if isinstance(value, list) else meant.get(value, value)
        for name, value in body.items()
    }
    answer = ask(path.replace("N", str(number)), sent)
    assert answer[:2] == (status, code), answer
    assert "database" not in answer[2]["error_msg"]


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize(
    "filter",
    [
        "invoices/?acct_no",
        "invoices/?corrects",
        "invoices/?run",
        "invoices/?reason_code",
        "transactions/?invoice_no",
        "receivables/?acct_no",
    ],
)
def test_a_filter_by_a_long_number_finds_nothing(ask, invoice, filter, number):
    assert ask(f"{filter}={number}")[2]["results"] == []
    assert ask(f"{filter}={TOO_LONG}")[:2] == (400, 1012)


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize(
    "page", ["accounts/{}/", "invoices/{}/", "invoices/{}/rebill/", "rebills/{}/", "admin/accounts/account/{}/change/"]
)
def test_a_page_of_a_long_number_is_not_there(acme, admin_user, client, page, number):
    client.force_login(admin_user)
    assert client.get(f"/{page.format(number)}").status_code in (302, 404)


def test_a_command_is_told_that_there_is_none(acme):
    with pytest.raises(CommandError, match="99999999999999999999 does not exist"):
        call_command("collect", str(acme.pk), "--invoice", "9" * 20, stdout=StringIO())
    with pytest.raises(CommandError, match="Client 99999999999999999999 does not exist"):
        call_command("bill", "9" * 20, stdout=StringIO())
