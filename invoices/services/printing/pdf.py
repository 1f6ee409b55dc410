"""Documents as PDF: PDF/A-3b, tagged, with their fonts in the file, by WeasyPrint.

WeasyPrint needs the library Pango of the operating system, so it is loaded only when a document is printed.
"""

import base64
import io
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import segno.helpers
from babel import Locale
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override
from PIL import Image, UnidentifiedImageError

from accounts.models import Client
from accounts.models.identities import LARGEST_LOGO, LOGO_TYPES
from billing_site.errors import Detail, listed
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.services.printing.printed import StatementParts, language_of, statement_context

PDF = "application/pdf"
TEMPLATE_VERSION = "2"
"""Changes with the look of the PDF. Files that are kept say by which version they were made."""

STYLES = Path(__file__).with_name("pdf.css")
CODE_CURRENCY = "eur"


class CannotPrint(Exception):
    """A PDF that cannot be made, with the reason as a detail."""

    def __init__(self, reason: Detail) -> None:
        self.reason = reason
        super().__init__(reason)


class NoPango(CannotPrint):
    """No PDF at all can be made, because the library Pango is missing."""


class Look(NamedTuple):
    """How the documents of a client look: its logo as a data address, and its colour."""

    logo: str = ""
    color: str = ""


def look_of(client: Client) -> Look:
    """Return how documents of a client look. Raises CannotPrint if its logo is missing, too large, or not an image."""
    if not client.logo:
        return Look(color=client.document_color)
    try:
        with client.logo.open("rb") as file:
            content = file.read(LARGEST_LOGO + 1)
        if len(content) > LARGEST_LOGO:
            raise CannotPrint(Detail("The client's logo is larger than 2 MB."))
        kind = LOGO_TYPES[Image.open(io.BytesIO(content)).format or ""]
    except (OSError, KeyError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CannotPrint(Detail("The client's logo cannot be read.")) from error
    return Look(f"data:{kind};base64,{base64.b64encode(content).decode()}", client.document_color)


Appendix = Callable[[Invoice, Document, Locale], str]
"""Returns the appendix of a document as HTML, in the active language. The document's client and original are loaded."""

_appendices: dict[InvoiceKind, Appendix] = {}


def register_appendix(kind: InvoiceKind, appendix: Appendix) -> None:
    """Let the PDFs of a kind of document end with an appendix, which begins on a page of its own."""
    _appendices[kind] = appendix


def pdf_of(invoice: Invoice, parts: StatementParts, look: Look) -> bytes:
    """Return a document, with its appendix, as PDF. One that is not issued has a watermark. Raises NoPango without Pango."""
    with override(language_of(invoice)):
        shown = {**_page(invoice, parts, look), "qr_code": _qr_code(invoice, parts), "appendix": _appendix(invoice, parts)}
        text = render_to_string("invoices/pdf.html", shown)
    return _printed(text)


def pdf_of_appendix(invoice: Invoice, parts: StatementParts, look: Look) -> bytes | None:
    """Return the appendix of a document alone as PDF, or None if its kind has none. Raises NoPango without Pango."""
    with override(language_of(invoice)):
        appendix = _appendix(invoice, parts)
        if not appendix:
            return None
        text = render_to_string("invoices/pdf_appendix.html", {**_page(invoice, parts, look), "appendix": appendix})
    return _printed(text)


def _page(invoice: Invoice, parts: StatementParts, look: Look) -> dict[str, Any]:
    return {
        **statement_context(invoice, parts),
        **look._asdict(),
        "locale": _locale(invoice),
        "draft": "" if invoice.document_number else _("Draft"),
    }


def _appendix(invoice: Invoice, parts: StatementParts) -> str:
    write = _appendices.get(InvoiceKind(invoice.kind))
    return write(invoice, parts.content, _locale(invoice)) if write is not None else ""


def _locale(invoice: Invoice) -> Locale:
    return Locale.parse(language_of(invoice), sep="-")


def _qr_code(invoice: Invoice, parts: StatementParts) -> str:
    """Return the code of a SEPA credit transfer (EPC069-12) as a data address. Empty if the document cannot be paid so."""
    seller: Mapping[str, str] = parts.content.parties.seller
    is_paid_so = invoice.currency == CODE_CURRENCY and invoice.status == InvoiceStatus.APPROVED and "iban" in seller
    if not is_paid_so or parts.due <= ZERO:
        return ""
    code = segno.helpers.make_epc_qr(
        name=(seller.get("legal_name") or seller["name"])[:70],
        iban=seller["iban"],
        amount=parts.due,
        text=invoice.document_number,
        bic=seller.get("bic"),
    )
    return code.svg_data_uri(scale=4, border=0)


def check_pango() -> None:
    """Raise NoPango if the library that PDFs need is not installed."""
    _engine()


_one_at_a_time = Lock()


class _Engine(NamedTuple):
    module: Any
    fonts: Any
    styles: Any
    fetcher: Any


@cache
def _engine() -> _Engine:
    """Return WeasyPrint with our fonts and styles, which are read once for each process."""
    try:
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher
    except OSError as error:
        missing = Detail("PDFs need the library Pango, which is not installed on the server.")
        hint = Detail("The command manage.py check --deploy says how to install it. Until then, use the print view.")
        raise NoPango(listed((missing, hint), " ")) from error
    fonts = FontConfiguration()
    styles = weasyprint.CSS(filename=STYLES, font_config=fonts, url_fetcher=URLFetcher(allowed_protocols=("file",)))
    return _Engine(weasyprint, fonts, styles, URLFetcher(allowed_protocols=("data",)))


def _printed(text: str) -> bytes:
    engine = _engine()
    # The fonts are shared, and Pango does not say that threads may share them.
    with _one_at_a_time:
        page = engine.module.HTML(string=text, url_fetcher=engine.fetcher)
        printed: bytes = page.write_pdf(
            stylesheets=[engine.styles],
            font_config=engine.fonts,
            pdf_variant="pdf/a-3b",
            pdf_tags=True,
            optimize_images=True,
        )
    return printed
