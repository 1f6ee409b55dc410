"""The resource of usage: loading many records, and what is wrong with each."""

import json
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from invoices.models import Usage
from tests.support.accounts_api import API
from tests.support.factories import PlanFactory, ServiceFactory, a_charge, an_account
from tests.support.usage_api import a_record, account, api, load, now, post, refused

__all__ = ["account", "api", "now"]
OK = {"error_code": 0, "error_msg": "OK", "errors": {}}


# Loading.


def test_records_are_loaded_with_a_result_for_each_in_the_order_asked(api, account):
    load(api, a_record("OLD"))
    response = post(
        api,
        {
            "records": [
                a_record("R-2", description="to Fresno"),
                a_record("OLD"),
                a_record("BAD", units="x"),
                a_record("OLD", units="6"),
                a_record("R-1"),
            ]
        },
    )
    ids = dict(Usage.objects.values_list("record_id", "pk"))
    assert response.status_code == 200
    assert response.json() == {
        "created": 2,
        "already_there": 1,
        "refused": 2,
        "results": [
            {"record_id": "R-2", "result": "created", "id": ids["R-2"], **OK},
            {"record_id": "OLD", "result": "already_there", "id": ids["OLD"], **OK},
            {
                "record_id": "BAD",
                "result": "refused",
                "id": None,
                "error_code": 1016,
                "error_msg": "invalid input: units: A valid number is required.",
                "errors": {"units": ["A valid number is required."]},
            },
            {
                "record_id": "OLD",
                "result": "refused",
                "id": None,
                "error_code": 90013,
                "error_msg": "This id is already used by another record: record_id OLD was loaded with other values",
                "errors": {
                    "record_id": ["This id is already used by another record: record_id OLD was loaded with other values"]
                },
            },
            {"record_id": "R-1", "result": "created", "id": ids["R-1"], **OK},
        ],
    }


