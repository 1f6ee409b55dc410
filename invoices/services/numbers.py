"""Gapless document numbers: a client's counter row, locked from here to the end of the transaction."""

from typing import NamedTuple

from accounts.models import Client
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
    series, _ = NumberSeries.objects.select_for_update(no_key=True).get_or_create(
        client=client, kind=kind, defaults={"prefix": DEFAULT_PREFIXES[kind]}
    )
    first = series.last_number + 1
    series.last_number += count
    series.save(update_fields=["last_number"])
    return [Numbered(number, f"{series.prefix}{number:06d}{series.suffix}") for number in range(first, series.last_number + 1)]


DEFAULT_PREFIXES = {SeriesKind.INVOICE: "INV-", SeriesKind.CREDIT_MEMO: "CM-", SeriesKind.REBILL: "RB-"}
