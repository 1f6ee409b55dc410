"""Loading usage: what a record becomes, its day, its plan instance, and the errors of bad records."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest

from accounts.kinds import ChargeType
from accounts.models import Client
from accounts.services.plans import end_plan_instance
from invoices.models import Usage
from invoices.services.usage.loading import load_usage
from tests.support.factories import BY_TEST, ServiceFactory, a_charge, an_account, an_instance
from tests.support.usage_records import (
    CREATED,
    FEB_10,
    ID_USED,
    JAN_10,
    JAN_31,
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
