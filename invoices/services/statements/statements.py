"""Send issued documents by e-mail to a contact of their account, after the commit that issued them.

The transaction that issues a document stores its statement as requested, so a statement is not lost if the process dies. A
failure is stored, and the statement can be sent again. A statement is sent twice only if a process dies while it sends it.

If the mail server does not answer, it is not tried again in the same call. The remaining statements fail too. What fails for a
time is tried again by workers, after longer and longer pauses within three days, and by `send_unsent`. Where the client wants
the PDF attached, a statement is not sent without it: it fails if the PDF cannot be made, and `send_unsent` sends it when the
PDF is there.

Contacts that want copies get a statement of their own, so each has its result. They are requested when the first one is begun.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.kinds import ContactRole, EInvoiceFormat
from accounts.models import Client, Contact
from accounts.receipts import StillAtWork
from accounts.rights import SEND_STATEMENTS, check_may
from accounts.trail import Act, record_acts
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import insert_new_rows, insert_objects
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.kinds import FileKind, FileState, InvoiceStatus, StatementStatus
from invoices.models import DocumentFile, Invoice, Statement
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.printing.files import e_invoice_of_document, file_of_document
from invoices.services.printing.printed import StatementParts, statement_parts
from invoices.services.statements.mail_texts import MailTexts, mail_texts
from invoices.services.statements.mails import Failure, Mails, check_deliverable, failure_of
from invoices.services.statements.written import statement_mail

logger = logging.getLogger(__name__)

ROLES = (ContactRole.STATEMENT, ContactRole.BILLING, ContactRole.ACCOUNT, ContactRole.OTHER)
"""Statements go to the account's first contact with an e-mail address, by role in this order."""

UNDER_WAY = timedelta(hours=1)
"""After this time, a process that began to send a statement has sent it or has died."""

AT_ONCE = 100

PAUSES = [timedelta(minutes=5), timedelta(minutes=20), *(timedelta(hours=hours) for hours in (1, 4, 12, 24, 24))]
"""After each failure for a time, how long until the next try. Then the statement has failed."""


class StatementRequest(NamedTuple):
    """A document whose statement must be sent, to this contact, or to the account's contact for statements."""

    invoice_no: int
    contact: int | None = None


class _Recipients(NamedTuple):
    """The e-mail address for statements of an account, and the contacts that get copies."""

    address: str
    copies: Sequence[int]


NOBODY = _Recipients("", ())


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
    """Send the requested statements of these documents, after the commit. Returns each that was tried, by document, without
    copies. Never raises."""
    try:
        return {one.invoice_id: one for one in _send(_requested_of(invoice_nos)) if one.copy_of_id is None}
    except Exception:
        logger.exception("sending statements failed")
        return {}


@compiled_read
def _requested_of(invoice_nos: Collection[int]) -> QuerySet[Statement]:
    return _with_documents(Statement.objects.filter(invoice__in=invoice_nos, status=StatementStatus.REQUESTED))


