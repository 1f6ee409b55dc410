"""Documents as electronic invoices: XML in UBL or CII, made of the stored document by a library, and CII in a PDF."""

import io
import re
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, cast

from django.utils.translation import override

from accounts.kinds import EInvoiceFormat, EInvoiceProfile
from accounts.models import Service
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.kinds import OFFSETTING_KINDS, InvoiceKind
from invoices.models import Invoice
from invoices.plan.e_invoice_rules import check_e_invoice, spread_credits
from invoices.plan.e_invoices import e_invoice_of
from invoices.plan.e_invoices.facts import EInvoiceFacts, Item
from invoices.services.documents.document_storage import stored_contents
from invoices.services.money.ledger.open_items import paid_at_issue
from invoices.services.printing.accessible import stated
from invoices.services.printing.printed import language_of

XML = "application/xml"
MAPPING_VERSION = "5"
"""Changes with how documents are written as electronic invoices. Files that are kept say by which version they were made."""

LEVEL = "en16931"
STANDARD = b"urn:cen.eu:en16931:2017"
SPECIFICATIONS = {
    EInvoiceProfile.EN16931: STANDARD,
    EInvoiceProfile.XRECHNUNG: STANDARD + b"#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
    EInvoiceProfile.PEPPOL: STANDARD + b"#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
}
"""What an electronic invoice of a profile names as its specification (BT-24)."""


class EInvoiceStyle(NamedTuple):
    """The format and profile of an electronic invoice, as its file keeps them."""

    format: EInvoiceFormat
    profile: EInvoiceProfile


CREDIT_NOTE_TYPE = b"<cbc:CreditNoteTypeCode"
TAX_POINT = re.compile(b"<cbc:TaxPointDate>[^<]*</cbc:TaxPointDate>\\s*")

SHOWN_STYLE = EInvoiceStyle(EInvoiceFormat.UBL, EInvoiceProfile.EN16931)
"""The style of an electronic invoice that is only shown, because the client sends none."""


def e_invoice_xml(invoice: Invoice, style: EInvoiceStyle, *, is_official: bool = True) -> bytes:
    """Return a document as an electronic invoice, in its own language. `invoice` is read with account and client.

    Refuses (90120) a document that breaks a rule of the standard. The amounts are those of the document.
    """
    document, original = _document_and_original(invoice)
    check_e_invoice(document, style.profile, original, is_official=is_official)
    facts = EInvoiceFacts(
        document=document,
        original=original,
        profile=style.profile,
        paid=ZERO if invoice.kind in OFFSETTING_KINDS else paid_at_issue(invoice),
        items=_items(document),
        buyer_id=invoice.account.client_acct_id,
        seller_id="" if is_official else str(invoice.client_id),
    )
    with override(language_of(invoice)):
        return _written(e_invoice_of(facts), style)


def with_e_invoice(pdf: bytes, xml: bytes, invoice: Invoice) -> bytes:
    """Return the PDF of a document with its electronic invoice (CII) in it, as Factur-X and ZUGFeRD demand."""
    embedded: bytes = _library().generate_from_binary(
        pdf,
        xml,
        flavor="factur-x",
        level=LEVEL,
        check_xsd=False,
        check_schematron=False,
        pdf_metadata={
            "author": invoice.seller.get("legal_name") or invoice.seller["name"],
            "keywords": "Factur-X",
            "title": invoice.document_number,
            "subject": invoice.document_number,
        },
        lang=language_of(invoice),
        afrelationship="alternative",
    )
    return _stated(embedded)


def _stated(pdf: bytes) -> bytes:
    """Write the statement of PDF/UA again, which the library has replaced. The rest of the file stays as it is."""
    # Read as late as the other library, which needs it too.
    from pypdf import PdfWriter
    from pypdf.generic import StreamObject

    writer = PdfWriter(io.BytesIO(pdf), incremental=True)
    metadata = cast(StreamObject, writer.root_object["/Metadata"].get_object())
    metadata.set_data(stated(metadata.get_data()))
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _document_and_original(invoice: Invoice) -> tuple[Document, Document | None]:
    """Return a document, and the one that it corrects, if any. If a reversal corrects the memo of a rebill, that memo has what
    reduces its lines from its own original. A memo by itself has no such lines."""
    memos = Invoice.objects.filter(corrected_by=invoice.pk, kind=InvoiceKind.CREDIT_MEMO, issued_with__isnull=False)
    first = memos.values_list("corrects_id", flat=True).first()
    numbers = [number for number in (invoice.pk, invoice.corrects_id, first) if number is not None]
    contents = stored_contents(sorted(numbers))
    original = contents[invoice.corrects_id] if invoice.corrects_id is not None else None
    if original is not None and first is not None:
        original = replace(original, credits=tuple(spread_credits(original, contents[first])), basis=contents[first].basis)
    return contents[invoice.pk], original


def _items(document: Document) -> dict[int, Item]:
    """Return what identifies the services on a document as items in trade, by service."""
    numbers = {line.service_id for line in document.lines if line.service_id is not None}
    columns = ("client_service_id", "item_number", "buyer_item_number", "classifications", "origin_country")
    return {number: Item(*row) for number, *row in Service.objects.filter(pk__in=numbers).values_list("pk", *columns)}


def _written(terms: dict[str, Any], style: EInvoiceStyle) -> bytes:
    library = _library()
    write = library.generate_ubl_xml if style.format == EInvoiceFormat.UBL else library.generate_cii_xml
    xml: bytes = write(terms, level=LEVEL, check_xsd=False, check_schematron=False)
    # The library knows no profiles of UBL. The first place that names the standard is BT-24.
    return _in_order(xml.replace(STANDARD, SPECIFICATIONS[style.profile], 1))


def _in_order(xml: bytes) -> bytes:
    """Return an electronic invoice with its tax point where the schema of credit notes (UBL) wants it: before the type. The
    library writes it where that of invoices wants it."""
    kind, point = xml.find(CREDIT_NOTE_TYPE), TAX_POINT.search(xml)
    if kind < 0 or point is None:
        return xml
    return xml[:kind] + point[0] + xml[kind : point.start()] + xml[point.end() :]


@cache
def _library() -> Any:
    """Return the library. Reading it takes a second, and most processes make no electronic invoice."""
    import facturx

    return facturx
