"""The client's clock as a resource: read, moved forward, and refused in production."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from rest_framework.test import APIClient

from accounts.keys import create_key
from accounts.models import Client, Event
from tests.support.accounts_api import API
from tests.support.factories import BY_TEST

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
        "is_batch_running": "false",
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
