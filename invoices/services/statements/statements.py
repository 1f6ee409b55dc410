"""Statements: an issued document is sent by e-mail to a contact of its account, after the commit that issued it.

A mail server that does not answer is waited for once, whatever the number of statements: the others are not tried. All of
these are failed, and `send_waiting` tries them again.

It is written down in the transaction that issues the document, so that what a process did not come to send is found again. What
fails is on record and can be sent again. At worst a statement is sent twice, where a process dies as it sends it: never not at
all.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPServerDisconnected
from typing import Any, NamedTuple, NoReturn

from django.core import mail
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.kinds import ContactRole
from accounts.models import Client, Contact
from accounts.receipts import StillAtWork
from accounts.rights import SEND_STATEMENTS, check_may
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import InvoiceStatus, StatementStatus
from invoices.models import Invoice, Statement
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.statements.mails import StatementParts, statement_mail, statement_parts

logger = logging.getLogger(__name__)

ROLES = (ContactRole.STATEMENT, ContactRole.BILLING, ContactRole.ACCOUNT, ContactRole.OTHER)
"""Who gets statements: the account's first contact with an e-mail address, in this order."""

UNDER_WAY = timedelta(hours=1)
"""A process that has begun to send a statement has sent it by then, or never will."""

AT_ONCE = 100

NO_ANSWER = f"{ErrorCode.STATEMENT_NOT_SENT.message}: the mail server does not answer"
"""The message of a statement that failed with the mail server as a whole, not by itself."""


class StatementWanted(NamedTuple):
    """A document whose statement is to be sent, to a contact by its key or to whom the account's contacts say."""

    invoice_no: int
    contact: int | None = None


class _Facts(NamedTuple):
    """What is read of documents to send their statements; `addresses` are those of their accounts."""

    parts: Mapping[int, StatementParts]
    addresses: Mapping[int, str]


def request_statements(wanted: Sequence[StatementWanted], posted_by: PostedBy) -> None:
    """Writes down that statements are to be sent, in the transaction that issues their documents."""
    Statement.objects.bulk_create([_requested(one, posted_by.identity, posted_by.at) for one in wanted])


def _requested(wanted: StatementWanted, identity: str, at: datetime) -> Statement:
    return Statement(
        invoice_id=wanted.invoice_no,
        contact_id=wanted.contact,
        status=StatementStatus.REQUESTED,
        requested_by=identity,
        requested_at=at,
    )


def send_requested(invoice_nos: Collection[int]) -> dict[int, Statement]:
    """After the commit: sends the statements of documents that wait to be sent, and gives what came of each. Never raises."""
    waiting = Statement.objects.filter(invoice__in=invoice_nos, status=StatementStatus.REQUESTED)
    try:
        return {statement.invoice_id: statement for statement in _send(_read(waiting))}
    except Exception:
        logger.exception("sending statements failed")
        return {}


def send_waiting(*, client: Client, progress: Callable[[Statement], object] = lambda statement: None) -> list[Statement]:
    """Sends what was requested and never begun, what was begun by a process that has died, and what failed because the mail
    server did not answer, unless another statement of the document was begun since."""
    waiting = Statement.objects.filter(
        Q(status=StatementStatus.REQUESTED) | _died() | _not_answered(), invoice__client=client
    ).order_by("pk")
    sent: list[Statement] = []
    last = 0
    mails = Mails()
    while numbers := list(waiting.filter(pk__gt=last).values_list("pk", flat=True)[:AT_ONCE]):
        for statement in _send(_read(waiting.filter(pk__in=numbers)), mails=mails):
            progress(statement)
            sent.append(statement)
        last = numbers[-1]
    mails.close()
    return sent


def resend_statement(
    *, client: Client, invoice_no: int, caller: Caller, contact_no: int | None = None, mails: "Mails | None" = None
) -> Statement:
    """Sends the statement of an issued document, a credit memo included, once more: to a contact by its number, or to whom it
    went before.

    `mails` are those of a caller who sends several, and closes them.
    Refuses (90009) who may not send statements, and (90017) what is not issued."""
    check_may(caller, SEND_STATEMENTS)
    invoice = Invoice.objects.filter(client=client, pk=invoice_no).first()
    if invoice is None:
        raise BillingError(ErrorCode.INVOICE_NOT_FOUND, f"invoice {invoice_no}", field="invoice_no")
    if invoice.status != InvoiceStatus.APPROVED:
        raise BillingError(ErrorCode.NOT_ISSUED, f"invoice {invoice_no} is {invoice.status}", field="invoice_no")
    contact = invoice.statement_contact_id if contact_no is None else _contact(invoice, contact_no)
    begun = _requested(StatementWanted(invoice_no, contact), caller.identity, timezone.now())
    # Begun from the start: a process that sends what waits at this moment leaves it alone.
    begun.status, begun.settled_at = StatementStatus.SENDING, begun.requested_at
    with transaction.atomic():
        begun.save()
        receipts.use(client, caller.receipt, invoice_no=invoice_no, row_no=begun.pk)
    (statement,) = _send(_read(Statement.objects.filter(pk=begun.pk)), begun=True, mails=mails)
    return _recorded(statement, client, caller)


