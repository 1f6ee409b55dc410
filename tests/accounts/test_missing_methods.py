"""Methods that do not exist: answered with -1, and reported to the client whose program asked."""

import json
from base64 import b64encode

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.keys import create_key
from accounts.services.missing_methods import missing_methods
from tests.support.factories import BY_TEST, ClientFactory

pytestmark = pytest.mark.django_db


def program_of(client):
    """Return functions that call a method, and that read the report, with a key of the client."""
    auth_key = create_key(client, name="shop", caller=BY_TEST)[1]

    def call(name, **members):
        body = {"client_no": client.pk, "auth_key": auth_key, "rest_call": name, "output_format": "json", **members}
        return Browser().post("/v1/core", json.dumps(body), content_type="application/json").json()

    def report():
        token = b64encode(f"{client.pk}:{auth_key}".encode()).decode()
        return Browser(HTTP_AUTHORIZATION=f"Basic {token}").get("/api/v1/missing-methods/").json()["methods"]

    return call, report


def test_missing_methods_are_reported_the_most_called_first(acme):
    call, report = program_of(acme)
    assert report() == []
    for name in ("get_tax_m", "pay_me_m", "pay_me_m"):
        assert call(name)["error_code"] == -1
    assert [(row["method"], row["calls"]) for row in report()] == [("pay_me_m", 2), ("get_tax_m", 1)]


def test_calls_of_others_are_not_reported(acme):
    call, report = program_of(acme)
    other_call, other_report = program_of(ClientFactory())
    call("get_tax_m", auth_key="x" * 32)
    other_call("pay_me_m")
    assert (report(), [row["method"] for row in other_report()]) == ([], ["pay_me_m"])


@pytest.mark.parametrize("name", ["x" * 5000, "<script>", "a\0b", "gen_invoice\n", "4111111111111111"])
def test_any_name_is_answered_and_logged(acme, name):
    call, report = program_of(acme)
    assert call(name)["error_code"] == -1
    assert len(report()) == 1
    assert "4111" not in report()[0]["method"]


@pytest.mark.parametrize("name", ["set_session", "set_session_m"])
def test_sessions_are_not_supported_and_the_message_says_what_to_do(acme, name):
    answer = program_of(acme)[0](name)
    assert answer["error_code"] == 1016
    assert "not supported here; send client_no and auth_key with each call" in answer["error_msg"]


def test_the_report_takes_as_many_queries_however_long(acme):
    call, report = program_of(acme)

    def count():
        with CaptureQueriesContext(connection) as captured:
            rows = report()
        return len(captured), len(rows)

    call("a_m")
    few = count()
    call("b_m")
    call("c_m")
    assert (few, count()) == ((few[0], 1), (few[0], 3))


def test_the_report_reads_only_the_calls_of_missing_methods(acme):
    with CaptureQueriesContext(connection) as captured:
        missing_methods(acme)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} {captured[0]['sql']}")
        plan = str(cursor.fetchall())
    assert "calls_of_missing_methods" in plan


def test_staff_find_the_calls_in_the_admin(acme, admin_client):
    call, _ = program_of(acme)
    call("pay_me_m")
    call("authenticate_caller_m")
    page = admin_client.get("/admin/accounts/apicall/?refused=missing").context["cl"]
    assert [row.method for row in page.result_list] == ["pay_me_m"]
