"""Records of usage, loaded by the service for an account with a metered plan."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from invoices.models import Usage
from invoices.services.usage.loading import load_usage
from invoices.services.usage.targets import UsageRecord
from tests.support.factories import BY_TEST, PlanFactory, a_charge, an_account

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
    assert result.messages == {result.error.field: [result.error.at_field]}
    return result.error.code.number, result.error.message, result.error.field


CREATED, THERE, ID_USED = ("created", 0), ("already_there", 0), ("refused", 90013)
