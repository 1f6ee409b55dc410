"""Aria's method calls that show plans, services and prices."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from tests.support.calling import caller_of, refused
from tests.support.factories import ClientFactory, a_charge, a_plan

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


@pytest.fixture
def plan(acme):
    plan = a_plan(acme, {"phone": "30.00"})
    a_charge(plan, "calls", "0.10", ChargeType.USAGE)
    return plan


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_plans_and_their_services(call, plan, suffix):
    a_plan(ClientFactory(), {"phone": "30.00"})
    (row,) = call(f"get_client_plans_all{suffix}")["all_client_plan_dtls"]
    assert (row["plan_no"], row["client_plan_id"]) == (plan.pk, plan.client_plan_id)
    services = call(f"get_client_plan_services{suffix}", client_plan_id=plan.client_plan_id)["plan_services_list"]
    assert services == row["plan_services"]
    named = ("client_service_id", "is_recurring_ind", "is_usage_based_ind", "is_arrears_ind")
    assert [tuple(one[name] for name in named) for one in services] == [("phone", 1, 0, 0), ("calls", 0, 1, 1)]
    assert call(f"get_client_plans_all{suffix}", plan_no=plan.pk)["all_client_plan_dtls"] == [row]
    refused(call(f"get_client_plans_all{suffix}", plan_no=999), 1002, "plan_no 999")
    refused(call(f"get_client_plan_services{suffix}"), 1010, "plan_no")


@pytest.mark.parametrize("suffix", ["", "_m"])
def test_prices_of_today(call, plan, suffix):
    rows = call(f"get_client_plan_service_rates{suffix}", plan_no=plan.pk, client_service_id="phone")["plan_service_rates"]
    assert [(one["rate_seq_no"], one["from_unit"], one["to_unit"], one["rate_per_unit"]) for one in rows] == [(1, 0, None, 30)]
    asked = {"plan_no": plan.pk, "client_service_id": "calls"}
    assert call(f"get_client_plan_service_rates{suffix}", **asked)["plan_service_rates"][0]["rate_per_unit"] == 0.1
    refused(call(f"get_client_plan_service_rates{suffix}", plan_no=plan.pk, service_no=999), 1002, "service_no 999")


def test_bands_of_a_price_end_where_the_next_one_begins(acme, call):
    plan = a_plan(acme, {"phone": "30.00"})
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"})
    rows = call("get_client_plan_service_rates_m", plan_no=plan.pk, client_service_id="calls")["plan_service_rates"]
    assert [(one["from_unit"], one["to_unit"], one["rate_per_unit"]) for one in rows] == [(0, 100, 0.1), (100, None, 0.05)]


def test_a_list_of_plans_takes_as_many_queries_however_long(acme, call, plan):
    def count():
        with CaptureQueriesContext(connection) as captured:
            rows = call("get_client_plans_all_m")["all_client_plan_dtls"]
        return len(captured), len(rows)

    count()  # The first call notes that the key is used.
    few = count()
    for name in ("tv", "radio"):
        a_plan(acme, {name: "5.00"})
    assert (few, count()) == ((few[0], 1), (few[0], 3))
