"""Gapless document numbers: a client's counter row, locked from here to the end of the transaction."""

from typing import NamedTuple

from accounts.models import Client
from accounts.storage import add_to_column
from invoices.document_numbers import DEFAULT_FORMATS, Format
from invoices.kinds import SeriesKind
from invoices.models import NumberSeries


class Numbered(NamedTuple):
    """A number of a series, and as it is printed."""

    number: int
    document_number: str


def take_numbers(client: Client, kind: SeriesKind, count: int) -> list[Numbered]:
    """The series' next `count` numbers. Take them last: whoever wants the next number waits for the commit."""
    if not count:
        return []
    taken = _moved(client, kind, count)
    if taken is None:
        NumberSeries.objects.get_or_create(client=client, kind=kind, defaults=DEFAULT_FORMATS[kind]._asdict())
        taken = _moved(client, kind, count)
    assert taken is not None
    last, prefix, suffix = taken
    format = Format(prefix, suffix)
    return [Numbered(number, format.printed(number)) for number in range(last - count + 1, last + 1)]


def _moved(client: Client, kind: SeriesKind, count: int) -> tuple[int, str, str] | None:
    """The series' last number, moved on, with what stands before and behind its numbers."""
    return add_to_column(
        NumberSeries, "last_number", count, where={"client_id": client.pk, "kind": kind.value}, returning=("prefix", "suffix")
    )
