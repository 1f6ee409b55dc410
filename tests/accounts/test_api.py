"""The resources of accounts and the catalogue: who may call, creating, reading, and other clients' rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from accounts.keys import create_key
from accounts.models import Account, Contact, PaymentMethod, Plan, PlanInstance, Service
from accounts.models.identities import BUYER_FIELDS
from tests.support.accounts_api import API, basic, create, with_key, wrong
from tests.support.factories import BY_TEST, AccountFactory, a_plan, an_account
from tests.support.resources import api

__all__ = ["api"]


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
        "pauses": [],
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
        "e_invoice_profile": "",
        **dict.fromkeys(BUYER_FIELDS[6:], ""),
        "note": "",
        "tags": "",
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


def test_nothing_is_put_and_accounts_are_not_deleted(acme, api):
    account = an_account(acme)
    acts = (
        (api.put, f"accounts/{account.pk}"),
        (api.put, f"plans/{Plan.objects.get().pk}"),
        (api.delete, f"accounts/{account.pk}"),
    )
    for act, address in acts:
        response = act(f"{API}/{address}/", {}, format="json")
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
