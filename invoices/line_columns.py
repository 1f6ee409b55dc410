"""The columns of lines that changes name, in the reader's language."""

from django.utils.translation import gettext_lazy as _

TAX_RATES = "tax_rates"
"""Stands for the tax rates of a line, which no column of the line has."""

COLUMNS = {
    "service_id": _("service"),
    "description": _("text"),
    "units": _("units"),
    "rate_per_unit": _("rate"),
    "amount": _("amount"),
    "base_amount": _("base amount"),
    "period_start": _("first day"),
    "period_end": _("last day"),
    "po_num": _("PO number"),
    "bill_from_location_id": _("billed from"),
    "ship_from_location_id": _("shipped from"),
    "bill_to_contact_id": _("billed to"),
    "ship_to_contact_id": _("shipped to"),
    TAX_RATES: _("tax"),
    "discount_percent": _("discount in percent"),
}

FIGURES = {
    "amount": "amount",
    "base_amount": "base",
    "units": "number",
    "rate_per_unit": "number",
    "discount_percent": "number",
}
"""How the values of columns are formatted. All others are texts."""
