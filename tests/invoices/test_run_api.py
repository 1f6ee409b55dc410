"""Billing runs over REST: planned, tried as a dry run, started, paused, resumed, cancelled and retried."""

import csv
import io
from datetime import UTC, datetime

import pytest
import time_machine

from invoices.models import BillingRun, Invoice, RunFilter
from invoices.services.runs.runs import continue_run
from tests.support.factories import an_account
from tests.support.money_api import get, post, with_key
from tests.support.runs import a_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 18, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme)


def worked(number, process):
    """What a worker makes of a run."""
    run = BillingRun.objects.get(pk=number)
    continue_run(run, caller=process)
    return number


def refused(api, body, path="billing-runs"):
    answer = post(api, path, body)
    return answer["error_code"], answer["error_msg"], list(answer["errors"])


def test_a_dry_run_then_the_run_that_is_compared_with_it(acme, api, process):
    a_world(acme)
    dry = post(api, "billing-runs/dry_run", {}, status=201)
    assert (dry["state"], dry["is_dry_run"], dry["counts"], dry["totals"]) == ("running", True, {"waiting": 4}, [])
    dry = get(api, f"billing-runs/{worked(dry['id'], process)}")
    totals = [{"currency": "usd", "invoices": 2, "net_amount": "40.00", "tax_amount": "4.00", "total_amount": "44.00"}]
    assert (dry["state"], dry["totals"]) == ("finished", totals)
    assert dry["counts"] == {"billable": 2, "nothing_to_bill": 1, "refused": 1}
    assert [(one["error_code"], one["accounts"]) for one in dry["refused"]] == [(7001, 1)]
    assert dry["flags"]["first"] == 2
    assert Invoice.objects.count() == 0
    late = an_account(acme, is_test=True)
    run = post(api, "billing-runs", {"compared_with": dry["id"], "stop_above_refusals": 5}, status=201)
    assert (run["state"], run["compared_with"], run["stop_above_refusals"]) == ("planned", dry["id"], 5)
    assert post(api, f"billing-runs/{run['id']}/start", status=200)["state"] == "running"
    run = get(api, f"billing-runs/{worked(run['id'], process)}")
    assert (run["state"], run["totals"]) == ("finished", totals)
    assert run["differences"] == [
        {
            "run": dry["id"],
            "is_dry_run": True,
            "accounts": 1,
            "invoices": 0,
            "refused": 1,
            "refusals": [{"error_code": 7001, "accounts": 1}],
            "totals": [],
        }
    ]
    refusals = get(api, f"billing-runs/{run['id']}/outcomes", result="refused", acct_no=late.pk)["results"]
    assert [(one["acct_no"], one["error_code"]) for one in refusals] == [(late.pk, 7001)]


def test_the_outcomes_of_a_dry_run_have_amounts_as_rows_and_as_csv(acme, api, process):
    first, second = a_world(acme)
    number = worked(post(api, "billing-runs/dry_run", status=201)["id"], process)
    found = get(api, f"billing-runs/{number}/outcomes", result="billable")["results"]
    shown = [(one["acct_no"], one["net_amount"], one["tax_amount"], one["total_amount"], one["flags"]) for one in found]
    assert shown == [(first.pk, "30.00", "3.00", "33.00", "first"), (second.pk, "10.00", "1.00", "11.00", "first")]
    assert get(api, f"billing-runs/{number}/outcomes", flag="changed")["results"] == []
    answer = api.get(f"/api/v1/billing-runs/{number}/outcomes/", {"flag": "first"}, HTTP_ACCEPT="text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(row["acct_no"], row["currency"], row["total_amount"]) for row in rows] == [
        (str(first.pk), "usd", "33.00"),
        (str(second.pk), "usd", "11.00"),
    ]


def test_a_run_is_paused_resumed_cancelled_and_its_refused_accounts_are_retried(acme, api, process):
    _, second = a_world(acme)
    run = post(api, "billing-runs", {"filter": {"accounts": [second.pk]}}, status=201)
    address = f"billing-runs/{run['id']}"
    assert refused(api, {}, f"{address}/pause")[0] == 90111
    assert post(api, f"{address}/start")["state"] == "running"
    assert post(api, f"{address}/pause")["state"] == "paused"
    assert post(api, f"{address}/resume")["state"] == "running"
    cancelled = post(api, f"{address}/cancel")
    assert (cancelled["state"], cancelled["counts"]) == ("cancelled", {"cancelled": 1})
    assert refused(api, {}, f"{address}/start") == (
        90111,
        f"The state of the billing run does not allow this: run {run['id']} is cancelled",
        ["state"],
    )
    rest = post(api, "billing-runs", {}, status=201)["id"]
    post(api, f"billing-runs/{rest}/start")
    worked(rest, process)
    assert post(api, f"billing-runs/{rest}/retry", {"only_failed": True})["state"] == "finished"
    again = post(api, f"billing-runs/{rest}/retry")
    assert (again["state"], again["counts"]["waiting"]) == ("running", 1)


