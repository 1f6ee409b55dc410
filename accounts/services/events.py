"""Read events as programs do: in one order, none skipped, and in the form that a webhook sends."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Client, Event


def public_events(client: Client) -> QuerySet[Event]:
    """Select the client's events that programs may read, by number. One that is being written now may come before them."""
    return Event.objects.filter(client=client).exclude(type="").order_by("pk")


def settled(events: QuerySet[Event]) -> QuerySet[Event]:
    """Leave out the newest events as long as one with a lower number may still be committed.

    So who reads on after the last number that it has seen misses none. On PostgreSQL, numbers are taken before the commit: an
    event is settled if it was written before each transaction began that is writing events now. One query. SQLite has one
    writer at a time, which commits in the order of the numbers.
    """
    return events if connection.vendor != "postgresql" else events.filter(written_at__lt=_written_until())


_WRITING_NOW = """
SELECT coalesce(min(coalesce(activity.xact_start, to_timestamp(0))), statement_timestamp())
FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE pg_locks.relation = %s::regclass AND pg_locks.mode = 'RowExclusiveLock' AND pg_locks.granted
  AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""
"""When the oldest transaction began that has the lock of a writer of events. A transaction whose beginning this user may not
see counts as older than all. Without any it is now: whoever begins to write later takes higher numbers."""


def _written_until() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(_WRITING_NOW, [Event._meta.db_table])
        until: datetime = cursor.fetchone()[0]
        return until


def identity_of(event: Event) -> str:
    """Return who did it as `staff:2`, `key:1` or `process:schedule`, or an empty text."""
    if event.staff_id is not None:
        return f"staff:{event.staff_id}"
    if event.api_key_id is not None:
        return f"key:{event.api_key_id}"
    return f"process:{event.process}" if event.process else ""


def event_body(event: Event) -> dict[str, Any]:
    """Return an event as programs read it and as a webhook sends it. What it says never changes."""
    return {
        "id": event.pk,
        "type": event.type,
        "timestamp": event.at.isoformat(),
        "client_no": event.client_id,
        "acct_no": event.account_id,
        "invoice_no": event.invoice_no,
        "by": identity_of(event),
        "request_id": event.request_id,
        "error_code": event.error_code,
        "error_msg": event.message,
        "data": {"before": event.before, "after": event.after},
    }


def object_of(event: Event) -> str:
    """Return what the event is about: a document, else an account, else the client. Webhooks keep the order of each."""
    if event.invoice_no is not None:
        return f"invoice:{event.invoice_no}"
    return f"account:{event.account_id}" if event.account_id is not None else "client"


def events_about(events: QuerySet[Event], kind: str, number: int) -> QuerySet[Event]:
    """Select the events of an invoice, or of an account with those of its documents."""
    columns: Mapping[str, str] = {"invoice": "invoice_no", "account": "account"}
    return events.filter(**{columns[kind]: number})
