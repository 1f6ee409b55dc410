"""Webhooks as work that is due. A thread serves each endpoint, so a dead one delays no other, nor other work."""

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import Event
from invoices.kinds import DeliveryState
from invoices.models import WebhookDelivery, WebhookEndpoint, Worker
from invoices.services.webhooks.delivering import send_round
from invoices.services.work.registry import STOPPING, KindOfWork
from invoices.services.work.workers import live_workers

logger = logging.getLogger(__name__)

ENDPOINTS_AT_ONCE = 8
"""So many endpoints are served at the same time by a process."""

SECONDS_EACH = 5.0
"""After this time, an endpoint with more to send lets others go first."""

WAIT_SECONDS = 0.5
"""So long a worker waits for the threads that it has begun, before it does other work."""

_pool = ThreadPoolExecutor(ENDPOINTS_AT_ONCE, thread_name_prefix="webhooks")
_serving: "set[Future[bool]]" = set()


def do_batch(worker: Worker) -> bool:
    """Begin to serve the endpoints that are due, and wait a moment. Says whether anything was sent."""
    _serving.difference_update([one for one in _serving if one.done()])
    claimed = _claim(worker, ENDPOINTS_AT_ONCE - len(_serving))
    _serving.update(_pool.submit(_serve, endpoint_no, worker.pk) for endpoint_no in claimed)
    done, _ = wait(_serving, WAIT_SECONDS if claimed else 0, FIRST_COMPLETED)
    return any(one.result() for one in done)


def _claim(worker: Worker, most: int) -> list[int]:
    """Mark endpoints that are due as being served. Where machines claim at once, each takes others."""
    if most <= 0 or not WebhookEndpoint.objects.filter(is_on=True).exists():
        return []
    with transaction.atomic():
        skip_locked = connection.features.has_select_for_update_skip_locked
        rows = _due(timezone.now()).order_by("pk").select_for_update(no_key=True, skip_locked=skip_locked)
        numbers = [endpoint.pk for endpoint in rows[:most]]
        WebhookEndpoint.objects.filter(pk__in=numbers).update(claimed_by=worker.pk)
    return numbers


def _due(now: datetime) -> QuerySet[WebhookEndpoint]:
    """Endpoints that nobody serves, that do not rest, and that have something to get."""
    free = Q(claimed_by=None) | ~Q(claimed_by__in=live_workers().values("pk"))
    rested = Q(rests_until=None) | Q(rests_until__lte=now)
    new = Event.objects.filter(client=OuterRef("client"), pk__gt=OuterRef("read_until")).exclude(type="")
    waiting = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), state=DeliveryState.WAITING, next_at__lte=now)
    return WebhookEndpoint.objects.filter(free, rested, Exists(new) | Exists(waiting), is_on=True)


def _serve(endpoint_no: int, worker_no: int) -> bool:
    """Send rounds to an endpoint for some seconds, then release it. Says whether anything was sent."""
    sent, until = False, time.monotonic() + SECONDS_EACH
    try:
        while not STOPPING.is_set() and time.monotonic() < until and send_round(endpoint_no):
            sent = True
            if not WebhookEndpoint.objects.filter(pk=endpoint_no, failures=0).exists():
                break
    except Exception:
        logger.exception("webhooks: serving endpoint %s failed", endpoint_no)
    finally:
        _release(endpoint_no, worker_no)
        connection.close()
    return sent


def _release(endpoint_no: int, worker_no: int) -> None:
    try:
        WebhookEndpoint.objects.filter(pk=endpoint_no, claimed_by=worker_no).update(claimed_by=None)
    except Exception:  # the claim ends with the worker
        logger.exception("webhooks: endpoint %s could not be released", endpoint_no)


WEBHOOKS = KindOfWork("webhooks", do_batch)
