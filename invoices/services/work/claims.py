"""Claims of workers on rows with a column `claimed_by`: they hold until the row is done or the worker is dead."""

from typing import Any

from django.db.models import Q, QuerySet

from invoices.models import Worker
from invoices.services.work.workers import live_workers


def free_rows(rows: QuerySet[Any, Any], size: int) -> list[Any]:
    """Return the next rows that nobody has claimed, at most `size`; if there are none, those that dead workers have claimed."""
    return list(rows.filter(claimed_by=None)[:size]) or list(rows.filter(_claimed_by_dead())[:size])


def _claimed_by_dead() -> Q:
    return ~Q(claimed_by__in=live_workers().values("pk"))


def is_claimed(rows: QuerySet[Any]) -> bool:
    """Return whether a live worker has claimed one of these rows."""
    return rows.filter(claimed_by__in=live_workers().values("pk")).exists()


def release_rows(rows: QuerySet[Any], worker: Worker) -> None:
    """Give back what the worker has claimed of these rows."""
    rows.filter(claimed_by=worker.pk).update(claimed_by=None)


def lock_claimed(rows: QuerySet[Any], worker: Worker) -> set[int]:
    """Lock the rows that the worker still has claimed, and return their keys."""
    mine = rows.select_for_update(no_key=True).filter(claimed_by=worker.pk).order_by("pk")
    return set(mine.values_list("pk", flat=True))
