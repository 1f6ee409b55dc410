"""The worker: real processes on a database, that end after their batch, and go on when one of them is killed."""

import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from accounts.callers import Caller
from invoices.kinds import DecisionAct, DecisionResult, RunMode, RunResult, RunState
from invoices.models import BillingRun, Invoice, Worker
from invoices.services.approving import bulk_work
from invoices.services.approving.bulk import count_results as count_decided
from invoices.services.approving.bulk import start_decision
from invoices.services.documents.remarks import NO_REMARKS, Remarks
from invoices.services.runs.figures import count_results
from invoices.services.runs.runs import start_run
from invoices.services.work import executor, registry
from invoices.services.work.executor import work
from invoices.services.work.registry import KindOfWork
from tests.support.billing import JAN_10
from tests.support.factories import an_account

KILLS, ACCOUNTS = 4, 80


def test_workers_are_killed_and_others_go_on():
    url = "sqlite:///unused.sqlite3" if connection.vendor == "sqlite" else os.environ["DATABASE_URL"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.killing_runs", str(KILLS), str(ACCOUNTS), "restart"],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.startswith(f"{connection.vendor}: {KILLS} killed, {ACCOUNTS} accounts, "), run.stdout
    assert ("the server restarted" in run.stdout) == (connection.vendor == "postgresql")


@pytest.mark.django_db
def test_a_worker_bills_the_runs_of_all_clients_and_carries_decisions_out(acme, umbra, alice, audited):
    for client in (acme, umbra):
        an_account(client)
        start_run(client=client, today=JAN_10, caller=Caller(process="test"))
    call_command("work", "--once")
    assert [count_results(run) for run in BillingRun.objects.all()] == [{RunResult.INVOICED: 1}] * 2
    pending = Invoice.objects.filter(client=umbra)
    decision = start_decision(client=umbra, act=DecisionAct.DISCARD, invoices=pending, caller=alice, remarks=NO_REMARKS)
    assert work(once=True) > 0
    assert count_decided(decision)[DecisionResult.DONE] == 1


@pytest.mark.django_db
def test_a_person_who_may_not_decide_any_more_holds_up_nobody(acme, umbra, alice, bob):
    for client in (acme, umbra):
        an_account(client)
        start_run(client=client, today=JAN_10, caller=Caller(process="test"), mode=RunMode.ALL_PENDING)
    work(once=True)
    first, second = (Invoice.objects.filter(client=client) for client in (acme, umbra))
    remark = start_decision(client=acme, act=DecisionAct.REMARK, invoices=first, caller=alice, remarks=Remarks("why", "note"))
    discard = start_decision(client=umbra, act=DecisionAct.DISCARD, invoices=second, caller=bob, remarks=NO_REMARKS)
    alice.staff.user_permissions.clear()
    work(once=True)
    assert list(remark.outcomes.values_list("result", "error_code")) == [(DecisionResult.REFUSED, 90001)]
    assert count_decided(discard)[DecisionResult.DONE] == 1
    assert first.get().client_notes != "note"


@pytest.mark.django_db
def test_a_bulk_decision_that_fails_holds_up_no_other(acme, umbra, alice, bob, monkeypatch):
    for client in (acme, umbra):
        an_account(client)
        start_run(client=client, today=JAN_10, caller=Caller(process="test"), mode=RunMode.ALL_PENDING)
    work(once=True)
    broken, whole = (
        start_decision(
            client=client,
            act=DecisionAct.DISCARD,
            invoices=Invoice.objects.filter(client=client),
            caller=caller,
            remarks=NO_REMARKS,
        )
        for client, caller in ((acme, alice), (umbra, bob))
    )
    decide = bulk_work.continue_decision

    def decide_or_fail(decision, **options):
        return decide(decision, **options) if decision != broken else 1 / 0

    monkeypatch.setattr(bulk_work, "continue_decision", decide_or_fail)
    work(once=True)
    assert count_decided(whole)[DecisionResult.DONE] == 1
    assert count_decided(broken)[DecisionResult.WAITING] == 1


@pytest.mark.django_db
def test_the_oldest_documents_are_decided_on_first(acme, alice, monkeypatch):
    monkeypatch.setattr("invoices.services.approving.bulk.AT_ONCE", 1)
    for _ in range(3):
        an_account(acme)
    start_run(client=acme, today=JAN_10, caller=Caller(process="test"), mode=RunMode.ALL_PENDING)
    work(once=True)
    start_decision(client=acme, act=DecisionAct.APPROVE, invoices=Invoice.objects.all(), caller=alice, remarks=NO_REMARKS)
    work(once=True)
    numbers = list(Invoice.objects.order_by("pk").values_list("document_number", flat=True))
    assert numbers == ["INV-000001", "INV-000002", "INV-000003"]


@pytest.mark.django_db
def test_a_kind_of_work_that_fails_stops_no_other(acme, monkeypatch):
    done = []
    monkeypatch.setitem(registry._KINDS, "broken", KindOfWork("broken", lambda worker: 1 / 0))
    monkeypatch.setitem(registry._KINDS, "last", KindOfWork("last", lambda worker: not done and not done.append(worker)))
    work(once=True)
    assert (len(done), Worker.objects.count()) == (1, 0)
    assert work(once=True) == 0


@pytest.mark.django_db
def test_what_can_wait_is_done_when_nothing_else_is_due_and_once_a_minute(monkeypatch):
    done = []

    def do(name, batches):
        return lambda worker: done.count(name) < batches and not done.append(name)

    kinds = {"files": KindOfWork("files", do("files", 2), can_wait=True), "runs": KindOfWork("runs", do("runs", 3))}
    monkeypatch.setattr(registry, "_KINDS", kinds)
    assert work(once=True) == 5
    assert done == ["runs", "runs", "runs", "files", "files"]
    done.clear()
    monkeypatch.setattr(executor, "PATIENCE_SECONDS", 0.0)
    assert work(once=True) == 5
    assert done == ["runs", "files", "runs", "files", "runs"]


@pytest.mark.django_db
def test_a_run_that_fails_unexpectedly_is_stopped(acme, monkeypatch):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=Caller(process="test"))
    with monkeypatch.context() as broken:
        broken.setattr("invoices.services.runs.runs.settle_batch", lambda *_: 1 / 0)
        work(once=True)
    run.refresh_from_db()
    assert (run.state, run.stop_reason, count_results(run)) == (RunState.STOPPED, "unexpected error", {RunResult.WAITING: 1})


@pytest.mark.django_db
def test_a_database_that_comes_back_is_gone_on_with(acme, monkeypatch):
    answers = [OperationalError("server closed the connection"), True, False]

    def answer(worker):
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        if not answers:
            registry.STOPPING.set()
        return given

    monkeypatch.setattr(registry, "_KINDS", {"test": KindOfWork("test", answer)})
    monkeypatch.setattr(executor, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(executor.connection, "close", lambda: None)
    try:
        assert work() == 1
    finally:
        registry.STOPPING.clear()
