"""Billing runs: outcomes per account, totals counted from rows, and going on after an interruption."""

from datetime import date
from decimal import Decimal as D
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Account
from invoices.kinds import RunResult
from invoices.models import BillingRun, Invoice
from invoices.services.runs import runs
from invoices.services.runs.figures import count_refusals, count_results, run_totals
from invoices.services.runs.runs import continue_run, start_run, unfinished_run
from tests.support.billing import bill
from tests.support.factories import a_plan, an_account
from tests.support.runs import a_world

JAN_10 = date(2026, 1, 10)


def test_a_run_has_an_outcome_for_every_account_that_is_due(acme, umbra, process):
    billed = a_world(acme)
    an_account(umbra)
    run = start_run(client=acme, today=JAN_10, caller=process)
    assert count_results(run) == {RunResult.WAITING: 4}
    continue_run(run, caller=process)
    assert count_results(run) == {RunResult.INVOICED: 2, RunResult.NOTHING_TO_BILL: 1, RunResult.REFUSED: 1}
    assert [(refused.error_code, refused.accounts) for refused in count_refusals(run)] == [(7001, 1)]
    assert [tuple(totals) for totals in run_totals(run)] == [("usd", 2, D(40), D(4), D(44))]
    assert {outcome.account_id for outcome in run.outcomes.filter(result="invoiced")} == {one.pk for one in billed}
    assert all(outcome.invoice.account_id == outcome.account_id for outcome in run.outcomes.exclude(invoice=None))
    run.refresh_from_db()
    assert run.finished_at is not None
    assert unfinished_run(acme) is None


def test_totals_are_kept_apart_by_currency(acme, process):
    an_account(acme)
    an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy")
    run = start_run(client=acme, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    assert [(totals.currency, totals.total_amount) for totals in run_totals(run)] == [("jpy", D(1000)), ("usd", D(30))]


class Interrupted(Exception):
    pass


def test_a_run_that_was_interrupted_goes_on_and_bills_nobody_twice(acme, process, monkeypatch):
    monkeypatch.setattr(runs, "ACCOUNTS_AT_ONCE", 3)
    for _ in range(10):
        an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)

    def interrupt(accounts):
        raise Interrupted

    with pytest.raises(Interrupted):
        continue_run(run, caller=process, progress=interrupt)
    assert count_results(run) == {RunResult.INVOICED: 3, RunResult.WAITING: 7}
    assert unfinished_run(acme) == run
    seen = []
    continue_run(run, caller=process, progress=seen.append)
    assert seen == [3, 3, 1]
    assert count_results(run) == {RunResult.INVOICED: 10}
    assert Invoice.objects.count() == 10


def test_an_account_that_was_billed_meanwhile_is_refused_not_billed_again(acme, process):
    account = an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    bill(account, process, JAN_10)
    continue_run(run, caller=process)
    assert run.outcomes.get().error_code == 7007
    assert Invoice.objects.count() == 1


def test_the_command_bills_and_prints_what_it_did(acme, settings, time_machine):
    time_machine.move_to("2026-01-10T12:00:00+00:00")
    a_world(acme)
    out = StringIO()
    call_command("bill", acme.pk, stdout=out)
    printed = [line.split() for line in out.getvalue().splitlines()]
    assert ["accounts", "4"] in printed
    assert ["invoices", "2"] in printed
    assert ["total", "before", "tax", "40.00", "USD"] in printed
    assert ["tax", "4.00", "USD"] in printed
    assert ["total", "44.00", "USD"] in printed
    assert any(line[:3] == ["1", "x", "7001"] for line in printed)


def test_the_command_goes_on_with_an_interrupted_run(acme, process, time_machine):
    time_machine.move_to("2026-01-10T12:00:00+00:00")
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    Account.objects.update(next_bill_date=JAN_10)
    out = StringIO()
    call_command("bill", acme.pk, stdout=out)
    assert f"Resuming billing run {run.pk}" in out.getvalue()
    assert BillingRun.objects.count() == 1


def test_the_command_refuses_an_unknown_client(db):
    with pytest.raises(CommandError, match="Client 4711 does not exist"):
        call_command("bill", 4711)


def test_discard_stale_prints_what_it_discarded(umbra, time_machine):
    umbra.pending_discard_days = 5
    umbra.save()
    an_account(umbra)
    time_machine.move_to("2026-01-10T12:00:00+00:00")
    call_command("bill", umbra.pk, stdout=StringIO())
    time_machine.move_to("2026-01-16T12:00:00+00:00")
    out = StringIO()
    call_command("discard_stale", stdout=out)
    assert "1 discarded" in out.getvalue()
    assert Invoice.objects.get().status == "discarded"
