"""A site with a worker in processes of their own, on a copy of the test's data in a file."""

import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.support.documentation import Site, site_on, started


@contextmanager
def served_with_worker(
    folder: Path, command: Sequence[str] = ("work", "--serve")
) -> Iterator[tuple[Site, "subprocess.Popen[bytes]"]]:
    """Run `manage.py work --serve`, or another command that serves with a worker, until the block ends. A worker is alive when
    the block begins."""
    if connection.vendor != "sqlite":
        pytest.skip("the processes share a file of SQLite")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(folder / "world.sqlite3")])
    site = site_on(folder, folder / "world.sqlite3")
    with started(site, *command, str(site.port)) as process:
        wait_until(lambda: workers_of(site))
        yield site, process


def read(site: Site, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(site.database, timeout=30)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def workers_of(site: Site) -> list[int]:
    """The process ids of the workers that have said that they are alive."""
    return [int(str(pid)) for (pid,) in read(site, "SELECT pid FROM invoices_worker ORDER BY id")]


@contextmanager
def halted_and_killed(site: Site, pid: int) -> Iterator[None]:
    """Halt a process while the block runs, at a moment when it does not hold the database's lock, and then kill it."""
    _halt_between_writes(site, pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)


def _halt_between_writes(site: Site, pid: int) -> None:
    while True:
        os.kill(pid, signal.SIGSTOP)
        database = sqlite3.connect(site.database, timeout=0.5, isolation_level=None)
        try:
            database.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.1)
        finally:
            database.close()


def answers(site: Site) -> bool:
    """Whether anything listens at the port of a site."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", site.port)) == 0


def is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
