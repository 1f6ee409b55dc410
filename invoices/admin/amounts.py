"""How amounts of money look in the admin."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from invoices.calculation import rounded


def amount(value: Decimal, currency: str) -> SafeString:
    """In the currency's precision, grouped as the reader's language does it."""
    return format_html('<span class="amount">{}</span>', number_format(rounded(value, currency), force_grouping=True))