def test_a_repeated_request_plans_one_run(acme, api):
    an_account(acme)
    first, second = (
        api.post("/api/v1/billing-runs/", {}, format="json", HTTP_IDEMPOTENCY_KEY="january").json() for _ in range(2)
    )
    assert first["id"] == second["id"] == BillingRun.objects.get().pk


def test_an_account_in_an_active_run_is_left_out_of_another(acme, api):
    account = an_account(acme)
    first = post(api, "billing-runs", {}, status=201)
    second = post(api, "billing-runs", {}, status=201)
    assert second["counts"] == {"in_another_run": 1}
    (outcome,) = get(api, f"billing-runs/{second['id']}/outcomes")["results"]
    assert (outcome["acct_no"], outcome["other_run"]) == (account.pk, first["id"])


def test_input_that_is_wrong_is_named_and_nothing_is_planned(acme, umbra, api):
    account, others = an_account(acme), an_account(umbra)
    for accounts, code, named in (
        ([account.pk, "nobody", others.pk], 1009, f"nobody, {others.pk} are unknown"),
        ([account.pk, account.client_acct_id], 1016, f"accounts: {account.client_acct_id} is listed more than once"),
    ):
        found = refused(api, {"filter": {"accounts": accounts}})
        assert (found[0], named in found[1], found[2]) == (code, True, ["accounts"]), found
    for body, code, field in (
        ({"filter": {"currency": ["usd"]}}, 1016, "filter.currency"),
        ({"filter": {"due_until": "2026-01-11"}}, 1016, "due_until"),
        ({"filter": {"due_until": "tomorrow"}}, 1024, "filter.due_until"),
        ({"filter": {"currencies": ["eur"]}}, 90112, "filter"),
        ({"filter": {}, "filter_name": "x"}, 1016, "filter_name"),
        ({"filter_name": "x"}, 1002, "filter_name"),
        ({"mode": "all"}, 1016, "mode"),
        ({"stop_above_refusals": -1}, 1016, "stop_above_refusals"),
        ({"compared_with": 999999}, 1016, "compared_with"),
    ):
        found = refused(api, body)
        assert (found[0], found[2]) == (code, [field]), found
    assert BillingRun.objects.count() == 0


def test_a_limit_of_0_stops_at_the_first_refusal_and_null_is_no_limit(acme, api, process):
    acme.stop_above_refusals = 3
    acme.save()
    a_world(acme)
    run = post(api, "billing-runs", {"stop_above_refusals": 0, "stop_above_invoice": None}, status=201)
    post(api, f"billing-runs/{run['id']}/start")
    stopped = get(api, f"billing-runs/{worked(run['id'], process)}")
    assert (stopped["state"], stopped["stop_reason"]) == ("stopped", "More than 0 accounts were refused.")
    assert post(api, f"billing-runs/{run['id']}/resume")["stop_above_refusals"] is None
    assert post(api, "billing-runs", status=201)["stop_above_refusals"] == 3


def test_a_filter_is_saved_replaced_used_and_deleted(acme, umbra, api):
    account = an_account(acme)
    for days in ([5], [10]):
        saved = post(api, "run-filters", {"name": "Tenth", "filter": {"bill_days": days}}, status=201)
    assert get(api, "run-filters")["results"] == [{"id": saved["id"], "name": "Tenth", "filter": {"bill_days": [10]}}]
    account.bill_day = 10
    account.save()
    run = post(api, "billing-runs", {"filter_name": "Tenth"}, status=201)
    assert (run["filter"], run["counts"]) == ({"bill_days": [10]}, {"waiting": 1})
    assert with_key(umbra).delete(f"/api/v1/run-filters/{saved['id']}/").status_code == 404
    assert api.delete(f"/api/v1/run-filters/{saved['id']}/").status_code == 204
    assert (RunFilter.objects.count(), get(api, f"billing-runs/{run['id']}")["filter"]) == (0, {"bill_days": [10]})
