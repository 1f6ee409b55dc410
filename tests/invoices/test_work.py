"""The worker: real processes on a database, that end after their batch, and go on when one of them is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from accounts.callers import Caller
from invoices.kinds import DecisionAct, DecisionResult, RunResult, RunState
from invoices.models import BillingRun, Invoice, Worker
from invoices.services.approving.decisions import count_results as count_decided
from invoices.services.approving.decisions import start_decision
from invoices.services.documents.remarks import NO_REMARKS
from invoices.services.runs.figures import count_results
from invoices.services.runs.runs import start_run
from invoices.services.work import executor, registry
from invoices.services.work.executor import work
from invoices.services.work.registry import KindOfWork
from tests.support.billing import JAN_10
from tests.support.factories import an_account
from tests.support.served_work import answers, is_alive, served_with_worker, workers_of

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
def test_a_kind_of_work_that_fails_stops_no_other(acme, monkeypatch):
    done = []
    monkeypatch.setitem(registry._KINDS, "broken", KindOfWork("broken", lambda worker: 1 / 0))
    monkeypatch.setitem(registry._KINDS, "last", KindOfWork("last", lambda worker: not done and not done.append(worker)))
    assert work(once=True) == 1
    assert (len(done), Worker.objects.count()) == (1, 0)


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


def test_processes_end_with_their_supervisor(tmp_path):
    env = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'work.sqlite3'}"}
    supervisor = subprocess.Popen([sys.executable, "manage.py", "work", "--processes", "2"], env=env, stdout=subprocess.PIPE)
    wait_for(lambda: len(children_of(supervisor.pid)) == 2)
    first, second = children_of(supervisor.pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(set(children_of(supervisor.pid)) - {first}) == 2)
    time.sleep(3)  # the new one has started
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(timeout=60) == 0
    assert not os.path.exists(f"/proc/{second}")


def test_a_closed_terminal_ends_the_site_and_its_worker(transactional_db, tmp_path):
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        pytest.skip("the tests were started by nohup")
    with served_with_worker(tmp_path) as (site, supervisor):
        (worker,) = workers_of(site)
        supervisor.send_signal(signal.SIGHUP)
        assert supervisor.wait(timeout=60) == 0
        assert (is_alive(worker), answers(site), workers_of(site)) == (False, False, [])


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]
