"""PURE: the VAT categories that documents use, of the European standard for invoices (EN 16931, code list UNCL5305)."""

from decimal import Decimal

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.kinds import TaxExemption


class VatCategory(TextChoices):
    STANDARD = "S", _("S: standard or reduced rate")
    ZERO = "Z", _("Z: zero rate")
    EXEMPT = "E", _("E: exempt")
    REVERSE_CHARGE = "AE", _("AE: reverse charge")
    INTRA_COMMUNITY = "K", _("K: intra-community supply")
    EXPORT = "G", _("G: export")
    NOT_SUBJECT = "O", _("O: not subject to tax")
    SPLIT_PAYMENT = "B", _("B: split payment in Italy, the customer pays the tax to the state")


CHARGED = (VatCategory.STANDARD, VatCategory.SPLIT_PAYMENT)
"""Categories of rates above 0 percent. All others are of rates of 0 percent."""


OF_EXEMPTION = {
    TaxExemption.EXEMPT: VatCategory.EXEMPT,
    TaxExemption.REVERSE_CHARGE: VatCategory.REVERSE_CHARGE,
    TaxExemption.INTRA_COMMUNITY: VatCategory.INTRA_COMMUNITY,
    TaxExemption.EXPORT: VatCategory.EXPORT,
    TaxExemption.NOT_SUBJECT: VatCategory.NOT_SUBJECT,
}
"""The category of lines on which an exempt customer is charged no tax."""

EXEMPTION_OF = {category: exemption for exemption, category in OF_EXEMPTION.items()}


def default_category(percent: Decimal) -> VatCategory:
    """Return the category of a rate that names none."""
    return VatCategory.STANDARD if percent else VatCategory.ZERO
