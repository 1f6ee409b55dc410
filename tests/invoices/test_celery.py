"""EXECUTOR=celery: real workers of Celery with a real broker, and what happens without one."""

import os
import signal
import subprocess
import sys
import time
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from kombu import Connection, pools

from accounts.callers import Caller
from billing_site.celery import app
from invoices import tasks
from invoices.checks import check_executor
from invoices.kinds import RunResult, RunState
from invoices.models import BillingRun, Worker
from invoices.services.runs.figures import count_results
from invoices.services.runs.runs import start_run
from invoices.services.work import executor, registry, waking
from invoices.services.work.registry import CannotGoOn, KindOfWork
from invoices.services.work.workers import LEASE, live_processes, missing_command
from tests.support.addresses import address_on_server
from tests.support.billing import JAN_10
from tests.support.brokers import NO_RABBITMQ, NO_REDIS, RABBITMQ, REDIS, free_port, listens, own_redis
from tests.support.factories import an_account

KILLS, ACCOUNTS = 3, 100
CALLER = Caller(process="test")


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request):
    """The address of a broker."""
    if request.param == "redis":
        if REDIS is None:
            pytest.skip(NO_REDIS)
        with own_redis() as redis:
            yield redis.url
        return
    if not listens(RABBITMQ):
        pytest.skip(NO_RABBITMQ)
    yield "amqp://guest:guest@127.0.0.1:5672//"


@pytest.fixture
def sending_to(settings, monkeypatch):
    """Sends messages to a broker's address, as the site does with EXECUTOR=celery."""

    def use(url):
        monkeypatch.setattr(waking, "_SENDERS", [tasks.send])
        monkeypatch.setattr(waking, "_rests_until", 0.0)
        monkeypatch.setitem(app.conf, "broker_url", url)
        forget_connections()

    yield use
    forget_connections()


def forget_connections():
    pools.reset()
    app._pool = app.amqp._producer_pool = None


