"""Usage over REST: a caller, an account with a metered plan, and records."""

from datetime import UTC, datetime

import pytest
import time_machine

from accounts.kinds import ChargeType
from invoices.models import Usage
from tests.support.accounts_api import API, with_key
from tests.support.factories import PlanFactory, a_charge, an_account


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(datetime(2026, 3, 15, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme)


@pytest.fixture
def account(acme):
    """Bill day 10. Calls at 0.10, above 100 in a cycle at 0.05."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"})
    return an_account(acme, plan, client_acct_id="ACME-1")


def a_record(record_id="R-1", **changes):
    values = {"client_acct_id": "ACME-1", "client_service_id": "calls", "units": "5", "used_at": "2026-01-31T12:00:00Z"}
    return {"record_id": record_id, **values, **changes}


def post(api, body):
    return api.post(f"{API}/usage/", body, format="json")


def load(api, *records):
    response = post(api, {"records": records})
    assert response.status_code == 200, response.json()
    answer = response.json()
    results = answer["results"]
    assert len(results) == len(records)
    for result in ("created", "already_there", "refused"):
        assert answer[result] == sum(one["result"] == result for one in results)
    return results


def refused(api, record):
    """The error code and the fields of a record that is refused, and proof that nothing is stored."""
    (result,) = load(api, record)
    assert (result["result"], result["id"]) == ("refused", None), result
    assert not Usage.objects.exists()
    assert result["error_msg"]
    return result["error_code"], list(result["errors"])
