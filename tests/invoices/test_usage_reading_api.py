"""The resource of usage: moments, reading, removing, and rating what is unbilled."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kinds import ChargeType
from accounts.models import Account, Client, Event
from invoices.models import Invoice, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.accounts_api import API, with_key
from tests.support.factories import a_charge, an_account, some_usage
from tests.support.usage_api import a_record, account, api, load, now, post, refused

__all__ = ["account", "api", "now"]

JAN_10, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)


# Moments.


@pytest.mark.parametrize(
    ("used_at", "stored", "day"),
    [
        ("2026-01-31T23:59:59", "2026-02-01T04:59:59", date(2026, 1, 31)),
        ("2026-02-01T00:00:00", "2026-02-01T05:00:00", date(2026, 2, 1)),
        ("2026-02-01 00:00", "2026-02-01T05:00:00", date(2026, 2, 1)),
        ("2026-02-01T04:59:59Z", "2026-02-01T04:59:59", date(2026, 1, 31)),
        ("2026-02-01T05:59:59+01:00", "2026-02-01T04:59:59", date(2026, 1, 31)),
        ("2026-02-01T05:59:59+0100", "2026-02-01T04:59:59", date(2026, 1, 31)),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456", date(2026, 1, 31)),
        # The night of 8 March has no hour from 02:00 to 03:00.
        ("2026-03-08T01:59:59", "2026-03-08T06:59:59", date(2026, 3, 8)),
        ("2026-03-08T03:00:00", "2026-03-08T07:00:00", date(2026, 3, 8)),
        ("2026-03-08T23:59:59", "2026-03-09T03:59:59", date(2026, 3, 8)),
        ("2026-03-09T03:59:59Z", "2026-03-09T03:59:59", date(2026, 3, 8)),
        ("2026-03-09T04:00:00Z", "2026-03-09T04:00:00", date(2026, 3, 9)),
    ],
)
def test_a_moment_without_an_offset_is_of_the_clients_clock(acme, account, used_at, stored, day):
    Client.objects.update(time_zone="America/New_York")
    (result,) = load(with_key(Client.objects.get()), a_record(used_at=used_at))
    assert result["result"] == "created", result
    usage = Usage.objects.get()
    assert (usage.used_at, usage.used_on) == (datetime.fromisoformat(stored).replace(tzinfo=UTC), day)


def test_a_time_that_the_clients_clock_skips_is_refused_unless_it_has_an_offset(acme, account):
    Client.objects.update(time_zone="America/New_York")
    api = with_key(Client.objects.get())
    (result,) = load(api, a_record(used_at="2026-03-08T02:30:00"))
    assert (result["error_code"], result["errors"]) == (
        1016,
        {"used_at": ["This time does not exist in America/New_York, because the clock is set forward."]},
    )
    assert load(api, a_record(used_at="2026-03-08T02:30:00-05:00"))[0]["result"] == "created"


def test_of_a_time_that_the_clients_clock_shows_twice_the_first_is_meant(acme, account):
    Client.objects.update(time_zone="America/New_York")
    with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC)):
        api = with_key(Client.objects.get())
        load(
            api,
            a_record("FIRST", used_at="2026-11-01T01:30:00"),
            a_record("SECOND", used_at="2026-11-01T01:30:00-05:00"),
        )
        assert load(api, a_record("FIRST", used_at="2026-11-01T01:30:00-04:00"))[0]["result"] == "already_there"
    assert [f"{one:%H:%M}" for one in Usage.objects.order_by("record_id").values_list("used_at", flat=True)] == [
        "05:30",
        "06:30",
    ]


def test_midnight_that_the_clients_clock_skips_is_refused_and_the_day_begins_an_hour_later(acme, account):
    """In Cuba summer time begins at midnight: 8 March 2026 begins at 01:00."""
    Client.objects.update(time_zone="America/Havana")
    api = with_key(Client.objects.get())
    bad, last, first = load(
        api,
        a_record("R-1", used_at="2026-03-08T00:30:00"),
        a_record("R-2", used_at="2026-03-07T23:59:59"),
        a_record("R-3", used_at="2026-03-08T05:00:00Z"),
    )
    assert (bad["error_code"], last["result"], first["result"]) == (1016, "created", "created")
    assert list(Usage.objects.order_by("record_id").values_list("used_on", flat=True)) == [date(2026, 3, 7), date(2026, 3, 8)]


def test_the_virtual_clock_says_what_is_the_future(acme, api, account, settings):
    settings.VIRTUAL_CLOCK = True
    assert refused(api, a_record(used_at="2026-03-20T00:00:00Z")) == (1016, ["used_at"])
    Client.objects.update(clock_offset=timedelta(days=5))
    assert load(with_key(Client.objects.get()), a_record(used_at="2026-03-20T00:00:00Z"))[0]["result"] == "created"


# Reading and finding.


def bill(account, day, process, **request):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=process
    )
    return Invoice.objects.filter(pk=number).first()


def test_a_record_is_read_as_it_is_stored(api, account):
    (result,) = load(api, a_record(units="2.50", used_at="2026-01-31T12:00:00+09:00", description="to Fresno"))
    shown = api.get(f"{API}/usage/{result['id']}/").json()
    assert shown == {
        "id": result["id"],
        "record_id": "R-1",
        "acct_no": account.pk,
        "plan_instance": account.plan_instances.get().pk,
        "service": account.plan_instances.get().plan.charges.get().service_id,
        "units": "2.5",
        "used_at": "2026-01-31T03:00:00Z",
        "used_on": "2026-01-31",
        "description": "to Fresno",
        "loaded_at": "2026-03-15T12:00:00Z",
        "invoice_no": None,
    }
    assert api.get(f"{API}/usage/").json()["results"] == [shown]


@pytest.fixture
def records(acme, account, process):
    """Record A of calls is billed, B of texts is not, and C is another account's. Returns their rows by these names."""
    plan = account.plan_instances.get().plan
    a_charge(plan, "texts", "0.10", ChargeType.USAGE)
    other = an_account(acme, plan, client_acct_id="ACME-2")
    mine, theirs = account.plan_instances.get(), other.plan_instances.get()
    bill(account, JAN_10, process)
    some_usage(mine, "calls", "1", date(2026, 1, 31), "A")
    bill(account, FEB_10, process)
    some_usage(mine, "texts", "1", date(2026, 2, 1), "B")
    some_usage(theirs, "calls", "1", date(2026, 2, 2), "C")
    return {row.record_id: row for row in Usage.objects.all()}


