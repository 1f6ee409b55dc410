"""PURE: the VAT breakdown and the totals of an electronic invoice."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from accounts.kinds import EInvoiceProfile
from accounts.vat_categories import VatCategory
from billing_site.common.currencies import Currency
from invoices.document import Document
from invoices.plan.clean_texts import clean
from invoices.plan.e_invoices.facts import EInvoiceFacts, Terms
from invoices.plan.e_invoices.parts import Part, Written, sign_of, signed_parts, sum_of
from invoices.plan.e_invoices.texts import money, rate_text
from invoices.plan.vat import Vat, tax_in_second_currency

EXEMPTION_CODES = {
    VatCategory.REVERSE_CHARGE: "VATEX-EU-AE",
    VatCategory.INTRA_COMMUNITY: "VATEX-EU-IC",
    VatCategory.EXPORT: "VATEX-EU-G",
    VatCategory.NOT_SUBJECT: "VATEX-EU-O",
}


def beside(part: Part, currency: Currency, reason_code: str) -> Terms:
    """Return an allowance or charge on the document."""
    return {
        "amount": money(part.amount, currency),
        "reason": clean(part.text),
        "reason_code": reason_code,
        "vat_category_code": part.vat.category.value,
        "vat_rate": rate_text(part.vat),
    }


def tax_point_of(document: Document) -> date | None:
    """Return the day by whose rates the document is taxed, if it is not its own day: that of a correction is its original's."""
    terms = document.terms
    return None if terms.tax_date == terms.invoice_date else terms.tax_date


def breakdown_of(facts: EInvoiceFacts, written: Written) -> list[Terms]:
    """Return the net amount and the tax of each VAT category and rate (BG-23)."""
    document, sign = facts.document, sign_of(facts.document)
    # XRechnung wants a rate in each category (BR-DE-14), also where the standard does not.
    without_rate = "0" if facts.profile == EInvoiceProfile.XRECHNUNG else ""
    nets: dict[tuple[VatCategory, Decimal], Decimal] = defaultdict(Decimal)
    texts: dict[tuple[VatCategory, Decimal], list[str]] = defaultdict(list)
    for part, amount in signed_parts(written):
        nets[part.vat.category, part.vat.percent] += amount
        if not part.vat.percent:
            texts[part.vat.category, part.vat.percent].append(part.vat.text)
    taxes: dict[tuple[VatCategory, Decimal], Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        taxes[VatCategory(tax.category), tax.percent.normalize()] += sign * tax.amount
    # In CII, the day is told with each rate.
    tax_point = tax_point_of(document)
    return [
        {
            "BT-7": tax_point,
            "BT-116": money(net, document.currency),
            "BT-117": money(taxes[category, percent], document.currency),
            "BT-118": category.value,
            "BT-119": rate_text(Vat(category, percent)) or without_rate,
            "BT-120": clean("; ".join(dict.fromkeys(filter(None, texts[category, percent])))),
            "BT-121": EXEMPTION_CODES.get(category, ""),
        }
        for (category, percent), net in nets.items()
    ]


def totals_of(facts: EInvoiceFacts, written: Written) -> Terms:
    """Return the totals (BG-22)."""
    document, sign = facts.document, sign_of(facts.document)
    terms, currency = document.terms, document.currency
    total = sign * terms.total_amount
    return {
        "BT-106": money(sum_of(one.part for one in written.lines), currency),
        "BT-107": money(sum_of(written.allowances), currency) if written.allowances else "",
        "BT-108": money(sum_of(written.charges), currency) if written.charges else "",
        "BT-109": money(sign * terms.net_amount, currency),
        "BT-110": money(sign * terms.tax_amount, currency),
        **_in_tax_currency(document, sign * terms.tax_amount),
        "BT-112": money(total, currency),
        "BT-113": money(facts.paid, currency) if facts.paid else "",
        "BT-115": money(total - facts.paid, currency),
    }


def _in_tax_currency(document: Document, tax: Decimal) -> Terms:
    """Return the VAT in the currency of the seller's VAT accounts, if it is another one."""
    told = tax_in_second_currency(document, tax)
    return {} if told is None else {"BT-6": told.currency.code.upper(), "BT-111": money(told.amount, told.currency)}