def test_every_value_may_come_as_a_number_or_as_text_and_what_is_null_or_empty_is_not_given(api, account):
    service = ServiceFactory(client=account.client, client_service_id="calls")
    instance = account.plan_instances.get()
    forms = [
        a_record(1, client_acct_id="", acct_no=account.pk, client_service_id=None, service=str(service.pk), units=5),
        a_record("2", acct_no=str(account.pk), service=service.pk, units=5.5, plan_instance=str(instance.pk), description=None),
        a_record(" 3 ", acct_no=None, service=None, units="100", plan_instance=None, description=""),
    ]
    assert [one["result"] for one in load(api, *forms)] == ["created"] * 3
    assert list(Usage.objects.order_by("pk").values_list("record_id", "units", "description")) == [
        ("1", D(5), ""),
        ("2", D("5.5"), ""),
        ("3", D(100), ""),
    ]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"record_id": None}, 1010, "record_id"),
        ({"record_id": ""}, 1010, "record_id"),
        ({"record_id": "  "}, 1010, "record_id"),
        ({"record_id": "x" * 101}, 1012, "record_id"),
        ({"record_id": "a\u0000b"}, 1012, "record_id"),
        ({"record_id": ["R-1"]}, 1016, "record_id"),
        ({"record_id": {"id": 1}}, 1016, "record_id"),
        ({"record_id": True}, 1016, "record_id"),
        ({"acct_no": "x"}, 1016, "acct_no"),
        ({"acct_no": 1.0}, 1016, "acct_no"),
        ({"acct_no": True}, 1016, "acct_no"),
        ({"acct_no": {}}, 1016, "acct_no"),
        ({"acct_no": []}, 1016, "acct_no"),
        ({"acct_no": "\u0661"}, 1016, "acct_no"),
        ({"acct_no": 2**63}, 1009, "acct_no"),
        ({"acct_no": 10**400}, 1012, "acct_no"),
        ({"acct_no": 0}, 1009, "acct_no"),
        ({"client_acct_id": "ACME-2"}, 1009, "client_acct_id"),
        ({"client_acct_id": "x" * 51}, 1012, "client_acct_id"),
        ({"client_acct_id": {"a": 1}}, 1016, "client_acct_id"),
        ({"client_acct_id": None}, 1010, "acct_no"),
        ({"client_acct_id": ""}, 1010, "acct_no"),
        ({"service": "calls"}, 1016, "service"),
        ({"service": -(2**63)}, 1016, "service"),
        ({"service": 0}, 1016, "service"),
        ({"client_service_id": "faxes"}, 1016, "client_service_id"),
        ({"client_service_id": "x" * 101}, 1012, "client_service_id"),
        ({"client_service_id": [[]]}, 1016, "client_service_id"),
        ({"client_service_id": None}, 1010, "service"),
        ({"plan_instance": 0}, 1016, "plan_instance"),
        ({"plan_instance": "x"}, 1016, "plan_instance"),
        ({"plan_instance": ""}, 1016, "plan_instance"),
        ({"units": None}, 1010, "units"),
        ({"units": ""}, 1016, "units"),
        ({"units": "0"}, 1016, "units"),
        ({"units": 0}, 1016, "units"),
        ({"units": "-0"}, 1016, "units"),
        ({"units": "-1"}, 1016, "units"),
        ({"units": -0.0001}, 1016, "units"),
        ({"units": "0.00000000004"}, 1016, "units"),
        ({"units": 4e-11}, 1016, "units"),
        ({"units": "1000000000000000.0000000001"}, 1016, "units"),
        ({"units": "1000000000000001"}, 1016, "units"),
        ({"units": "12345678901234567890"}, 1012, "units"),
        ({"units": 10**400}, 1012, "units"),
        ({"units": "9" * 1001}, 1012, "units"),
        ({"units": "1e2"}, 1016, "units"),
        ({"units": "1E+2"}, 1016, "units"),
        ({"units": "1e-2"}, 1016, "units"),
        ({"units": "1e400"}, 1016, "units"),
        ({"units": "1e-400"}, 1016, "units"),
        ({"units": "1e999999999999"}, 1016, "units"),
        ({"units": "1e99999999999999999999"}, 1016, "units"),
        ({"units": "NaN"}, 1016, "units"),
        ({"units": "sNaN"}, 1016, "units"),
        ({"units": "-Infinity"}, 1016, "units"),
        ({"units": "inf"}, 1016, "units"),
        ({"units": "1_000"}, 1016, "units"),
        ({"units": "\u0661\u0662"}, 1016, "units"),
        ({"units": "1,5"}, 1016, "units"),
        ({"units": "five"}, 1016, "units"),
        ({"units": True}, 1016, "units"),
        ({"units": ["5"]}, 1016, "units"),
        ({"units": {"value": 5}}, 1016, "units"),
        ({"used_at": None}, 1010, "used_at"),
        ({"used_at": ""}, 1024, "used_at"),
        ({"used_at": "2026-01-31"}, 1024, "used_at"),
        ({"used_at": "20260131T120000Z"}, 1024, "used_at"),
        ({"used_at": "31.01.2026 12:00"}, 1024, "used_at"),
        ({"used_at": "2026-02-30T12:00:00Z"}, 1024, "used_at"),
        ({"used_at": "2026-01-31T24:00:00Z"}, 1024, "used_at"),
        ({"used_at": "2026-01-31T12:60:00Z"}, 1024, "used_at"),
        ({"used_at": "2026-01-31T12:00:60Z"}, 1024, "used_at"),
        ({"used_at": "2026-01-31T12:00:00+25:00"}, 1024, "used_at"),
        ({"used_at": "2026-01-31T12:00:00 UTC"}, 1024, "used_at"),
        ({"used_at": "2026-01-31T12:00:00Z\n"}, 1024, "used_at"),
        ({"used_at": "\u0662026-01-31T12:00:00Z"}, 1024, "used_at"),
        ({"used_at": 1769860800}, 1024, "used_at"),
        ({"used_at": True}, 1024, "used_at"),
        ({"used_at": {}}, 1024, "used_at"),
        ({"used_at": ["2026-01-31T12:00:00Z"]}, 1024, "used_at"),
        ({"used_at": "0000-01-31T12:00:00Z"}, 1024, "used_at"),
        ({"used_at": "0001-01-01T00:00:00+14:00"}, 1024, "used_at"),
        ({"used_at": "9999-12-31T23:59:59-14:00"}, 1024, "used_at"),
        ({"used_at": "1899-12-31T23:59:59Z"}, 1016, "used_at"),
        ({"used_at": "3000-01-01T00:00:00Z"}, 1016, "used_at"),
        ({"used_at": "1900-01-01T00:00:00Z"}, 90012, "used_at"),
        ({"used_at": "2999-12-31T23:59:59Z"}, 1016, "used_at"),
        ({"used_at": "2026-03-15T12:00:01Z"}, 1016, "used_at"),
        ({"used_at": "2026-01-09T23:59:59Z"}, 90012, "used_at"),
        ({"description": "x" * 201}, 1012, "description"),
        ({"description": "a\u0000"}, 1012, "description"),
        ({"description": ["a"]}, 1016, "description"),
    ],
)
def test_each_wrong_value_has_its_code_and_names_its_field(api, account, change, code, field):
    assert refused(api, a_record(**change)) == (code, [field])


@pytest.mark.parametrize("name", list(a_record()))
def test_a_value_that_is_missing_is_named(api, account, name):
    record = a_record()
    del record[name]
    missing = {"client_acct_id": "acct_no", "client_service_id": "service"}.get(name, name)
    (result,) = load(api, record)
    assert (result["error_code"], result["error_msg"]) == (1010, f"Missing required parameter: {missing}")


