"""PURE: write a document in the terms of the European standard for electronic invoices (EN 16931): BT-1, BG-25, and so on.

Amounts are those of the document, to the cent. A credit memo is written with the opposite sign, as its type demands.
"""

from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.plan.clean_texts import with_clean_parties
from invoices.plan.e_invoices.facts import EInvoiceFacts, Terms
from invoices.plan.e_invoices.heading import heading_of
from invoices.plan.e_invoices.lines import lines_of
from invoices.plan.e_invoices.parties import buyer_of, delivery_of, is_not_subject, payee_of, representative_of, seller_of
from invoices.plan.e_invoices.parts import sign_of, written_of
from invoices.plan.e_invoices.payment import payment_of
from invoices.plan.e_invoices.totals import beside, breakdown_of, totals_of


def e_invoice_of(facts: EInvoiceFacts) -> Terms:
    """Return the terms of a document's electronic invoice, by their official numbers. Texts are in the active language.

    Refuses (90120) a document whose lines do not add up to its amount before tax, as a very old one might.
    """
    facts = facts._replace(document=with_clean_parties(facts.document))
    document, sign = facts.document, sign_of(facts.document)
    written = written_of(facts)
    if written.net != sign * document.terms.net_amount:
        text = Detail("The lines do not add up to the amount before tax.")
        raise BillingError(ErrorCode.E_INVOICE_NOT_VALID, Detail("{rule}: {sentence}", rule="BR-CO-13", sentence=text))
    terms: Terms = {
        **heading_of(facts),
        "BG-4": seller_of(facts),
        "BG-7": buyer_of(facts),
        "BG-10": payee_of(document.parties.seller),
        "BG-11": {} if is_not_subject(facts) else representative_of(document.parties.seller),
        "BG-13": delivery_of(facts),
        **payment_of(document),
        "BG-20": [beside(part, document.currency, "95") for part in written.allowances],
        "BG-21": [beside(part, document.currency, "ABK") for part in written.charges],
        "BG-23": breakdown_of(facts, written),
        **totals_of(facts, written),
        "BG-25": list(lines_of(facts, written)),
    }
    return _filled(terms)


def _filled(terms: Terms) -> Terms:
    """Return the terms that have a value. An electronic invoice must not have empty ones."""
    filled: Terms = {}
    for name, value in terms.items():
        if isinstance(value, list):
            value = [one for one in (_filled(one) if isinstance(one, dict) else one for one in value) if one]
        elif isinstance(value, dict):
            value = _filled(value)
        if value:
            filled[name] = value
    return filled
