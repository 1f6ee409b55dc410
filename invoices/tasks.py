"""The executor `celery`: tasks that do the same kinds of work as `manage.py work`, by the same functions.

A message names a kind of work. Whoever gets it does one batch, and sends it on while there is more, so that kinds of work take
turns and any number of workers share one. So that messages do not pile up, each has an end; beat has new ones sent by `sweep`
long before.
"""

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from billiard.process import active_children
from celery.signals import (
    beat_init,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutting_down,
)
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from billing_site.celery import SWEEP_SECONDS, app
from billing_site.error_tracking import send_the_rest, track_errors
from invoices.models import Worker
from invoices.services.work.executor import Failed, Times, beating, do_batch_of, give_way
from invoices.services.work.registry import STOPPING, KindOfWork, kind_named, kinds_of_work
from invoices.services.work.workers import CELERY, beat, forget_dead_workers, live_processes, note_sweep, working

logger = logging.getLogger(__name__)

MESSAGE_SECONDS = 3 * SWEEP_SECONDS
"""A message, and those that it is sent on as, end after this time. The next sweeps have sent others by then."""

BUSY_SECONDS = 1.0
"""For so long after a batch a process does not begin with work that can wait, as there is probably more of the other."""


@app.task(name="invoices.sweep")
def sweep() -> None:
    """Have workers look for each kind of work. Beat sends this every few seconds; several at once do no harm."""
    note_sweep()
    forget_dead_workers()
    for kind in kinds_of_work():
        send(kind.name)


def send(kind: str) -> None:
    """Send a message that there may be work of a kind. Raises what the library raises while the broker is away."""
    _send(kind, time.time() + MESSAGE_SECONDS, is_first=True)


def _send(kind: str, until: float, *, is_first: bool) -> None:
    do_work.apply_async((kind, until, is_first), expires=datetime.fromtimestamp(until, UTC))


@app.task(name="invoices.do_work")
def do_work(kind: str, until: float, is_first: bool) -> None:
    """Do the next batch of a kind of work. While there are batches, the message is sent on, to be taken by any worker.

    The first message of a sweep is sent on once for each process that works, so that all of them share what there is."""
    if _do_batch(kind) and time.time() < until:
        for _ in range(max(1, live_processes(CELERY)) if is_first else 1):
            _send(kind, until, is_first=False)


def _do_batch(kind: str) -> bool:
    known = kind_named(kind)
    if known is None:
        logger.warning("work: this version knows no work of the kind %s", kind)
        return False
    try:
        with _process.worker() as worker:
            return _process.is_turn_of(known) and _process.note(known, do_batch_of(known, worker, _process.times))
    except Failed:
        return False
    except (OperationalError, InterfaceError) as error:
        logger.warning("work: the database failed: %s", type(error).__name__)
        connection.close()
        return False


class _Process:
    """The worker that this process is: a row that says that it is alive, for as long as the process lives."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._kept = ExitStack()
        self._busy_until = 0.0
        self.times = Times()

    def begin(self) -> None:
        """Write the row, and keep it alive by a thread."""
        self.end()
        try:
            worker = self._kept.enter_context(working(CELERY))
            self._kept.enter_context(beating(worker))
            self._worker = worker
        except (OperationalError, InterfaceError) as error:
            logger.warning("work: the database failed: %s", type(error).__name__)
            connection.close()

    def end(self) -> None:
        """Delete the row: what it has claimed is free at once."""
        self._worker = None
        try:
            self._kept.close()
        except (OperationalError, InterfaceError):
            connection.close()  # its lease ends by itself

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """The worker. One that was taken for dead, or that fails in the block, begins anew."""
        if self._worker is None or not beat(self._worker):
            self.begin()
        if self._worker is None:
            raise Failed
        try:
            yield self._worker
        except Failed:
            self.begin()
            raise

    def is_turn_of(self, kind: KindOfWork) -> bool:
        """Whether to look for work of a kind. What can wait is done while nothing else was due, and at least once a minute."""
        if not kind.can_wait:
            return True
        if time.monotonic() < self._busy_until and not self.times.has_waited(kind):
            return False
        self.times.done_at[kind.name] = time.monotonic()
        return True

    def note(self, kind: KindOfWork, was_done: bool) -> bool:
        """Remember that a batch was done, if it was, and say so."""
        if was_done and not kind.can_wait:
            self._busy_until = time.monotonic() + BUSY_SECONDS
        return was_done


_process = _Process()


@worker_process_init.connect
def _begin_process(**signal_arguments: Any) -> None:
    signal.signal(signal.SIGUSR2, lambda *_: STOPPING.set())
    track_errors()
    give_way()
    _process.begin()


@task_prerun.connect
def _check_connection(**signal_arguments: Any) -> None:
    """As before a request: close a connection that has failed or is old, and have a kept one checked."""
    close_old_connections()


@worker_process_shutdown.connect
def _end_process(**signal_arguments: Any) -> None:
    _process.end()
    send_the_rest()


@worker_shutting_down.connect
def _stop_long_work(**signal_arguments: Any) -> None:
    """Have work that takes long end after its batch. Celery waits for it, and says nothing to the processes that do it."""
    STOPPING.set()
    for child in active_children():
        if child.pid:
            os.kill(child.pid, signal.SIGUSR2)


@worker_init.connect
@beat_init.connect
def _check_settings(**signal_arguments: Any) -> None:
    """End a worker or beat with wrong settings. Celery would only log another exception here, and begin."""
    if settings.EXECUTOR != CELERY:
        raise SystemExit("Set EXECUTOR=celery, also where the site is served.")
    try:
        call_command("check")
    except SystemCheckError as error:
        raise SystemExit(str(error)) from error
