"""Webhooks sent by worker processes: one is killed while it sends, and a dead endpoint delays no other. They share a file of
SQLite."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from django.db import connection

from accounts.callers import Caller
from accounts.trail import Act, record_acts
from invoices.services.webhooks.delivering import REQUESTS_AT_ONCE
from invoices.services.webhooks.endpoints import add_endpoint
from tests.support.factories import BY_TEST
from tests.support.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(tmp_path, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    folder = tmp_path / "receiver"
    folder.mkdir()
    with receiving(folder) as receiver:
        yield receiver


class Work:
    """`manage.py work` with two processes on a copy of the test's data."""

    def __init__(self, folder):
        if connection.vendor != "sqlite":
            pytest.skip("the processes share a file of SQLite")
        self.database = folder / "work.sqlite3"
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(self.database)])
        env = {**os.environ, "DATABASE_URL": f"sqlite:///{self.database}", "WEBHOOK_NETWORKS": "127.0.0.0/8"}
        self.process = subprocess.Popen([sys.executable, "manage.py", "work", "--processes", "2"], env=env)

    @property
    def workers(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return {int(child) for child in children.read().split()}

    def rows(self, query):
        database = sqlite3.connect(self.database, timeout=30)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def an_endpoint(client, url):
    return add_endpoint(client=client, caller=BY_TEST, url=url, event_types=["run.*"])


def test_a_worker_that_is_killed_between_sending_and_storing_sends_again(acme, receiver, tmp_path):
    receiver.tell("/slow")
    an_endpoint(acme, receiver.url("/as-told"))
    record_acts(acme, Caller(process="test"), [Act("run.paused")])
    with Work(tmp_path) as work:
        wait_for(lambda: receiver.got)
        receiver.tell("/ok")
        killed = work.workers
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: len(receiver.got) == 2)
        wait_for(lambda: work.rows("SELECT state, tries FROM invoices_webhookdelivery") == [("delivered", 1)])
        assert not work.workers & killed
    first, second = receiver.got
    assert first["body"] == second["body"]
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]


def test_a_dead_endpoint_delays_no_other_endpoint_and_no_other_work(acme, receiver, tmp_path):
    """All is done while the first messages to each dead endpoint still wait for their answers."""
    for number in range(3):
        an_endpoint(acme, receiver.url(f"/slow?{number}"))
    an_endpoint(acme, receiver.url("/ok"))
    for number in range(30):
        record_acts(acme, Caller(process="test"), [Act("run.paused", invoice_no=number)])
    with Work(tmp_path) as work:
        wait_for(lambda: receiver.types("/slow"))
        wait_for(lambda: len(receiver.types("/ok")) == 30)
        wait_for(lambda: work.rows("SELECT count(*) FROM invoices_overduewatch") == [(1,)])
        assert len(receiver.types("/slow")) <= 3 * REQUESTS_AT_ONCE
