"""Loading usage: results of records, no record twice, and the errors of bad ones."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from accounts.models import Account, Client, Event
from accounts.services.plans import end_plan_instance
from billing_site.errors import BillingError
from invoices.models import Invoice, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.approving.decide_pending import approve_invoices, discard_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.documents import batches
from invoices.services.planning.previewing import rate_unbilled_usage
from invoices.services.usage import loading as usage_loading
from invoices.services.usage.loading import load_usage
from invoices.services.usage.removal import remove_usage
from invoices.services.usage.targets import UsageRecord
from tests.support.factories import BY_TEST, ClientFactory, PlanFactory, ServiceFactory, a_charge, an_account, an_instance
from tests.support.races import PROCESS, at_once

JAN_10, JAN_31, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 1, 31), date(2026, 2, 10), date(2026, 3, 10)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def a_metered_plan(client, rate="1.00", service_id="calls", **fields):
    plan = PlanFactory(client=client, **fields)
    a_charge(plan, service_id, rate, ChargeType.USAGE)
    return plan


@pytest.fixture
def account(acme):
    """Bill day 10. Calls at 1.00 from 10 January."""
    return an_account(acme, a_metered_plan(acme), client_acct_id="ACME-1")


def a_record(record_id="R-1", **changes):
    values = {"client_acct_id": "ACME-1", "client_service_id": "calls", "units": D(5), "used_at": NOON}
    return UsageRecord(record_id, **(values | changes))


def load(client, *records, now=NOW, **options):
    """Load records, and return the result and error code of each."""
    results = load_usage(client=client, records=records, now=now, **options, caller=BY_TEST)
    assert [one.record_id for one in results] == [one.record_id for one in records]
    return [(one.result.value, one.error.code.number if one.error else 0) for one in results]


def refusal(client, record, now=NOW):
    """The code, message and field of a record that is refused, and proof that nothing was stored."""
    before = Usage.objects.count()
    (result,) = load_usage(client=client, records=[record], now=now, caller=BY_TEST)
    assert result.result == "refused" and result.usage_no is None
    assert Usage.objects.count() == before
    assert result.messages == {result.error.field: [result.error.message]}
    return result.error.code.number, result.error.message, result.error.field


CREATED, THERE, ID_USED = ("created", 0), ("already_there", 0), ("refused", 90013)


# What a record becomes.


def test_a_record_is_stored_under_the_plan_instance_that_charges_for_it(acme, account):
    record = a_record(units=D("2.5"), description="to Fresno")
    (result,) = load_usage(client=acme, records=[record], now=NOW, caller=BY_TEST)
    stored = Usage.objects.get()
    assert (result.result, result.usage_no, result.error) == ("created", stored.pk, None)
    assert (stored.client, stored.record_id, stored.account) == (acme, "R-1", account)
    assert stored.plan_instance == account.plan_instances.get()
    assert stored.service.client_service_id == "calls"
    assert (stored.units, stored.used_at, stored.used_on) == (D("2.5"), NOON, JAN_31)
    assert (stored.description, stored.invoice) == ("to Fresno", None)
    assert abs(stored.loaded_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_loaded_record_equals_what_the_orm_stores(acme, account):
    load(acme, a_record(description='tab\t, quote ", backslash \\N and émile 😀', units=D("0.0001")))
    columns = [column.attname for column in Usage._meta.concrete_fields if not column.primary_key]
    stored = Usage.objects.values(*columns).get()
    Usage.objects.all().delete()
    Usage(**stored).save()
    Usage.objects.update(loaded_at=stored["loaded_at"])
    assert Usage.objects.values(*columns).get() == stored


def test_account_and_service_are_named_by_number_or_by_the_clients_own_id_or_by_both(acme, account):
    service = account.plan_instances.get().plan.charges.get().service
    names = [{"acct_no": account.pk, "client_acct_id": ""}, {}, {"acct_no": account.pk}]
    services = [{"service": service.pk, "client_service_id": ""}, {}, {"service": service.pk}]
    records = [a_record(f"R-{n}-{m}", **one, **other) for n, one in enumerate(names) for m, other in enumerate(services)]
    assert load(acme, *records) == [CREATED] * 9
    assert set(Usage.objects.values_list("account", "service")) == {(account.pk, service.pk)}


def test_no_records_are_no_work(acme):
    assert load_usage(client=acme, records=[], now=NOW, caller=BY_TEST) == []


def test_the_largest_and_the_smallest_number_of_units_are_kept_exactly(acme, account):
    load(acme, a_record("R-1", units=D("999999999.9999")), a_record("R-2", units=D("0.0001")))
    assert list(Usage.objects.order_by("pk").values_list("units", flat=True)) == [D("999999999.9999"), D("0.0001")]


# The day of use is the day in the client's time zone.


@pytest.mark.parametrize(
    ("time_zone", "used_at", "day"),
    [
        ("UTC", "2026-01-31T23:59:59.999999+00:00", date(2026, 1, 31)),
        ("UTC", "2026-02-01T00:00:00+00:00", date(2026, 2, 1)),
        ("America/New_York", "2026-02-01T04:59:59+00:00", date(2026, 1, 31)),
        ("America/New_York", "2026-02-01T05:00:00+00:00", date(2026, 2, 1)),
        ("Pacific/Auckland", "2026-01-31T10:59:59+00:00", date(2026, 1, 31)),
        ("Pacific/Auckland", "2026-01-31T11:00:00+00:00", date(2026, 2, 1)),
        ("Asia/Kathmandu", "2026-01-31T18:14:59+00:00", date(2026, 1, 31)),
        ("Asia/Kathmandu", "2026-01-31T18:15:00+00:00", date(2026, 2, 1)),
        # In summer New York's midnight is an hour earlier in UTC.
        ("America/New_York", "2026-03-10T03:59:59+00:00", date(2026, 3, 9)),
        ("America/New_York", "2026-03-10T04:00:00+00:00", date(2026, 3, 10)),
    ],
)
def test_the_day_of_use_begins_at_midnight_of_the_client(acme, account, time_zone, used_at, day):
    Client.objects.update(time_zone=time_zone)
    acme.refresh_from_db()
    assert load(acme, a_record(used_at=datetime.fromisoformat(used_at))) == [CREATED]
    stored = Usage.objects.get()
    assert (stored.used_on, stored.used_at) == (day, datetime.fromisoformat(used_at))


@pytest.mark.parametrize("seconds", [-1, 0])
def test_usage_up_to_now_is_taken(acme, account, seconds):
    assert load(acme, a_record(used_at=NOW + timedelta(seconds=seconds))) == [CREATED]


def test_usage_of_the_future_is_refused(acme, account):
    later = (NOW + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-8)))
    code, message, field = refusal(acme, a_record(used_at=later))
    assert (code, field) == (1016, "used_at")
    assert message == "invalid input: used_at: 2026-03-15T04:00:01-08:00 is in the future"


def test_in_the_hour_that_is_repeated_the_future_is_told_by_the_moment_not_by_the_clock_on_the_wall(acme, account):
    """On 1 November 2026 New York's clock shows 01:30 at 05:30 UTC, and again an hour later."""
    Client.objects.update(time_zone="America/New_York")
    acme.refresh_from_db()
    now = datetime(2026, 11, 1, 5, 45, tzinfo=UTC).astimezone(ZoneInfo("America/New_York"))
    second = datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York"))
    assert refusal(acme, a_record(used_at=second), now=now)[0] == 1016
    assert load(acme, a_record(used_at=second.replace(fold=0)), now=now) == [CREATED]
    assert load(acme, a_record(used_at=second.replace(fold=0)), now=now) == [THERE]
    assert load(acme, a_record(used_at=second), now=now + timedelta(hours=1)) == [ID_USED]


