"""The local executor: one process that does all work that is due, batch by batch, until it is asked to stop."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from invoices.models import Worker
from invoices.services.work.registry import STOPPING, CannotGoOn, KindOfWork, kinds_of_work
from invoices.services.work.workers import beat, forget_dead_workers, working

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
"""So long a worker waits before it looks again when nothing was due."""

BEAT_SECONDS = 10.0
"""How often a worker says that it is alive, also in the middle of a batch."""

REST_SECONDS = 60.0
"""A kind of work that has failed, or cannot go on, is left alone for so long, so that the others go on."""


def work(*, once: bool = False, parent: int | None = None) -> int:
    """Do the work that is due until STOPPING is set, and return how many batches that were. A batch that has begun is finished.

    With `once` until nothing is due any more; with `parent` until the process of that number, which has started this one, is
    gone. While the database is away, it is tried again."""
    resting: dict[str, float] = {}
    batches = 0
    while not STOPPING.is_set() and _has_parent(parent):
        try:
            with working("work") as worker, _beating(worker):
                forget_dead_workers()
                while not STOPPING.is_set() and _has_parent(parent):
                    done = _do_all(worker, resting)
                    batches += done
                    if not done:
                        if once:
                            return batches
                        close_old_connections()
                        STOPPING.wait(IDLE_SECONDS)
        except _Failed:
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


class _Failed(Exception):
    """A kind of work has failed, or the worker was taken for dead: a new start gives back what it has claimed."""


def _do_all(worker: Worker, resting: dict[str, float]) -> int:
    """One batch of each kind. Returns how many there were."""
    if not beat(worker):
        raise _Failed
    return sum(_do(kind, worker, resting) for kind in kinds_of_work() if not STOPPING.is_set())


def _do(kind: KindOfWork, worker: Worker, resting: dict[str, float]) -> bool:
    if resting.get(kind.name, 0) > time.monotonic():
        return False
    try:
        return kind.do_batch(worker)
    except (OperationalError, InterfaceError):
        raise
    except CannotGoOn as reason:
        logger.warning("work: %s cannot go on: %s", kind.name, reason)
        resting[kind.name] = time.monotonic() + REST_SECONDS
        return False
    except Exception as error:
        logger.exception("work: %s failed", kind.name)
        resting[kind.name] = time.monotonic() + REST_SECONDS
        raise _Failed from error


@contextmanager
def _beating(worker: Worker) -> Iterator[None]:
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
