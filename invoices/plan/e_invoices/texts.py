"""PURE: amounts, numbers and texts as an electronic invoice has them."""

from decimal import Decimal

from accounts.identifier_codes import OBJECTS
from accounts.vat_categories import VatCategory
from billing_site.common.currencies import Currency
from invoices.calculation import ZERO
from invoices.plan.clean_texts import clean
from invoices.plan.vat import Vat


def rate_text(vat: Vat) -> str:
    """Return the rate. A category that is not subject to tax has none (BR-O-05)."""
    return "" if vat.category == VatCategory.NOT_SUBJECT else plain(vat.percent)


def money(amount: Decimal, currency: Currency) -> str:
    """Return an amount with the decimals of its currency, at most two: the standard allows no more (BR-DEC)."""
    # A zero keeps no sign.
    return f"{amount + ZERO:.{min(currency.exponent, 2)}f}"


def object_of(reference: str) -> dict[str | None, str]:
    """Return the number of an invoiced object by the code of its kind: AVE for a meter."""
    kind, colon, number = reference.partition(":")
    scheme, number = (kind, number) if colon and kind in OBJECTS else (None, reference)
    return {scheme: clean(number)} if number else {}


def plain(number: Decimal) -> str:
    """Return a number without trailing zeros."""
    return f"{number.normalize():f}"
