"""Loading usage: no record is stored twice, whoever sends it again or at the same moment."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from accounts.services.plans import end_plan_instance
from billing_site.errors import BillingError
from invoices.models import Usage
from invoices.services.usage import loading as usage_loading
from invoices.services.usage.loading import load_usage
from tests.support.factories import BY_TEST, ClientFactory, a_charge, an_account, an_instance
from tests.support.races import at_once
from tests.support.usage_records import (
    CREATED,
    ID_USED,
    JAN_10,
    NOON,
    NOW,
    THERE,
    a_metered_plan,
    a_record,
    account,
    load,
    refusal,
)

__all__ = ["account"]


# A record_id is taken once.


def test_the_same_record_again_is_already_there(acme, account):
    (first,) = load_usage(client=acme, records=[a_record()], now=NOW, caller=BY_TEST)
    (again,) = load_usage(client=acme, records=[a_record()], now=NOW, caller=BY_TEST)
    assert (again.result, again.usage_no, again.error) == ("already_there", first.usage_no, None)
    assert Usage.objects.count() == 1


def test_the_same_record_may_be_written_in_another_way(acme, account):
    load(acme, a_record())
    instance = account.plan_instances.get()
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    same = a_record(acct_no=account.pk, client_acct_id="", units=D("5.0000"), used_at=east, plan_instance=instance.pk)
    assert load(acme, same) == [THERE]


@pytest.mark.parametrize(
    "change",
    [
        {"units": D("5.0001")},
        {"used_at": NOON + timedelta(microseconds=1)},
        {"description": "other"},
        {"client_acct_id": "ACME-2"},
        {"client_service_id": "texts"},
        {"plan_instance": 0},
    ],
)
def test_another_record_under_the_same_id_is_refused(acme, account, change):
    plan = account.plan_instances.get().plan
    a_charge(plan, "texts", "0.10", ChargeType.USAGE)
    an_account(acme, plan, client_acct_id="ACME-2")
    load(acme, a_record())
    assert refusal(acme, a_record(**change)) == (
        90013,
        "This id is already used by another record: record_id R-1 was loaded with other values",
        "record_id",
    )
    assert load(acme, a_record("R-2"), a_record("R-2", **change)) == [CREATED, ID_USED]


def test_equal_records_in_one_call_are_stored_once(acme, account):
    assert load(acme, a_record(), a_record("R-2"), a_record(), a_record()) == [CREATED, CREATED, THERE, THERE]
    assert Usage.objects.count() == 2


def test_a_refused_record_does_not_use_up_its_id(acme, account):
    wrong = a_record(client_service_id="nothing")
    assert load(acme, wrong, a_record(), wrong) == [("refused", 1016), CREATED, ("refused", 1016)]


def test_what_was_taken_once_is_there_though_its_plan_has_ended_since_or_another_charges_too(acme, account):
    load(acme, a_record())
    instance = account.plan_instances.get()
    an_instance(account, instance.plan, JAN_10)
    assert load(acme, a_record()) == [THERE]
    end_plan_instance(instance, date(2026, 1, 20), caller=BY_TEST)
    assert load(acme, a_record()) == [THERE]


def test_two_clients_may_use_the_same_id(acme, umbra, account):
    an_account(umbra, a_metered_plan(umbra), client_acct_id="ACME-1")
    assert load(acme, a_record()) + load(umbra, a_record()) == [CREATED, CREATED]
    assert load(acme, a_record()) + load(umbra, a_record(units=D(6))) == [THERE, ID_USED]


def test_good_records_stay_beside_bad_ones(acme, account):
    records = [
        a_record("R-1"),
        a_record("R-2", client_acct_id="?"),
        a_record("R-3"),
        a_record("R-4", used_at=NOON - NOON.resolution),
    ]
    records.append(a_record("R-5", used_at=datetime(1900, 1, 1, tzinfo=UTC)))
    assert load(acme, *records) == [CREATED, ("refused", 1009), CREATED, CREATED, ("refused", 90012)]
    assert set(Usage.objects.values_list("record_id", flat=True)) == {"R-1", "R-3", "R-4"}


def test_a_dry_run_says_the_same_and_writes_nothing(acme, account):
    load(acme, a_record("OLD"))
    records = [a_record("OLD"), a_record("NEW"), a_record("NEW"), a_record("NEW", units=D(6)), a_record("BAD", service=0)]
    with CaptureQueriesContext(connection) as queries:
        dry = load(acme, *records, dry_run=True)
    assert all(query["sql"].startswith("SELECT") for query in queries)
    assert Usage.objects.count() == 1
    assert dry == [THERE, CREATED, THERE, ID_USED, ("refused", 1016)] == load(acme, *records)


def test_more_than_ten_thousand_records_are_refused(acme):
    with pytest.raises(BillingError) as error:
        load_usage(client=acme, records=[a_record()] * 10_001, now=NOW, caller=BY_TEST)
    assert error.value.code.number == 1012


@pytest.mark.parametrize("refused", [False, True])
def test_500_records_take_as_many_queries_as_one(acme, account, refused):
    """Of 20 accounts and 3 services; and where all are repeated or refused."""
    plan = account.plan_instances.get().plan
    for service_id in ("texts", "traffic"):
        a_charge(plan, service_id, "0.10", ChargeType.USAGE)
    for number in range(2, 21):
        an_account(acme, plan, client_acct_id=f"ACME-{number}")

    def queries(count, name):
        services = ("calls", "texts", "traffic")
        records = [
            a_record(
                f"{name}-{n}",
                client_acct_id=f"ACME-{n % 20 + 1}",
                client_service_id=services[n % 3],
                plan_instance=-1 if refused else None,
            )
            for n in range(count)
        ]
        with CaptureQueriesContext(connection) as captured:
            results = load_usage(client=acme, records=records, now=NOW, caller=BY_TEST)
        assert {one.result.value for one in results} == {"refused" if refused else "created"}
        return len(captured)

    assert queries(1, "ONE") == queries(500, "MANY") <= (5 if refused else 10)


# Others at the same moment.


def test_a_record_that_another_caller_stores_first_is_compared_with_this_one(acme, account, monkeypatch):
    """Between the look-up and the insert: one of three comes in equal, one different."""
    inserting = usage_loading._insert

    def others_first(*new):
        monkeypatch.setattr(usage_loading, "_insert", inserting)
        load(acme, a_record("R-1"), a_record("R-2", units=D(7)))
        return inserting(*new)

    monkeypatch.setattr(usage_loading, "_insert", others_first)
    assert load(acme, a_record("R-1"), a_record("R-2"), a_record("R-3"), a_record("R-3")) == [THERE, ID_USED, CREATED, THERE]
    assert dict(Usage.objects.values_list("record_id", "units")) == {"R-1": 5, "R-2": 7, "R-3": 5}


def test_a_record_that_was_in_the_way_and_was_removed_meanwhile_is_stored(acme, account, monkeypatch):
    looking, calls = usage_loading._stored, []

    def gone_once(client, record_ids):
        calls.append(set(record_ids))
        return looking(client, record_ids) if len(calls) != 2 else {}

    monkeypatch.setattr(usage_loading, "_stored", gone_once)
    inserting = usage_loading.insert_new_rows
    monkeypatch.setattr(
        usage_loading, "insert_new_rows", lambda *row, **options: inserting(*row, **options) if len(calls) > 1 else None
    )
    assert load(acme, a_record()) == [CREATED]
    assert calls == [{"R-1"}] * 3
    assert Usage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_ten_callers_with_the_same_ids_in_different_orders_store_each_once():
    client = ClientFactory()
    an_account(client, a_metered_plan(client), client_acct_id="ACME-1")
    records = [a_record(f"R-{n}") for n in range(300)]

    def load_in_some_order(number):
        mine = records[number * 30 :] + records[: number * 30]
        return load(client, *(mine if number % 2 else mine[::-1]))

    results = at_once(load_in_some_order, 10)
    assert not [one for one in results if isinstance(one, Exception)]
    assert sum(one.count(CREATED) for one in results) == Usage.objects.count() == 300
    assert sum(one.count(THERE) for one in results) == 2700


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_of_ten_callers_with_other_content_under_the_same_ids_one_wins_each():
    client = ClientFactory()
    an_account(client, a_metered_plan(client), client_acct_id="ACME-1")
    results = at_once(lambda number: load(client, *[a_record(f"R-{n}", units=D(number + 1)) for n in range(100)]), 10)
    assert not [one for one in results if isinstance(one, Exception)]
    assert sum(one.count(CREATED) for one in results) == Usage.objects.count() == 100
    assert sum(one.count(ID_USED) for one in results) == 900
