"""Documents as PDF: PDF/A-3b, tagged, with their fonts in the file, by WeasyPrint.

WeasyPrint needs the library Pango of the operating system, so it is loaded only when a document is printed.
"""

import base64
import io
import logging
import re
import unicodedata
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
from invoices.plan.payment_means import PaymentMeans, payment_means_of
from invoices.services.printing.accessible import state
from invoices.services.printing.printed import StatementParts, language_of, statement_context

PDF = "application/pdf"
TEMPLATE_VERSION = "7"
"""Changes with the look of the PDF. Files that are kept say by which version they were made."""

LETTERS = "LMN"
"""Beginnings of the Unicode categories of letters, marks and digits."""
MOST_NAMED = 10

STYLES = Path(__file__).with_name("pdf.css")


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
    """Return a document, with its appendix, as PDF. Raises NoPango without Pango, and CannotPrint if a font lacks a letter."""
    return _printed(page_of(invoice, parts, look))


def page_of(invoice: Invoice, parts: StatementParts, look: Look) -> str:
    """Return the page that a PDF is made of. That of a document that is not issued has a watermark."""
    with override(language_of(invoice)):
        shown = {**_page(invoice, parts, look), "qr_code": _qr_code(invoice, parts), "appendix": _appendix(invoice, parts)}
        return render_to_string("invoices/pdf.html", shown)


def pdf_of_appendix(invoice: Invoice, parts: StatementParts, look: Look) -> bytes | None:
    """Return the appendix of a document alone as PDF, or None if its kind has none. Raises NoPango without Pango."""
    with override(language_of(invoice)):
        appendix = _appendix(invoice, parts)
        if not appendix:
            return None
        text = render_to_string("invoices/pdf_appendix.html", {**_page(invoice, parts, look), "appendix": appendix})
    return _printed(text)


def _page(invoice: Invoice, parts: StatementParts, look: Look) -> dict[str, Any]:
    locale = _locale(invoice)
    return {
        **statement_context(invoice, parts, locale),
        **look._asdict(),
        "locale": locale,
        "draft": "" if invoice.document_number else _("Draft"),
        "shows_due": parts.due != invoice.total_amount,
    }


def _appendix(invoice: Invoice, parts: StatementParts) -> str:
    write = _appendices.get(InvoiceKind(invoice.kind))
    return write(invoice, parts.content, _locale(invoice)) if write is not None else ""


def _locale(invoice: Invoice) -> Locale:
    return Locale.parse(language_of(invoice), sep="-")


def _qr_code(invoice: Invoice, parts: StatementParts) -> str:
    """Return the code of a SEPA credit transfer (EPC069-12) as a data address. Empty if the document cannot be paid so."""
    seller: Mapping[str, str] = parts.content.parties.seller
    is_transfer = payment_means_of(parts.content.parties, invoice.currency) == PaymentMeans.SEPA_TRANSFER
    if not is_transfer or invoice.status != InvoiceStatus.APPROVED or parts.due <= ZERO:
        return ""
    code = segno.helpers.make_epc_qr(
        name=(seller.get("payee_name") or seller.get("legal_name") or seller["name"])[:70],
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


class _MissingGlyphs(logging.Filter):
    """Collects the characters that no font has. WeasyPrint prints a box for each, and only logs it.

    Other warnings of the library are dropped: it warns at each document that a faster library for fonts is not there.
    """

    MESSAGE = ".notdef glyph"

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.getLogger("weasyprint")
        self.characters: dict[str, None] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg.startswith(self.MESSAGE) and isinstance(record.args, tuple):
            self.characters[str(record.args[0])] = None
        return record.levelno >= logging.ERROR

    def __enter__(self) -> "_MissingGlyphs":
        self.logger.setLevel(logging.WARNING)
        self.logger.addFilter(self)
        return self

    def __exit__(self, *_error: object) -> None:
        self.logger.removeFilter(self)
        self.logger.setLevel(logging.ERROR)

    def check(self) -> None:
        """Refuse letters and digits without a glyph. A symbol without one, such as an emoji, is printed as a box."""
        letters = [one for one in self.characters if unicodedata.category(one)[0] in LETTERS]
        if letters:
            named = " ".join(letters[:MOST_NAMED])
            missing = Detail("The fonts have no glyphs for {letters}.", letters=named)
            hint = Detail("Install one that has them, such as the package fonts-noto-core.")
            raise CannotPrint(listed((missing, hint), " "))


BOX = "\u25a1"
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that no font has. With one in a font, readers cannot copy, search or read aloud any text of the PDF."""


def _printed(text: str) -> bytes:
    _engine()
    text = CONTROLS.sub("", text)
    # The fonts are shared, and Pango does not say that threads may share them.
    with _one_at_a_time:
        with _MissingGlyphs() as missing:
            printed = bare_pdf(text)
        missing.check()
        if not missing.characters:
            return printed
        # One symbol without a glyph would leave all text of its font without letters that can be copied or read aloud.
        with _MissingGlyphs():
            return bare_pdf(text.translate({ord(one): _stand_in(one) for one in missing.characters}))


def _stand_in(character: str) -> str:
    """Return what is printed for a symbol without a glyph: a box; for what is no character, nothing."""
    return "" if unicodedata.category(character).startswith("C") else BOX


def bare_pdf(text: str) -> bytes:
    """Return a page as PDF, by the library alone."""
    engine = _engine()
    page = engine.module.HTML(string=text, url_fetcher=engine.fetcher)
    printed: bytes = page.write_pdf(
        stylesheets=[engine.styles],
        font_config=engine.fonts,
        pdf_variant="pdf/a-3b",
        pdf_tags=True,
        optimize_images=True,
        finisher=state,
    )
    return printed
