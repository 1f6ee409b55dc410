"""PURE: how and by when an electronic invoice is paid."""

from django.utils.translation import gettext as _

from invoices.document import Document
from invoices.plan.clean_texts import clean
from invoices.plan.e_invoices.facts import Terms
from invoices.plan.payment_means import DIRECT_DEBITS, PaymentMeans, payment_means_of


def payment_of(document: Document) -> Terms:
    """Return due date and one means of payment: the mandate (BG-19), the card (BG-18) or the seller's bank account (BG-17)."""
    terms = document.terms
    due: Terms = {"BT-20": _("This amount is credited to your account.")} if terms.is_credit_note else {"BT-9": terms.due_date}
    means = payment_means_of(document.parties, terms.currency)
    if means is None:
        return due
    return {**due, "BT-81": means.value, "BT-83": terms.document_number, **_named(document, means)}


def _named(document: Document, means: PaymentMeans) -> Terms:
    seller, buyer = document.parties.seller, document.parties.bill_to
    if means in DIRECT_DEBITS:
        return {
            "BT-89": clean(buyer["mandate_reference"]),
            "BT-90": seller.get("creditor_id", "") if means == PaymentMeans.SEPA_DIRECT_DEBIT else "",
            "BT-91": buyer["debited_account"],
        }
    if means == PaymentMeans.CARD:
        return {
            "BT-87": buyer["card_digits"],
            "BT-87-1": clean(buyer["card_network"]),
            "BT-88": clean(buyer.get("card_holder", "")),
        }
    return {
        "BT-84": seller["iban"],
        "BT-85": clean(seller.get("payee_name") or seller.get("legal_name") or seller.get("name", "")),
        "BT-86": seller.get("bic", ""),
    }
