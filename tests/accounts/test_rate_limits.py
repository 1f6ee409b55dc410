"""Limits of calls by key and address, of wrong keys, and of what caches keep."""

import json

import pytest
from django.contrib.auth import get_user_model

from accounts.models import ApiCall
from accounts.rate_limits import count_call
from tests.support.money_api import with_key


def asked(api):
    return api.get("/api/v1/accounts/")


def guess(client, number):
    body = {"rest_call": "get_pending_invoice_no_m", "output_format": "json", "client_no": 1, "auth_key": f"{number:032}"}
    return client.post("/v1/core", json.dumps(body), content_type="application/json")


def test_a_key_is_told_what_is_left_and_then_when_to_come_back(acme, settings):
    settings.CALLS_PER_KEY, settings.CALLS_PER_ADDRESS = 2, 0
    api, other = with_key(acme), with_key(acme)
    first = asked(api)
    assert (first.status_code, first["RateLimit-Policy"]) == (200, '"key";q=2;w=60')
    assert first["RateLimit"].startswith('"key";r=1;t=') and "Retry-After" not in first
    assert asked(api)["RateLimit"].startswith('"key";r=0;t=')
    refused = asked(api)
    assert (refused.status_code, refused.json()["error_code"]) == (429, 90272)
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert asked(other).status_code == 200


def test_all_keys_of_an_address_have_a_limit_together(acme, settings):
    settings.CALLS_PER_KEY, settings.CALLS_PER_ADDRESS = 100, 2
    assert [asked(with_key(acme)).status_code for _ in range(3)] == [200, 200, 429]


def test_without_a_limit_nothing_is_reported(acme, settings):
    settings.CALLS_PER_KEY = settings.CALLS_PER_ADDRESS = 0
    assert "RateLimit" not in asked(with_key(acme))


def test_a_method_call_above_the_limit_says_so_in_its_own_way(acme, settings, client):
    settings.CALLS_PER_KEY = 1
    api = with_key(acme)
    body = json.dumps({"rest_call": "get_pending_invoice_no_m", "output_format": "json", **api.key})
    answers = [client.post("/v1/core", body, content_type="application/json") for _ in range(2)]
    # The first has its own refusal: it names no account.
    assert [(one.status_code, one.json()["error_code"]) for one in answers] == [(200, 1010), (200, 90272)]
    assert "Retry-After" in answers[1]


def test_wrong_keys_are_neither_looked_up_nor_logged_after_too_many(acme, settings, client, django_assert_num_queries):
    settings.WRONG_KEYS_PER_ADDRESS = 3
    assert [guess(client, number).json()["error_code"] for number in range(3)] == [1004] * 3
    logged = ApiCall.objects.count()
    with django_assert_num_queries(0):
        refused = guess(client, 4)
    assert (refused.json()["error_code"], "Retry-After" in refused) == (90272, True)
    assert ApiCall.objects.count() == logged == 3
    right = with_key(acme)
    assert asked(right).status_code == 429, "who guesses is not told that a key is right"


def test_another_minute_counts_anew(monkeypatch):
    at = 1_000_000.0
    monkeypatch.setattr("accounts.rate_limits.time.time", lambda: at)
    assert [count_call("key", 1, 1).left for _ in range(2)] == [0, -1]
    at += 60
    assert count_call("key", 1, 1).left == 0


@pytest.mark.parametrize("accept", ["application/problem+json", "application/json, application/problem+json;q=0.9"])
def test_errors_are_problems_for_who_asks_for_them(acme, accept):
    api = with_key(acme)
    answer = api.get("/api/v1/accounts/9999/", headers={"Accept": f"{accept}, */*"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    body = answer.json()
    assert body["type"] == f"urn:billing:error:{body['error_code']}"
    assert (body["status"], body["instance"]) == (404, "/api/v1/accounts/9999/")
    assert (body["detail"], body["errors"]) == (body["error_msg"], {})
    assert body["title"]
    nowhere = api.get("/api/v1/nowhere/", headers={"Accept": accept})
    assert (nowhere["Content-Type"], nowhere.json()["status"]) == ("application/problem+json", 404)
    answer = api.get("/api/v1/accounts/", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"], answer.json()["results"]) == (200, "application/json", [])
    refused = api.post("/api/v1/accounts/", {}, format="json", headers={"Accept": accept})
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")


def test_errors_stay_as_they_were_for_all_others(acme):
    api = with_key(acme)
    for accept in ("*/*", "application/json", "application/json, application/problem+json;q=0"):
        answer = api.get("/api/v1/accounts/9999/", headers={"Accept": accept})
        assert (answer["Content-Type"], set(answer.json())) == ("application/json", {"error_code", "error_msg", "errors"})


def test_no_cache_keeps_what_has_money(acme, client):
    assert asked(with_key(acme))["Cache-Control"] == "no-store"
    assert guess(client, 1)["Cache-Control"] == "no-store"
    boss = get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True)
    acme.staff.add(boss)
    assert "no-store" not in client.get("/readyz").get("Cache-Control", "")
    client.force_login(boss)
    for address in ("/", "/accounts/", "/invoices/"):
        assert "no-store" in client.get(address)["Cache-Control"]


def test_the_description_is_made_once(client):
    first = client.get("/api/schema/", headers={"Accept": "application/json"})
    again = client.get("/api/schema/", headers={"Accept": "application/json"})
    assert first.content == again.content and json.loads(first.content)["openapi"].startswith("3.")
    assert b"openapi: 3" in client.get("/api/schema/").content


def test_an_old_address_names_the_one_that_takes_its_place(client):
    old, new = client.get("/healthz"), client.get("/livez")
    assert (old.status_code, old.content) == (new.status_code, new.content)
    assert old["Deprecation"] == "@1796083200" and old["Sunset"] == "Wed, 01 Dec 2027 00:00:00 GMT"
    assert old["Link"] == '</livez>; rel="successor-version"'
    assert "Deprecation" not in new
