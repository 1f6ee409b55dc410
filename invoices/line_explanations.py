"""Explain the amount of a line in words: units, rate, band, days or percent."""

from collections.abc import Iterator

from django.utils.formats import number_format
from django.utils.translation import gettext

from accounts.rates import shown_rate, shown_units
from accounts.tax_categories import is_untaxed
from invoices.models import InvoiceLine


def tier_text(line: InvoiceLine) -> str:
    """Return the band of a tiered or volume price: "tier 2: above 100 to 500"."""
    if line.tier_no is None:
        return ""
    begin, end = line.tier_from, line.tier_to
    if begin and end is not None:
        text = gettext("tier %(number)s: above %(begin)s to %(end)s")
    elif begin:
        text = gettext("tier %(number)s: above %(begin)s")
    elif end is not None:
        text = gettext("tier %(number)s: up to %(end)s")
    else:
        text = gettext("tier %(number)s: all units")
    shown = {
        "begin": number_format(shown_units(begin)) if begin else "",
        "end": "" if end is None else number_format(shown_units(end)),
    }
    return text % {"number": line.tier_no, **shown}


def units_text(line: InvoiceLine) -> str:
    """Return units and rate, if the amount is their product: "100 x 0.10"."""
    if line.units is None or line.rate_per_unit is None:
        return ""
    rate = shown_rate(line.rate_per_unit, line.invoice.currency)
    return f"{number_format(shown_units(line.units))} x {number_format(rate)}"


def line_explanation(line: InvoiceLine) -> Iterator[str]:
    """Yield all explanations of a line's amount, besides units and rate."""
    if line.proration_text:
        yield line.proration_text
    if line.tier_no is not None:
        yield tier_text(line)
    if line.list_rate_per_unit is not None:
        yield gettext("customer price; the list price is %(rate)s") % {
            "rate": number_format(shown_rate(line.list_rate_per_unit, line.invoice.currency))
        }
    if line.coupon_code:
        yield gettext("coupon %(code)s") % {"code": line.coupon_code}
    if line.explanation:
        yield line.explanation
    if is_untaxed(line.tax_category):
        yield gettext("not taxed: tax category %(category)s") % {"category": line.tax_category}
