"""What happened to accounts and documents: each event with who did it and from where."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import QuerySet

from accounts.models import ApiCall, Event


class Happened(NamedTuple):
    """An event. `by` is the person, the key or the command; `address` is where a call of the API came from."""

    event: Event
    what: str
    by: str
    address: str

    @property
    def declared(self) -> str:
        """What the caller said of itself."""
        return ", ".join(str(value) for value in self.event.caller.values() if value)


def with_callers(events: QuerySet[Event]) -> QuerySet[Event]:
    return events.select_related("staff", "api_key")


def happened(events: Sequence[Event]) -> list[Happened]:
    """These events, with the addresses that the log of calls has of them: one query, however many."""
    calls = ApiCall.objects.filter(request_id__in={event.request_id for event in events if event.request_id})
    addresses = dict(calls.values_list("request_id", "address"))
    return [Happened(event, _words(event.act), _who(event), addresses.get(event.request_id, "")) for event in events]


def _words(act: str) -> str:
    """invoice.approval_refused: invoice approval refused."""
    return act.replace(".", " ").replace("_", " ")


def _who(event: Event) -> str:
    return str(event.staff or event.api_key or event.process)
