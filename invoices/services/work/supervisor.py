"""Several worker processes, and if wanted the development server, that end together."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from invoices.models import Worker
from invoices.services.work.workers import forget

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2


def supervise(processes: int, *, once: bool = False, serve: str | None = None) -> int:
    """Run worker processes, and the development server at a port, until one signal ends all. Returns the exit status.

    A worker that was killed is replaced, and what it had claimed is free at once. With `once` the workers end when nothing is
    due any more. If the server ends, all end with its status."""
    stopped: list[int] = []
    when_asked_to_end(lambda: stopped.append(1))
    server = _start("runserver", "--no-worker", serve) if serve is not None else None
    command = (*_work_for_this_process(), *(["--once"] if once else []))
    workers = [_start(*command) for _ in range(processes)]
    while not stopped and workers and (server is None or server.poll() is None):
        time.sleep(LOOK_SECONDS)
        for ended in [one for one in workers if one.poll() is not None]:
            workers.remove(ended)
            _forget_claims(ended.pid)
            if ended.returncode or not once:
                logger.warning("worker %s ended with status %s and is replaced", ended.pid, ended.returncode)
                workers.append(_start(*command))
    status = server.returncode if server is not None and server.returncode else 0
    return max([status, *(_end(one) for one in [*workers, *([server] if server else [])])])


@contextmanager
def worker_beside() -> Iterator[None]:
    """Run a worker process until the block ends, or until this process is gone."""
    worker = _start(*_work_for_this_process())
    try:
        yield
    finally:
        _end(worker)


def _work_for_this_process() -> tuple[str, ...]:
    return ("work", "--parent", str(os.getpid()))


def when_asked_to_end(act: Callable[[], object]) -> None:
    """Call a function when this process is asked to end: by SIGTERM, by Ctrl+C, or because its terminal is closed. nohup, which
    keeps it running then, still does."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: act())


def _start(*arguments: str) -> "subprocess.Popen[Any]":
    """Start a command of manage.py in a process group of its own: a Ctrl+C reaches only the supervisor, who passes it on."""
    return subprocess.Popen([sys.executable, sys.argv[0], *arguments], start_new_session=True)


def _end(process: "subprocess.Popen[Any]") -> int:
    """Ask a process and its children to end, and wait until its batch is settled. A process that was asked to has status 0."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    return 0


def _forget_claims(pid: int) -> None:
    try:
        for number in Worker.objects.filter(host=socket.gethostname()[:200], pid=pid).values_list("pk", flat=True):
            forget(number)
    except (OperationalError, InterfaceError):
        connection.close()  # its lease ends by itself
