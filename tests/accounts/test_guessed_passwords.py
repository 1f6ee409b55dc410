"""Who guesses passwords of staff is locked out for a while, by name and by address."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client as Browser

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
PASSWORD = "safe and sound"
TOO_MANY = "Too many wrong passwords. Try again in 15 minutes."


@pytest.fixture(autouse=True)
def people(acme):
    for name in ("ann", "bob", "cem"):
        acme.staff.add(get_user_model().objects.create_user(name, password=PASSWORD, is_staff=True))


def sign_in(name, password, address="10.0.0.1", page="/login/", at=NOON, **headers):
    with time_machine.travel(at, tick=False):
        return Browser(REMOTE_ADDR=address).post(page, {"username": name, "password": password}, headers=headers)


def guess(times, name, address="10.0.0.1", **given):
    return [sign_in(name, f"guess {number}", address, **given).status_code for number in range(times)]


@pytest.mark.parametrize("page", ["/login/", "/admin/login/"])
def test_the_tenth_wrong_password_locks_the_name_from_everywhere_for_a_quarter_of_an_hour(page):
    assert guess(10, "ann", page=page) == [200] * 9 + [429]
    locked = sign_in("ann", PASSWORD, "10.0.0.2", page)
    assert (locked.status_code, locked["Retry-After"], TOO_MANY in locked.content.decode()) == (429, "900", True)
    assert sign_in("bob", PASSWORD, "10.0.0.2", page).status_code == 302
    later = NOON + timedelta(minutes=14)
    assert sign_in("ann", PASSWORD, "10.0.0.2", page, at=later).status_code == 429
    assert sign_in("ann", PASSWORD, "10.0.0.2", page, at=NOON + timedelta(minutes=15, seconds=1)).status_code == 302


def test_an_address_that_tries_many_names_is_locked_too():
    assert [*guess(5, "ann"), *guess(5, "nobody")] == [200] * 9 + [429]
    assert sign_in("bob", PASSWORD).status_code == 429
    assert sign_in("bob", PASSWORD, "10.0.0.2").status_code == 302


def test_the_right_password_begins_the_count_again():
    guess(9, "ann")
    assert sign_in("ann", PASSWORD).status_code == 302
    assert guess(9, "ann") == [200] * 9


def test_the_dialog_of_a_page_is_answered_with_json():
    guess(10, "ann")
    answer = sign_in("ann", PASSWORD, **{"X-Requested-With": "fetch"})
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/json")