def test_of_an_empty_record_everything_that_is_missing_is_named(api, account):
    (result,) = load(api, {})
    assert result["record_id"] is None
    assert result["error_code"] == 1010
    assert result["error_msg"] == "Missing required parameter: record_id, units, used_at, acct_no, service"
    assert list(result["errors"]) == ["record_id", "units", "used_at", "acct_no", "service"]


def test_everything_that_is_wrong_with_a_record_is_told_at_once(api, account):
    (result,) = load(api, a_record(units="x", used_at="y", acct_no="z"))
    assert (result["record_id"], result["error_code"]) == ("R-1", 1016)
    assert result["errors"] == {
        "acct_no": ["Not a valid long."],
        "units": ["A valid number is required."],
        "used_at": ["This is not a date and time. Write yyyy-mm-ddThh:mm:ss, with or without an offset such as Z or +hh:mm."],
    }


@pytest.mark.parametrize("record", [None, "R-1", 7, 1.5, True, [], ["R-1"], [a_record()]])
def test_what_is_no_record_is_refused_and_the_others_are_loaded(api, account, record):
    good, bad = load(api, a_record("GOOD"), record)
    assert (good["result"], bad["result"], bad["record_id"], bad["error_code"]) == (
        "created",
        "refused",
        None,
        1010 if record is None else 1016,
    )


def test_half_a_character_is_refused_and_not_repeated_in_the_answer(api, account):
    body = json.dumps(
        {"records": [a_record("\ud800"), a_record(description="\udfff"), a_record("R-2", client_acct_id="\ud800")]}
    )
    response = api.generic("POST", f"{API}/usage/", body, content_type="application/json")
    assert [(one["record_id"], one["error_code"]) for one in response.json()["results"]] == [
        (None, 1012),
        ("R-1", 1012),
        ("R-2", 1012),
    ]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, 1010, ["records"]),
        ({"records": None}, 1010, ["records"]),
        ({"records": []}, 1010, ["records"]),
        ({"records": "R-1"}, 1016, ["records"]),
        ({"records": {"0": {}}}, 1016, ["records"]),
        ({"records": 5}, 1016, ["records"]),
        ({"record_id": "R-1"}, 1016, ["record_id"]),
        ({"records": [{}] * 10_001}, 1012, ["records"]),
    ],
)
def test_a_body_without_records_or_with_too_many_is_refused_whole(api, account, body, code, field):
    response = post(api, body)
    assert (response.status_code, response.json()["error_code"], list(response.json()["errors"])) == (400, code, field)


@pytest.mark.parametrize(
    "text",
    [
        '{"records": [{"units": NaN}]}',
        '{"records": [{"units": Infinity}]}',
        '{"records": [{"units": 1e400}]}',
        '{"records": [{"record_id": "R-1"',
        '{"records": [' + "[" * 100_000 + "]" * 100_000 + "]}",
        '[{"record_id": "R-1"}]',
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(api, account, text):
    response = api.generic("POST", f"{API}/usage/", text, content_type="application/json")
    assert (response.status_code, response.json()["error_code"]) == (400, 1012)


def test_a_body_that_is_too_large_is_refused_by_its_length(api, account):
    text = '{"records": [{"record_id": "' + "x" * 8_000_000 + '"}]}'
    response = api.generic("POST", f"{API}/usage/", text, content_type="application/json")
    assert (response.status_code, response.json()["error_code"]) == (413, 1012)
    assert response.json()["error_msg"] == "invalid input format: the body is too large: send at most 8000000 bytes"


def test_ten_thousand_records_with_long_texts_are_one_call(api, account):
    """More than the 2.5 MB that Django takes by default."""
    records = [a_record(f"{n:0100d}", description="x" * 200, units="x") for n in range(10_000)]
    body = json.dumps({"records": records})
    assert 4_000_000 < len(body) < 8_000_000
    response = api.generic("POST", f"{API}/usage/", body, content_type="application/json")
    assert (response.status_code, response.json()["refused"]) == (200, 10_000)


def test_the_whole_call_takes_as_many_queries_for_many_records_as_for_one(api, account):
    def queries(count, name):
        records = [a_record(f"{name}-{n}") for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            load(api, *records)
        return len(captured)

    queries(1, "FIRST")  # notes the use of the key
    assert queries(1, "ONE") == queries(500, "MANY")


def test_accounts_and_services_of_another_client_do_not_exist(api, umbra, account):
    plan = PlanFactory(client=umbra)
    a_charge(plan, "calls", "1", ChargeType.USAGE)
    theirs = an_account(umbra, plan, client_acct_id="UMBRA-1")
    service = plan.charges.get().service_id
    assert refused(api, a_record(client_acct_id="UMBRA-1")) == (1009, ["client_acct_id"])
    assert refused(api, a_record(client_acct_id=None, acct_no=theirs.pk)) == (1009, ["acct_no"])
    assert refused(api, a_record(client_service_id=None, service=service)) == (1016, ["service"])
    assert refused(api, a_record(plan_instance=theirs.plan_instances.get().pk)) == (1016, ["plan_instance"])
