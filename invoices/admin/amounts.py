"""Formatting of amounts in the admin."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing_site.common.currencies import currency_of
from invoices.calculation import rounded


def amount(value: Decimal, currency: str) -> SafeString:
    """Return an amount in the currency's precision, grouped as in the reader's language."""
    return format_html(
        '<span class="amount">{}</span>', number_format(rounded(value, currency_of(currency)), force_grouping=True)
    )
