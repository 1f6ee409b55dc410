"""A client's own words for the e-mails that send documents: a subject and an opening, for each kind of document and language.

A text may name values of the document in braces: {number}. What else is in braces is refused when the text is set, so that no
mail fails by it.
"""

from collections.abc import Collection, Mapping
from string import Formatter
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import CHANGE_SETTINGS, check_may
from billing_site.common.languages import Language
from billing_site.errors import BillingError, Detail, ErrorCode, listed
from invoices.kinds import InvoiceKind, MailKind
from invoices.models import MailText

PLACEHOLDERS: Mapping[str, Promise] = {
    "number": _("Number of the document"),
    "date": _("Date of the document"),
    "due_date": _("Due date"),
    "total": _("Total"),
    "due": _("Amount to pay"),
    "currency": _("Currency"),
    "customer": _("Name of the customer"),
    "seller": _("Name of your company"),
    "original": _("Number of the corrected invoice"),
}
"""What a text may name, and what it means."""

_KINDS = {InvoiceKind.REBILL: MailKind.REBILL, InvoiceKind.CREDIT_MEMO: MailKind.CREDIT_MEMO}


class Words(NamedTuple):
    """The subject and the opening of an e-mail. An empty subject is the usual one."""

    subject: str = ""
    opening: str = ""


def kind_of(document_kind: str) -> MailKind:
    """Return the kind of texts that e-mails of a kind of document have."""
    return _KINDS.get(InvoiceKind(document_kind), MailKind.INVOICE)


MailTexts = Mapping[tuple[int, str, str], Words]
"""Texts by client, kind and language."""


def mail_texts(client_nos: Collection[int]) -> MailTexts:
    """Return the texts of these clients. One query."""
    rows = MailText.objects.filter(client__in=client_nos).values_list("client_id", "kind", "language", "subject", "opening")
    return {(client_no, kind, language): Words(subject, opening) for client_no, kind, language, subject, opening in rows}


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with the values that it names."""
    return text.format_map(values)


def check_words(words: Words) -> None:
    """Refuse (1016) a text with a single brace, or that names what is not one of PLACEHOLDERS, with the field's name."""
    for field, text in words._asdict().items():
        _check_text(field, text)
    if "\n" in words.subject or "\r" in words.subject:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("subject: it is one line"), field="subject")


def _check_text(field: str, text: str) -> None:
    try:
        named = [
            name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            for _text, name, spec, conversion in Formatter().parse(text)
            if name is not None
        ]
    except ValueError:
        detail = Detail("{field}: a brace has no partner. Write two of them for a brace: {two}", field=field, two="{{ }}")
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=field) from None
    for name in named:
        if name not in PLACEHOLDERS:
            known = listed(f"{{{one}}}" for one in PLACEHOLDERS)
            detail = Detail("{field}: {name} is not known. Known are {known}", field=field, name=f"{{{name}}}", known=known)
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field=field)


@transaction.atomic
def set_mail_text(*, client: Client, kind: MailKind, language: Language, words: Words, caller: Caller) -> MailText | None:
    """Set the words of the client's e-mails of a kind in a language, and return them. Two empty texts are the usual words: then
    None is returned.

    Refuses who may not change settings (90009) and what `check_words` refuses (1016). The history keeps who changed them.
    """
    check_may(caller, CHANGE_SETTINGS)
    check_words(words)
    chosen: dict[str, Any] = {"client": client, "kind": kind, "language": language}
    if not any(words):
        for row in MailText.objects.filter(**chosen):
            row.delete()
        return None
    row, _created = MailText.objects.update_or_create(**chosen, defaults=words._asdict())
    return row
