"""The timeline of accounts and documents: each event with who did it and from where."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext

from accounts.models import ApiCall, Event
from accounts.staff import who_did
from invoices.models import Invoice
from invoices.services.issuing.issuing import ISSUED
from invoices.services.lists.event_names import event_name


class TimelineEntry(NamedTuple):
    """One event. `by` is the person, key or command; `address` is where an API call came from; `document` is the number of
    the document that it is about."""

    event: Event
    what: str
    by: str
    address: str
    document: str

    @property
    def declared(self) -> str:
        """Return what the caller stated about itself, as text."""
        return ", ".join(words for value in self.event.caller.values() if (words := _declared(value)))


def events_for_people(events: QuerySet[Event]) -> QuerySet[Event]:
    """Select the events of a timeline, with who did them. `invoice.issued` is left out, because the generation or approval
    before it says the same."""
    return events.exclude(act=ISSUED).select_related("staff", "api_key")


def timeline_entries(events: Sequence[Event]) -> list[TimelineEntry]:
    """Return these events with the numbers of their documents, and the addresses from the log of API calls. Two queries."""
    calls = ApiCall.objects.filter(request_id__in={event.request_id for event in events if event.request_id})
    addresses = dict(calls.values_list("request_id", "address"))
    documents = Invoice.objects.filter(pk__in={event.invoice_no for event in events if event.invoice_no})
    numbers = dict(documents.values_list("pk", "document_number"))
    return [
        TimelineEntry(
            event,
            event_name(event.act),
            who_did(event),
            addresses.get(event.request_id, ""),
            numbers.get(event.invoice_no or 0) or gettext("No. %(number)s") % {"number": event.invoice_no},
        )
        for event in events
    ]


def _declared(value: Any) -> str:
    """Return a text unchanged, and transaction qualifiers as `name: value`."""
    if not isinstance(value, list):
        return str(value or "")
    rows = [(row.get("qualifier_name", ""), row.get("qualifier_value", "")) for row in value if isinstance(row, dict)]
    return ", ".join(f"{name}: {text}" for name, text in rows)
