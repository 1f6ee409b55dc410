"""Assign document numbers without holes. The client's counter is locked until the end of the transaction.

Dates follow the numbers. If the day is earlier than the date of the last document (a billing run began before midnight or was
resumed, or the clock was set back), the new document gets that date. If it is more than a year earlier, one of the two dates is
wrong, and nothing is issued.
"""

from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.models import Client
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import add_to_column
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.document_numbers import DEFAULT_FORMATS, Format
from invoices.kinds import SeriesKind
from invoices.models import Invoice, NumberSeries

LONGEST_LAG = timedelta(days=366)
"""The longest time that a day may be before the date of the last document of its series."""


class Numbered(NamedTuple):
    """A number of a series, its printed form, and the invoice date of its document."""

    number: int
    document_number: str
    invoice_date: date


def take_numbers(client: Client, kind: SeriesKind, count: int, today: date) -> list[Numbered]:
    """Return the next `count` numbers of the series, in order, dated today or as the last document if that is later.

    Refuses if the last document is later by more than `LONGEST_LAG` (90094). Call it as late as possible: another call that
    needs a number waits until this transaction ends.
    """
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
    """Return the invoice date. Numbers with a new prefix or suffix do not follow the dates of the numbers before them."""
    printed = format.printed(before)
    last = next(iter(_dates_of_number(client.pk, kind.value, before, printed)), None) or today
    if last - today > LONGEST_LAG:
        detail = Detail(
            "today is {today}, but {printed} is dated {last}. Correct the clock. If {last} was wrong, give the number series "
            "another prefix or suffix; its dates then start again",
            today=today,
            printed=printed,
            last=last,
        )
        raise BillingError(ErrorCode.CLOCK_WENT_BACK, detail)
    return max(last, today)


@compiled_read
def _dates_of_number(client_no: int, series: str, number: int, printed: str) -> QuerySet[Any, date | None]:
    rows = Invoice.objects.filter(client=client_no, series=series, number=number, document_number=printed).order_by("pk")
    return rows.values_list("invoice_date", flat=True)


def _moved(client: Client, kind: SeriesKind, count: int) -> tuple[int, str, str] | None:
    """Increase the counter, and return its new value with the prefix and suffix. None if the series does not exist."""
    return add_to_column(
        NumberSeries, "last_number", count, where={"client_id": client.pk, "kind": kind.value}, returning=("prefix", "suffix")
    )
