"""The resources of accounts and the catalogue, the client's clock, and what all resources have in common."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from unittest import mock

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.keys import create_key
from accounts.models import Account, Client, Contact, Event, PaymentMethod, Plan, PlanInstance, Service
from tests.support.accounts_api import API, basic, create, with_key, wrong
from tests.support.factories import BY_TEST, AccountFactory, ContactFactory, PlanFactory, ServiceFactory, a_plan, an_account


@pytest.fixture
def api(acme):
    return with_key(acme)


# Who may call.


@pytest.mark.parametrize(
    "credentials",
    [
        None,
        "Bearer x",
        "Basic",
        "Basic %%%",
        "Basic /w==",
        basic("1"),
        basic("1:" + "x" * 32),
        basic(":"),
        basic("1:\u0000"),
        basic("9" * 30 + ":" + "x" * 32),
        basic(f"{2**63}:" + "x" * 32),
        basic("x:" + "x" * 32),
    ],
)
def test_wrong_or_missing_credentials_are_challenged(acme, credentials):
    api = APIClient()
    response = api.get(f"{API}/accounts/", **({"HTTP_AUTHORIZATION": credentials} if credentials else {}))
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Basic realm=")
    assert response.json() == {"error_code": 1004, "error_msg": "authentication error", "errors": {}}


def test_a_key_opens_only_its_own_client(acme, umbra):
    _, auth_key = create_key(umbra, name="umbra's", caller=BY_TEST)
    for number, status in ((umbra.pk, 200), (acme.pk, 401)):
        assert APIClient().get(f"{API}/plans/", HTTP_AUTHORIZATION=basic(f"{number}:{auth_key}")).status_code == status


def test_a_revoked_key_opens_nothing(acme, api):
    acme.api_keys.update(revoked_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert api.get(f"{API}/accounts/").status_code == 401


def test_the_health_page_answers_anyone(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


# Creating and reading.


def test_an_account_is_opened_read_and_found(acme, api):
    body = {
        "client_acct_id": "C-1",
        "currency": "eur",
        "status": 41,
        "is_test": "true",
        "payment_terms_days": 7,
        "bill_day": 31,
    }
    created = create(api, "accounts", body)
    account = Account.objects.get()
    assert created.pop("created_at").startswith(f"{account.created_at:%Y-%m-%d}")
    assert created == {
        "acct_no": account.pk,
        "client_acct_id": "C-1",
        "status": 41,
        "currency": "eur",
        "is_test": True,
        "invoice_approval_required": False,
        "payment_terms_days": 7,
        "bill_day": 31,
        "next_bill_date": None,
        "last_bill_date": None,
        "tax_exemption": "none",
        "tax_exemption_from": None,
        "tax_exemption_reason": "",
        "tax_exemption_to": None,
        "tax_id": "",
        "registration_number": "",
        "electronic_scheme": "",
        "electronic_address": "",
        "buyer_reference": "",
        "language": "",
    }
    assert account.client == acme
    assert api.get(f"{API}/accounts/{account.pk}/").json()["client_acct_id"] == "C-1"


def test_a_new_account_inherits_the_clients_approval_setting(umbra):
    create(with_key(umbra), "accounts", {"client_acct_id": "C-1", "currency": "usd"})
    create(with_key(umbra), "accounts", {"client_acct_id": "C-2", "currency": "usd", "invoice_approval_required": False})
    assert list(Account.objects.values_list("invoice_approval_required", flat=True)) == [True, False]


def test_accounts_are_found_by_their_own_id_and_status(acme, api):
    AccountFactory(client=acme, client_acct_id="C-1", status=1)
    AccountFactory(client=acme, client_acct_id="C-2", status=-1)

    def found(query):
        return [row["client_acct_id"] for row in api.get(f"{API}/accounts/?{query}").json()["results"]]

    assert found("") == ["C-1", "C-2"]
    assert found("client_acct_id=C-2") == ["C-2"]
    assert found("status=1") == ["C-1"]


def test_a_catalogue_is_built_and_an_account_takes_a_plan_at_its_own_price(acme, api):
    location = create(api, "service-locations", {"client_service_location_id": "HQ", "city": "Fresno", "country": "US"})
    phone = create(
        api, "services", {"client_service_id": "phone", "name": "Phone", "gl_code": "4000", "location": location["id"]}
    )
    tv = create(api, "services", {"client_service_id": "tv", "name": "TV", "gl_code": "4100", "tax_inclusive": True})
    plan = create(
        api,
        "plans",
        {
            "client_plan_id": "duo",
            "name": "Duo",
            "currency": "usd",
            "billing_interval": 3,
            "term_months": 12,
            "charges": [
                {"service": phone["id"], "rate_per_unit": "30.00"},
                {"service": tv["id"], "rate_per_unit": "9.5"},
            ],
        },
    )
    assert [(row["service"], row["line_type"], row["rates"][0]["rate_per_unit"]) for row in plan["charges"]] == [
        (phone["id"], 1, "30.0000000000"),
        (tv["id"], 1, "9.5000000000"),
    ]
    account = create(api, "accounts", {"client_acct_id": "C-1", "currency": "usd"})
    instance = create(
        api,
        "plan-instances",
        {
            "acct_no": account["acct_no"],
            "plan": plan["id"],
            "units": "2.5",
            "start_date": "2026-01-15",
            "end_date": "2026-12-31",
            "po_num": "PO 7",
            "prices": [
                {"charge": plan["charges"][0]["id"], "rate_per_unit": "28"},
                {"service": tv["id"], "rate_per_unit": "9"},
            ],
        },
    )
    stored = PlanInstance.objects.get(pk=instance["id"])
    assert (stored.units, stored.start_date, stored.end_date, stored.po_num) == (
        Decimal("2.5"),
        date(2026, 1, 15),
        date(2026, 12, 31),
        "PO 7",
    )
    assert [(price.charge.service.name, price.rate_per_unit) for price in stored.own_rates.order_by("pk")] == [
        ("Phone", 28),
        ("TV", 9),
    ]
    assert Service.objects.get(client_service_id="phone").location_id == location["id"]
    assert api.get(f"{API}/accounts/{account['acct_no']}/").json()["next_bill_date"] == "2026-01-15"
    assert api.get(f"{API}/plan-instances/{instance['id']}/").json() == instance
    assert api.get(f"{API}/plans/{plan['id']}/").json() == plan


def test_contacts_and_payment_methods_are_kept_and_found_by_account(acme, api):
    first, second = AccountFactory(client=acme), AccountFactory(client=acme)
    contact = {
        "acct_no": first.pk,
        "contact_no": 2,
        "role": "billing",
        "name": "Ada",
        "email": "ada@example.org",
        "country": "US",
    }
    create(api, "contacts", contact)
    create(
        api, "payment-methods", {"acct_no": first.pk, "type": "card", "token": "sandbox_approved", "label": "Visa ending 4242"}
    )
    assert Contact.objects.get(account=first).email == "ada@example.org"
    assert PaymentMethod.objects.get(account=first).token == "sandbox_approved"
    for resource in ("contacts", "payment-methods"):
        found = [api.get(f"{API}/{resource}/?acct_no={account.pk}").json() for account in (first, second)]
        counts = [len(one["results"]) for one in found]
        assert counts == [1, 0]


def test_plan_instances_are_found_by_account(acme, api):
    account = an_account(acme)
    an_account(acme)
    answer = api.get(f"{API}/plan-instances/?acct_no={account.pk}").json()
    assert [row["acct_no"] for row in answer["results"]] == [account.pk]


def test_tax_rates_are_created_and_found(acme, api):
    body = {"name": "VAT", "country": "DE", "category": "telecom", "percent": "19", "valid_from": "2020-01-01"}
    create(api, "tax-rates", body)
    assert acme.tax_rates.get().percent == 19
    assert len(api.get(f"{API}/tax-rates/?country=DE").json()["results"]) == 1
    assert api.get(f"{API}/tax-rates/?country=FR").json()["results"] == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_nothing_is_changed_or_deleted(acme, api, method):
    account = an_account(acme)
    for address in (f"accounts/{account.pk}", f"plans/{Plan.objects.get().pk}"):
        response = getattr(api, method)(f"{API}/{address}/", {}, format="json")
        assert (response.status_code, response.json()["error_code"]) == (405, 1012)


# Other clients' rows do not exist.


def test_rows_of_another_client_are_neither_listed_nor_found(umbra, api):
    account = an_account(umbra)
    plan = Plan.objects.get()
    addresses = {
        "accounts": account.pk,
        "contacts": Contact.objects.get().pk,
        "plans": plan.pk,
        "services": plan.charges.get().service_id,
        "plan-instances": PlanInstance.objects.get().pk,
    }
    for resource, number in addresses.items():
        assert api.get(f"{API}/{resource}/").json()["results"] == []
        response = api.get(f"{API}/{resource}/{number}/")
        code = 1009 if resource == "accounts" else 1002
        assert (response.status_code, response.json()["error_code"]) == (404, code)


def test_numbers_of_another_client_do_not_exist_in_a_body(acme, umbra, api):
    theirs = an_account(umbra)
    plan = Plan.objects.get()
    charge = plan.charges.get()
    mine, my_plan = AccountFactory(client=acme), a_plan(acme)
    cases = [
        ("contacts", {"acct_no": theirs.pk, "contact_no": 9, "name": "x"}, 1009, "acct_no"),
        ("payment-methods", {"acct_no": theirs.pk, "type": "card"}, 1009, "acct_no"),
        ("plan-instances", {"acct_no": theirs.pk, "plan": my_plan.pk, "start_date": "2026-01-01"}, 1009, "acct_no"),
        ("plan-instances", {"acct_no": mine.pk, "plan": plan.pk, "start_date": "2026-01-01"}, 1016, "plan"),
        (
            "plan-instances",
            {
                "acct_no": mine.pk,
                "plan": my_plan.pk,
                "start_date": "2026-01-01",
                "prices": [{"charge": charge.pk, "rate_per_unit": 1}],
            },
            1016,
            "prices[0].charge",
        ),
        (
            "plans",
            {
                "client_plan_id": "p",
                "name": "p",
                "currency": "usd",
                "charges": [{"service": charge.service_id, "rate_per_unit": "1"}],
            },
            1016,
            "charges[0].service",
        ),
    ]
    for resource, body, code, field in cases:
        answer = wrong(api, resource, body)
        assert (answer[0], list(answer[2])) == (code, [field]), answer
        assert "does not exist" in answer[2][field][0]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 40, "%00"])
def test_a_number_that_cannot_be_one_is_not_found(api, number):
    assert api.get(f"{API}/accounts/{number}/").status_code == 404


# Wrong input.


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"client_acct_id": None}, 1010, "client_acct_id"),
        ({"client_acct_id": ""}, 1010, "client_acct_id"),
        ({"client_acct_id": "x" * 51}, 1012, "client_acct_id"),
        ({"client_acct_id": "a\u0000"}, 1012, "client_acct_id"),
        ({"client_acct_id": "C-0"}, 1016, "non_field_errors"),
        ({"status": 7}, 1016, "status"),
        ({"status": "active"}, 1016, "status"),
        ({"currency": "USD"}, 1016, "currency"),
        ({"currency": "zzz"}, 1016, "currency"),
        ({"is_test": "yes"}, 1033, "is_test"),
        ({"is_test": 1}, 1033, "is_test"),
        ({"bill_day": 32}, 1016, "bill_day"),
        ({"bill_day": "x"}, 1016, "bill_day"),
        ({"payment_terms_days": -1}, 1016, "payment_terms_days"),
        ({"payment_terms_days": 10**30}, 1016, "payment_terms_days"),
    ],
)
def test_each_wrong_value_has_its_code_and_names_its_field(acme, api, change, code, field):
    AccountFactory(client=acme, client_acct_id="C-0")
    answer = wrong(api, "accounts", {"client_acct_id": "C-1", "currency": "usd", **change})
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert Account.objects.count() == 1


def test_everything_that_is_wrong_is_told_at_once_and_what_is_missing_comes_first(api):
    code, message, errors = wrong(api, "accounts", {"status": 7})
    assert (code, message) == (1010, "Missing required parameter: client_acct_id, currency")
    assert set(errors) == {"client_acct_id", "currency", "status"}


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"acct_no": "x"}, 1016, "acct_no"),
        ({"acct_no": True}, 1016, "acct_no"),
        ({"acct_no": 10**30}, 1012, "acct_no"),
        ({"acct_no": 999}, 1009, "acct_no"),
        ({"plan": 999}, 1016, "plan"),
        ({"start_date": "2026-02-30"}, 1024, "start_date"),
        ({"start_date": "20260110"}, 1024, "start_date"),
        ({"start_date": 7}, 1024, "start_date"),
        ({"start_date": None}, 1010, "start_date"),
        ({"end_date": "2026-01-09"}, 1016, "non_field_errors"),
        ({"units": "x"}, 1016, "units"),
        ({"units": "NaN"}, 1016, "units"),
        ({"units": "-1"}, 1016, "units"),
        ({"units": "1000000000000001"}, 1016, "units"),
        ({"prices": {}}, 1016, "prices"),
        ({"prices": [{"rate_per_unit": "1"}]}, 1010, "prices[0].charge"),
        ({"prices": [{"charge": 999, "rate_per_unit": "1"}]}, 1016, "prices[0].charge"),
        ({"prices": [{"service": 1, "rate_per_unit": "-1"}]}, 1016, "prices[0].rate_per_unit"),
    ],
)
def test_a_wrong_plan_instance_is_refused_whole(acme, api, change, code, field):
    plan = a_plan(acme)
    body = {"acct_no": AccountFactory(client=acme).pk, "plan": plan.pk, "start_date": "2026-01-10"}
    if "prices" in change and change["prices"] and "service" in change["prices"][0]:
        change["prices"][0]["service"] = plan.charges.get().service_id
    answer = wrong(api, "plan-instances", {**body, **change})
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert not PlanInstance.objects.exists()


def test_a_price_belongs_to_a_charge_of_the_plan_and_is_given_once(acme, api):
    plan, other = a_plan(acme), a_plan(acme, {"tv": "5"})
    phone, tv = plan.charges.get(), other.charges.get()
    body = {"acct_no": AccountFactory(client=acme).pk, "plan": plan.pk, "start_date": "2026-01-10"}
    for prices, field in [
        ([{"charge": tv.pk}], "prices[0].charge"),
        ([{"service": tv.service_id}], "prices[0].charge"),
        ([{"charge": phone.pk, "service": tv.service_id}], "prices[0].charge"),
        ([{"charge": phone.pk}, {"service": phone.service_id}], "prices[1].charge"),
    ]:
        answer = wrong(api, "plan-instances", {**body, "prices": [{**price, "rate_per_unit": "1"} for price in prices]})
        assert (answer[0], list(answer[2])) == (1016, [field])
    assert not PlanInstance.objects.exists()


def test_a_plan_in_another_currency_is_refused_by_the_service(acme, api):
    body = {"acct_no": AccountFactory(client=acme).pk, "plan": a_plan(acme, currency="eur").pk, "start_date": "2026-01-10"}
    code, _, errors = wrong(api, "plan-instances", body)
    assert (code, list(errors)) == (90007, ["plan"])


@pytest.mark.parametrize(
    ("charges", "code", "field"),
    [
        (None, 1010, "charges"),
        ([{"rate_per_unit": "1"}], 1010, "charges[0].service"),
        ([{"service": "mine", "rate_per_unit": "-1"}], 1016, "charges[0].rate_per_unit"),
        ([{"service": "mine", "rate_per_unit": "12345678901"}], 1012, "charges[0].rate_per_unit"),
        ([{"service": "mine", "rate_per_unit": "1"}, {"service": "mine", "rate_per_unit": "2"}], 1016, "non_field_errors"),
    ],
)
def test_a_plan_comes_with_good_charges_or_not_at_all(acme, api, charges, code, field):
    service = ServiceFactory(client=acme)
    for charge in charges or []:
        if charge.get("service") == "mine":
            charge["service"] = service.pk
    answer = wrong(api, "plans", {"client_plan_id": "p", "name": "P", "currency": "usd", "charges": charges})
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert not Plan.objects.exists()


@pytest.mark.parametrize("token", ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", 4111111111111111])
def test_a_card_number_is_refused(acme, api, token):
    answer = wrong(api, "payment-methods", {"acct_no": AccountFactory(client=acme).pk, "type": "card", "token": token})
    assert (answer[0], list(answer[2])) == (1016, ["token"])
    assert not PaymentMethod.objects.exists()


def test_a_contact_number_is_used_once_an_account(acme, api):
    contact = ContactFactory(account__client=acme)
    body = {"acct_no": contact.account_id, "contact_no": 1, "name": "Bea"}
    assert wrong(api, "contacts", body)[0] == 1016
    assert Contact.objects.count() == 1


def test_the_same_id_may_be_used_by_two_clients(umbra, api):
    PlanFactory(client=umbra, client_plan_id="p")
    create(api, "plans", {"client_plan_id": "p", "name": "P", "currency": "usd", "charges": []})


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"{", b'{"a": NaN}', b"\xff", b'{"a":' + b"[" * 100_000, b'"' + b"x" * 3_000_000]
)
def test_a_body_that_is_no_json_object_is_refused(api, body):
    response = api.generic("POST", f"{API}/accounts/", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json() == {"error_code": 1012, "error_msg": "Unable to parse input json - invalid format.", "errors": {}}


def test_another_content_type_is_refused_with_its_own_status(api):
    response = api.generic("POST", f"{API}/accounts/", b"a=b", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["error_code"]) == (415, 1012)


def test_an_address_that_is_not_there_and_a_filter_that_makes_no_sense(api):
    assert api.get(f"{API}/nothing/").status_code == 404
    for query in ("acct_no=x", "acct_no=1.5", "acct_no=%00"):
        response = api.get(f"{API}/contacts/?{query}")
        assert (response.status_code, response.json()["error_code"], list(response.json()["errors"])) == (
            400,
            1016,
            ["acct_no"],
        )
    assert api.get(f"{API}/contacts/?acct_no={2**63}").json()["results"] == []
    assert api.get(f"{API}/contacts/?acct_no={10**22}").json()["error_code"] == 1012
    assert api.get(f"{API}/accounts/?status=abc").json()["error_code"] == 1016
    assert api.get(f"{API}/accounts/?client_acct_id=%00").status_code == 400


def test_what_is_unexpected_is_logged_and_never_shown(api, caplog):
    with mock.patch("accounts.api.serializers.create_account", side_effect=RuntimeError("a secret")):
        response = api.post(f"{API}/accounts/", {"client_acct_id": "C-1", "currency": "usd"}, format="json")
    assert response.status_code == 500
    assert response.json() == {"error_code": 1001, "error_msg": "unexpected error", "errors": {}}
    assert "RuntimeError: a secret" in caplog.text


# Pages.


def test_a_page_has_at_most_500_rows_and_50_unless_asked(acme, api):
    Account.objects.bulk_create(Account(client=acme, client_acct_id=f"C-{n}", currency="usd") for n in range(510))
    assert len(api.get(f"{API}/accounts/").json()["results"]) == 50
    assert len(api.get(f"{API}/accounts/?limit=500").json()["results"]) == 500
    assert len(api.get(f"{API}/accounts/?limit=1").json()["results"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=0",
        "limit=-1",
        "limit=501",
        "limit=",
        f"limit={10**30}",
        "ordering=-",
        "ordering=--acct_no",
        "cursor=x",
        "cursor=",
        "ordering=currency",
        "offset=3",
        "page=2",
    ],
)
def test_a_parameter_that_is_wrong_or_unknown_is_refused_by_its_name(acme, api, query):
    AccountFactory(client=acme)
    answer = api.get(f"{API}/accounts/?{query}")
    name = query.partition("=")[0]
    assert (answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])) == (400, 1016, [name])


@pytest.mark.parametrize("resource", ["accounts", "plans", "plan-instances", "contacts", "services"])
def test_a_list_of_many_takes_as_many_queries_as_a_list_of_two(acme, api, resource):
    def queries(rows):
        with CaptureQueriesContext(connection) as captured:
            assert len(api.get(f"{API}/{resource}/").json()["results"]) == rows
        return len(captured)

    def add(numbers):
        for number in numbers:
            an_account(acme, a_plan(acme, {f"service-{number}": "1"}))

    add(range(2))
    api.get(f"{API}/{resource}/")  # notes the use of the key
    few = queries(2)
    add(range(2, 20))
    assert queries(20) == few


# The client's clock.


@pytest.fixture
def clock(acme, settings):
    settings.VIRTUAL_CLOCK = True
    _, auth_key = create_key(acme, name="tester", caller=BY_TEST)

    def call(method, **members):
        body = json.dumps({"client_no": acme.pk, "auth_key": auth_key, **members})
        response = APIClient().generic("POST", f"{API}/clock/{method}/", body, content_type="application/json")
        assert response.status_code == 200
        return response.json()

    with time_machine.travel(datetime(2026, 1, 10, 12, 30, tzinfo=UTC), tick=False):
        yield call


def test_the_clock_is_read_in_the_clients_time_and_moved_by_hours(acme, clock):
    Client.objects.update(time_zone="America/New_York", clock_offset=timedelta(hours=1))
    assert clock("get_virtual_datetime") == {
        "error_code": 0,
        "error_msg": "OK",
        "virtual_datetime": "2026-01-10 08:30:00",
        "virtual_date": "2026-01-10",
        "virtual_time": "08:30:00",
        "system_date": "2026-01-10",
        "system_time": "07:30:00",
        "current_offset_hours": 1,
        "is_batch_running": None,
    }
    assert clock("advance_virtual_datetime", hours="48") == {
        "error_code": 0,
        "error_msg": "OK",
        "virtual_datetime": "2026-01-12 08:30:00",
        "virtual_date": "2026-01-12",
        "virtual_time": "08:30:00",
        "system_date": "2026-01-10",
        "system_time": "07:30:00",
        "current_offset_hours": 49,
    }
    assert clock("get_virtual_datetime")["virtual_datetime"] == "2026-01-12 08:30:00"
    acme.refresh_from_db()
    assert acme.clock_offset == timedelta(hours=49)


def test_the_clock_of_another_client_stands_still(umbra, clock):
    clock("advance_virtual_datetime", hours=5)
    umbra.refresh_from_db()
    assert umbra.clock_offset == timedelta()


@pytest.mark.parametrize(("method", "hours"), [("get_virtual_datetime", {}), ("advance_virtual_datetime", {"hours": 1})])
def test_the_virtual_clock_is_refused_in_production(acme, clock, settings, method, hours):
    settings.VIRTUAL_CLOCK = False
    answer = clock(method, **hours)
    assert (answer["error_code"], answer["virtual_datetime"]) == (90005, None)
    acme.refresh_from_db()
    assert acme.clock_offset == timedelta()


@pytest.mark.parametrize(
    ("given", "code"),
    [({}, 1010), ({"hours": ""}, 1010), ({"hours": "x"}, 1016), ({"hours": 1.5}, 1016), ({"hours": 10**6}, 1012)],
)
def test_hours_that_make_no_sense_are_refused_with_an_event(acme, clock, given, code):
    answer = clock("advance_virtual_datetime", **given)
    assert (answer["error_code"], "hours" in answer["error_msg"]) == (code, True)
    assert Event.objects.get().error_code == code
    acme.refresh_from_db()
    assert acme.clock_offset == timedelta()


def test_the_clock_never_goes_back(acme, clock):
    assert clock("advance_virtual_datetime", hours=-1)["error_code"] == 90006
    acme.refresh_from_db()
    assert acme.clock_offset == timedelta()


def test_the_clock_is_not_shown_to_strangers(clock):
    answer = clock("get_virtual_datetime", auth_key="x" * 32)
    assert (answer.pop("error_code"), answer.pop("error_msg"), set(answer.values())) == (1004, "authentication error", {None})
