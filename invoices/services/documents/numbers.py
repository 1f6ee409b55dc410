"""Gapless document numbers: a client's counter row, locked from here to the end of the transaction.

Dates follow the numbers. A day may be earlier than the date of the document before: a billing run began before midnight or was
resumed, or the clock was set back. The new document is then dated as that one. Where the day is more than a year earlier, one
of the two dates is wrong, and nothing is issued.
"""

from datetime import date, timedelta
from typing import NamedTuple

from accounts.models import Client
from billing_site.common.storage import add_to_column
from billing_site.errors import BillingError, ErrorCode
from invoices.document_numbers import DEFAULT_FORMATS, Format
from invoices.kinds import SeriesKind
from invoices.models import Invoice, NumberSeries

LONGEST_LAG = timedelta(days=366)
"""How far a day may be before that of the last document of the series."""


class Numbered(NamedTuple):
    """A number of a series, as it is printed, and the invoice date of its document."""

    number: int
    document_number: str
    invoice_date: date


def take_numbers(client: Client, kind: SeriesKind, count: int, today: date) -> list[Numbered]:
    """Return the series' next `count` numbers, dated today, or as the document with the number before them where that has a
    later date. Refuses (90094) if it is later by more than `LONGEST_LAG`.

    Take them last: whoever wants the next number waits for the commit."""
    if not count:
        return []
    taken = _moved(client, kind, count)
    if taken is None:
        NumberSeries.objects.get_or_create(client=client, kind=kind, defaults=DEFAULT_FORMATS[kind]._asdict())
        taken = _moved(client, kind, count)
    assert taken is not None
    last, prefix, suffix = taken
    format = Format(prefix, suffix)
    first = last - count + 1
    dated = _date_after(client, kind, format, first - 1, today)
    return [Numbered(number, format.printed(number), dated) for number in range(first, last + 1)]


def _date_after(client: Client, kind: SeriesKind, format: Format, before: int, today: date) -> date:
    """Numbers with another prefix or suffix than the one before them begin a series of their own, with dates of their own."""
    printed = format.printed(before)
    rows = Invoice.objects.filter(client=client, series=kind.value, number=before, document_number=printed)
    last = rows.values_list("invoice_date", flat=True).first() or today
    if last - today > LONGEST_LAG:
        detail = (
            f"today is {today}, but {printed} is dated {last}. Correct the clock. If {last} was wrong, give the number series "
            "another prefix or suffix; its dates then start again"
        )
        raise BillingError(ErrorCode.CLOCK_WENT_BACK, detail)
    return max(last, today)


def _moved(client: Client, kind: SeriesKind, count: int) -> tuple[int, str, str] | None:
    """The series' last number, moved on, with what stands before and behind its numbers."""
    return add_to_column(
        NumberSeries, "last_number", count, where={"client_id": client.pk, "kind": kind.value}, returning=("prefix", "suffix")
    )
