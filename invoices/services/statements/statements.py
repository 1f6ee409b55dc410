"""Send issued documents by e-mail to a contact of their account, after the commit that issued them.

The transaction that issues a document stores its statement as requested, so a statement is not lost if the process dies. A
failure is stored, and the statement can be sent again. A statement is sent twice only if a process dies while it sends it.

If the mail server does not answer, it is not tried again in the same call. The remaining statements fail too, and
`send_unsent` tries them later. Where the client wants the PDF attached, a statement is not sent without it: it fails if the PDF
cannot be made, and `send_unsent` sends it when the PDF is there.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPServerDisconnected
from typing import Any, NamedTuple, NoReturn

from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.kinds import ContactRole
from accounts.models import Client, Contact
from accounts.receipts import StillAtWork
from accounts.rights import SEND_STATEMENTS, check_may
from accounts.trail import Act, record_acts
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import insert_objects
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.kinds import FileState, InvoiceStatus, StatementStatus
from invoices.models import DocumentFile, Invoice, Statement
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.printing.files import file_of_document
from invoices.services.printing.printed import StatementParts, statement_context, statement_parts

logger = logging.getLogger(__name__)

ROLES = (ContactRole.STATEMENT, ContactRole.BILLING, ContactRole.ACCOUNT, ContactRole.OTHER)
"""Statements go to the account's first contact with an e-mail address, by role in this order."""

UNDER_WAY = timedelta(hours=1)
"""After this time, a process that began to send a statement has sent it or has died."""

AT_ONCE = 100

NO_ANSWER = f"{ErrorCode.STATEMENT_NOT_SENT.message}: the mail server does not answer"
"""The message of a statement that failed because the mail server as a whole did not answer."""


class StatementRequest(NamedTuple):
    """A document whose statement must be sent, to this contact, or to the account's contact for statements."""

    invoice_no: int
    contact: int | None = None


class _Facts(NamedTuple):
    """What is read to send statements. `addresses` has one e-mail address per account."""

    parts: Mapping[int, StatementParts]
    addresses: Mapping[int, str]


def request_statements(requested: Sequence[StatementRequest], posted_by: PostedBy) -> None:
    """Store that statements must be sent. Must be called in the transaction that issues their documents."""
    insert_objects([_requested(one, posted_by.identity, posted_by.at) for one in requested])


def _requested(requested: StatementRequest, identity: str, at: datetime) -> Statement:
    return Statement(
        invoice_id=requested.invoice_no,
        contact_id=requested.contact,
        status=StatementStatus.REQUESTED,
        requested_by=identity,
        requested_at=at,
    )


def send_requested(invoice_nos: Collection[int]) -> dict[int, Statement]:
    """Send the requested statements of these documents, after the commit. Returns each that was tried, by document. Never
    raises."""
    try:
        return {statement.invoice_id: statement for statement in _send(_requested_of(invoice_nos))}
    except Exception:
        logger.exception("sending statements failed")
        return {}


@compiled_read
def _requested_of(invoice_nos: Collection[int]) -> QuerySet[Statement]:
    return _with_documents(Statement.objects.filter(invoice__in=invoice_nos, status=StatementStatus.REQUESTED))


def send_unsent(*, client: Client, progress: Callable[[Statement], object] = lambda statement: None) -> list[Statement]:
    """Send all statements of the client that are not sent yet, and return those that were tried, in order.

    These are requested ones, those whose process has died, and those that failed because the mail server did not answer or
    because a PDF was missing that is there by now, unless a later statement of the same document was begun.
    """
    unsent = Statement.objects.filter(
        Q(status=StatementStatus.REQUESTED) | _process_died() | _can_be_tried_again(), invoice__client=client
    ).order_by("pk")
    sent: list[Statement] = []
    last = 0
    mails = Mails()
    while numbers := list(unsent.filter(pk__gt=last).values_list("pk", flat=True)[:AT_ONCE]):
        for statement in _send(_read(unsent.filter(pk__in=numbers)), mails=mails):
            progress(statement)
            sent.append(statement)
        last = numbers[-1]
    mails.close()
    return sent


def resend_statement(
    *, client: Client, invoice_no: int, caller: Caller, contact_no: int | None = None, mails: "Mails | None" = None
) -> Statement:
    """Send the statement of an issued document once more, to the contact with this number, or to the previous recipient.

    `mails` is the connection of a caller that sends several statements, and closes it. Refuses a caller who may not send
    statements (90009), an unknown document (3004), one that is not issued (90017), and an unknown contact (1016).
    """
    check_may(caller, SEND_STATEMENTS)
    invoice = Invoice.objects.filter(client=client, pk=invoice_no).first()
    if invoice is None:
        raise BillingError(
            ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=invoice_no), field="invoice_no"
        )
    if invoice.status != InvoiceStatus.APPROVED:
        raise BillingError(
            ErrorCode.NOT_ISSUED,
            Detail("invoice {invoice_no} is {status}", invoice_no=invoice_no, status=word(invoice.status)),
            field="invoice_no",
        )
    contact = invoice.statement_contact_id if contact_no is None else _contact(invoice, contact_no)
    begun = _requested(StatementRequest(invoice_no, contact), caller.identity, timezone.now())
    # Stored as being sent from the start, so that another process does not send it too.
    begun.status, begun.settled_at = StatementStatus.SENDING, begun.requested_at
    with transaction.atomic():
        begun.save()
        receipts.use(client, caller.receipt, invoice_no=invoice_no, row_no=begun.pk)
    (statement,) = _send(_read(Statement.objects.filter(pk=begun.pk)), begun=True, mails=mails)
    return _recorded(statement, client, caller)


