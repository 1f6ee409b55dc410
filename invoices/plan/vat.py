"""PURE: the VAT category of each line of a document (EN 16931, UNCL5305), and the texts that the law asks for."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.kinds import TaxExemption
from accounts.vat_categories import EXEMPTION_OF, OF_EXEMPTION, VatCategory
from billing_site.common.currencies import Currency, currency_of
from invoices.calculation import ZERO, rounded
from invoices.document import Document, Line, Tax
from invoices.plan.tax_answers import exemption_text


class Vat(NamedTuple):
    """How a line is taxed. `reason` is the reason that was given for charging no tax, often empty."""

    category: VatCategory
    percent: Decimal = ZERO
    reason: str = ""

    @property
    def text(self) -> str:
        """The text that the law asks for, in the active language. Empty if tax is charged as usual, and for a zero rate."""
        if self.category == VatCategory.SPLIT_PAYMENT:
            return _("Split payment: the customer pays the VAT to the state.")
        exemption = EXEMPTION_OF.get(self.category)
        return exemption_text(exemption, self.reason) if exemption is not None else ""


NOT_TAXED = Vat(VatCategory.NOT_SUBJECT)
"""A line without a tax, and without any reason for that."""


def vat_of(tax: Tax) -> Vat:
    return Vat(VatCategory(tax.category), tax.percent.normalize(), tax.exemption_reason)


def vat_of_lines(document: Document) -> dict[int, Vat]:
    """Return how each line is taxed, by line number, without tax lines. A line with several taxes has the first one."""
    taxed = {tax.taxed_line_no: vat_of(tax) for tax in reversed(document.taxes)}
    return {line.line_no: taxed.get(line.line_no) or _untaxed(document, line) for line in document.lines if not line.is_tax}


def _untaxed(document: Document, line: Line) -> Vat:
    terms = document.terms
    reason = terms.tax_exemption_reason if terms.tax_exemption else ""
    return Vat(untaxed_category(terms.tax_exemption, line.tax_category), reason=reason)


def untaxed_category(tax_exemption: str, tax_category: str) -> VatCategory:
    """Return the category of a line without a tax: from the customer's exemption, else from the line's tax category."""
    if tax_exemption:
        return OF_EXEMPTION[TaxExemption(tax_exemption)]
    untaxed = {"exempt": VatCategory.EXEMPT, "zero": VatCategory.ZERO}
    return untaxed.get(tax_category.casefold(), VatCategory.NOT_SUBJECT)


class SecondCurrency(NamedTuple):
    """The VAT of a document in the currency of the seller's VAT accounts, and what one unit of its own currency is in it."""

    amount: Decimal
    currency: Currency
    rate: Decimal


def tax_in_second_currency(document: Document, tax: Decimal) -> SecondCurrency | None:
    """Return the tax in the currency of the seller's VAT accounts, or None if that is the document's or no rate is known."""
    seller = document.parties.seller
    if "tax_currency_rate" not in seller:
        return None
    currency, rate = currency_of(seller["tax_currency"]), Decimal(seller["tax_currency_rate"])
    return SecondCurrency(rounded(tax * rate, currency), currency, rate)


def tax_texts(document: Document) -> list[str]:
    """Return why no tax is charged on lines of a document, as it is printed, in the active language, each text once."""
    return list(dict.fromkeys(filter(None, _texts(document))))


def tax_texts_of_lines(document: Document) -> list[str]:
    """Return the same texts for a page. A text that is not about all lines says which lines it is about."""
    vats = {} if document.terms.tax_exemption else vat_of_lines(document)
    shown = []
    for text in tax_texts(document):
        lines = [line_no for line_no, vat in vats.items() if vat.text == text]
        if lines and len(lines) < len(vats):
            numbers = ", ".join(map(str, lines))
            text = ngettext("Line %(lines)s: %(text)s", "Lines %(lines)s: %(text)s", len(lines)) % {
                "lines": numbers,
                "text": text,
            }
        shown.append(text)
    return shown


def _texts(document: Document) -> Iterator[str]:
    terms = document.terms
    if terms.tax_exemption:
        yield exemption_text(terms.tax_exemption, terms.tax_exemption_reason)
    for line_no, vat in vat_of_lines(document).items():
        if vat != NOT_TAXED or any(tax.taxed_line_no == line_no for tax in document.taxes):
            yield vat.text
