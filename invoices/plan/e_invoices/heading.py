"""PURE: what an electronic invoice says of the document as a whole: number, dates, type, references."""

from collections.abc import Mapping
from datetime import date

from accounts.kinds import EInvoiceProfile
from invoices.document import Document
from invoices.kinds import InvoiceKind
from invoices.plan.clean_texts import clean
from invoices.plan.e_invoice_rules import GERMANY
from invoices.plan.e_invoices.facts import EInvoiceFacts, Terms
from invoices.plan.e_invoices.lines import orders_of
from invoices.plan.e_invoices.texts import object_of
from invoices.plan.e_invoices.totals import tax_point_of
from invoices.plan.vat import vat_of_lines

INVOICE, CREDIT_NOTE, CORRECTED_INVOICE = "380", "381", "384"
NO_ORDER = "NA"
PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"

REFERENCES = {
    "buyer_reference": "BT-10",
    "project_reference": "BT-11",
    "contract_reference": "BT-12",
    "sales_order_reference": "BT-14",
    "receiving_reference": "BT-15",
    "despatch_reference": "BT-16",
    "accounting_reference": "BT-19",
}


def heading_of(facts: EInvoiceFacts) -> Terms:
    """Return number, dates, type, references and period."""
    document, terms = facts.document, facts.document.terms
    orders = orders_of(document)
    first, last = _period(document)
    original = facts.original.terms if facts.original is not None else None
    comments = document.correction.comments if document.correction is not None else ""
    charged = dict.fromkeys(vat.text for vat in vat_of_lines(document).values() if vat.percent)
    note = "\n".join(filter(None, (comments, *charged, document.parties.seller.get("legal_text", ""))))
    return {
        "BT-1": terms.document_number,
        "BT-2": terms.invoice_date,
        "BT-3": _type_code(facts),
        "BT-5": terms.currency.upper(),
        "BT-7": tax_point_of(document),
        **references_of(document.parties.bill_to, orders[0] if len(orders) == 1 else ""),
        "BT-23": PROCESS if facts.profile != EInvoiceProfile.EN16931 else "",
        "BT-73": first,
        "BT-74": last,
        "BG-1": [{"BT-22": clean(note)}] if note else [],
        "BG-3": [] if original is None else [{"BT-25": original.document_number, "BT-26": original.invoice_date}],
    }


def references_of(buyer: Mapping[str, str], order: str) -> Terms:
    """Return what the document refers to. UBL can name the seller's order only beside the buyer's, so the network wants NA."""
    tender = buyer.get("tender_reference", "")
    return {
        **{term: clean(buyer.get(name, "")) for name, term in REFERENCES.items()},
        "BT-13": clean(order) or (NO_ORDER if buyer.get("sales_order_reference") else ""),
        "BT-17": [clean(tender)] if tender else [],
        "BT-18": object_of(buyer.get("object_reference", "")),
        "BG-24": [
            {
                "BT-122": clean(buyer.get("supporting_reference", "")),
                "BT-123": clean(buyer.get("supporting_description", "")),
                "BT-124": clean(buyer.get("supporting_link", "")),
            }
        ]
        if buyer.get("supporting_reference")
        else [],
    }


def _type_code(facts: EInvoiceFacts) -> str:
    """Return the type of the document. On the Peppol network, a corrected invoice has a type of its own only in Germany."""
    parties, kind = facts.document.parties, facts.document.terms.kind
    if facts.document.terms.is_credit_note:
        return CREDIT_NOTE
    is_german = parties.seller.get("country") == parties.bill_to.get("country") == GERMANY
    if kind == InvoiceKind.REBILL and (is_german or facts.profile != EInvoiceProfile.PEPPOL):
        return CORRECTED_INVOICE
    return INVOICE


def _period(document: Document) -> tuple[date, date]:
    """Return the days of the document. Those of its lines are within them, as the Peppol network demands (R110, R111)."""
    terms = document.terms
    starts = [line.period_start for line in document.lines if line.period_start]
    ends = [line.period_end for line in document.lines if line.period_end]
    return min([terms.period_start, *starts]), max([terms.period_end, *ends])