def resent_before(*, client: Client, statement_no: int, caller: Caller) -> Statement:
    """The statement that a call under a receipt has begun to send. One whose process died as it sent it is sent once more, but
    not while that process may still be at it."""
    statement = Statement.objects.get(invoice__client=client, pk=statement_no)
    if statement.status != StatementStatus.SENDING:
        return statement
    sent = _send(_read(Statement.objects.filter(_died(), pk=statement_no)))
    if not sent:
        raise StillAtWork(ErrorCode.IN_PROGRESS, "The statement is being sent.", instead=True)
    return _recorded(sent[0], client, caller)


def _recorded(statement: Statement, client: Client, caller: Caller) -> Statement:
    account_no, after = statement.invoice.account_id, {"email": statement.email, "message": statement.message}
    name, code = f"statement.{statement.status}", statement.error_code
    record_acts(client, caller, [Act(name, account_no, statement.invoice_id, after=after, error_code=code)])
    return statement


def _died() -> Q:
    """What was begun by a process that has died."""
    return Q(status=StatementStatus.SENDING, settled_at__lt=timezone.now() - UNDER_WAY)


def _not_answered() -> Q:
    """What failed because the mail server did not answer, where no later statement of the document was begun."""
    later = Statement.objects.filter(invoice=OuterRef("invoice"), pk__gt=OuterRef("pk"))
    return Q(~Exists(later), status=StatementStatus.FAILED, message=NO_ANSWER)


def _contact(invoice: Invoice, contact_no: int) -> int:
    contact = Contact.objects.filter(account=invoice.account_id, contact_no=contact_no).values_list("pk", flat=True).first()
    if contact is None:
        detail = f"statement_address_seq: the account has no contact {contact_no}"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="statement_address_seq")
    return contact


def _read(waiting: QuerySet[Statement]) -> list[Statement]:
    return list(waiting.select_related("contact", "invoice__corrects", "invoice__client").order_by("pk"))


def _send(chosen: Sequence[Statement], *, begun: bool = False, mails: "Mails | None" = None) -> list[Statement]:
    """Sends each statement that no other process has begun to send meanwhile, and gives what came of it. Each is claimed only
    when its turn has come: so those that a dying process did not come to still wait, and are not taken for being sent.
    `mails` are those of the caller, who closes them."""
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
    """None where a document cannot be read: each is read by itself then, and the others are sent."""
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
    """Sends one that is claimed, and writes what came of it. Of an error only its kind is kept: its words may hold secrets."""
    code, message = ErrorCode.OK, ""
    try:
        facts = facts or _facts([statement])
        statement.email = _address(statement, facts.addresses)
        if statement.email:
            mails.send(statement_mail(statement.invoice, facts.parts[statement.invoice_id], statement.email, None))
        else:
            code, message = ErrorCode.NO_STATEMENT_ADDRESS, ErrorCode.NO_STATEMENT_ADDRESS.message
    except ServerDoesNotAnswer:
        logger.warning("statement of invoice %s was not sent: the mail server does not answer", statement.invoice_id)
        code, message = ErrorCode.STATEMENT_NOT_SENT, NO_ANSWER
    except Exception as error:
        logger.exception("statement of invoice %s was not sent", statement.invoice_id)
        code, message = ErrorCode.STATEMENT_NOT_SENT, f"{ErrorCode.STATEMENT_NOT_SENT.message}: {type(error).__name__}"
    statement.status = StatementStatus.SENT if code is ErrorCode.OK else StatementStatus.FAILED
    statement.error_code, statement.message, statement.settled_at = code.number, message[:300], timezone.now()
    statement.save(update_fields=["email", "status", "error_code", "message", "settled_at"])


class ServerDoesNotAnswer(Exception):
    """The mail server does not answer, or cannot be reached: no further mail is tried."""


class Mails:
    """One connection to the mail server for all mails of a batch, and another one after it has failed. After the server has
    not answered once, no mail is tried any more."""

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
            # Servers end a connection that has brought them many mails, or none for a while.
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
        """What was sent is sent, even if the server does not take leave."""
        connection, self._connection = self._connection, None
        with suppress(Exception):
            if connection is not None:
                connection.close()


def _has_timed_out(error: BaseException) -> bool:
    """smtplib says of a silence in the middle of a mail that the connection was ended."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _claim(statement: Statement) -> bool:
    """Marks a statement as being sent, unless another process has done so since it was read."""
    rows = Statement.objects.filter(pk=statement.pk, status=statement.status, settled_at=statement.settled_at)
    return bool(rows.update(status=StatementStatus.SENDING, settled_at=timezone.now()))


def _addresses(account_nos: Collection[int]) -> dict[int, str]:
    """The e-mail address that statements of each account go to."""
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
