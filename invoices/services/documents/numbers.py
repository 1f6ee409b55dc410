"""Assign document numbers without holes. The client's counter is locked until the end of the transaction.

Dates follow the numbers. If the day is earlier than the date of the last document (a billing run began before midnight or was
resumed), the new document gets that date. If it is more than a year earlier, one of the two dates is wrong, and nothing is
issued.

Times follow the numbers too. If the server's clock is behind the time at which the last document was issued, the clock was set
back, and nothing is issued. A client's virtual clock has nothing to do with it.

A series with the year in its prefix or suffix counts from 1 in each year. Its year never goes back, as its dates do not.
"""

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Case, F, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import Client
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import update_returning
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.document_numbers import DEFAULT_FORMATS, YEAR, Format
from invoices.kinds import SeriesKind
from invoices.models import Invoice, NumberSeries

LONGEST_LAG = timedelta(days=366)
"""The longest time that a day may be before the date of the last document of its series."""


CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clocks of two servers may be apart."""

HAS_YEAR = Q(prefix__contains=YEAR) | Q(suffix__contains=YEAR)


class Numbered(NamedTuple):
    """A number of a series, the year that it counts in (0: the series has no years), its printed form, and the invoice date of
    its document."""

    number: int
    number_year: int
    document_number: str
    invoice_date: date


class _Taken(NamedTuple):
    """The format of a series, and where its two counts are after numbers were taken."""

    prefix: str
    suffix: str
    last_number: int
    year: int
    last_of_year: int


def take_numbers(client: Client, kind: SeriesKind, count: int, today: date) -> list[Numbered]:
    """Return the next `count` numbers of the series, in order, dated today or as the last document if that is later.

    Refuses if the last document is dated later by more than `LONGEST_LAG` (90094), or was issued at a time that this server's
    clock has not reached (90300). Call it as late as possible: another call that
    needs a number waits until this transaction ends.
    """
    if not count:
        return []
    taken = _moved(client, kind, count, today.year)
    if taken is None:
        NumberSeries.objects.get_or_create(client=client, kind=kind, defaults=DEFAULT_FORMATS[kind]._asdict())
        taken = _moved(client, kind, count, today.year)
    assert taken is not None
    format = Format(taken.prefix, taken.suffix)
    year, last = (taken.year, taken.last_of_year) if format.has_year else (0, taken.last_number)
    first = last - count + 1
    dated = _date_after(client, kind, format.printed(first - 1, year), first - 1, year, today)
    return [Numbered(number, year, format.printed(number, year), dated) for number in range(first, last + 1)]


def _date_after(client: Client, kind: SeriesKind, printed: str, before: int, year: int, today: date) -> date:
    """Return the invoice date, which is in the year of the number. Numbers with a new prefix or suffix do not follow the dates
    of the numbers before them."""
    last, issued_at = next(iter(_last_document(client.pk, kind.value, before, printed)), (None, None))
    last = last or date(max(today.year, year), 1, 1)
    if last - today > LONGEST_LAG:
        detail = Detail(
            "today is {today}, but {printed} is dated {last}. Correct the clock. If {last} was wrong, give the number series "
            "another prefix or suffix; its dates then start again",
            today=today,
            printed=printed,
            last=last,
        )
        raise BillingError(ErrorCode.CLOCK_WENT_BACK, detail)
    _check_clock(printed, issued_at)
    return max(last, today)


def _check_clock(printed: str, issued_at: datetime | None) -> None:
    """Refuse (90300) if the last document was issued at a time that this server's clock has not reached."""
    now = timezone.now()
    if issued_at is None or issued_at - now <= CLOCKS_DIFFER:
        return
    detail = Detail(
        "it is {now} UTC, but {printed} was issued at {issued} UTC. Correct the clock. If {issued} was wrong, give the number "
        "series another prefix or suffix; its times then start again",
        now=f"{now:%Y-%m-%d %H:%M}",
        printed=printed,
        issued=f"{issued_at:%Y-%m-%d %H:%M}",
    )
    raise BillingError(ErrorCode.TIME_WENT_BACK, detail)


@compiled_read
def _last_document(
    client_no: int, series: str, number: int, printed: str
) -> QuerySet[Any, tuple[date | None, datetime | None]]:
    """Read the date of the last document, and when it was issued."""
    rows = Invoice.objects.filter(client=client_no, series=series, number=number, document_number=printed).order_by("pk")
    return rows.values_list("invoice_date", "approved_at")


def _moved(client: Client, kind: SeriesKind, count: int, year: int) -> _Taken | None:
    """Increase the count of the series: the one of the year if its format has the year. None if the series does not exist."""
    is_new_year = HAS_YEAR & Q(year__lt=year)
    before = Case(When(is_new_year, then=Value(0)), default=F("last_of_year"), output_field=BigIntegerField())
    counts = {
        "last_number": F("last_number") + Case(When(HAS_YEAR, then=0), default=count),
        "last_of_year": before + Case(When(HAS_YEAR, then=count), default=0),
        "year": Case(When(is_new_year, then=Value(year)), default=F("year"), output_field=IntegerField()),
    }
    series = NumberSeries.objects.filter(client=client, kind=kind)
    moved = update_returning(series, counts, _Taken._fields)
    return None if moved is None else _Taken(*moved)
