"""The settings of a client over REST: read, changed as on the page, and proposed where four eyes apply."""

import pytest
from rest_framework.test import APIClient

from accounts.models import Client, SettingsChange
from tests.support.administrators import an_administrator
from tests.support.money_api import with_key

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def api(acme):
    return with_key(acme, may_change_settings=True)


def address(client):
    return f"/api/v1/settings/{client.pk}/"


def test_settings_are_read_and_changed(acme, api):
    (row,) = api.get("/api/v1/settings/").json()["results"]
    assert (row["client_no"], row["name"], row["payment_terms_days"], row["proposed"]) == (acme.pk, "Acme Telecom", 14, None)
    read = api.get(address(acme))
    body = {"payment_terms_days": 30, "collect_on_approval": True, "credit_to": "keep"}
    changed = api.patch(address(acme), body, format="json", headers={"If-Match": read["ETag"]})
    assert changed.status_code == 400, changed.json()
    del body["credit_to"]
    changed = api.patch(address(acme), body, format="json", headers={"If-Match": read["ETag"]})
    assert (changed.status_code, changed.json()["payment_terms_days"]) == (200, 30)
    acme.refresh_from_db()
    assert (acme.payment_terms_days, acme.collect_on_approval) == (30, True)
    late = api.patch(address(acme), {"payment_terms_days": 7}, format="json", headers={"If-Match": read["ETag"]})
    assert (late.status_code, late.json()["error_code"]) == (412, 90162)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"gateway": "none"}, "gateway"),
        ({"tax_engine": "none"}, "tax_engine"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"payment_terms_days": -1}, "payment_terms_days"),
        ({"clock_offset": 3}, "clock_offset"),
        ({"client_no": 3}, "client_no"),
    ],
)
def test_a_setting_that_is_not_valid_is_refused_by_name(acme, api, body, field):
    answer = api.patch(address(acme), body, format="json")
    assert answer.status_code == 400, answer.json()
    assert field in answer.json()["error_msg"]


def test_four_eyes_settings_are_refused_to_programs_and_proposed_by_staff(acme, api):
    refused = api.patch(address(acme), {"four_eyes": "another_person", "payment_terms_days": 30}, format="json")
    assert (refused.status_code, refused.json()["error_code"]) == (403, 90331)
    acme.refresh_from_db()
    assert (acme.four_eyes, acme.payment_terms_days) == ("off", 14)
    boss = an_administrator(acme, "boss")
    browser = APIClient()
    browser.force_login(boss)
    answer = browser.patch(
        f"{address(acme)}?client_no={acme.pk}", {"four_eyes": "another_person", "payment_terms_days": 30}, format="json"
    )
    assert answer.status_code == 200, answer.json()
    said = answer.json()
    assert (said["four_eyes"], said["payment_terms_days"]) == ("off", 30)
    assert (said["proposed"]["after"], said["proposed"]["before"]) == ({"four_eyes": "another_person"}, {"four_eyes": "off"})
    assert SettingsChange.objects.get().pk == said["proposed"]["id"]
    assert Client.objects.get(pk=acme.pk).four_eyes == "off"


def test_settings_need_the_right_and_are_the_callers_own(acme, umbra):
    approver = with_key(acme, may_approve=True, may_change_settings=False)
    assert approver.patch(address(acme), {"payment_terms_days": 3}, format="json").status_code == 403
    assert with_key(umbra, may_change_settings=True).get(address(acme)).status_code == 404
