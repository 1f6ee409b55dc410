"""Billing runs as resources: their counts, totals and outcomes."""

from datetime import date

import pytest

from accounts.callers import Caller
from invoices.models import Invoice
from invoices.services.runs.runs import continue_run, start_run
from tests.support.factories import PlanFactory, TaxRateFactory, a_plan, an_account
from tests.support.invoice_api import api, signed_in, tenth_of_january

__all__ = ["api", "tenth_of_january"]


# Billing runs.


@pytest.fixture
def run(acme):
    TaxRateFactory(client=acme)
    plan = a_plan(acme)
    an_account(acme, plan)
    an_account(acme, plan, contact=False)
    an_account(acme, plan, status=-1)
    an_account(acme, PlanFactory(client=acme))
    an_account(acme, plan, start=date(2026, 1, 11))
    run = start_run(client=acme, today=date(2026, 1, 10), caller=Caller(process="bill"))
    continue_run(run, caller=Caller(process="bill"))
    return run


def test_a_run_is_shown_with_its_counts_and_totals(api, run):
    shown = api.get(f"/api/v1/billing-runs/{run.pk}/").json()
    assert (shown["id"], shown["bill_date"], shown["started_by"]) == (run.pk, "2026-01-10", "process:bill")
    assert shown["finished_at"] is not None
    assert shown["counts"] == {"invoiced": 2, "nothing_to_bill": 1, "refused": 1}
    assert shown["refused"] == [
        {
            "error_code": 7002,
            "message": "Recurring billing not allowed because account status prevents it",
            "accounts": 1,
        }
    ]
    assert shown["totals"] == [
        {"currency": "usd", "invoices": 2, "net_amount": "60.00", "tax_amount": "3.00", "total_amount": "63.00"}
    ]
    assert [row["id"] for row in api.get("/api/v1/billing-runs/").json()["results"]] == [run.pk]


def test_the_outcomes_of_a_run_are_listed_and_found_by_result(api, run):
    address = f"/api/v1/billing-runs/{run.pk}/outcomes/"
    invoices = {invoice.account_id: invoice.pk for invoice in Invoice.objects.all()}
    everything = api.get(address).json()
    assert len(everything["results"]) == 4
    assert [row["invoice_no"] for row in everything["results"] if row["result"] == "invoiced"] == list(invoices.values())[::-1]
    (refused,) = api.get(f"{address}?result=refused").json()["results"]
    assert (refused["error_code"], refused["error_msg"]) == (
        7002,
        "Recurring billing not allowed because account status prevents it: status -1",
    )
    assert api.get(f"{address}?result=lost").json()["error_code"] == 1016
    assert len(api.get(f"{address}?limit=1").json()["results"]) == 1


def test_a_run_of_another_client_does_not_exist(umbra, run):
    api = signed_in(umbra)
    assert api.get("/api/v1/billing-runs/").json()["results"] == []
    for address in ("", "outcomes/"):
        response = api.get(f"/api/v1/billing-runs/{run.pk}/{address}")
        assert (response.status_code, response.json()["error_code"]) == (404, 1002)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_run_is_changed_by_its_acts_alone(api, run, method):
    assert getattr(api, method)(f"/api/v1/billing-runs/{run.pk}/", {}, format="json").status_code == 405
