"""The e-mail of a statement: the issued document, its open amount and, for a rebill, the invoice that it replaces. It is in the
language of the customer, whoever sends it."""

from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from invoices.models import Invoice
from invoices.services.printing.printed import StatementParts, statement_context


def statement_mail(invoice: Invoice, parts: StatementParts, to: str, connection: Any) -> EmailMultiAlternatives:
    """Return the e-mail of a statement to one address, as HTML and as plain text. It is not sent."""
    shown = statement_context(invoice, parts)
    # Both templates switch to the language of the document themselves.
    message = EmailMultiAlternatives(
        subject=" ".join(f"{shown['seller'].get('name', '')}: {shown['title']}".split()),
        body=render_to_string("invoices/statement.txt", shown),
        to=[to],
        connection=connection,
    )
    message.attach_alternative(render_to_string("invoices/statement.html", shown), "text/html")
    return message
