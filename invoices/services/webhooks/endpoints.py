"""Add, change and remove endpoints, and send them again what they have missed."""

import base64
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.event_types import EVENT_TYPES, TEST, matches, unknown_patterns
from accounts.models import Client, Event
from accounts.rights import WEBHOOKS, check_may
from accounts.services.events import object_of, public_events, settled
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import DeliveryState
from invoices.models import WebhookDelivery, WebhookEndpoint
from invoices.services.webhooks.addresses import check_url, one_form

MOST_ENDPOINTS = 20
OLD_SECRET_SIGNS = timedelta(hours=24)
"""For so long after a rotation, requests are signed with both secrets."""
MOST_AGAIN = 10_000
"""At most so many events are sent again at once."""


@transaction.atomic
def add_endpoint(
    *, client: Client, caller: Caller, url: str, event_types: Sequence[str] = (), description: str = ""
) -> WebhookEndpoint:
    """Add an endpoint, and return it with its secret. It gets the events that are written from now on.

    Refuses (90009) who may not change webhooks, (90150) an address that nothing may be sent to, (1016) a type that does not
    exist or an address that the client has already, and (90152) more than 20 endpoints of a client."""
    check_may(caller, WEBHOOKS)
    types = _checked_types(event_types)
    _check_address(client.pk, url)
    if WebhookEndpoint.objects.filter(client=client).count() >= MOST_ENDPOINTS:
        raise BillingError(ErrorCode.TOO_MANY_ENDPOINTS, Detail("at most {most}", most=MOST_ENDPOINTS))
    newest = settled(public_events(client)).aggregate(newest=Max("pk"))["newest"] or 0
    endpoint = WebhookEndpoint.objects.create(
        client=client,
        url=url,
        event_types=types,
        description=description,
        secret=_new_secret(),
        created_by=caller.identity,
        read_until=newest,
    )
    record_acts(client, caller, [Act("webhook.added", after=_values(endpoint), row_no=endpoint.pk)])
    return endpoint


@transaction.atomic
def change_endpoint(endpoint: WebhookEndpoint, *, caller: Caller, **changes: Any) -> WebhookEndpoint:
    """Change `url`, `event_types`, `description` or `is_on`, and return the endpoint.

    One that is switched on goes on where it stopped: nothing is lost meanwhile. Refuses as `add_endpoint`."""
    check_may(caller, WEBHOOKS)
    if "url" in changes:
        _check_address(endpoint.client_id, changes["url"], of=endpoint.pk)
    locked = _locked(endpoint)
    before = _values(locked)
    if "event_types" in changes:
        changes["event_types"] = _checked_types(changes["event_types"])
    if changes.get("is_on", locked.is_on) != locked.is_on:
        changes |= _switched(changes["is_on"])
    if changes.get("is_on") and not locked.is_on:
        _try_now(WebhookDelivery.objects.filter(endpoint=locked, state=DeliveryState.WAITING))
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    act = Act("webhook.changed", before=before, after=_values(locked), row_no=locked.pk, idle=before == _values(locked))
    record_acts(locked.client, caller, [act])
    return locked


def _check_address(client_no: int, url: str, *, of: int = 0) -> None:
    """Refuse an address that nothing may be sent to (90150), and (1016) that of another endpoint of the client than `of`: its
    receiver would get each event twice, signed with two secrets. Locks the client."""
    check_url(url)
    Client.objects.select_for_update(no_key=True).get(pk=client_no)
    others = WebhookEndpoint.objects.filter(client=client_no).exclude(pk=of)
    other = next((one for one in others if one_form(one.url) == one_form(url)), None)
    if other is not None:
        detail = Detail("url: webhook endpoint {number} has this address. Change its event_types instead", number=other.pk)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="url")


def _switched(on: bool) -> dict[str, Any]:
    fresh: dict[str, Any] = {"failures": 0, "rests_until": None, "off_because": ""}
    return fresh | {"off_since": None if on else timezone.now()}


