"""PURE: split a period into calendar months."""

import calendar
from collections.abc import Iterator
from datetime import date, timedelta


def months_of(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield first and last day of each calendar month of a period. The first and the last one may be parts of a month."""
    while first <= last:
        end = first.replace(day=calendar.monthrange(first.year, first.month)[1])
        yield first, min(end, last)
        if end >= last:
            return
        first = end + timedelta(days=1)
