"""Who calls: keys with their limits, staff who are signed in; and the log of calls."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.keys import create_key, revoke_key, rotate_key
from accounts.models import ApiCall, ApiKey, Event
from invoices.models import Invoice
from tests.support.billing import JAN_10, bill
from tests.support.calling import caller_of
from tests.support.factories import BY_TEST, AccountFactory, an_account
from tests.support.money_api import post, with_key

pytestmark = pytest.mark.django_db

ACCOUNTS = "/api/v1/accounts/"


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def basic(client, auth_key):
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{client.pk}:{auth_key}".encode()).decode()}


# The log


def test_a_method_call_is_logged_by_what_it_says(acme):
    account = an_account(acme)
    answer = caller_of(acme)("gen_invoice", acct_no=account.pk, client_receipt_id="r1", alt_caller_id="crm")
    call = ApiCall.objects.get()
    assert (call.client, call.api_key, call.method, call.account_no) == (acme, ApiKey.objects.get(), "gen_invoice", account.pk)
    assert (call.receipt_id, call.caller, call.error_code, call.message, call.http_status) == ("r1", "crm", 0, "OK", 200)
    assert call.address == "127.0.0.1"
    assert set(Event.objects.values_list("request_id", flat=True)) == {call.request_id}
    assert answer["error_code"] == 0


def test_a_refused_call_is_logged_with_its_code(acme):
    caller_of(acme)("gen_invoice", acct_no=999)
    caller_of(acme)("gen_invoice", acct_no=1, auth_key="x" * 32)
    assert list(ApiCall.objects.order_by("pk").values_list("error_code", "client")) == [(1009, acme.pk), (1004, None)]


def test_a_resource_is_logged_by_its_address_without_numbers(acme, process):
    api = with_key(acme, may_approve=True)
    invoice = bill(an_account(acme), process, JAN_10, force_pending=True)
    post(api, f"invoices/{invoice.pk}/approve", status=200)
    post(api, f"invoices/{invoice.pk}/approve", status=409)
    api.post("/api/v1/payments/", {"acct_no": 7}, format="json", HTTP_IDEMPOTENCY_KEY="k1")
    assert list(
        ApiCall.objects.order_by("pk").values_list("method", "account_no", "receipt_id", "error_code", "http_status")
    ) == [
        ("POST invoices/{id}/approve", None, "", 0, 200),
        ("POST invoices/{id}/approve", None, "", 3015, 409),
        ("POST payments", 7, "k1", 1010, 400),
    ]


def test_the_dispatcher_is_logged_also_where_it_finds_no_method(acme):
    Browser().post("/v1/core", "{", content_type="application/json")
    form = {"data": "rest_call=nothing&output_format=json", "content_type": "application/x-www-form-urlencoded"}
    Browser().post("/api/ws/api_ws_class_dispatcher.php", **form)
    assert list(ApiCall.objects.order_by("pk").values_list("error_code", flat=True)) == [1012, -1]


def test_no_secret_is_logged(acme):
    auth_key = create_key(acme, name="x", caller=BY_TEST)[1]
    body = {"client_no": acme.pk, "auth_key": auth_key, "acct_no": "x", "rest_call": "gen_invoice"}
    Browser().post("/v1/core", json.dumps(body), content_type="application/json")
    call = ApiCall.objects.get()
    assert auth_key not in "".join(str(getattr(call, field.attname)) for field in ApiCall._meta.concrete_fields)


def test_a_call_costs_one_insert_and_pages_none(acme, client):
    api = with_key(acme)
    api.get(ACCOUNTS)
    with CaptureQueriesContext(connection) as captured:
        api.get(ACCOUNTS)
    framing = ("SAVEPOINT", "RELEASE", "SET LOCAL")
    asked = [one["sql"] for one in captured if not one["sql"].startswith(framing)]
    logged = [sql for sql in asked if "accounts_apicall" in sql]
    assert (len(logged), len(asked)) == (1, 3)
    client.get("/")
    assert ApiCall.objects.count() == 2


def test_a_call_that_cannot_be_logged_is_answered(acme, monkeypatch, caplog):
    monkeypatch.setattr("accounts.call_log.insert_into_log", None)
    assert with_key(acme).get(ACCOUNTS).status_code == 200
    assert "could not be logged" in caplog.text


@pytest.mark.parametrize("given", ["abc-1.2_X", "with blank", "x" * 61, ""])
def test_a_request_has_an_id(acme, given):
    answer = with_key(acme).get(ACCOUNTS, HTTP_X_REQUEST_ID=given)
    assert (answer["X-Request-ID"] == given) == (given == "abc-1.2_X")
    assert ApiCall.objects.get().request_id == answer["X-Request-ID"]
    assert len(answer["X-Request-ID"]) >= 9


def test_log_lines_name_the_request(acme, settings):
    from billing_site.common.request_ids import RequestIdFilter

    line = logging.makeLogRecord({})
    assert RequestIdFilter().filter(line) and line.request_id == "-"


def test_old_calls_are_pruned(acme, settings, capsys):
    settings.CALL_LOG_DAYS = 30
    api = with_key(acme)
    for _ in range(2):
        api.get(ACCOUNTS)
    ApiCall.objects.filter(pk=ApiCall.objects.first().pk).update(at=timezone.now() - timedelta(days=31))
    call_command("prune_calls")
    assert (ApiCall.objects.count(), capsys.readouterr().out.split()) == (1, ["deleted", "1"])


# Keys


def test_a_key_is_rotated_and_both_live_until_the_old_one_is_revoked(acme):
    old, first = create_key(acme, name="crm", may_approve=True, allowed_addresses="127.0.0.0/8", caller=BY_TEST)
    new, second = rotate_key(old, caller=BY_TEST)
    assert (new.name, new.may_approve, new.may_rebill, new.allowed_addresses) == ("crm", True, False, "127.0.0.0/8")
    assert [Browser().get(ACCOUNTS, **basic(acme, key)).status_code for key in (first, second)] == [200, 200]
    revoke_key(old)
    assert [Browser().get(ACCOUNTS, **basic(acme, key)).status_code for key in (first, second)] == [401, 200]


def test_keys_are_rotated_and_revoked_by_command(acme, capsys):
    key, _ = create_key(acme, name="crm", caller=BY_TEST)
    call_command("rotate_key", key.pk)
    said = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert Browser().get(ACCOUNTS, **basic(acme, said["auth_key"])).status_code == 200
    call_command("rotate_key", key.pk, revoke=True)
    with pytest.raises(CommandError):
        call_command("rotate_key", key.pk)


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        ("", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.9", True),
        ("192.0.2.0/24, 2001:db8::/32", "2001:db8::7", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.0/24", "nonsense", False),
    ],
)
def test_a_key_is_limited_to_addresses_in_both_styles(acme, allowed, address, may):
    auth_key = create_key(acme, name="crm", allowed_addresses=allowed, caller=BY_TEST)[1]
    rest = Browser().get(ACCOUNTS, REMOTE_ADDR=address, **basic(acme, auth_key))
    body = {"client_no": acme.pk, "auth_key": auth_key, "rest_call": "authenticate_caller", "output_format": "json"}
    aria = Browser().post("/v1/core", json.dumps(body), content_type="application/json", REMOTE_ADDR=address).json()
    assert (rest.status_code, aria["error_code"]) == ((200, 0) if may else (403, 1003))
    assert may or (rest.json()["error_code"], aria["error_msg"]) == (1003, "host not permitted")


def test_behind_trusted_proxies_the_address_is_the_one_that_they_were_called_from(acme, settings):
    auth_key = create_key(acme, name="crm", allowed_addresses="203.0.113.9", caller=BY_TEST)[1]
    forged = {"HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.1", **basic(acme, auth_key)}
    assert Browser().get(ACCOUNTS, **forged).status_code == 403
    settings.TRUSTED_PROXY_COUNT = 1
    assert Browser().get(ACCOUNTS, **forged).status_code == 403
    settings.TRUSTED_PROXY_COUNT = 2
    assert Browser().get(ACCOUNTS, **forged).status_code == 200


def test_a_key_that_may_only_read_reads_and_previews_and_no_more(acme, process):
    api = with_key(acme, read_only=True, may_approve=True, may_rebill=True)
    account = an_account(acme)
    assert post(api, "invoices/preview", {"acct_no": account.pk}, 200)["total_amount"] == "30.00"
    refusal = post(api, "invoices", {"acct_no": account.pk}, 403)
    assert (refusal["error_code"], refusal["error_msg"]) == (
        90009,
        "You have no permission for this: this API key can only read. Ask an administrator for it",
    )
    assert api.delete("/api/v1/one-time-charges/1/").status_code == 403
    invoice = bill(account, process, JAN_10)
    asked = {"acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1}
    lines = {"rb_line_items": [{"line_no": 1, "client_service_id": "phone"}]}
    call = reading(acme, api)
    assert call("gen_rb_m", **asked, **lines, do_write="false")["error_code"] == 0
    assert call("gen_rb_m", **asked, **lines)["error_code"] == 90009
    assert call("get_acct_trans_history", account_no=account.pk)["error_code"] == 0
    assert Invoice.objects.count() == 1


def reading(client, api):
    def call(rest_call, **members):
        body = {**api.key, "rest_call": rest_call, "output_format": "json", **members}
        return Browser().post("/v1/core", json.dumps(body), content_type="application/json").json()

    return call


def test_the_last_use_of_a_key_is_kept_to_the_minute(acme):
    api = with_key(acme)
    began = timezone.now()
    for seconds, expected in ((0, 0), (59, 0), (60, 60)):
        with time_machine.travel(began + timedelta(seconds=seconds), tick=False):
            api.get(ACCOUNTS)
        assert ApiKey.objects.get().last_used_at == began + timedelta(seconds=expected)


# Staff


def staff(name, *permissions, clients=()):
    user = get_user_model().objects.create(username=name, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label=app))
    for client in clients:
        client.staff.add(user)
    browser = Browser()
    browser.force_login(user)
    return browser


def test_staff_read_with_their_permissions_the_rows_of_their_client(acme, umbra):
    mine = AccountFactory(client=acme)
    AccountFactory(client=umbra)
    browser = staff("ann", "accounts.view_account", clients=[acme])
    assert [row["acct_no"] for row in browser.get(ACCOUNTS).json()["results"]] == [mine.pk]
    assert browser.get("/api/v1/invoices/").json()["error_code"] == 90009
    assert ApiCall.objects.order_by("pk").first().staff.username == "ann"


def test_staff_of_several_clients_say_which_one_is_meant(acme, umbra):
    theirs = AccountFactory(client=umbra)
    browser = staff("ann", "accounts.view_account", clients=[acme, umbra])
    refused = browser.get(ACCOUNTS)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["client_no"])
    for asked in ({"HTTP_X_CLIENT_NO": str(umbra.pk)}, {"QUERY_STRING": f"client_no={umbra.pk}"}):
        assert [row["acct_no"] for row in browser.get(ACCOUNTS, **asked).json()["results"]] == [theirs.pk]


def test_another_client_and_none_are_refused(acme, umbra):
    one = staff("ann", "accounts.view_account", clients=[acme])
    assert one.get(f"{ACCOUNTS}?client_no={umbra.pk}").status_code == 403
    assert one.get(f"{ACCOUNTS}?client_no=x").status_code == 403
    assert staff("bob", "accounts.view_account").get(ACCOUNTS).status_code == 403


def test_staff_act_with_the_rights_that_the_services_ask_for(acme):
    account = an_account(acme)
    body = json.dumps({"acct_no": account.pk})
    viewer = staff("ann", "invoices.view_invoice", clients=[acme])
    assert viewer.post("/api/v1/invoices/", body, content_type="application/json").json()["error_code"] == 90009
    biller = staff("bob", "invoices.view_invoice", "invoices.generate_invoice", clients=[acme])
    assert biller.post("/api/v1/invoices/", body, content_type="application/json").status_code == 201
    assert Invoice.objects.get().generated_by.startswith("staff:")


def test_a_session_without_its_csrf_token_changes_nothing(acme):
    user = get_user_model().objects.create(username="ann", is_staff=True, is_superuser=True)
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    answer = browser.post("/api/v1/invoices/", json.dumps({"acct_no": an_account(acme).pk}), content_type="application/json")
    assert (answer.status_code, answer.json()["error_code"], Invoice.objects.count()) == (403, 90375, 0)


def test_master_data_is_added_with_the_permission_to_add_it(acme):
    body = json.dumps({"client_service_id": "fax", "name": "Fax", "gl_code": "4000"})
    viewer = staff("ann", "accounts.view_service", clients=[acme])
    assert viewer.post("/api/v1/services/", body, content_type="application/json").status_code == 403
    editor = staff("bob", "accounts.add_service", clients=[acme])
    assert editor.post("/api/v1/services/", body, content_type="application/json").status_code == 201