def found(api, query):
    response = api.get(f"{API}/usage/?{query}")
    assert response.status_code == 200, response.json()
    return [row["record_id"] for row in response.json()["results"]]


def test_usage_is_found_by_account_plan_instance_service_and_its_own_id(api, account, records):
    assert found(api, "") == ["A", "B", "C"]
    assert found(api, f"acct_no={account.pk}") == ["A", "B"]
    assert found(api, f"plan_instance={records['C'].plan_instance_id}") == ["C"]
    assert found(api, f"service={records['B'].service_id}") == ["B"]
    assert found(api, "record_id=C") == ["C"]


def test_usage_is_found_by_its_day(api, records):
    assert found(api, "used_on_from=2026-02-01") == ["B", "C"]
    assert found(api, "used_on_to=2026-02-01") == ["A", "B"]
    assert found(api, "used_on_from=2026-02-01&used_on_to=2026-02-01") == ["B"]


def test_usage_is_found_by_its_invoice_and_by_whether_it_is_billed(api, account, records):
    assert found(api, "billed=") == ["A", "B", "C"]
    assert found(api, "billed=true") == found(api, f"invoice_no={records['A'].invoice_id}") == ["A"]
    assert found(api, "billed=false") == ["B", "C"]
    assert found(api, f"acct_no={account.pk}&billed=false") == ["B"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("acct_no=x", 1016),
        ("plan_instance=1.5", 1016),
        (f"service={10**22}", 1012),
        ("invoice_no=%00", 1016),
        ("used_on_from=2026-02-30", 1024),
        ("used_on_to=x", 1024),
        ("billed=1", 1033),
        ("billed=True", 1033),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_and_named(api, query, code):
    response = api.get(f"{API}/usage/?{query}")
    assert (response.status_code, response.json()["error_code"]) == (400, code)
    assert list(response.json()["errors"]) == [query.split("=")[0]]


def test_a_list_of_many_takes_as_many_queries_as_a_list_of_two(api, account):
    def queries(rows):
        with CaptureQueriesContext(connection) as captured:
            assert len(api.get(f"{API}/usage/").json()["results"]) == rows
        return len(captured)

    load(api, a_record("A"), a_record("B"))
    few = queries(2)
    load(api, *[a_record(f"R-{n}") for n in range(20)])
    assert queries(22) == few


def test_usage_of_another_client_is_neither_listed_nor_read_nor_removed(api, umbra, account):
    (result,) = load(api, a_record())
    theirs = with_key(umbra)
    assert theirs.get(f"{API}/usage/").json()["results"] == []
    for method in (theirs.get, theirs.delete):
        response = method(f"{API}/usage/{result['id']}/")
        assert (response.status_code, response.json()["error_code"]) == (404, 1002)
    assert Usage.objects.exists()


# Changing and removing.


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_record_is_never_changed(api, account, method):
    (result,) = load(api, a_record())
    response = getattr(api, method)(f"{API}/usage/{result['id']}/", {"units": "9"}, format="json")
    assert (response.status_code, response.json()["error_code"]) == (405, 1012)


def test_a_record_that_no_invoice_holds_is_removed_with_an_event(api, account):
    (result,) = load(api, a_record())
    response = api.delete(f"{API}/usage/{result['id']}/")
    assert (response.status_code, response.content) == (204, b"")
    assert not Usage.objects.exists()
    event = Event.objects.get()
    assert (event.act, event.account, event.before["record_id"], event.api_key.name) == (
        "usage.removed",
        account,
        "R-1",
        "integrator",
    )
    assert api.delete(f"{API}/usage/{result['id']}/").json()["error_code"] == 1002


def test_a_record_on_an_invoice_is_not_removed(api, account, process):
    bill(account, JAN_10, process)
    (result,) = load(api, a_record())
    pending = bill(account, FEB_10, process, force_pending=True)
    response = api.delete(f"{API}/usage/{result['id']}/")
    assert (response.status_code, response.json()["error_code"]) == (409, 90016)
    assert response.json()["error_msg"].endswith(f"record R-1 is on invoice {pending.pk}")


# What is unbilled so far.


def test_what_is_unbilled_is_rated_as_the_invoice_will_charge_it_and_nothing_is_written(acme, api, account, process):
    bill(account, JAN_10, process)
    load(api, a_record("R-1", units="120"), a_record("R-2", units="40.5", used_at="2026-02-09T23:00:00Z"))
    load(api, a_record("R-3", units="7", used_at="2026-02-10T00:00:00Z"))
    instance = account.plan_instances.get()
    service = instance.plan.charges.get().service_id
    with CaptureQueriesContext(connection) as queries:
        answer = api.get(f"{API}/usage/unbilled/?acct_no={account.pk}")
    reading = ("SELECT", "SAVEPOINT", "RELEASE", "SET LOCAL")
    written = [query["sql"] for query in queries if not query["sql"].startswith(reading)]
    assert all("accounts_apicall" in sql or "accounts_apikey" in sql for sql in written)
    same = {"plan_instance": instance.pk, "service": service, "description": "Calls", "explanation": ""}
    january = {**same, "period_start": "2026-01-10", "period_end": "2026-02-09"}
    first_band = {"tier_no": 1, "tier_from": "0", "tier_to": "100", "rate_per_unit": "0.1"}
    assert answer.status_code == 200
    assert answer.json() == {
        "acct_no": account.pk,
        "currency": "usd",
        "through": "2026-03-15",
        "lines": [
            {**january, **first_band, "units": "100", "amount": "10.00"},
            {
                **january,
                "tier_no": 2,
                "tier_from": "100",
                "tier_to": None,
                "rate_per_unit": "0.05",
                "units": "60.5",
                "amount": "3.03",
            },
            {
                **same,
                **first_band,
                "period_start": "2026-02-10",
                "period_end": "2026-03-09",
                "units": "7",
                "amount": "0.70",
            },
        ],
        "total_amount": "13.73",
    }
    invoice = bill(account, FEB_10, process)
    lines = api.get(f"{API}/invoices/{invoice.pk}/").json()["lines"]
    assert [{name: line[name] for name in answer.json()["lines"][0]} for line in lines] == answer.json()["lines"][:2]
    assert api.get(f"{API}/usage/unbilled/?acct_no={account.pk}").json()["total_amount"] == "0.70"


def test_an_account_without_usage_has_nothing_unbilled(acme, api):
    account = an_account(acme)
    answer = api.get(f"{API}/usage/unbilled/?acct_no={account.pk}").json()
    assert (answer["lines"], answer["total_amount"], answer["through"]) == ([], "0.00", "2026-03-15")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, 1010),
        ("acct_no=", 400, 1016),
        ("acct_no=x", 400, 1016),
        (f"acct_no={2**63}", 404, 1009),
        (f"acct_no={10**22}", 400, 1012),
        ("acct_no=0", 404, 1009),
        ("acct_no=-1", 404, 1009),
    ],
)
def test_an_account_that_is_missing_or_unknown_is_refused(api, account, query, status, code):
    response = api.get(f"{API}/usage/unbilled/?{query}")
    assert (response.status_code, response.json()["error_code"], list(response.json()["errors"])) == (status, code, ["acct_no"])


def test_what_is_unbilled_of_another_clients_account_is_not_shown(umbra, account):
    response = with_key(umbra).get(f"{API}/usage/unbilled/?acct_no={account.pk}")
    assert (response.status_code, response.json()["error_code"]) == (404, 1009)


def test_usage_at_a_price_that_is_not_valid_yet_says_so(acme, api, account):
    Account.objects.get().plan_instances.get().plan.charges.get().rates.update(valid_from=MAR_10)
    load(api, a_record())
    response = api.get(f"{API}/usage/unbilled/?acct_no={account.pk}")
    assert (response.status_code, response.json()["error_code"]) == (409, 90011)


def test_strangers_load_and_see_nothing(api, account):
    api.credentials()
    for response in (post(api, {"records": [a_record()]}), api.get(f"{API}/usage/"), api.get(f"{API}/usage/unbilled/")):
        assert (response.status_code, response.json()["error_code"]) == (401, 1004)
