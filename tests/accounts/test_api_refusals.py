"""The resources of accounts and the catalogue: each wrong input has its code and names its field."""

from unittest import mock

import pytest

from accounts.kinds import ChargeType
from accounts.models import Account, Contact, PaymentMethod, Plan, PlanInstance
from tests.support.accounts_api import API, create, wrong
from tests.support.factories import AccountFactory, ContactFactory, PlanFactory, ServiceFactory, a_plan
from tests.support.resources import api

__all__ = ["api"]


# Wrong input.


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"client_acct_id": None}, 1010, "client_acct_id"),
        ({"client_acct_id": ""}, 1010, "client_acct_id"),
        ({"client_acct_id": "x" * 51}, 1012, "client_acct_id"),
        ({"client_acct_id": "a\u0000"}, 1012, "client_acct_id"),
        ({"client_acct_id": "C-0"}, 1016, "client_acct_id"),
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
        ({"end_date": "2026-01-09"}, 1016, "end_date"),
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
        ([{"service": "mine", "rate_per_unit": "1"}, {"service": "mine", "rate_per_unit": "2"}], 1016, "charges[1].line_type"),
        ([{"service": "mine", "rate_per_unit": "1", "record_increment": "6"}], 1016, "charges[0].record_increment"),
        ([{"service": "mine", "rate_per_unit": "1", "record_minimum": "6"}], 1016, "charges[0].record_minimum"),
        ([{"service": "mine", "rate_per_unit": "1", "line_type": 6, "record_minimum": "0"}], 1016, "charges[0].record_minimum"),
        (
            [{"service": "mine", "rate_per_unit": "1", "line_type": ChargeType.ACTIVATION, "billing_interval": 3}],
            1016,
            "charges[0].billing_interval",
        ),
    ],
)
def test_a_plan_comes_with_good_charges_or_not_at_all(acme, api, charges, code, field):
    service = ServiceFactory(client=acme)
    for charge in charges or []:
        if charge.get("service") == "mine":
            charge["service"] = service.pk
    answer = wrong(api, "plans", {"client_plan_id": "p", "name": "P", "currency": "usd", "charges": charges})
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert "Constraint" not in answer[1] and "1E-10" not in answer[1]
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
