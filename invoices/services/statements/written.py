"""The e-mail of a document as it is written: subject, words of the client, the document as HTML and as plain text."""

from collections.abc import Mapping
from email.utils import make_msgid
from typing import Any

from django.core.mail import DNS_NAME, EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import CHANGE_SETTINGS, check_may
from billing_site.common.languages import Language
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import InvoiceKind, InvoiceStatus, MailKind
from invoices.models import Invoice
from invoices.services.printing.printed import StatementParts, statement_context, statement_parts
from invoices.services.statements.mail_texts import MailTexts, Words, check_words, filled, kind_of
from invoices.services.statements.mails import Mails, check_deliverable, failure_of


def statement_mail(invoice: Invoice, parts: StatementParts, texts: MailTexts, to: str) -> EmailMultiAlternatives:
    """Return the e-mail of a statement to one address, as HTML and as plain text. It is not sent. Its words are those of the
    client for this kind of document in its language, else the usual ones."""
    shown = statement_context(invoice, parts)
    words = texts.get((invoice.client_id, kind_of(invoice.kind), shown["language"]), Words())
    return _mail(invoice, shown, words, to)


def _mail(invoice: Invoice, shown: Mapping[str, Any], words: Words, to: str) -> EmailMultiAlternatives:
    values = _values(invoice, shown)
    subject = filled(words.subject, values) or f"{shown['seller'].get('name', '')}: {shown['title']}"
    context = {**shown, "opening": filled(words.opening, values)}
    # Both templates switch to the language of the document themselves.
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=render_to_string("invoices/statement.txt", context),
        to=[to],
        reply_to=[invoice.client.reply_to] if invoice.client.reply_to else [],
        headers={"Message-ID": make_msgid(domain=str(DNS_NAME))},
    )
    message.attach_alternative(render_to_string("invoices/statement.html", context), "text/html")
    return message


def _values(invoice: Invoice, shown: Mapping[str, Any]) -> dict[str, str]:
    """Return what the words may name, as texts in the language of the document."""
    bill_to = shown["bill_to"]
    return {
        "number": invoice.document_number or str(invoice.pk),
        "date": shown["date"],
        "due_date": shown["due_date"],
        "total": shown["total"],
        "due": shown["due"],
        "currency": shown["currency"],
        "customer": bill_to.get("company") or bill_to.get("name") or invoice.account.client_acct_id,
        "seller": shown["seller"].get("name", ""),
        "original": invoice.corrects.document_number if invoice.corrects is not None else "",
    }


def preview_mail(client: Client, kind: MailKind, language: Language, words: Words, to: str = "") -> EmailMultiAlternatives:
    """Return the e-mail of the client's newest issued document of a kind, in a language and with these words. It is not sent.

    Refuses words that `check_words` refuses (1016), and a client without such a document (3004).
    """
    check_words(words)
    cycles = [one for one in InvoiceKind if kind_of(one) == kind]
    issued = Invoice.objects.filter(client=client, kind__in=cycles, status=InvoiceStatus.APPROVED)
    invoice = issued.select_related("client", "account", "corrects").order_by("-pk").first()
    if invoice is None:
        detail = Detail("there is no issued document of this kind yet to preview an e-mail with")
        raise BillingError(ErrorCode.INVOICE_NOT_FOUND, detail)
    invoice.account.language = language  # Of this copy only: nothing is saved.
    return _mail(invoice, statement_context(invoice, statement_parts([invoice])[invoice.pk]), words, to)


def send_test_mail(
    *, client: Client, kind: MailKind, language: Language, words: Words, to: str, caller: Caller
) -> EmailMultiAlternatives:
    """Send the previewed e-mail to an address, and return it. Nothing is recorded: it is no statement.

    Refuses who may not change settings (90009), what `preview_mail` refuses, and an e-mail that cannot be sent (90043, 90044).
    """
    check_may(caller, CHANGE_SETTINGS)
    check_deliverable(to)
    message = preview_mail(client, kind, language, words, to)
    mails = Mails()
    try:
        mails.send(message)
    except Exception as error:
        failure = failure_of(error)
        raise BillingError(failure.code, failure.message, instead=True) from error
    finally:
        mails.close()
    return message