def finish_sending(*, client: Client, statement_no: int, caller: Caller) -> None:
    """Send a statement once more if the process that was sending it has died.

    Refuses (3108) while that process may still be sending it.
    """
    if not Statement.objects.filter(invoice__client=client, pk=statement_no, status=StatementStatus.SENDING).exists():
        return
    sent = _send(_read(Statement.objects.filter(_process_died(), pk=statement_no)))
    if not sent:
        raise StillAtWork(ErrorCode.IN_PROGRESS, "The statement is being sent.", instead=True)
    _recorded(sent[0], client, caller)


def _recorded(statement: Statement, client: Client, caller: Caller) -> Statement:
    account_no, after = statement.invoice.account_id, {"email": statement.email, "message": statement.message}
    name, code = f"statement.{statement.status}", statement.error_code
    record_acts(client, caller, [Act(name, account_no, statement.invoice_id, after=after, error_code=code)])
    return statement


def _process_died() -> Q:
    """Select statements whose process died while sending."""
    return Q(status=StatementStatus.SENDING, settled_at__lt=timezone.now() - UNDER_WAY)


def _can_be_tried_again() -> Q:
    """Select failed statements that could be sent now, and that no later one of the document follows: the mail server did not
    answer, or a PDF was missing that is made by now."""
    later = Statement.objects.filter(invoice=OuterRef("invoice"), pk__gt=OuterRef("pk"))
    made = DocumentFile.objects.filter(invoice=OuterRef("invoice"), state=FileState.MADE)
    has_its_file = Q(Exists(made), error_code=ErrorCode.FILE_NOT_MADE.number)
    return Q(Q(message=NO_ANSWER) | has_its_file, ~Exists(later), status=StatementStatus.FAILED)


def _contact(invoice: Invoice, contact_no: int) -> int:
    contact = Contact.objects.filter(account=invoice.account_id, contact_no=contact_no).values_list("pk", flat=True).first()
    if contact is None:
        detail = Detail("statement_address_seq: the account has no contact {contact_no}", contact_no=contact_no)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="statement_address_seq")
    return contact


def _read(unsent: QuerySet[Statement]) -> list[Statement]:
    return list(_with_documents(unsent))


def _with_documents(statements: QuerySet[Statement]) -> QuerySet[Statement]:
    return statements.select_related("contact", "invoice__corrects", "invoice__client", "invoice__account").order_by("pk")


def _send(chosen: Sequence[Statement], *, begun: bool = False, mails: "Mails | None" = None) -> list[Statement]:
    """Send each statement that no other process has claimed, and return those that were tried.

    Each is claimed just before it is sent. So if this process dies, the remaining ones are still requested. `mails` belongs to
    the caller, who closes it. `begun` says that they are claimed already.
    """
    if not chosen:
        return []
    facts = _facts_of_all(chosen)
    own, mails = mails is None, mails or Mails()
    sent = []
    for statement in chosen:
        if begun or _claim(statement):
            _send_one(statement, facts, mails)
            sent.append(statement)
    if own:
        mails.close()
    return sent


def _facts_of_all(chosen: Sequence[Statement]) -> _Facts | None:
    """Return None if a document cannot be read. Each is then read by itself, so that the others are still sent."""
    try:
        return _facts(chosen)
    except Exception:
        logger.exception("statements could not be read together")
        return None


def _facts(chosen: Sequence[Statement]) -> _Facts:
    invoices = {statement.invoice_id: statement.invoice for statement in chosen}
    addresses = _addresses({invoice.account_id for invoice in invoices.values()})
    return _Facts(statement_parts(list(invoices.values())), addresses)


