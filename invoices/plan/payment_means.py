"""PURE: how a document is paid: by direct debit, by card, or by a transfer of the customer."""

from collections.abc import Mapping
from enum import Enum

from invoices.document import Parties


class PaymentMeans(Enum):
    """How a document is paid, by the code of the list UNTDID 4461 (BT-81)."""

    TRANSFER = "30"
    SEPA_TRANSFER = "58"
    DIRECT_DEBIT = "49"
    SEPA_DIRECT_DEBIT = "59"
    CARD = "48"


DIRECT_DEBITS = (PaymentMeans.DIRECT_DEBIT, PaymentMeans.SEPA_DIRECT_DEBIT)


def payment_means_of(parties: Parties, currency: str) -> PaymentMeans | None:
    """Return how a document is paid. None if neither a mandate, nor a card, nor the seller's bank account is known.

    A direct debit is one of SEPA if it is in euros and the seller has a creditor id. What a document names has been chosen when
    it was made: the payment method by which its account was collected then.
    """
    seller, buyer = parties.seller, parties.bill_to
    is_euro = currency == "eur"
    if buyer.get("mandate_reference"):
        return PaymentMeans.SEPA_DIRECT_DEBIT if is_euro and seller.get("creditor_id") else PaymentMeans.DIRECT_DEBIT
    if buyer.get("card_digits"):
        return PaymentMeans.CARD
    if seller.get("iban"):
        return PaymentMeans.SEPA_TRANSFER if is_euro else PaymentMeans.TRANSFER
    return None


def is_collected(buyer: Mapping[str, str]) -> bool:
    """Return whether the seller collects the document, so that its customer must transfer nothing."""
    return bool(buyer.get("mandate_reference") or buyer.get("card_digits"))