# Which plan instance.


def test_usage_is_taken_from_the_first_day_of_the_plan_instance_through_its_last(acme, account):
    end_plan_instance(account.plan_instances.get(), FEB_10, caller=BY_TEST)
    first, last = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 2, 10, 23, 59, 59, tzinfo=UTC)
    assert load(acme, a_record("R-1", used_at=first), a_record("R-2", used_at=last)) == [CREATED, CREATED]


def test_usage_before_the_first_day_or_after_the_last_is_charged_by_no_plan(acme, account):
    end_plan_instance(account.plan_instances.get(), FEB_10, caller=BY_TEST)
    text = "No plan of the account charges for this usage: "
    assert refusal(acme, a_record(used_at=datetime(2026, 1, 9, 23, 59, 59, tzinfo=UTC))) == (
        90012,
        text + "2026-01-09 is before the first day of the plan, 2026-01-10",
        "used_at",
    )
    assert refusal(acme, a_record(used_at=datetime(2026, 2, 11, tzinfo=UTC))) == (
        90012,
        text + "2026-02-11 is after the last day of the plan, 2026-02-10",
        "used_at",
    )


def test_usage_between_two_plan_instances_is_charged_by_no_plan(acme, account):
    first = account.plan_instances.get()
    end_plan_instance(first, JAN_31, caller=BY_TEST)
    an_instance(account, first.plan, FEB_10)
    code, message, field = refusal(acme, a_record(used_at=datetime(2026, 2, 5, tzinfo=UTC)))
    assert (code, field) == (90012, "used_at")
    assert message.endswith("2026-02-05 is between two plans: one ended on 2026-01-31")


