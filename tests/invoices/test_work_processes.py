"""Processes of the worker end with their supervisor, and with its terminal. They share a file of SQLite."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.served_work import answers, is_alive, served_with_worker, workers_of


def test_processes_end_with_their_supervisor(tmp_path):
    env = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'work.sqlite3'}"}
    supervisor = subprocess.Popen([sys.executable, "manage.py", "work", "--processes", "2"], env=env, stdout=subprocess.PIPE)
    wait_for(lambda: len(children_of(supervisor.pid)) == 2)
    first, second = children_of(supervisor.pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(set(children_of(supervisor.pid)) - {first}) == 2)
    time.sleep(3)  # the new one has started
    # They give way to processes that serve people.
    wait_for(lambda: os.getpriority(os.PRIO_PROCESS, second) == min(os.getpriority(os.PRIO_PROCESS, supervisor.pid) + 10, 19))
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


def test_the_development_server_has_a_worker_that_ends_with_it(transactional_db, tmp_path):
    with served_with_worker(tmp_path, ("runserver", "--noreload")) as (site, server):
        (worker,) = workers_of(site)
        assert children_of(server.pid) == [worker]
        server.kill()
        wait_for(lambda: workers_of(site) == [])


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]
