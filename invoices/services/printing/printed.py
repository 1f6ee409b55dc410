"""What is printed of a document, on paper, in a PDF and in an e-mail: its heading, parties, lines and amounts. All texts are in
the language of the customer, whoever asks for them."""

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing_site.common.currencies import currency_of
from invoices.calculation import ZERO, rounded
from invoices.document import Document, Line
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan.tax_answers import TaxAnswer, exemption_text
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers
from invoices.services.money.ledger.open_items import charges_of, paid_at_issue


class StatementParts(NamedTuple):
    """What a statement shows of a document beside its row."""

    content: Document
    due: Decimal
    rebill: Invoice | None
    tax: TaxAnswer


def statement_parts(invoices: Collection[Invoice]) -> dict[int, StatementParts]:
    """Return the parts of the statements of documents, by document number. The number of queries is constant."""
    numbers = [invoice.pk for invoice in invoices]
    charges, answers = charges_of(numbers), stored_tax_answers(numbers)
    issued_rebills = Invoice.objects.filter(corrects__in=numbers, kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    rebills = {rebill.corrects_id: rebill for rebill in issued_rebills}
    return {
        number: StatementParts(
            content,
            charges[number].due if number in charges else ZERO,
            rebills.get(number),
            answers.get(number, TaxAnswer()),
        )
        for number, content in stored_contents(numbers).items()
    }


def parts_at_issue(invoice: Invoice) -> StatementParts:
    """Return the parts of a document as it was issued: without what replaced it later, and with what was due then."""
    parts = statement_parts([invoice])[invoice.pk]
    return parts._replace(due=invoice.total_amount - paid_at_issue(invoice), rebill=None)


def language_of(invoice: Invoice) -> str:
    """Return the language of a document: its account's, else its client's."""
    return invoice.account.language or invoice.client.language


class Heading(NamedTuple):
    """The title and note at the top of a printed document."""

    title: str
    note: str
    is_payable: bool
    """True if the due date and the open amount are printed."""


def heading_of(invoice: Invoice, rebill: Invoice | None) -> Heading:
    """Return the heading of a printed document. `rebill` is the issued rebill that replaces it."""
    number = invoice.document_number or str(invoice.pk)
    original = invoice.corrects
    if invoice.status == InvoiceStatus.PENDING:
        return Heading(_("Pro forma %(number)s") % {"number": number}, "", False)
    if invoice.kind == InvoiceKind.CREDIT_MEMO and original is not None:
        title = _("Credit memo %(number)s for invoice %(original)s of %(date)s") % {
            "number": number,
            "original": original.document_number,
            "date": _day(original.invoice_date),
        }
        return Heading(title, invoice.comments, False)
    name = _("Corrected invoice") if invoice.kind == InvoiceKind.REBILL else _("Invoice")
    title = f"{name} {number}"
    if invoice.status == InvoiceStatus.VOIDED:
        return Heading(title, _("Voided."), False)
    if rebill is not None:
        replaced = _("Replaced by %(number)s of %(date)s.")
        note = replaced % {"number": rebill.document_number, "date": _day(rebill.invoice_date)}
        return Heading(title, note, False)
    return Heading(title, "", invoice.status == InvoiceStatus.APPROVED)


def statement_context(invoice: Invoice, parts: StatementParts) -> dict[str, Any]:
    """Return the context of the statement templates. Amounts are texts with the decimals of their currency, and all texts are
    in the language of the document, `language`."""
    language = language_of(invoice)
    with override(language):
        return {"language": language, **_context(invoice, parts)}


def _context(invoice: Invoice, parts: StatementParts) -> dict[str, Any]:
    content, currency = parts.content, invoice.currency
    original = invoice.corrects if invoice.kind == InvoiceKind.REBILL else None
    heading = heading_of(invoice, parts.rebill)

    def amount(value: Decimal) -> str:
        return number_format(rounded(value, currency_of(currency)))

    return {
        "title": heading.title,
        "note": heading.note,
        "is_payable": heading.is_payable,
        "invoice": invoice,
        "currency": currency.upper(),
        "seller": content.parties.seller,
        "bill_to": content.parties.bill_to,
        "lines": [_line(line) for line in content.lines],
        "total": amount(invoice.total_amount),
        "exemption": exemption_text(parts.tax.exemption, parts.tax.reason),
        "due": amount(parts.due),
        "is_due": parts.due > ZERO,
        "original": original,
        "original_total": amount(original.total_amount) if original is not None else "",
        "difference": amount(invoice.total_amount - original.total_amount) if original is not None else "",
    }


def _line(line: Line) -> Mapping[str, Any]:
    return {
        "line": line,
        "units": "" if line.units is None else number_format(f"{line.units.normalize():f}"),
        "rate": "" if line.rate_per_unit is None else number_format(f"{line.rate_per_unit.normalize():f}"),
        "comments": line.comments,
    }


def _day(value: date | None) -> str:
    # The format is a text: it has a translation.
    return date_format(value, _("Y-m-d")) if value else ""
