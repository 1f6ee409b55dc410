"""PURE: the rules of electronic invoices that a document of ours could break: those of the European standard (EN 16931), of
XRechnung (BR-DE) and of the Peppol network (PEPPOL-EN16931-R, and DE-R between German companies).

All other rules hold by the way in which `e_invoices` writes a document. A rule is named by its official number.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from accounts.company_numbers import broken_address_rule
from accounts.identifier_codes import ADDRESSES
from accounts.kinds import EInvoiceProfile
from accounts.vat_categories import VatCategory
from billing_site.errors import BillingError, Detail, ErrorCode, listed
from invoices.document import Credit, Document
from invoices.kinds import OFFSETTING_KINDS
from invoices.plan.clean_texts import with_clean_parties
from invoices.plan.payment_means import is_collected
from invoices.plan.vat import Vat, vat_of_lines

MOST_DECIMALS = Decimal("0.01")
LEAST_DIGITS = 3
GERMANY = "DE"
ITALY = "IT"

WITH_TAX_ID_ALONE = (VatCategory.INTRA_COMMUNITY, VatCategory.EXPORT)
"""Categories for which the number of the tax office at home is not enough."""

EMAIL = re.compile(r"[^@\s]+@([^@.\s]+\.)+[^@.\s]+")

WITH_SELLER_TAX_ID = {
    VatCategory.STANDARD: "BR-S-02",
    VatCategory.ZERO: "BR-Z-02",
    VatCategory.EXEMPT: "BR-E-02",
    VatCategory.REVERSE_CHARGE: "BR-AE-02",
    VatCategory.INTRA_COMMUNITY: "BR-IC-02",
    VatCategory.EXPORT: "BR-G-02",
}

SELLER_OF_XRECHNUNG = (
    ("city", "BR-DE-3"),
    ("postal_code", "BR-DE-4"),
    ("contact_name", "BR-DE-5"),
    ("contact_phone", "BR-DE-6"),
    ("contact_email", "BR-DE-7"),
    ("iban", "BR-DE-1"),
)
BUYER_OF_XRECHNUNG = (("buyer_reference", "BR-DE-15"), ("city", "BR-DE-8"), ("postal_code", "BR-DE-9"))


class BrokenRule(NamedTuple):
    """A rule by its official number, and what to do about it."""

    number: str
    text: Detail


def check_e_invoice(document: Document, profile: str, original: Document | None = None, *, is_official: bool = True) -> None:
    """Refuse (90120) a document that breaks a rule, with the rule's number. `original` is what it corrects. Names and numbers
    are taken as XML can have them: one of control characters alone is none.

    One that is not official only shows what an electronic invoice would be; its seller needs no registered number.
    """
    broken = next(_broken(with_clean_parties(document), original, EInvoiceProfile(profile), is_official=is_official), None)
    if broken is not None:
        detail = Detail("{rule}: {sentence}", rule=broken.number, sentence=broken.text)
        raise BillingError(ErrorCode.E_INVOICE_NOT_VALID, detail)


def spread_credits(document: Document, original: Document | None) -> list[Credit]:
    """Return which line reduces which other line by which amount. A credit memo of all has it from its original."""
    if document.terms.kind not in OFFSETTING_KINDS or original is None:
        return list(document.credits)
    place = {line.source_line_no: line.line_no for line in document.lines if not line.is_tax}
    return [
        replace(one, credit_line_no=place[one.credit_line_no], credited_line_no=place[one.credited_line_no])
        for one in original.credits
        if one.credit_line_no in place and one.credited_line_no in place
    ]


def vat_of_e_invoice(document: Document, original: Document | None) -> dict[int, Vat]:
    """Return how each line is taxed, by line number, without lines that reduce others.

    A line of 0 for which no rate was looked up is taxed like the others.
    """
    reducing = {one.credit_line_no for one in spread_credits(document, original)}
    vats = {number: vat for number, vat in vat_of_lines(document).items() if number not in reducing}
    zero = {line.line_no for line in document.lines if not line.amount}
    others = [vat for number, vat in vats.items() if number not in zero or vat.category != VatCategory.NOT_SUBJECT]
    if not others:
        return vats
    return {
        number: others[0] if number in zero and vat.category == VatCategory.NOT_SUBJECT else vat for number, vat in vats.items()
    }


def _broken(
    document: Document, original: Document | None, profile: EInvoiceProfile, *, is_official: bool
) -> Iterator[BrokenRule]:
    seller, buyer = document.parties.seller, document.parties.bill_to
    categories = {vat.category for vat in vat_of_e_invoice(document, original).values()}
    yield from _of_parties(seller, buyer, categories, is_official=is_official)
    yield from _of_taxes(document, original)
    yield from _of_amounts(document)
    if profile == EInvoiceProfile.XRECHNUNG:
        yield from _of_germany(document, original)
    if profile == EInvoiceProfile.PEPPOL and seller.get("country") == buyer.get("country") == GERMANY:
        for one in _of_germany(document, original):
            yield one._replace(number=f"DE-R-{int(one.number.rpartition('-')[2]):03}")
    if profile != EInvoiceProfile.EN16931:
        yield from _of_network(document)


def _of_parties(
    seller: Mapping[str, str], buyer: Mapping[str, str], categories: Collection[VatCategory], *, is_official: bool
) -> Iterator[BrokenRule]:
    if not seller.get("name") and not seller.get("legal_name"):
        yield BrokenRule("BR-06", Detail("Your company has no name. Enter it in the client's settings."))
    if not buyer.get("name") and not buyer.get("company"):
        yield BrokenRule("BR-07", Detail("The document names no buyer. Give the account a contact with a name."))
    if not buyer.get("country"):
        yield BrokenRule("BR-11", Detail("The buyer's address has no country. Complete the account's contact."))
    if not seller.get("country"):
        yield BrokenRule("BR-09", Detail("Your company's address has no country. Complete the client's address."))
    # A document without any VAT must not name the tax id (BR-O-02).
    tax_id = "" if VatCategory.NOT_SUBJECT in categories else seller.get("tax_id")
    if is_official and not (tax_id or seller.get("registration_number") or seller.get("party_numbers")):
        text = Detail("Your company has neither a tax id nor a registration number. Enter one in the client's settings.")
        yield BrokenRule("BR-CO-26", text)
    for party in (seller, buyer):
        scheme = party.get("electronic_scheme", "")
        if scheme and scheme not in ADDRESSES:
            text = Detail("{scheme} is not a scheme of electronic addresses. Correct electronic_scheme.", scheme=scheme)
            yield BrokenRule("BR-CL-25", text)


def _of_taxes(document: Document, original: Document | None) -> Iterator[BrokenRule]:
    counts = Counter(tax.taxed_line_no for tax in document.taxes)
    for line_no in (number for number, count in counts.items() if count > 1):
        text = Detail("Line {line_no} has several taxes, but an electronic invoice has one VAT rate per line.", line_no=line_no)
        yield BrokenRule("BR-CO-04", text)
    seller, buyer = document.parties.seller, document.parties.bill_to
    if "tax_currency" in seller and "tax_currency_rate" not in seller:
        text = Detail(
            "The VAT must also be given in {currency}, and no exchange rate of {own} is known. Enter it in tax_currency_rates "
            "of the client's settings.",
            currency=seller["tax_currency"].upper(),
            own=document.terms.currency.upper(),
        )
        yield BrokenRule("BR-53", text)
    categories = {vat.category for vat in vat_of_e_invoice(document, original).values()}
    for category in categories:
        number = WITH_SELLER_TAX_ID.get(category)
        known = seller.get("tax_id") or seller.get("representative_tax_id")
        if category not in WITH_TAX_ID_ALONE:
            known = known or seller.get("tax_number")
        if number is not None and not known:
            text = Detail("Your company has no tax id, which the VAT category {category} needs.", category=category.value)
            yield BrokenRule(number, text)
    if VatCategory.INTRA_COMMUNITY in categories and not buyer.get("tax_id"):
        yield BrokenRule("BR-IC-02", Detail("An intra-community supply needs the buyer's tax id. Enter it on the account."))
    if VatCategory.REVERSE_CHARGE in categories and not (buyer.get("tax_id") or buyer.get("registration_number")):
        text = Detail("Reverse charge needs the buyer's tax id or registration number. Enter it on the account.")
        yield BrokenRule("BR-AE-02", text)
    if VatCategory.SPLIT_PAYMENT in categories:
        if not seller.get("country") == buyer.get("country") == ITALY:
            text = Detail("Split payment is for invoices from an Italian company to an Italian customer. Choose another rate.")
            yield BrokenRule("BR-B-01", text)
        if VatCategory.STANDARD in categories:
            text = Detail("Some lines are taxed with split payment and others as usual. Bill them on two invoices.")
            yield BrokenRule("BR-B-02", text)
    if VatCategory.NOT_SUBJECT in categories and len(categories) > 1:
        text = Detail("Some lines have a VAT rate and others have none. Give each service a tax rate or the category exempt.")
        yield BrokenRule("BR-O-11", text)


def _of_amounts(document: Document) -> Iterator[BrokenRule]:
    terms = document.terms
    lines = [line.amount for line in document.lines if not line.is_tax]
    for number, amounts in (
        ("BR-DEC-23", lines),
        ("BR-DEC-12", [terms.net_amount]),
        ("BR-DEC-13", [terms.tax_amount]),
        ("BR-DEC-14", [terms.total_amount]),
    ):
        for amount in amounts:
            if amount % MOST_DECIMALS:
                text = Detail("The amount {amount} has more than two decimals.", amount=f"{amount.normalize():f}")
                yield BrokenRule(number, text)


def _of_germany(document: Document, original: Document | None) -> Iterator[BrokenRule]:
    """The rules of XRechnung, which the Peppol network has under other numbers for invoices between German companies."""
    seller, buyer = document.parties.seller, document.parties.bill_to
    for name, number in SELLER_OF_XRECHNUNG:
        if not seller.get(name) and not (name == "iban" and is_collected(buyer)):
            yield BrokenRule(number, Detail("German electronic invoices need {name} in the client's settings.", name=name))
    for name, number in BUYER_OF_XRECHNUNG:
        if not buyer.get(name):
            yield BrokenRule(number, Detail("German electronic invoices need {name} of the account or its contact.", name=name))
    if buyer.get("mandate_reference") and not seller.get("creditor_id"):
        text = Detail("A direct debit in a German electronic invoice needs creditor_id in the client's settings.")
        yield BrokenRule("BR-DE-30", text)
    phone = seller.get("contact_phone", "")
    if sum(one.isdigit() for one in phone) < LEAST_DIGITS:
        text = Detail("{phone} has fewer than three digits. Correct contact_phone in the client's settings.", phone=phone)
        yield BrokenRule("BR-DE-27", text)
    email = seller.get("contact_email", "")
    if EMAIL.fullmatch(email) is None:
        text = Detail("{email} is not a full e-mail address. Correct contact_email in the client's settings.", email=email)
        yield BrokenRule("BR-DE-28", text)
    delivery = delivered_to(document, original)
    for name, number in (("city", "BR-DE-10"), ("postal_code", "BR-DE-11")):
        if not delivery.get(name):
            text = Detail("The address of the delivery has no {name}. Complete the contact that is taxed.", name=name)
            yield BrokenRule(number, text)


def delivered_to(document: Document, original: Document | None) -> Mapping[str, str]:
    """Return the address of the delivery: the one that was taxed, else the buyer's."""
    basis = document.tax_basis or (original.tax_basis if original is not None else None)
    contacts = basis.contacts if basis is not None else {}
    shipped = (contacts.get(line.ship_to_contact_id or 0) for line in document.lines)
    address = next((address for address in shipped if address is not None and address.country), None)
    return document.parties.bill_to if address is None else address._asdict()


def _of_network(document: Document) -> Iterator[BrokenRule]:
    """The rules of the Peppol network, which XRechnung has taken over."""
    seller, buyer = document.parties.seller, document.parties.bill_to
    if not seller.get("electronic_address"):
        text = Detail("Your company has no electronic address. Enter it in the client's settings.")
        yield BrokenRule("PEPPOL-EN16931-R020", text)
    if not buyer.get("electronic_address"):
        text = Detail("The buyer has no electronic address. Enter it on the account.")
        yield BrokenRule("PEPPOL-EN16931-R010", text)
    for party in (seller, buyer):
        scheme, address = party.get("electronic_scheme", ""), party.get("electronic_address", "")
        rule = broken_address_rule(scheme, address)
        if rule:
            text = Detail("{address} is not a valid number of the scheme {scheme}.", address=address, scheme=scheme)
            yield BrokenRule(rule, text)
    if not buyer.get("buyer_reference") and not any(line.po_num for line in document.lines):
        fields = listed(("buyer_reference", "po_num"))
        text = Detail("The document has neither a buyer reference nor a PO number ({fields}).", fields=fields)
        yield BrokenRule("PEPPOL-EN16931-R003", text)
