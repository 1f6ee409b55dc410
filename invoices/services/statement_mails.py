"""A statement as an e-mail: the document as it was issued, what is due on it, and of a rebill what it replaces."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from invoices.calculation import ZERO, rounded
from invoices.fingerprints import Content, DocumentLine
from invoices.kinds import InvoiceKind, LineType
from invoices.models import Invoice
from invoices.services.ledger.open_items import charges_of
from invoices.services.rows import stored_contents


class StatementParts(NamedTuple):
    """What is read of a document to state it."""

    content: Content
    due: Decimal


def statement_parts(invoices: Collection[Invoice]) -> dict[int, StatementParts]:
    """What is read for the statements of documents: a constant number of queries."""
    numbers = [invoice.pk for invoice in invoices]
    charges = charges_of(numbers)
    return {
        number: StatementParts(content, charges[number].due if number in charges else ZERO)
        for number, content in stored_contents(numbers).items()
    }


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
    comments = content.correction.line_comments if content.correction else ()
    original = invoice.corrects if invoice.kind == InvoiceKind.REBILL else None
    kind = "Corrected invoice" if original is not None else invoice.get_kind_display()
    title = f"{kind if original is not None else 'Invoice'} {invoice.document_number}"

    def amount(value: Decimal) -> str:
        return f"{rounded(value, currency):f}"

    return {
        "title": title,
        "invoice": invoice,
        "currency": currency.upper(),
        "seller": content.parties[2],
        "bill_to": content.parties[3],
        "lines": [
            _line(line, comments[place] if comments else "", amount) for place, line in enumerate(content.document_lines)
        ],
        "net": amount(invoice.net_amount),
        "tax": amount(invoice.tax_amount),
        "total": amount(invoice.total_amount),
        "due": amount(parts.due),
        "is_due": parts.due > ZERO,
        "original": original,
        "original_total": amount(original.total_amount) if original is not None else "",
        "difference": amount(invoice.total_amount - original.total_amount) if original is not None else "",
    }


def _line(line: DocumentLine, comments: str, amount: Any) -> Mapping[str, Any]:
    return {
        "line": line,
        "units": "" if line.units is None else f"{line.units.normalize():f}",
        "rate": "" if line.rate_per_unit is None else f"{line.rate_per_unit.normalize():f}",
        "amount": amount(line.amount),
        "is_tax": line.line_type == LineType.TAX,
        "comments": comments,
    }