def send_unsent(*, client: Client, progress: Callable[[Statement], object] = lambda statement: None) -> list[Statement]:
    """Send all statements of the client that are not sent yet, and return those that were tried, in order.

    These are requested ones, those whose process has died, and those that failed for a time or because a PDF was missing that
    is there by now, unless a later statement of the same document was begun.
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


def send_again_in_time(at: datetime) -> list[Statement]:
    """Send the statements of all clients that failed for a time and are to be tried again by now, `AT_ONCE` of them. Returns
    those that were tried."""
    failed = Statement.objects.filter(no_later_one(), status=StatementStatus.FAILED, next_try_at__lte=at)
    return _send(_read(failed.filter(pk__in=list(failed.order_by("next_try_at", "pk").values_list("pk", flat=True)[:AT_ONCE]))))


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
    statement, *_copies = _send(_read(Statement.objects.filter(pk=begun.pk)), begun=True, mails=mails)
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


def no_later_one() -> Q:
    """Select statements that no later one of their document follows. Copies do not count as later ones."""
    return ~Q(Exists(Statement.objects.filter(invoice=OuterRef("invoice"), pk__gt=OuterRef("pk"), copy_of=None)))


def _process_died() -> Q:
    """Select statements whose process died while sending."""
    return Q(status=StatementStatus.SENDING, settled_at__lt=timezone.now() - UNDER_WAY)


def _can_be_tried_again() -> Q:
    """Select failed statements that could be sent now, and that no later one of the document follows: they failed for a time,
    or a file was missing that is made by now."""
    files = DocumentFile.objects.filter(invoice=OuterRef("invoice"))
    made, unmade = files.filter(state=FileState.MADE), files.exclude(state=FileState.MADE)
    has_its_file = Q(Exists(made), ~Exists(unmade), error_code=ErrorCode.FILE_NOT_MADE.number)
    return Q(Q(next_try_at__isnull=False) | has_its_file, no_later_one(), status=StatementStatus.FAILED)


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
    """Send each statement that no other process has claimed, then its copies, and return those that were tried.

    Each is claimed just before it is sent. So if this process dies, the remaining ones are still requested. `mails` belongs to
    the caller, who closes it. `begun` says that they are claimed already.
    """
    if not chosen:
        return []
    facts = _facts_of_all(chosen)
    recipients = _recipients({statement.invoice.account_id for statement in chosen})
    own, mails = mails is None, mails or Mails()
    sent = []
    for statement in chosen:
        recipient = recipients.get(statement.invoice.account_id, NOBODY)
        if _begin(statement, recipient, begun=begun):
            _send_one(statement, recipient.address, facts, mails)
            sent.append(statement)
    sent += _send_copies(sent, mails) if any(one.copies for one in recipients.values()) else []
    if own:
        mails.close()
    return sent


def _send_copies(sent: Sequence[Statement], mails: Mails) -> list[Statement]:
    copies = Statement.objects.filter(copy_of__in=[one.pk for one in sent], status=StatementStatus.REQUESTED)
    return _send(_read(copies), mails=mails)


class _Facts(NamedTuple):
    """What is read to write e-mails: parts of documents by number, and the texts of their clients."""

    parts: Mapping[int, StatementParts]
    texts: MailTexts


def _facts_of_all(chosen: Sequence[Statement]) -> _Facts:
    """Return no parts if a document cannot be read. Each is then read by itself, so that the others are still sent."""
    texts = mail_texts({statement.invoice.client_id for statement in chosen})
    try:
        return _Facts(statement_parts([statement.invoice for statement in chosen]), texts)
    except Exception:
        logger.exception("statements could not be read together")
        return _Facts({}, texts)


def _send_one(statement: Statement, address: str, facts: _Facts, mails: Mails) -> None:
    """Send a claimed statement and store the result."""
    invoice, failure = statement.invoice, None
    try:
        statement.email = statement.contact.email if statement.contact is not None else address
        check_deliverable(statement.email)
        part = facts.parts.get(invoice.pk) or statement_parts([invoice])[invoice.pk]
        message = _with_pdf(statement_mail(invoice, part, facts.texts, statement.email), invoice)
        statement.message_id = message.extra_headers["Message-ID"]
        mails.send(message)
        statement.provider_id = mails.provider_id_of(message)
    except BillingError as refusal:
        if refusal.code is ErrorCode.FILE_BEING_MADE:
            _put_back(statement)
            return
        failure = Failure(refusal.code, refusal.message)
    except Exception as error:
        failure = failure_of(error)
        logger.warning("statement of invoice %s was not sent", statement.invoice_id, exc_info=not failure.for_a_time)
    _store(statement, failure)


def _store(statement: Statement, failure: Failure | None) -> None:
    now = timezone.now()
    statement.status = StatementStatus.SENT if failure is None else StatementStatus.FAILED
    statement.error_code, statement.message = (0, "") if failure is None else (failure.code.number, failure.message[:300])
    pause = PAUSES[statement.tries : statement.tries + 1] if failure is not None and failure.for_a_time else []
    statement.next_try_at = now + pause[0] if pause else None
    statement.tries += 1
    statement.settled_at = now
    statement.save(update_fields=RESULT_FIELDS)


RESULT_FIELDS = (
    "email",
    "status",
    "error_code",
    "message",
    "settled_at",
    "message_id",
    "provider_id",
    "tries",
    "next_try_at",
)


def _put_back(statement: Statement) -> None:
    """Leave a claimed statement to `send_unsent`, because another process is just making its PDF."""
    statement.status, statement.settled_at = StatementStatus.REQUESTED, None
    statement.save(update_fields=["status", "settled_at"])


def _with_pdf(message: EmailMessage, invoice: Invoice) -> EmailMessage:
    """Return the e-mail with the document's PDF and electronic invoice, if the client wants it. Factur-X is in the PDF.

    Refuses with FILE_BEING_MADE and FILE_NOT_MADE."""
    if invoice.client.attach_pdf:
        file = file_of_document(invoice.client, invoice.pk)
        message.attach(file.name, file.content, file.media_type)
        if invoice.files.filter(kind=FileKind.E_INVOICE, format=EInvoiceFormat.UBL).exists():
            e_invoice = e_invoice_of_document(invoice.client, invoice.pk)
            message.attach(e_invoice.name, e_invoice.content, e_invoice.media_type)
    return message


def _begin(statement: Statement, recipient: _Recipients, *, begun: bool) -> bool:
    """Claim a statement, if it is not begun, and request its copies."""
    if not recipient.copies or statement.contact_id is not None:
        return begun or _claim(statement)
    with transaction.atomic():
        begun = begun or _claim(statement)
        if begun:
            _request_copies(statement, recipient.copies)
    return begun


def _claim(statement: Statement) -> bool:
    """Mark a statement as being sent, unless another process has done so since it was read."""
    rows = Statement.objects.filter(pk=statement.pk, status=statement.status, settled_at=statement.settled_at)
    return bool(rows.update(status=StatementStatus.SENDING, settled_at=timezone.now()))


def _request_copies(statement: Statement, contacts: Sequence[int]) -> None:
    copies = [
        {
            "invoice_id": statement.invoice_id,
            "contact_id": contact,
            "copy_of_id": statement.pk,
            "status": StatementStatus.REQUESTED.value,
            "requested_by": statement.requested_by,
            "requested_at": statement.requested_at,
            **{"email": "", "error_code": 0, "message": "", "message_id": "", "provider_id": "", "tries": 0},
        }
        for contact in contacts
    ]
    fields = list(copies[0])
    insert_new_rows(Statement, fields, [[*one.values()] for one in copies], unique=("copy_of_id", "contact_id"))


def _recipients(account_nos: Collection[int]) -> dict[int, _Recipients]:
    """Return who gets the statements of each account: the first contact with an e-mail address, by role, and those who want
    copies, in the order of their numbers, but for the same address."""
    contacts: dict[int, list[Contact]] = {}
    columns = ("account_id", "role", "email", "copy_of_statements")
    for contact in Contact.objects.filter(account__in=account_nos).exclude(email="").only(*columns).order_by("contact_no"):
        contacts.setdefault(contact.account_id, []).append(contact)
    return {account_no: _recipients_among(mine) for account_no, mine in contacts.items()}


def _recipients_among(contacts: Sequence[Contact]) -> _Recipients:
    first, copies = statement_contacts(contacts)
    return _Recipients(first.email, [one.pk for one in copies]) if first is not None else NOBODY


def statement_contacts(contacts: Sequence[Contact]) -> tuple[Contact | None, list[Contact]]:
    """Return the contact of an account that gets its statements, and those that get copies. The contacts are in the order of
    their numbers."""
    reachable = [one for one in contacts if one.email]
    first = min(reachable, key=lambda contact: ROLES.index(ContactRole(contact.role)), default=None)
    copies = [one for one in reachable if one.copy_of_statements and first is not None and one.email != first.email]
    return first, copies
