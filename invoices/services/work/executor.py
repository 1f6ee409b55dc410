"""The local executor: one process that does all work that is due, batch by batch, until it is asked to stop."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from billing_site.common.work_now import begin_work
from invoices.models import Worker
from invoices.services.work.registry import STOPPING, CannotGoOn, KindOfWork, kinds_of_work
from invoices.services.work.workers import LOCAL, beat, forget_dead_workers, working

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
"""So long a worker waits before it looks again when nothing was due."""

BEAT_SECONDS = 10.0
"""How often a worker says that it is alive, also in the middle of a batch."""

REST_SECONDS = 60.0
"""A kind of work that has failed, or cannot go on, is left alone for so long, so that the others go on."""

PATIENCE_SECONDS = 60.0
"""Work that can wait is done once in this time also while other work is due."""


GIVES_WAY = 10
"""How much lower than others' the priority of a worker's process is, as `nice` counts it."""


def give_way() -> None:
    """Let processes that serve the site on this machine go first, where the system knows priorities: people wait for them."""
    if hasattr(os, "nice"):
        os.nice(GIVES_WAY)


def work(*, once: bool = False, parent: int | None = None) -> int:
    """Do the work that is due until STOPPING is set, and return how many batches that were. A batch that has begun is finished.

    With `once` until nothing is due any more; with `parent` until the process of that number, which has started this one, is
    gone. While the database is away, it is tried again."""
    times = Times()
    batches = 0
    while not STOPPING.is_set() and _has_parent(parent):
        try:
            with working(LOCAL) as worker, beating(worker):
                forget_dead_workers()
                while not STOPPING.is_set() and _has_parent(parent):
                    done = _do_all(worker, times)
                    batches += done
                    if not done:
                        if once:
                            return batches
                        close_old_connections()
                        STOPPING.wait(IDLE_SECONDS)
        except Failed:
            continue
        except (OperationalError, InterfaceError) as error:
            logger.warning("work: the database failed: %s", type(error).__name__)
            connection.close()
            if once:
                raise
            STOPPING.wait(IDLE_SECONDS)
    return batches


def _has_parent(parent: int | None) -> bool:
    return parent is None or os.getppid() == parent


class Failed(Exception):
    """A kind of work has failed, or the worker was taken for dead: a new start gives back what it has claimed."""


class Times:
    """In a process: until when a kind of work rests, and when one that can wait was done last, by name."""

    def __init__(self) -> None:
        self.rests_until: dict[str, float] = {}
        self.done_at: dict[str, float] = {}

    def rests(self, kind: KindOfWork) -> bool:
        return self.rests_until.get(kind.name, 0) > time.monotonic()

    def rest(self, kind: KindOfWork) -> None:
        self.rests_until[kind.name] = time.monotonic() + REST_SECONDS

    def has_waited(self, kind: KindOfWork) -> bool:
        """Whether a kind of work that can wait has waited long enough since it was done, or was asked about first."""
        return self.done_at.setdefault(kind.name, time.monotonic()) + PATIENCE_SECONDS <= time.monotonic()


def _do_all(worker: Worker, times: Times) -> int:
    """One batch of each kind, and of those that can wait if it is their turn. Returns how many there were."""
    if not beat(worker):
        raise Failed
    urgent = [kind for kind in kinds_of_work() if not kind.can_wait]
    done = sum(do_batch_of(kind, worker, times) for kind in urgent)
    for kind in kinds_of_work():
        if kind.can_wait and (not done or times.has_waited(kind)):
            times.done_at[kind.name] = time.monotonic()
            done += do_batch_of(kind, worker, times)
    return done


def do_batch_of(kind: KindOfWork, worker: Worker, times: Times) -> bool:
    """Do the next batch of a kind of work unless it rests, and say whether there was one. One that fails rests from then on.

    Raises Failed if the worker must begin anew, and what the database raises while it is away."""
    if STOPPING.is_set() or times.rests(kind):
        return False
    begin_work(kind.name)
    try:
        return kind.do_batch(worker)
    except (OperationalError, InterfaceError):
        raise
    except CannotGoOn as reason:
        logger.warning("work: %s cannot go on: %s", kind.name, reason)
        times.rest(kind)
        return False
    except Exception as error:
        logger.exception("work: %s failed", kind.name)
        times.rest(kind)
        raise Failed from error


@contextmanager
def beating(worker: Worker) -> Iterator[None]:
    """Say that the worker is alive from a thread of its own, by a connection of its own."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(worker, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat_until(worker: Worker, ended: threading.Event) -> None:
    try:
        while not ended.wait(BEAT_SECONDS):
            try:
                beat(worker)
            except (OperationalError, InterfaceError):
                logger.warning("work: the worker could not say that it is alive")
                connection.close()
    finally:
        connection.close()
