"""PURE: the companies of an electronic invoice, and the place of delivery."""

from collections.abc import Mapping

from accounts.company_numbers import identifiers
from accounts.vat_categories import VatCategory
from invoices.document import Document
from invoices.plan.clean_texts import clean
from invoices.plan.e_invoice_rules import delivered_to, vat_of_e_invoice
from invoices.plan.e_invoices.facts import EInvoiceFacts, Terms


def seller_of(facts: EInvoiceFacts) -> Terms:
    """Return the seller (BG-4)."""
    seller = facts.document.parties.seller
    contact = {name: clean(seller.get(f"contact_{name}", "")) for name in ("name", "phone", "email")}
    name = seller.get("legal_name") or seller.get("name", "")
    return {
        **_party(facts, seller, name),
        "biz_name": clean(seller.get("name", "")),
        "identifiers": identifiers_of(seller.get("party_numbers", "") or facts.seller_id),
        "tax_identifier": clean(seller.get("tax_number", "")),
        "contacts": [contact] if any(contact.values()) else [],
    }


def buyer_of(facts: EInvoiceFacts) -> Terms:
    """Return the buyer (BG-7)."""
    buyer = facts.document.parties.bill_to
    company, person = buyer.get("company", ""), buyer.get("name", "")
    return {
        **_party(facts, buyer, name_of_buyer(facts.document)),
        "identifiers": identifiers_of(buyer.get("party_number", "")) or _unless_empty(facts.buyer_id),
        "contacts": [{"name": clean(person)}] if company and person else [],
    }


def identifiers_of(numbers: str) -> dict[str | None, str]:
    """Return the numbers of a party or place by the code of their scheme."""
    return {scheme or None: clean(number) for scheme, number in identifiers(numbers)}


def _unless_empty(number: str) -> dict[str | None, str]:
    return {None: clean(number)} if number else {}


def payee_of(seller: Mapping[str, str]) -> Terms:
    """Return who is paid instead of the seller (BG-10)."""
    return {
        "name": clean(seller.get("payee_name", "")),
        "identifiers": identifiers_of(seller.get("payee_number", "")),
        "legal_identifier": clean(seller.get("payee_registration_number", "")),
    }


def representative_of(seller: Mapping[str, str]) -> Terms:
    """Return the seller's tax representative (BG-11)."""

    def of(name: str) -> str:
        return clean(seller.get(f"representative_{name}", ""))

    return {
        "name": of("name"),
        "vat_identifier": of("tax_id"),
        "addr_l1": of("address1"),
        "city": of("city"),
        "postcode": of("postal_code"),
        "country_code": of("country"),
    }


def name_of_buyer(document: Document) -> str:
    """Return the buyer's company, else the person."""
    buyer = document.parties.bill_to
    return clean(buyer.get("company") or buyer.get("name", ""))


def _party(facts: EInvoiceFacts, party: Mapping[str, str], name: str) -> Terms:
    """Return a party. Where nothing is subject to tax, the standard forbids tax ids (BR-O-02)."""
    tax_id = "" if is_not_subject(facts) else party.get("tax_id", "")
    return {
        "name": clean(name),
        "legal_identifier": clean(party.get("registration_number", "")),
        "legal_identifier_schemeid": party.get("registration_scheme", ""),
        "vat_identifier": tax_id,
        "einvoicing_addr": clean(party.get("electronic_address", "")),
        "einvoicing_addr_schemeid": party.get("electronic_scheme", ""),
        "addr_l1": clean(party.get("address1", "")),
        "addr_l2": clean(party.get("address2", "")),
        "city": clean(party.get("city", "")),
        "postcode": clean(party.get("postal_code", "")),
        "country_subdivision": clean(party.get("region", "")),
        "country_code": party.get("country", ""),
    }


def is_not_subject(facts: EInvoiceFacts) -> bool:
    """Return whether some line is not subject to tax. Then all are (BR-O-11)."""
    categories = {vat.category for vat in vat_of_e_invoice(facts.document, facts.original).values()}
    return VatCategory.NOT_SUBJECT in categories


def delivery_of(facts: EInvoiceFacts) -> Terms:
    """Return to whom and where is delivered (BG-13)."""
    buyer, address = facts.document.parties.bill_to, delivered_to(facts.document, facts.original)
    return {
        "name": clean(buyer.get("delivery_name", "")) or name_of_buyer(facts.document),
        "identifiers": identifiers_of(buyer.get("delivery_location", "")),
        "addr_l1": clean(address.get("address1", "")),
        "city": clean(address.get("city", "")),
        "postcode": clean(address.get("postal_code", "")),
        "country_code": address.get("country", ""),
    }