def test_each_day_has_the_plan_instance_that_runs_on_it(acme, account):
    first = account.plan_instances.get()
    end_plan_instance(first, JAN_31, caller=BY_TEST)
    second = an_instance(account, a_metered_plan(acme), date(2026, 2, 1))
    load(acme, a_record("R-1"), a_record("R-2", used_at=NOON + timedelta(days=1)))
    assert list(Usage.objects.order_by("pk").values_list("plan_instance", flat=True)) == [first.pk, second.pk]


def test_a_service_that_no_plan_of_the_account_charges_for_is_refused(acme, account):
    a_metered_plan(acme, service_id="texts")
    texts = ServiceFactory(client=acme, client_service_id="texts")
    code, message, field = refusal(acme, a_record(client_service_id="texts"))
    assert (code, field) == (90012, "client_service_id")
    assert message.endswith(f"no plan of account {account.pk} charges for the usage of service {texts.pk}")
    assert refusal(acme, a_record(client_service_id="", service=texts.pk))[2] == "service"


@pytest.mark.parametrize("line_type", [ChargeType.RECURRING, ChargeType.ARREARS, ChargeType.ACTIVATION])
def test_a_charge_of_another_sort_does_not_charge_for_usage(acme, account, line_type):
    a_charge(account.plan_instances.get().plan, "support", "9.00", line_type)
    assert refusal(acme, a_record(client_service_id="support"))[0] == 90012


def test_where_several_charge_for_it_the_plan_instance_has_to_be_named(acme, account):
    first = account.plan_instances.get()
    second = an_instance(account, a_metered_plan(acme), JAN_10)
    code, message, field = refusal(acme, a_record())
    assert (code, field) == (1016, "plan_instance")
    assert message.endswith(f"several plan instances charge for it on 2026-01-31 ({first.pk}, {second.pk}); give one of them")
    assert load(acme, a_record(plan_instance=second.pk)) == [CREATED]
    assert Usage.objects.get().plan_instance == second


def test_a_plan_instance_that_is_named_has_to_charge_for_it_on_that_day(acme, account):
    internet = an_instance(account, a_metered_plan(acme, service_id="traffic"), JAN_10)
    late = an_instance(account, a_metered_plan(acme), FEB_10)
    code, message, _ = refusal(acme, a_record(plan_instance=internet.pk))
    assert (code, f"plan instance {internet.pk} does not charge for the usage of service" in message) == (90012, True)
    assert refusal(acme, a_record(plan_instance=late.pk))[::2] == (90012, "used_at")


def test_a_plan_instance_of_another_account_does_not_exist(acme, umbra, account):
    another = an_account(acme, account.plan_instances.get().plan).plan_instances.get()
    theirs = an_account(umbra, a_metered_plan(umbra)).plan_instances.get()
    for number in (another.pk, theirs.pk, 0, -1, 2**63 - 1):
        code, message, field = refusal(acme, a_record(plan_instance=number))
        assert (code, field) == (1016, "plan_instance")
        assert message.endswith(f"account {account.pk} has no plan instance {number}")


# Other clients' rows do not exist, nor do unknown ones.


def test_an_account_that_is_not_the_clients_does_not_exist(acme, umbra, account):
    theirs = an_account(umbra, a_metered_plan(umbra), client_acct_id="UMBRA-1")
    for name in ({"acct_no": theirs.pk, "client_acct_id": ""}, {"acct_no": -1, "client_acct_id": ""}):
        code, message, field = refusal(acme, a_record(**name))
        assert (code, message, field) == (1009, f"account does not exist: acct_no {name['acct_no']} does not exist", "acct_no")
    for name in ("UMBRA-1", "acme-1", "ACME-1 ", "%", "' or 1=1"):
        assert refusal(acme, a_record(client_acct_id=name))[::2] == (1009, "client_acct_id")


def test_a_service_that_is_not_the_clients_is_an_invalid_input(acme, umbra, account):
    theirs = a_metered_plan(umbra, service_id="secret").charges.get().service
    assert refusal(acme, a_record(service=theirs.pk, client_service_id=""))[::2] == (1016, "service")
    assert refusal(acme, a_record(client_service_id="secret")) == (
        1016,
        "invalid input: client_service_id secret does not exist",
        "client_service_id",
    )


