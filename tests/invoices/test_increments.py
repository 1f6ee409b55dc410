"""Usage whose records are rounded up, each by itself, before they are priced."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.kinds import ChargeType
from accounts.models import PlanCharge
from accounts.rates import PerRecord
from accounts.services.plans import change_plan
from invoices.models import Usage
from invoices.services.usage.loading import load_usage
from invoices.services.usage.targets import UsageRecord
from tests.support.accounts_api import API, with_key
from tests.support.billing import FEB_10, JAN_10, MAR_10, USAGE, bill, metered
from tests.support.factories import BY_TEST, PlanFactory, ServiceFactory, a_charge
from tests.support.rebilling import line, rebilled

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def rounding(instance, increment=None, minimum=None):
    PlanCharge.objects.filter(plan=instance.plan).update(
        record_increment=None if increment is None else D(increment), record_minimum=None if minimum is None else D(minimum)
    )


def load(account, *units, day=date(2026, 1, 20)):
    number = Usage.objects.count()
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    records = [
        UsageRecord(f"r{number + place}", D(one), at, account.pk, client_service_id="calls") for place, one in enumerate(units)
    ]
    return [one.result for one in load_usage(client=account.client, records=records, caller=BY_TEST, now=NOW)]


def billed(invoice):
    return [(one.units, one.amount) for one in invoice.lines.filter(line_type=USAGE)]


@pytest.mark.parametrize(
    ("increment", "minimum", "units", "charged"),
    [
        ("60", None, "61", "120"),
        ("60", None, "60", "60"),
        ("6", "30", "1", "30"),
        ("6", "30", "31", "36"),
        (None, "30", "31", "31"),
        (None, None, "31", None),
        ("0.1", None, "0.1000000001", "0.2"),
        ("7", "10", "3", "14"),
    ],
)
def test_units_of_a_record(increment, minimum, units, charged):
    per_record = PerRecord(None if increment is None else D(increment), None if minimum is None else D(minimum))
    assert per_record.charged(D(units)) == (None if charged is None else D(charged))


@given(st.decimals("0.0000000001", "1e9", places=10), st.decimals("0.0000000001", "1e9", places=10), st.integers(1, 500))
def test_rounding_is_monotone_and_at_most_one_increment(one, other, tenths):
    per_record = PerRecord(D(tenths) / 10)
    less, more = sorted((one, other))
    assert per_record.charged(less) <= per_record.charged(more)
    assert 0 <= per_record.charged(one) - one < D(tenths) / 10
    assert per_record.charged(per_record.charged(one)) == per_record.charged(one)


@pytest.mark.usefixtures("audited")
class TestBilling:
    def test_five_short_calls_are_five_minutes(self, acme, process):
        account, instance = metered(acme, "0.01")
        rounding(instance, "60")
        bill(account, process, JAN_10)
        assert load(account, "50", "10", "34", "11", "5") == ["created"] * 5
        invoice = bill(account, process, FEB_10)
        assert billed(invoice) == [(D(300), D(3))]
        assert invoice.lines.get(line_type=USAGE).explanation == "each record in increments of 60"

    def test_a_record_that_is_sent_again_is_the_same(self, acme):
        account, instance = metered(acme)
        rounding(instance, "60")
        load(account, "50")
        again = UsageRecord("r0", D(50), datetime(2026, 1, 20, 12, tzinfo=UTC), account.pk, client_service_id="calls")
        (result,) = load_usage(client=acme, records=[again], caller=BY_TEST, now=NOW)
        assert result.result == "already_there"
        assert Usage.objects.get().units == 50

    def test_bands_late_usage_and_a_rebill_count_rounded_units(self, acme, process):
        account, instance = metered(acme, tiers={"0": "1", "100": "0.5"})
        rounding(instance, "60", "90")
        bill(account, process, JAN_10)
        load(account, "1")
        first = bill(account, process, FEB_10)
        assert billed(first) == [(D(100), D(100)), (D(20), D(10))]
        load(account, "61")
        late = bill(account, process, MAR_10)
        assert billed(late) == [(D(120), D(60))]
        shown = late.lines.get(line_type=USAGE).explanation
        assert shown == "each record in increments of 60, of at least 90; late usage, 120 units were billed before"
        assert billed(rebilled(first, process, line(1), line(2, units="80"))) == [(D(100), D(100)), (D(80), D(40))]

    def test_records_that_move_to_another_plan_are_rounded_as_it_says(self, acme, process):
        account, instance = metered(acme, "1.00")
        rounding(instance, "60")
        bill(account, process, JAN_10)
        load(account, "50", day=date(2026, 1, 25))
        other = PlanFactory(client=acme)
        a_charge(other, "calls", "1.00", USAGE)
        other.charges.update(record_increment=D(6))
        change_plan(instance=instance, plan=other, start_date=date(2026, 1, 20), caller=BY_TEST)
        account.refresh_from_db()
        assert billed(bill(account, process, FEB_10)) == [(D(54), D(54))]


@pytest.mark.django_db
def test_only_usage_is_rounded(acme):
    charge = a_charge(PlanFactory(client=acme), "line", "1.00", ChargeType.ARREARS)
    with pytest.raises(IntegrityError), transaction.atomic():
        PlanCharge.objects.filter(pk=charge.pk).update(record_increment=D(60))


@pytest.mark.django_db
def test_rest_reads_and_writes_the_increment(acme):
    api = with_key(acme)
    charge = {"service": ServiceFactory(client=acme).pk, "line_type": 6, "record_increment": "60", "rate_per_unit": "1"}
    body = {"client_plan_id": "p", "name": "P", "currency": "usd", "charges": [charge]}
    shown = api.post(f"{API}/plans/", body, format="json").json()["charges"][0]
    assert (shown["record_increment"], shown["record_minimum"]) == ("60.0000", None)
    charge |= {"record_increment": "0"}
    wrong = api.post(f"{API}/plans/", body | {"client_plan_id": "q"}, format="json")
    assert wrong.status_code == 400 and "record_increment" in str(wrong.json()["errors"])
