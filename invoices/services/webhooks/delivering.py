"""Send endpoints what they are due: in order for each object, at least once, again after a failure, for three days.

The outbox is the events themselves: they are written in the transaction of their act, so a client without endpoints pays
nothing. For each endpoint, events become deliveries in their order, and no event is skipped (`settled`). A process that dies
between sending and storing leaves the delivery waiting, so it is sent again under the same id.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from standardwebhooks import Webhook

from accounts.callers import Caller
from accounts.event_types import TEST
from accounts.services.events import event_body, public_events, settled
from accounts.trail import Act, record_acts
from invoices.kinds import DeliveryState
from invoices.models import WebhookDelivery, WebhookEndpoint, WebhookTry
from invoices.services.webhooks.endpoints import queue, wanted_by
from invoices.services.webhooks.posting import Posted, post

EVENTS_AT_ONCE = 500
REQUESTS_AT_ONCE = 8
"""Events about different objects are sent to one endpoint at the same time."""

WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200))
"""How long a delivery waits after its first failure, its second, and so on. After the last ones, each time as long as that."""

PATIENCE = timedelta(days=3)
"""A delivery that fails for so long is given up."""

FAILURES_UNTIL_REST = 3
LONGEST_REST = timedelta(minutes=5)
"""An endpoint that fails again and again gets only so many requests: one batch, then a rest of up to this time."""

GONE = 410
DELIVERER = Caller(process="webhooks")


class _Sent(NamedTuple):
    delivery: WebhookDelivery
    headers: dict[str, str]
    at: datetime
    posted: Posted


def send_round(endpoint_no: int) -> bool:
    """Send the next events of an endpoint, at most one about each object, and store what came of them. False if none is due.

    Must not be called inside a transaction."""
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_no, is_on=True).select_related("client").first()
    if endpoint is None:
        return False
    queue_new_events(endpoint)
    due = list(next_due(endpoint, timezone.now())[:REQUESTS_AT_ONCE])
    if not due:
        return False
    with ThreadPoolExecutor(len(due)) as pool:
        sent = list(pool.map(lambda one: _send(endpoint, one), due))
    _store(endpoint_no, sent)
    return True


@transaction.atomic
def queue_new_events(endpoint: WebhookEndpoint) -> None:
    """Turn the next settled events into deliveries, each once."""
    locked = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if locked is None:
        return
    rows = settled(public_events(endpoint.client)).filter(pk__gt=locked.read_until)
    last = max(rows.values_list("pk", flat=True)[:EVENTS_AT_ONCE], default=None)
    if last is None:
        return
    queue(locked, list(wanted_by(locked, rows.filter(pk__lte=last).exclude(type=TEST))))
    locked.read_until = last
    locked.save(update_fields=["read_until"])


def next_due(endpoint: WebhookEndpoint, now: datetime) -> QuerySet[WebhookDelivery]:
    """Select the deliveries that may be sent now: of each object the first, if its time has come. In the order of events."""
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.WAITING)
    earlier = waiting.filter(about=OuterRef("about"), event__lt=OuterRef("event"))
    return waiting.filter(~Exists(earlier), next_at__lte=now).order_by("event").select_related("event")


def request_body(delivery: WebhookDelivery) -> bytes:
    """Return the body that is sent of an event: the same bytes each time."""
    return json.dumps(event_body(delivery.event), cls=DjangoJSONEncoder, separators=(",", ":")).encode()


def _send(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> _Sent:
    body, at = request_body(delivery), timezone.now()
    headers = signed_headers(endpoint, delivery, body, at)
    return _Sent(delivery, headers, at, post(endpoint.url, body, headers))


def signed_headers(endpoint: WebhookEndpoint, delivery: WebhookDelivery, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of a request, as Standard Webhooks says: the id of the event, the time of this request, and a
    signature by each secret that is valid."""
    webhook_id = f"evt_{delivery.event_id}"
    secrets = [endpoint.secret]
    if endpoint.old_secret and endpoint.old_secret_until is not None and at < endpoint.old_secret_until:
        secrets.append(endpoint.old_secret)
    return {
        "content-type": "application/json",
        "user-agent": "billing-back-office",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, at, body.decode()) for secret in secrets),
    }


