"""How amounts and small tables of figures look in the admin."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from invoices.calculation import rounded


def amount(value: Decimal, currency: str) -> SafeString:
    """In the currency's precision, grouped as the reader's language does it."""
    return format_html('<span class="amount">{}</span>', number_format(rounded(value, currency), force_grouping=True))


def count(value: int) -> SafeString:
    return format_html('<span class="amount">{}</span>', number_format(value, force_grouping=True))


def plain(value: Decimal | None) -> SafeString:
    """A rate or a number of units without the zeros that the database adds."""
    return format_html('<span class="amount">{}</span>', "-" if value is None else f"{value.normalize():f}")


def figures(headings: Sequence[object], rows: Iterable[Sequence[object]], *, words: int = 1) -> SafeString:
    """A table whose first columns are words and whose others are figures; a dash where it has no rows."""
    body = [format_html("<tr>{}</tr>", format_html_join("", "<td>{}</td>", ((cell,) for cell in row))) for row in rows]
    if not body:
        return SafeString("-")
    head = [("amount" if column >= words else "", heading) for column, heading in enumerate(headings)]
    return format_html(
        '<table class="figures"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<th scope="col" class="{}">{}</th>', head),
        format_html_join("", "{}", ((row,) for row in body)),
    )