def test_workers_processes_and_the_broker_are_killed_and_others_go_on():
    if REDIS is None:
        pytest.skip(NO_REDIS)
    if connection.vendor == "sqlite":
        pytest.skip("several workers of Celery need PostgreSQL")
    run = subprocess.run(
        [sys.executable, "-m", "tests.killing_celery", str(KILLS), str(ACCOUNTS)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert f"postgresql: {KILLS} killed, {ACCOUNTS} accounts, " in run.stdout


START_RUN = """
from accounts.callers import Caller
from accounts.models import Client
from invoices.services.runs.runs import start_run
from tests.support.billing import JAN_10
start_run(client=Client.objects.get(), today=JAN_10, caller=Caller(process="test"))
"""
SWEEP = "from invoices.tasks import sweep; sweep.delay()"


def test_a_worker_bills_a_run_that_the_site_starts(transactional_db, settings, acme, broker):
    if connection.vendor == "sqlite":
        pytest.skip("the tests' database is in the memory of this process")
    an_account(acme)
    settings.EXECUTOR = "celery"
    env = environment(broker)
    command = [sys.executable, "-m", "celery", "-A", "billing_site"]
    worker = subprocess.Popen([*command, "--quiet", "worker", "--concurrency", "1"], env=env, start_new_session=True)

    def on_the_site(code):
        subprocess.run([sys.executable, "manage.py", "shell", "--no-imports", "-c", code], env=env, check=True)

    try:
        wait_for(lambda: live_processes("celery") == 1)
        assert missing_command() == "celery -A billing_site beat"
        # No beat sweeps here: the message of the start alone has the run begun.
        on_the_site(START_RUN)
        wait_for(lambda: BillingRun.objects.get().state == RunState.FINISHED)
        assert count_results(BillingRun.objects.get()) == {RunResult.INVOICED: 1}
        on_the_site(SWEEP)
        wait_for(lambda: missing_command() == "")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0
        assert (live_processes("celery"), missing_command()) == (0, "celery -A billing_site worker")
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        with Connection(broker) as one:
            one.default_channel.queue_delete(env["BROKER_QUEUE"])


def environment(broker):
    """The environment of a process that shares the tests' database, with a queue of its own."""
    url = address_on_server(connection.settings_dict["NAME"])
    queue = f"test_{uuid.uuid4().hex}"
    return {**os.environ, "DATABASE_URL": url, "EXECUTOR": "celery", "BROKER_URL": broker, "BROKER_QUEUE": queue}


LONG_WORK = """
import sys, time
from pathlib import Path
import django
from billing_site.celery import app
django.setup()
from invoices.services.work.registry import Interrupted, KindOfWork, check_stopping, register
from invoices.tasks import send

said = Path(sys.argv[1])

def work(worker):
    said.write_text("begun")
    try:
        for _ in range(3000):
            time.sleep(0.1)
            check_stopping()
    except Interrupted:
        said.write_text("interrupted")
    return False

register(KindOfWork("long", work))
send("long")
app.start(["--quiet", "worker", "--concurrency", "1", "--loglevel", "ERROR"])
"""


def test_long_work_ends_after_its_batch_when_the_worker_must_end(transactional_db, tmp_path):
    if REDIS is None:
        pytest.skip(NO_REDIS)
    if connection.vendor == "sqlite":
        pytest.skip("the tests' database is in the memory of this process")
    said = tmp_path / "said"
    with own_redis() as redis:
        command = [sys.executable, "-c", LONG_WORK, str(said)]
        worker = subprocess.Popen(command, env=environment(redis.url), start_new_session=True)
        try:
            wait_for(lambda: said.exists() and said.read_text() == "begun")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=60) == 0
            assert said.read_text() == "interrupted"
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_fails_no_request(transactional_db, acme, sending_to, caplog, scheme):
    sending_to(f"{scheme}://127.0.0.1:{free_port()}//")
    an_account(acme)
    begun = time.monotonic()
    assert start_run(client=acme, today=JAN_10, caller=CALLER).state == RunState.RUNNING
    assert time.monotonic() - begun < 10
    assert [one.message.partition(":")[0] for one in caplog.records if one.name == waking.__name__] == ["work"]
    assert "no message for billing runs, the next sweep finds it" in caplog.text
    # The next one does not even try.
    caplog.clear()
    with transaction.atomic():
        waking.wake("billing runs")
    assert caplog.records == []


def test_a_message_is_sent_after_the_commit_only(transactional_db, monkeypatch):
    sent = []
    monkeypatch.setattr(waking, "_SENDERS", [sent.append])
    with transaction.atomic():
        waking.wake("billing runs")
        assert sent == []
    assert sent == ["billing runs"]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        waking.wake("billing runs")
        raise ZeroDivisionError
    assert sent == ["billing runs"]


@pytest.fixture
def sent(monkeypatch):
    """What tasks send, instead of a broker: kind, and whether it is the first message."""
    messages = []
    monkeypatch.setattr(tasks, "_send", lambda kind, until, *, is_first: messages.append((kind, is_first)))
    monkeypatch.setattr(tasks, "_process", tasks._Process())
    yield messages
    tasks._process.end()


def one_batch_of(monkeypatch, name, do_batch):
    monkeypatch.setattr(registry, "_KINDS", {name: KindOfWork(name, do_batch)})


@pytest.mark.django_db
def test_a_message_is_sent_on_while_there_is_work(sent, monkeypatch):
    batches = [True, True, False]
    one_batch_of(monkeypatch, "test", lambda worker: batches.pop(0))
    later = time.time() + 60
    # Beside this process two others are alive, and one was not seen for too long.
    for seconds in (0, 0, LEASE.seconds + 1):
        Worker.objects.create(host="b", pid=1, name="celery", started_at=Now(), seen_at=Now() - seconds * LEASE / LEASE.seconds)
    tasks.do_work("test", later, True)
    assert sent == [("test", False)] * 3
    tasks.do_work("test", later, False)
    assert sent == [("test", False)] * 4
    tasks.do_work("test", later, False)
    assert sent == [("test", False)] * 4


@pytest.mark.django_db
def test_work_that_can_wait_is_done_when_nothing_else_was_due_or_after_a_minute(sent, monkeypatch):
    done = []
    urgent = KindOfWork("urgent", lambda worker: not done.append("urgent"))
    patient = KindOfWork("patient", lambda worker: not done.append("patient"), can_wait=True)
    monkeypatch.setattr(registry, "_KINDS", {one.name: one for one in (urgent, patient)})
    later = time.time() + 60
    for kind in ("patient", "urgent", "patient", "urgent", "patient"):
        tasks.do_work(kind, later, False)
    assert done == ["patient", "urgent", "urgent"]
    monkeypatch.setattr(executor, "PATIENCE_SECONDS", 0)
    tasks.do_work("patient", later, False)
    assert done == ["patient", "urgent", "urgent", "patient"]


@pytest.mark.django_db
def test_a_message_that_is_over_is_not_sent_on(sent, monkeypatch):
    one_batch_of(monkeypatch, "test", lambda worker: True)
    tasks.do_work("test", time.time() - 1, True)
    assert sent == []


@pytest.mark.django_db
def test_work_that_this_version_does_not_know_is_left_alone(sent, caplog):
    tasks.do_work("of tomorrow", time.time() + 60, True)
    assert (sent, "no work of the kind of tomorrow" in caplog.text) == ([], True)


@pytest.mark.django_db
@pytest.mark.parametrize("problem", [ZeroDivisionError, CannotGoOn])
def test_a_kind_of_work_that_fails_rests(sent, monkeypatch, problem):
    tried = []

    def fail(worker):
        tried.append(worker.pk)
        raise problem

    one_batch_of(monkeypatch, "test", fail)
    for _ in range(3):
        tasks.do_work("test", time.time() + 60, True)
    # A worker that has failed is a new one, so that what it had claimed is free. One that cannot go on keeps nothing.
    alive = list(Worker.objects.filter(name="celery").values_list("pk", flat=True))
    assert (len(tried), sent, len(alive)) == (1, [], 1)
    assert (alive == tried) is (problem is CannotGoOn)


@pytest.mark.django_db
def test_a_sweep_asks_for_every_kind_of_work(sent, monkeypatch):
    monkeypatch.setattr(tasks, "send", lambda kind: sent.append(kind))
    tasks.sweep()
    assert sent == [kind.name for kind in registry.kinds_of_work()]
    assert "billing runs" in sent and "schedules" in sent


@pytest.mark.django_db
def test_the_command_work_says_what_to_start_instead(settings):
    settings.EXECUTOR = "celery"
    with pytest.raises(CommandError, match="celery -A billing_site worker, and once: celery -A billing_site beat"):
        call_command("work", "--once")


@pytest.mark.parametrize(
    ("executor", "broker_url", "found"),
    [
        ("local", "", []),
        ("celery", "redis://127.0.0.1/0", []),
        ("celery", "amqp://127.0.0.1//", []),
        ("celery", "", ["invoices.E003"]),
        ("celery", "127.0.0.1:6379", ["invoices.E003"]),
        ("celeri", "redis://127.0.0.1/0", ["invoices.E001"]),
    ],
)
def test_the_checks_say_what_is_missing(settings, executor, broker_url, found):
    settings.EXECUTOR, settings.BROKER_URL = executor, broker_url
    assert [one.id for one in check_executor(None) if one.id != "invoices.W002"] == found


@pytest.mark.parametrize(("scheme", "missing"), [("redis", ["celery", "redis"]), ("amqp", ["celery"])])
def test_the_checks_name_the_packages_that_are_missing(settings, monkeypatch, scheme, missing):
    settings.EXECUTOR, settings.BROKER_URL = "celery", f"{scheme}://127.0.0.1/"
    monkeypatch.setattr("invoices.checks.find_spec", lambda name: None)
    said = [str(one.msg) for one in check_executor(None) if one.id == "invoices.E002"]
    assert said == [f"EXECUTOR is celery, but the package {name} is not installed." for name in missing]


@pytest.mark.parametrize("program", ["worker", "beat"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"EXECUTOR": "local", "BROKER_URL": "redis://127.0.0.1:1/0"}, "Set EXECUTOR=celery"),
        ({"EXECUTOR": "celery", "BROKER_URL": ""}, "BROKER_URL names no broker"),
    ],
)
def test_a_worker_or_beat_with_wrong_settings_ends_and_says_why(tmp_path, program, wrong, message):
    command = [sys.executable, "-m", "celery", "-A", "billing_site", program]
    schedule = ["--schedule", str(tmp_path / "beat")] if program == "beat" else []
    env = {**os.environ, **wrong}
    ended = subprocess.run([*command, *schedule], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, message in ended.stderr) == (1, True), ended.stderr


def test_without_celery_the_site_says_so_and_does_not_break(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util, sys\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name in ('celery', 'redis') else found(name, *more)\n"
        "sys.modules['celery'] = sys.modules['redis'] = None\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "EXECUTOR": "celery", "BROKER_URL": "redis://127.0.0.1/0"}
    check = subprocess.run([sys.executable, "manage.py", "check"], env=env, capture_output=True, text=True, check=False)
    assert check.returncode == 1
    for package in ("celery", "redis"):
        assert f"EXECUTOR is celery, but the package {package} is not installed." in check.stderr
    assert "pip install --require-hashes -r requirements/celery.txt" in check.stderr


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
