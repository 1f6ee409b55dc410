"""A client's clock: forward only, and never in production."""

from datetime import date, timedelta

import pytest

from accounts import clock
from billing_site.errors import BillingError, ErrorCode


@pytest.fixture(autouse=True)
def virtual_clock(settings, time_machine):
    settings.VIRTUAL_CLOCK = True
    time_machine.move_to("2026-01-01T10:00:00+00:00", tick=False)


def test_the_clock_moves_forward_by_hours_and_stays_moved(acme):
    assert clock.advance_clock(acme, 15).virtual.isoformat() == "2026-01-02T01:00:00+00:00"
    acme.refresh_from_db()
    assert clock.today(acme) == date(2026, 1, 2)
    assert acme.clock_offset == timedelta(hours=15)


def test_the_clock_moves_to_noon_of_a_day(acme):
    acme.time_zone = "America/New_York"
    assert clock.advance_clock_to(acme, date(2026, 2, 1)).isoformat() == "2026-02-01T12:00:00-05:00"
    assert clock.advance_clock_to(acme, date(2026, 2, 1)).isoformat() == "2026-02-01T12:00:00-05:00"


def test_the_offset_is_in_whole_hours_whatever_daylight_saving_does_between(acme):
    acme.time_zone = "America/New_York"
    moved = clock.advance_clock(acme, 24 * 90)
    assert (moved.virtual.isoformat(), moved.offset_hours) == ("2026-04-01T06:00:00-04:00", 2160)
    acme.clock_offset = timedelta(hours=-5, minutes=-20)
    assert clock.clock_time(acme).offset_hours == -5


@pytest.mark.parametrize(
    "move", [lambda client: clock.advance_clock(client, -1), lambda client: clock.advance_clock_to(client, date(2025, 12, 31))]
)
def test_the_clock_never_moves_back(acme, move):
    with pytest.raises(BillingError) as refused:
        move(acme)
    assert refused.value.code is ErrorCode.CLOCK_BACKWARDS
    acme.refresh_from_db()
    assert acme.clock_offset == timedelta()


def test_each_client_has_its_own_clock(acme, umbra):
    clock.advance_clock(acme, 48)
    assert (clock.today(acme), clock.today(umbra)) == (date(2026, 1, 3), date(2026, 1, 1))


def test_in_production_the_clock_is_refused_and_its_offset_counts_for_nothing(acme, settings):
    clock.advance_clock(acme, 48)
    settings.VIRTUAL_CLOCK = False
    assert clock.today(acme) == date(2026, 1, 1)
    with pytest.raises(BillingError) as refused:
        clock.advance_clock(acme, 1)
    assert refused.value.code is ErrorCode.CLOCK_IN_PRODUCTION
