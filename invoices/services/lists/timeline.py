"""What happened to accounts and documents: each event with who did it and from where."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.models import ApiCall, Event
from accounts.staff import who_did
from invoices.services.issuing.issuing import ISSUED


class TimelineEntry(NamedTuple):
    """An event. `by` is the person, the key or the command; `address` is where a call of the API came from."""

    event: Event
    what: str
    by: str
    address: str

    @property
    def declared(self) -> str:
        """What the caller said of itself, in words."""
        return ", ".join(words for value in self.event.caller.values() if (words := _declared(value)))


def events_for_people(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events of a timeline, with who did them. That of an issue is left out: the one of the generation or the approval that
    issued the document says it."""
    return events.exclude(act=ISSUED).select_related("staff", "api_key")


def timeline_entries(events: Sequence[Event]) -> list[TimelineEntry]:
    """These events, with the addresses that the log of calls has of them: one query, however many."""
    calls = ApiCall.objects.filter(request_id__in={event.request_id for event in events if event.request_id})
    addresses = dict(calls.values_list("request_id", "address"))
    return [TimelineEntry(event, _words(event.act), who_did(event), addresses.get(event.request_id, "")) for event in events]


def _words(act: str) -> str:
    """invoice.approval_refused: invoice approval refused."""
    return act.replace(".", " ").replace("_", " ")


def _declared(value: Any) -> str:
    """A text as it is; transaction qualifiers as `name: value`."""
    if not isinstance(value, list):
        return str(value or "")
    rows = [(row.get("qualifier_name", ""), row.get("qualifier_value", "")) for row in value if isinstance(row, dict)]
    return ", ".join(f"{name}: {text}" for name, text in rows)
