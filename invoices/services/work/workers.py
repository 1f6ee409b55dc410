"""Workers: processes that claim work. Each says regularly that it is alive; what a dead one has claimed is taken over.

The database's clock decides, so that several machines agree."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from invoices.models import Worker

LEASE = timedelta(seconds=60)
"""A worker that was not seen for so long is dead. If it is only slow, two do the same work: the services see to it that nothing
is billed twice."""

FORGOTTEN = timedelta(days=1)
"""The rows of dead workers are kept for so long."""


@contextmanager
def working(name: str) -> Iterator[Worker]:
    """A worker for as long as the block lasts. One that ends by an error is dead at once, not after its lease."""
    worker = Worker.objects.create(host=socket.gethostname()[:200], pid=os.getpid(), name=name, started_at=Now(), seen_at=Now())
    try:
        yield worker
    finally:
        forget(worker.pk)


def forget(worker_no: int) -> None:
    """Delete a worker that has ended: what it has claimed is free at once."""
    Worker.objects.filter(pk=worker_no).delete()


def beat(worker: Worker) -> bool:
    """Say that the worker is alive. False if it was taken for dead and its row was deleted: then it must begin anew."""
    return bool(Worker.objects.filter(pk=worker.pk).update(seen_at=Now()))


def live_workers() -> QuerySet[Worker]:
    """The workers that were seen within their lease."""
    return Worker.objects.filter(seen_at__gte=Now() - LEASE)


OPEN_PAGE, COMMAND = "page", "run"
"""Names of workers that work on one run only, and end with it."""

LOCAL, CELERY = "work", "celery"
"""Names of workers that work on whatever is due."""

SWEEPS = "sweeps"
"""Name of the row that says when a sweep was done the last time: by EXECUTOR=celery, workers only hear of work by messages."""

START_WORKER, START_BEAT = "celery -A billing_site worker", "celery -A billing_site beat"


def live_processes(name: str) -> int:
    """How many workers of a name were seen within their lease."""
    return live_workers().filter(name=name).count()


def note_sweep() -> None:
    """Say that a sweep was done."""
    if not Worker.objects.filter(name=SWEEPS).update(seen_at=Now()):
        Worker.objects.create(host="", pid=0, name=SWEEPS, started_at=Now(), seen_at=Now())


def missing_command() -> str:
    """The command that must be started on a server before anything is done in the background, or an empty text."""
    alive = set(live_workers().values_list("name", flat=True))
    if settings.EXECUTOR == CELERY:
        return START_WORKER if CELERY not in alive else START_BEAT if SWEEPS not in alive else ""
    return "" if alive - {OPEN_PAGE, COMMAND, SWEEPS} else "manage.py work"


def forget_dead_workers() -> int:
    """Delete the rows of workers that died long ago, and return how many."""
    return Worker.objects.filter(seen_at__lt=Now() - FORGOTTEN).delete()[0]
