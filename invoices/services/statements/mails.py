"""A statement as an e-mail: the document as it was issued, what is due on it, and of a rebill what it replaces."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from invoices.calculation import ZERO, rounded
from invoices.document import Document, Line
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan.tax_answers import exemption_text
from invoices.services.documents.rows import stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers
from invoices.services.money.ledger.open_items import charges_of


class StatementParts(NamedTuple):
    """What is read of a document to state it."""

    content: Document
    due: Decimal
    rebill: Invoice | None
    exemption: str = ""


def statement_parts(invoices: Collection[Invoice]) -> dict[int, StatementParts]:
    """What is read for the statements of documents: a constant number of queries."""
    numbers = [invoice.pk for invoice in invoices]
    charges, answers = charges_of(numbers), stored_tax_answers(numbers)
    exempt = {number: exemption_text(answer.exemption, answer.reason) for number, answer in answers.items()}
    issued_rebills = Invoice.objects.filter(corrects__in=numbers, kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    rebills = {rebill.corrects_id: rebill for rebill in issued_rebills}
    return {
        number: StatementParts(
            content, charges[number].due if number in charges else ZERO, rebills.get(number), exempt.get(number, "")
        )
        for number, content in stored_contents(numbers).items()
    }


class Heading(NamedTuple):
    """What the paper of a document calls it, and what else it says of the document as a whole."""

    title: str
    note: str
    is_payable: bool
    """Whether it says when it is due and what is still due."""


def heading_of(invoice: Invoice, rebill: Invoice | None) -> Heading:
    """Return the heading of a document's paper. `rebill` is the issued one that replaces it."""
    number = invoice.document_number or str(invoice.pk)
    original = invoice.corrects
    if invoice.kind == InvoiceKind.CREDIT_MEMO and original is not None:
        title = f"Credit memo {number} to invoice {original.document_number} of {original.invoice_date}"
        return Heading(title, invoice.comments, False)
    name = "Corrected invoice" if invoice.kind == InvoiceKind.REBILL else "Invoice"
    title = f"{name} {number}"
    if invoice.status == InvoiceStatus.VOIDED:
        return Heading(title, "Voided.", False)
    if rebill is not None:
        return Heading(title, f"Replaced by {rebill.document_number} of {rebill.invoice_date}.", False)
    return Heading(title, "", invoice.status == InvoiceStatus.APPROVED)


def statement_mail(invoice: Invoice, parts: StatementParts, to: str, connection: Any) -> EmailMultiAlternatives:
    """The e-mail, as HTML and as plain text."""
    shown = statement_context(invoice, parts)
    message = EmailMultiAlternatives(
        subject=" ".join(f"{shown['seller'].get('name', '')}: {shown['title']}".split()),
        body=render_to_string("invoices/statement.txt", shown),
        to=[to],
        connection=connection,
    )
    message.attach_alternative(render_to_string("invoices/statement.html", shown), "text/html")
    return message


def statement_context(invoice: Invoice, parts: StatementParts) -> dict[str, Any]:
    """What the templates show, amounts in the precision of the currency."""
    content, currency = parts.content, invoice.currency
    original = invoice.corrects if invoice.kind == InvoiceKind.REBILL else None
    heading = heading_of(invoice, parts.rebill)

    def amount(value: Decimal) -> str:
        return f"{rounded(value, currency):f}"

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
        "exemption": parts.exemption,
        "due": amount(parts.due),
        "is_due": parts.due > ZERO,
        "original": original,
        "original_total": amount(original.total_amount) if original is not None else "",
        "difference": amount(invoice.total_amount - original.total_amount) if original is not None else "",
    }


def _line(line: Line) -> Mapping[str, Any]:
    return {
        "line": line,
        "units": "" if line.units is None else f"{line.units.normalize():f}",
        "rate": "" if line.rate_per_unit is None else f"{line.rate_per_unit.normalize():f}",
        "comments": line.comments,
    }
