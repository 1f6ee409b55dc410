"""Which documents get an electronic invoice when they are issued, and whether they can be valid ones."""

from collections.abc import Collection, Mapping

from django.db.models import QuerySet

from accounts.kinds import EInvoiceFormat, EInvoiceProfile
from accounts.models import Client
from accounts.vat_categories import VatCategory
from invoices.document import Document
from invoices.kinds import OFFSETTING_KINDS, FileKind
from invoices.models import DocumentFile
from invoices.plan.e_invoice_rules import check_e_invoice
from invoices.services.printing.e_invoices import EInvoiceStyle
from invoices.services.printing.files import style_of


def style_for(client: Client, document: Document) -> EInvoiceStyle | None:
    """Return the style of a new document's electronic invoice, or None if it gets none. What the customer wants comes before
    the client's profile; the rules of networks and authorities are kept in UBL. Factur-X has no code for split payment."""
    wanted = document.parties.bill_to.get("e_invoice_profile", "")
    if EInvoiceFormat.NONE in (client.e_invoice, wanted):
        return None
    profile = EInvoiceProfile(wanted or client.e_invoice_profile)
    needs_ubl = profile != EInvoiceProfile.EN16931 or any(tax.category == VatCategory.SPLIT_PAYMENT for tax in document.taxes)
    return EInvoiceStyle(EInvoiceFormat.UBL if needs_ubl else EInvoiceFormat(client.e_invoice), profile)


def check_new_e_invoice(client: Client, document: Document) -> None:
    """Refuse (90120) a new document that gets an electronic invoice and cannot be a valid one."""
    style = style_for(client, document)
    if style is not None:
        check_e_invoice(document, style.profile)


def corrected_electronically(client: Client, original_no: int) -> bool:
    """Return whether a correction of this document gets an electronic invoice: as its original has one. One query at most."""
    return client.e_invoice != EInvoiceFormat.NONE and _electronic({original_no}).exists()


def _electronic(invoice_nos: Collection[int]) -> QuerySet[DocumentFile]:
    return DocumentFile.objects.filter(invoice__in=invoice_nos, kind=FileKind.E_INVOICE)


def e_invoice_styles(client: Client, documents: Mapping[int, Document]) -> dict[int, EInvoiceStyle]:
    """Return the format and profile of the electronic invoices that documents get, by number. Others get none.

    A client that sends electronic invoices sends one for each document. A correction has the format and profile of the
    document that it corrects, and none if that has none: the seller on it stays as it was, so what it lacks could never be
    added. One query, none without corrections.

    Refuses (90120) a document that cannot be a valid one. A credit memo or reversal can be: it says what its original says.
    """
    if client.e_invoice == EInvoiceFormat.NONE:
        return {}
    corrects = {number: one.correction.corrects_id for number, one in documents.items() if one.correction is not None}
    files = _electronic(set(corrects.values())) if corrects else ()
    of_originals = {file.invoice_id: style_of(file) for file in files}
    styles = {
        number: of_originals.get(corrects[number]) if number in corrects else style_for(client, document)
        for number, document in documents.items()
    }
    found = {number: style for number, style in sorted(styles.items()) if style is not None}
    for number, style in found.items():
        if documents[number].terms.kind not in OFFSETTING_KINDS:
            check_e_invoice(documents[number], style.profile)
    return found
