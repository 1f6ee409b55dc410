"""Gapless document numbers: a client's counter row, locked from here to the end of the transaction."""

from accounts.models import Client
from invoices.kinds import SeriesKind
from invoices.models import NumberSeries


def take_numbers(client: Client, kind: SeriesKind, count: int) -> tuple[str, range]:
    """The series' prefix and the next `count` numbers. Take them last: whoever wants the next number waits for the commit."""
    if not count:
        return "", range(0)
    series, _ = NumberSeries.objects.select_for_update(no_key=True).get_or_create(
        client=client, kind=kind, defaults={"prefix": DEFAULT_PREFIXES[kind]}
    )
    first = series.last_number + 1
    series.last_number += count
    series.save(update_fields=["last_number"])
    return series.prefix, range(first, first + count)


DEFAULT_PREFIXES = {SeriesKind.INVOICE: "INV-", SeriesKind.CREDIT_MEMO: "CM-"}