def test_number_and_own_id_have_to_be_of_one_row(acme, account):
    other = an_account(acme, account.plan_instances.get().plan)
    texts = ServiceFactory(client=acme, client_service_id="texts")
    code, message, field = refusal(acme, a_record(acct_no=other.pk))
    assert (code, field) == (1016, "client_acct_id")
    assert message.endswith(f"client_acct_id ACME-1 and acct_no {other.pk} are different records; give one of them")
    assert refusal(acme, a_record(service=texts.pk))[::2] == (1016, "client_service_id")


def test_a_record_that_names_no_account_or_no_service_is_refused(acme, account):
    assert refusal(acme, a_record(client_acct_id=""))[::2] == (1010, "acct_no")
    assert refusal(acme, a_record(client_service_id=""))[::2] == (1010, "service")


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

    def others_first(client, new):
        monkeypatch.setattr(usage_loading, "_insert", inserting)
        load(client, a_record("R-1"), a_record("R-2", units=D(7)))
        return inserting(client, new)

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


# Removing.


def bill(account, caller, day, **request):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=caller
    )
    return Invoice.objects.filter(pk=number).first()


def removal_refused(client, usage_no, caller):
    with pytest.raises(BillingError) as error:
        remove_usage(client=client, usage_no=usage_no, caller=caller)
    return error.value.code.number


def test_a_record_that_no_invoice_holds_is_removed_and_its_id_is_free(acme, account, key_caller):
    load(acme, a_record(), a_record("R-2"))
    usage = Usage.objects.get(record_id="R-1")
    version = Account.objects.get(pk=account.pk).billing_version
    remove_usage(client=acme, usage_no=usage.pk, caller=key_caller)
    assert list(Usage.objects.values_list("record_id", flat=True)) == ["R-2"]
    assert Account.objects.get(pk=account.pk).billing_version == version + 1
    event = Event.objects.get()
    assert (event.act, event.account, event.api_key, event.error_code) == ("usage.removed", account, key_caller.api_key, 0)
    assert event.before == {
        "record_id": "R-1",
        "plan_instance_id": usage.plan_instance_id,
        "service_id": usage.service_id,
        "units": "5.0000",
        "used_at": "2026-01-31T12:00:00Z",
        "used_on": "2026-01-31",
        "description": "",
    }
    assert load(acme, a_record(units=D(6))) == [CREATED]


def test_a_record_on_a_pending_or_approved_invoice_is_not_removed(acme, account, process):
    bill(account, process, JAN_10)
    load(acme, a_record())
    usage = Usage.objects.get()
    pending = bill(account, process, FEB_10, force_pending=True)
    assert removal_refused(acme, usage.pk, process) == 90016
    event = Event.objects.latest("pk")
    assert (event.act, event.account, event.invoice_no) == ("usage.removal_refused", account, pending.pk)
    assert (event.error_code, event.message) == (
        90016,
        f"Already billed on an invoice; it can no longer be changed: record R-1 is on invoice {pending.pk}",
    )
    approve_invoices(client=acme, invoice_nos=[pending.pk], caller=process, today=FEB_10)
    assert removal_refused(acme, usage.pk, process) == 90016
    assert Usage.objects.get() == usage


def test_a_record_that_a_discarded_invoice_held_may_be_removed(acme, account, process):
    bill(account, process, JAN_10)
    load(acme, a_record())
    pending = bill(account, process, FEB_10, force_pending=True)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    remove_usage(client=acme, usage_no=Usage.objects.get().pk, caller=process)
    assert not Usage.objects.exists()


def test_a_record_of_another_client_or_none_does_not_exist(acme, umbra, account, process):
    load(acme, a_record())
    usage_no = Usage.objects.get().pk
    assert removal_refused(umbra, usage_no, process) == removal_refused(acme, usage_no + 1, process) == 1002
    assert Usage.objects.exists() and not Event.objects.exists()


def test_a_record_that_another_removes_first_does_not_exist_any_more(acme, account, process, monkeypatch):
    load(acme, a_record())
    usage = Usage.objects.get()

    def removed_first(account_no):
        Usage.objects.all().delete()
        return Account.objects.get(pk=account_no)

    monkeypatch.setattr("invoices.services.documents.account_acts.lock_account", removed_first)
    assert removal_refused(acme, usage.pk, process) == 1002


