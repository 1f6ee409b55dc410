"""Schedules over REST: set, listed, switched off, and what is refused."""

from datetime import UTC, datetime

import pytest
import time_machine

from accounts.models import Event
from invoices.models import Schedule
from tests.support.factories import ClientFactory
from tests.support.money_api import get, post, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tenth_of_january(settings):
    settings.VIRTUAL_CLOCK = False
    with time_machine.travel(datetime(2026, 1, 10, 4, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def berlin():
    return ClientFactory(time_zone="Europe/Berlin")


@pytest.fixture
def api(berlin):
    return with_key(berlin)


def test_a_schedule_is_set_changed_and_switched_off(berlin, api):
    made = post(api, "schedules", {"act": "bill", "hour": 6}, status=201)
    number = made.pop("id")
    assert made == {
        "act": "bill",
        "hour": 6,
        "is_on": True,
        "next_day": "2026-01-10",
        "next_at": "2026-01-10T05:00:00Z",
        "last_success_at": None,
        "is_late": False,
        "message": "",
    }
    changed = post(api, "schedules", {"act": "bill", "hour": "0"}, status=201)
    assert (changed["id"], changed["hour"], changed["next_at"]) == (number, 0, "2026-01-10T23:00:00Z")
    assert api.delete(f"/api/v1/schedules/{number}/").status_code == 204
    off = get(api, f"schedules/{number}")
    assert (off["is_on"], off["hour"], off["next_day"], off["next_at"]) == (False, 0, None, None)
    assert [one["act"] for one in get(api, "schedules")["results"]] == ["bill"]
    assert [event.after for event in Event.objects.filter(act="schedule.changed").order_by("pk")] == [
        {"act": "bill", "hour": 6, "is_on": True},
        {"act": "bill", "hour": 0, "is_on": True},
        {"act": "bill", "hour": 0, "is_on": False},
    ]


def test_a_late_schedule_that_failed_says_so(berlin, api):
    post(api, "schedules", {"act": "audit", "hour": 6}, status=201)
    Schedule.objects.update(message="The audit has 2 findings.")
    with time_machine.travel("2026-01-10T06:01Z", tick=False):
        (late,) = get(api, "schedules")["results"]
    assert (late["is_late"], late["message"]) == (True, "The audit has 2 findings.")


@pytest.mark.parametrize(
    "body, code, message, field",
    [
        ({"act": "bill", "hour": 24}, 1016, "invalid input: hour: 24 is not from 0 to 23", "hour"),
        ({"act": "bill", "hour": -1}, 1016, "invalid input: hour: -1 is not from 0 to 23", "hour"),
        ({"act": "bill", "hour": 6.5}, None, None, "hour"),
        ({"act": "bill"}, None, None, "hour"),
        ({"act": "dance", "hour": 6}, None, None, "act"),
        ({"act": "bill", "hour": 6, "minute": 30}, None, None, "minute"),
    ],
)
def test_what_is_refused_and_by_which_name(api, body, code, message, field):
    answer = post(api, "schedules", body, status=400)
    assert list(answer["errors"]) == [field]
    if code is not None:
        assert (answer["error_code"], answer["error_msg"]) == (code, message)
    assert Schedule.objects.count() == 0


def test_a_key_without_the_right_to_collect_cannot_schedule_collecting(berlin):
    answer = post(with_key(berlin, may_collect=False), "schedules", {"act": "collect", "hour": 6}, status=403)
    assert answer["error_code"] == 90025
    post(with_key(berlin, may_collect=True), "schedules", {"act": "collect", "hour": 6}, status=201)


def test_another_clients_schedule_does_not_exist(api):
    number = post(api, "schedules", {"act": "bill", "hour": 6}, status=201)["id"]
    other = with_key(ClientFactory())
    assert get(other, "schedules")["results"] == []
    assert other.get(f"/api/v1/schedules/{number}/").status_code == 404
    assert other.delete(f"/api/v1/schedules/{number}/").status_code == 404
    assert Schedule.objects.get().is_on
