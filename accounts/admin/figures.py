"""Formatting of figures and small tables in the admin."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from django.utils.formats import localize, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.rates import shown_rate


def count(value: int) -> SafeString:
    return format_html('<span class="amount">{}</span>', number_format(value, force_grouping=True))


def plain(value: Decimal | None) -> SafeString:
    """Return a rate or number of units without the trailing zeros that the database adds."""
    return format_html('<span class="amount">{}</span>', "-" if value is None else f"{value.normalize():f}")


def rate(value: Decimal | None, currency: str) -> SafeString:
    return format_html('<span class="amount">{}</span>', "-" if value is None else shown_rate(value, currency))


def day(value: date | None) -> str:
    """Return a day in the reader's date format."""
    return "-" if value is None else str(localize(value))


def days(start: date | None, end: date | None) -> SafeString:
    """Return a period as text. If it does not fit on a line, it breaks only between its two days."""
    if start is None or end is None:
        return SafeString("-")
    return format_html('<span class="nowrap">{} –</span> <span class="nowrap">{}</span>', day(start), day(end))


def figures(headings: Sequence[object], rows: Iterable[Sequence[object]], *, words: int = 1) -> SafeString:
    """Return a table whose first `words` columns are text and whose others are figures, or a dash if it has no rows."""
    body = [format_html("<tr>{}</tr>", format_html_join("", "<td>{}</td>", ((cell,) for cell in row))) for row in rows]
    if not body:
        return SafeString("-")
    head = [("amount" if column >= words else "", heading) for column, heading in enumerate(headings)]
    return format_html(
        '<table class="figures"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<th scope="col" class="{}">{}</th>', head),
        format_html_join("", "{}", ((row,) for row in body)),
    )