def test_an_account_that_stays_locked_is_reported_as_in_progress(acme, account, process, monkeypatch):
    load(acme, a_record())

    def locked(account_no):
        raise OperationalError("database is locked")

    monkeypatch.setattr("invoices.services.documents.account_acts.lock_account", locked)
    assert removal_refused(acme, Usage.objects.get().pk, process) == 3108
    assert Usage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_invoice_that_was_planned_with_a_record_that_is_removed_meanwhile_is_not_recorded(monkeypatch):
    client = ClientFactory()
    account = an_account(client, a_metered_plan(client), client_acct_id="ACME-1")
    bill(account, PROCESS, JAN_10)
    load(client, a_record())
    waiting = batches.limit_lock_wait

    def remove_first(seconds):
        monkeypatch.setattr(batches, "limit_lock_wait", waiting)
        remove_usage(client=client, usage_no=Usage.objects.get().pk, caller=PROCESS)
        waiting(seconds)

    monkeypatch.setattr(batches, "limit_lock_wait", remove_first)
    with pytest.raises(BillingError) as error:
        bill(account, PROCESS, FEB_10)
    assert error.value.code.number == 3108
    assert not Usage.objects.exists() and not Invoice.objects.exists()
    assert bill(account, PROCESS, FEB_10) is None


# From loading to the invoice and back.


def lines_of(invoice):
    lines = invoice.lines.filter(line_type=6).order_by("line_no")
    return [(one.period_start, one.period_end, one.units, one.rate_per_unit, one.amount, one.explanation) for one in lines]


def unbilled(account, day):
    rated = rate_unbilled_usage(client=account.client, account_no=account.pk, today=day)
    assert sum(line.amount for line in rated.lines) == rated.amount
    return [
        (one.period_start, one.period_end, one.units, one.rate_per_unit, one.amount, one.explanation) for one in rated.lines
    ]


@pytest.fixture
def banded(acme, process):
    """Bill day 10, its first bill made. Calls at 0.10, above 100 in a cycle at 0.05."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"})
    account = an_account(acme, plan, client_acct_id="ACME-1")
    bill(account, process, JAN_10)
    return account


def test_loaded_usage_is_rated_as_the_invoice_will_charge_it_held_by_it_and_freed_when_it_is_discarded(acme, banded, process):
    load(acme, a_record("R-1", units=D("120")), a_record("R-2", units=D("40.5"), used_at=NOON + timedelta(days=9)))
    expected = [
        (JAN_10, date(2026, 2, 9), D(100), D("0.10"), D("10.00"), ""),
        (JAN_10, date(2026, 2, 9), D("60.5"), D("0.05"), D("3.03"), ""),
    ]
    assert unbilled(banded, date(2026, 2, 9)) == expected

    pending = bill(banded, process, FEB_10, force_pending=True)
    assert lines_of(pending) == expected
    assert set(Usage.objects.values_list("invoice", flat=True)) == {pending.pk}
    assert unbilled(banded, FEB_10) == []

    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    assert set(Usage.objects.values_list("invoice", flat=True)) == {None}
    assert unbilled(banded, FEB_10) == expected

    issued = bill(banded, process, FEB_10)
    assert lines_of(issued) == expected
    assert set(Usage.objects.values_list("invoice", flat=True)) == {issued.pk}
    assert unbilled(banded, FEB_10) == []


def test_usage_that_comes_late_is_charged_on_the_next_invoice_and_says_which_period_it_belongs_to(acme, banded, process):
    load(acme, a_record("R-1", units=D(90)))
    bill(banded, process, FEB_10)
    load(acme, a_record("LATE", units=D(20)), a_record("R-2", units=D(3), used_at=datetime(2026, 2, 11, tzinfo=UTC)))
    late = "late usage, 90 units were billed before"
    expected = [
        (JAN_10, date(2026, 2, 9), D(10), D("0.10"), D("1.00"), late),
        (JAN_10, date(2026, 2, 9), D(10), D("0.05"), D("0.50"), late),
        (FEB_10, date(2026, 3, 9), D(3), D("0.10"), D("0.30"), ""),
    ]
    assert unbilled(banded, date(2026, 3, 1)) == expected
    assert lines_of(bill(banded, process, MAR_10)) == expected


def test_usage_of_the_days_to_come_is_not_in_what_is_unbilled_so_far_of_a_cycle_that_ended(acme, banded):
    """Two unbilled cycles: each has its own bands."""
    load(acme, a_record("R-1", units=D(100)), a_record("R-2", units=D(100), used_at=datetime(2026, 2, 10, tzinfo=UTC)))
    assert [(start, amount) for start, _, _, _, amount, _ in unbilled(banded, date(2026, 2, 15))] == [
        (JAN_10, D("10.00")),
        (FEB_10, D("10.00")),
    ]


def test_the_usage_of_an_account_that_is_not_the_clients_is_not_shown(acme, umbra, account):
    with pytest.raises(BillingError) as error:
        rate_unbilled_usage(client=umbra, account_no=account.pk, today=FEB_10)
    assert (error.value.code.number, error.value.field) == (1009, "acct_no")