def _send_one(statement: Statement, facts: _Facts | None, mails: "Mails") -> None:
    """Send a claimed statement and store the result. Of an error only the type is kept: its text may contain secrets."""
    code, message = ErrorCode.OK, ""
    try:
        facts = facts or _facts([statement])
        statement.email = _address(statement, facts.addresses)
        if statement.email:
            invoice = statement.invoice
            message_to_send = statement_mail(invoice, facts.parts[invoice.pk], statement.email, None)
            mails.send(_with_pdf(message_to_send, invoice))
        else:
            code, message = ErrorCode.NO_STATEMENT_ADDRESS, ErrorCode.NO_STATEMENT_ADDRESS.message
    except BillingError as refusal:
        if refusal.code is ErrorCode.FILE_BEING_MADE:
            _put_back(statement)
            return
        logger.warning("statement of invoice %s was not sent: its PDF cannot be made", statement.invoice_id)
        code, message = refusal.code, refusal.message
    except ServerDoesNotAnswer:
        logger.warning("statement of invoice %s was not sent: the mail server does not answer", statement.invoice_id)
        code, message = ErrorCode.STATEMENT_NOT_SENT, NO_ANSWER
    except Exception as error:
        logger.exception("statement of invoice %s was not sent", statement.invoice_id)
        code, message = ErrorCode.STATEMENT_NOT_SENT, f"{ErrorCode.STATEMENT_NOT_SENT.message}: {type(error).__name__}"
    statement.status = StatementStatus.SENT if code is ErrorCode.OK else StatementStatus.FAILED
    statement.error_code, statement.message, statement.settled_at = code.number, message[:300], timezone.now()
    statement.save(update_fields=["email", "status", "error_code", "message", "settled_at"])


def _put_back(statement: Statement) -> None:
    """Leave a claimed statement to `send_unsent`, because another process is just making its PDF."""
    statement.status, statement.settled_at = StatementStatus.REQUESTED, None
    statement.save(update_fields=["status", "settled_at"])


def _with_pdf(message: EmailMessage, invoice: Invoice) -> EmailMessage:
    """Return the e-mail with the document's PDF, if the client wants it. Refuses with FILE_BEING_MADE and FILE_NOT_MADE."""
    if invoice.client.attach_pdf:
        file = file_of_document(invoice.client, invoice.pk)
        message.attach(file.name, file.content, file.media_type)
    return message


class ServerDoesNotAnswer(Exception):
    """The mail server does not answer or cannot be reached. No further mail is tried."""


class Mails:
    """One connection to the mail server for all mails of a batch. It is opened again if the server closed it.

    If the server does not answer once, no further mail is tried.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._is_silent = False

    def send(self, message: EmailMessage) -> None:
        if self._is_silent:
            raise ServerDoesNotAnswer
        kept = self._connection is not None
        try:
            self._send(message)
        except SMTPServerDisconnected:
            # Mail servers close a connection after many mails, or after a pause.
            if not kept:
                raise
            self._send(message)

    def _send(self, message: EmailMessage) -> None:
        try:
            if self._connection is None:
                self._open()
            message.connection = self._connection
            message.send()
        except Exception as error:
            self.close()
            if _has_timed_out(error):
                self._give_up(error)
            raise

    def _open(self) -> None:
        self._connection = mail.get_connection()
        try:
            self._connection.open()
        except (OSError, SMTPException) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> NoReturn:
        self._is_silent = True
        raise ServerDoesNotAnswer from error

    def close(self) -> None:
        """An error here is ignored: what was sent is sent."""
        connection, self._connection = self._connection, None
        with suppress(Exception):
            if connection is not None:
                connection.close()


def _has_timed_out(error: BaseException) -> bool:
    """smtplib reports a timeout during a mail as a closed connection."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _claim(statement: Statement) -> bool:
    """Mark a statement as being sent, unless another process has done so since it was read."""
    rows = Statement.objects.filter(pk=statement.pk, status=statement.status, settled_at=statement.settled_at)
    return bool(rows.update(status=StatementStatus.SENDING, settled_at=timezone.now()))


def _addresses(account_nos: Collection[int]) -> dict[int, str]:
    """Return the e-mail address for statements of each account."""
    rows = Contact.objects.filter(account__in=account_nos).exclude(email="").order_by("-contact_no")
    found: dict[int, tuple[int, str]] = {}
    for account_no, role, email in rows.values_list("account_id", "role", "email"):
        place = ROLES.index(ContactRole(role))
        if account_no not in found or place <= found[account_no][0]:
            found[account_no] = (place, email)
    return {account_no: email for account_no, (_, email) in found.items()}


def _address(statement: Statement, addresses: Mapping[int, str]) -> str:
    if statement.contact is not None:
        return statement.contact.email
    return addresses.get(statement.invoice.account_id, "")


def statement_mail(invoice: Invoice, parts: StatementParts, to: str, connection: Any) -> EmailMultiAlternatives:
    """Return the e-mail of a statement to one address, as HTML and as plain text. It is not sent."""
    shown = statement_context(invoice, parts)
    # Both templates switch to the language of the document themselves.
    message = EmailMultiAlternatives(
        subject=" ".join(f"{shown['seller'].get('name', '')}: {shown['title']}".split()),
        body=render_to_string("invoices/statement.txt", shown),
        to=[to],
        reply_to=[invoice.client.reply_to] if invoice.client.reply_to else [],
        connection=connection,
    )
    message.attach_alternative(render_to_string("invoices/statement.html", shown), "text/html")
    return message