def _try_now(deliveries: QuerySet[WebhookDelivery]) -> None:
    deliveries.update(tries=0, first_tried_at=None, next_at=timezone.now())


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, caller: Caller) -> WebhookEndpoint:
    """Give an endpoint a new secret, and return it. For 24 hours, the old one signs too. Refuses (90009)."""
    check_may(caller, WEBHOOKS)
    locked = _locked(endpoint)
    locked.old_secret, locked.old_secret_until = locked.secret, timezone.now() + OLD_SECRET_SIGNS
    locked.secret = _new_secret()
    locked.save(update_fields=["secret", "old_secret", "old_secret_until"])
    after = {"endpoint": locked.pk, "old_secret_until": locked.old_secret_until.isoformat()}
    record_acts(locked.client, caller, [Act("webhook.secret_rotated", after=after, row_no=locked.pk)])
    return locked


@transaction.atomic
def remove_endpoint(endpoint: WebhookEndpoint, *, caller: Caller) -> None:
    """Remove an endpoint with the log of its deliveries. Refuses (90009)."""
    check_may(caller, WEBHOOKS)
    locked = _locked(endpoint)
    record_acts(locked.client, caller, [Act("webhook.removed", before=_values(locked))])
    locked.delete()


@transaction.atomic
def send_test(endpoint: WebhookEndpoint, *, caller: Caller) -> WebhookDelivery:
    """Have a test event sent to this endpoint alone, whatever types it takes, and return its delivery.

    Refuses (90009) who may not change webhooks, and (90151) an endpoint that is off."""
    check_may(caller, WEBHOOKS)
    locked = _on(endpoint)
    record_acts(locked.client, caller, [Act(TEST, after={"endpoint": locked.pk})])
    event = Event.objects.filter(client=locked.client, act=TEST).latest("pk")
    return WebhookDelivery.objects.create(endpoint=locked, event=event, about=f"test:{event.pk}")


@transaction.atomic
def send_again(delivery: WebhookDelivery, *, caller: Caller) -> WebhookDelivery:
    """Send an event once more, under the same id, and return its delivery. Refuses as `send_test`."""
    check_may(caller, WEBHOOKS)
    _on(delivery.endpoint)
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    _wait_again(rows)
    return rows.get()


@transaction.atomic
def send_span_again(endpoint: WebhookEndpoint, *, caller: Caller, since: datetime, until: datetime | None = None) -> int:
    """Send all events of a span of time that the endpoint takes once more, and return how many those are.

    Refuses as `send_test`, and (1016) a span that ends before it begins or has more than 10,000 events."""
    check_may(caller, WEBHOOKS)
    if until is not None and until < since:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("since: the span ends before it begins"), field="since")
    locked = _on(endpoint)
    events = public_events(locked.client).exclude(type=TEST).filter(at__gte=since, pk__lte=locked.read_until)
    if until is not None:
        events = events.filter(at__lt=until)
    found = list(wanted_by(locked, events)[: MOST_AGAIN + 1])
    if len(found) > MOST_AGAIN:
        detail = Detail("since: these are more than {most} events; choose a shorter span", most=MOST_AGAIN)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="since")
    queue(locked, found)
    _wait_again(WebhookDelivery.objects.filter(endpoint=locked, event__in=[event.pk for event in found]))
    return len(found)


def wanted_by(endpoint: WebhookEndpoint, events: QuerySet[Event]) -> QuerySet[Event]:
    """Select those of the events whose types the endpoint takes."""
    if not endpoint.event_types:
        return events
    return events.filter(type__in=[name for name in EVENT_TYPES if matches(name, endpoint.event_types)])


def queue(endpoint: WebhookEndpoint, events: Collection[Event]) -> None:
    """Write that events must be sent to an endpoint, those that are not there yet."""
    rows = [WebhookDelivery(endpoint=endpoint, event=event, about=object_of(event)) for event in events]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def _wait_again(deliveries: QuerySet[WebhookDelivery]) -> None:
    deliveries.update(state=DeliveryState.WAITING, tries=0, first_tried_at=None, next_at=timezone.now(), settled_at=None)


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    return rows.get(pk=endpoint.pk)


def _on(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    locked = _locked(endpoint)
    if not locked.is_on:
        raise BillingError(ErrorCode.WEBHOOK_OFF)
    return locked


def _checked_types(types: Sequence[str]) -> list[str]:
    unknown = unknown_patterns(list(types))
    if unknown:
        detail = Detail("event_types: {name} is not a type of event", name=unknown[0])
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="event_types")
    return list(dict.fromkeys(types))


def _values(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return what events say of an endpoint. Its secret is not among it."""
    names = ("url", "event_types", "description", "is_on")
    return {"endpoint": endpoint.pk, **{name: getattr(endpoint, name) for name in names}}


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