@transaction.atomic
def _store(endpoint_no: int, sent: Sequence[_Sent]) -> None:
    """Store the requests and their answers, and when to try again. Nothing if the endpoint was removed meanwhile."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_no).first()
    if endpoint is None:
        return
    WebhookTry.objects.bulk_create(_logged(one) for one in sent)
    works = any(not one.posted.problem for one in sent)
    for one in sent:
        _settle(one)
    WebhookDelivery.objects.bulk_update(
        [one.delivery for one in sent], ["state", "tries", "first_tried_at", "next_at", "settled_at"]
    )
    _note_health(endpoint, works)
    _switch_off_if_dead(endpoint, sent)


def _logged(one: _Sent) -> WebhookTry:
    posted = one.posted
    return WebhookTry(
        delivery=one.delivery,
        at=one.at,
        milliseconds=posted.milliseconds,
        address=posted.address[:45],
        headers=one.headers,
        http_status=posted.http_status,
        answer=posted.answer,
        problem=posted.problem,
    )


def _settle(one: _Sent) -> None:
    delivery = one.delivery
    delivery.tries += 1
    delivery.first_tried_at = delivery.first_tried_at or one.at
    if not one.posted.problem:
        delivery.state, delivery.settled_at = DeliveryState.DELIVERED, timezone.now()
        return
    delivery.next_at = timezone.now() + WAITS[min(delivery.tries, len(WAITS)) - 1]


def _note_health(endpoint: WebhookEndpoint, works: bool) -> None:
    """Note a success or a failure. Once an endpoint works again, what has failed meanwhile is tried at once."""
    if works and endpoint.failures:
        WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.WAITING).update(next_at=timezone.now())
    endpoint.failures = 0 if works else endpoint.failures + 1
    endpoint.rests_until = None
    if endpoint.failures >= FAILURES_UNTIL_REST:
        rest = timedelta(seconds=10 * 2 ** min(endpoint.failures - FAILURES_UNTIL_REST, 10))
        endpoint.rests_until = timezone.now() + min(rest, LONGEST_REST)
    if works:
        endpoint.worked_at = timezone.now()
    endpoint.save(update_fields=["failures", "rests_until", "worked_at"])


def _switch_off_if_dead(endpoint: WebhookEndpoint, sent: Sequence[_Sent]) -> None:
    """Switch an endpoint off that is gone, or that has accepted nothing for three days. One that accepts other events does not
    get those that it has refused for three days any more."""
    now = timezone.now()
    if any(one.posted.http_status == GONE for one in sent):
        _switch_off(endpoint, "It answered 410: it is gone.", now)
        return
    late = [one for one in sent if one.posted.problem and (one.delivery.first_tried_at or now) + PATIENCE <= now]
    if not late:
        return
    begun = min(one.delivery.first_tried_at or now for one in late)
    if endpoint.worked_at is None or endpoint.worked_at < begun:
        _switch_off(endpoint, f"It accepted nothing for three days: {late[0].posted.problem}"[:300], now)
        return
    numbers = [one.delivery.pk for one in late]
    WebhookDelivery.objects.filter(pk__in=numbers).update(state=DeliveryState.GIVEN_UP, settled_at=now)


def _switch_off(endpoint: WebhookEndpoint, why: str, now: datetime) -> None:
    endpoint.is_on, endpoint.off_because, endpoint.off_since = False, why, now
    endpoint.save(update_fields=["is_on", "off_because", "off_since"])
    after = {"endpoint": endpoint.pk, "url": endpoint.url, "is_on": False, "reason": why}
    record_acts(endpoint.client, DELIVERER, [Act("webhook.disabled", after=after)])
