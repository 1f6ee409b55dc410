"""Statements: an issued document is sent by e-mail to a contact of its account, after the commit that issued it.

It is written down in the transaction that issues the document, so that what a process did not come to send is found again. What
fails is on record and can be sent again. At worst a statement is sent twice, where a process dies as it sends it: never not at
all.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core import mail
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import ContactRole
from accounts.models import Client, Contact
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import InvoiceStatus, StatementStatus
from invoices.models import Invoice, Statement
from invoices.services.ledger.entries import Stamp
from invoices.services.statement_mails import statement_mail, statement_parts

logger = logging.getLogger(__name__)

ROLES = (ContactRole.STATEMENT, ContactRole.BILLING, ContactRole.ACCOUNT, ContactRole.OTHER)
"""Who gets statements: the account's first contact with an e-mail address, in this order."""

UNDER_WAY = timedelta(hours=1)
"""A process that has begun to send a statement has sent it by then, or never will."""

AT_ONCE = 100


class StatementWanted(NamedTuple):
    """A document whose statement is to be sent, to a contact by its key or to whom the account's contacts say."""

    invoice_no: int
    contact: int | None = None


def statements_wanted(client: Client, invoices: Sequence[Invoice]) -> list[StatementWanted]:
    """Of documents that are issued: all where the client's setting says so, and those that name who is to get it."""
    return [
        StatementWanted(invoice.pk, invoice.statement_contact_id)
        for invoice in invoices
        if client.statement_on_issue or invoice.statement_contact_id is not None
    ]


def request_statements(wanted: Sequence[StatementWanted], stamp: Stamp) -> None:
    """Writes down that statements are to be sent, in the transaction that issues their documents."""
    Statement.objects.bulk_create([_requested(one, stamp.identity, stamp.at) for one in wanted])


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
        return {statement.invoice_id: statement for statement in _send(waiting)}
    except Exception:
        logger.exception("sending statements failed")
        return {}


def send_waiting(*, client: Client, progress: Callable[[Statement], object] = lambda statement: None) -> list[Statement]:
    """Sends what was requested and never begun, and what was begun by a process that has died."""
    stale = Q(status=StatementStatus.SENDING, settled_at__lt=timezone.now() - UNDER_WAY)
    waiting = Statement.objects.filter(Q(status=StatementStatus.REQUESTED) | stale, invoice__client=client).order_by("pk")
    sent: list[Statement] = []
    last = 0
    while numbers := list(waiting.filter(pk__gt=last).values_list("pk", flat=True)[:AT_ONCE]):
        for statement in _send(Statement.objects.filter(pk__in=numbers)):
            progress(statement)
            sent.append(statement)
        last = numbers[-1]
    return sent


def resend_statement(*, client: Client, invoice_no: int, caller: Caller, contact_no: int | None = None) -> Statement:
    """Sends the statement of an issued document once more: to a contact by its number, or to whom it went before."""
    invoice = Invoice.objects.filter(client=client, pk=invoice_no).first()
    if invoice is None:
        raise BillingError(ErrorCode.INVOICE_NOT_FOUND, f"invoice {invoice_no}", field="invoice_no")
    if invoice.status != InvoiceStatus.APPROVED:
        raise BillingError(ErrorCode.NOT_ISSUED, f"invoice {invoice_no} is {invoice.status}", field="invoice_no")
    contact = invoice.statement_contact_id if contact_no is None else _contact(invoice, contact_no)
    requested = _requested(StatementWanted(invoice_no, contact), caller.identity, timezone.now())
    requested.save()
    (statement,) = _send(Statement.objects.filter(pk=requested.pk))
    after = {"email": statement.email, "message": statement.message}
    act = Act(f"statement.{statement.status}", invoice.account_id, invoice_no, after=after, error_code=statement.error_code)
    record_acts(client, caller, [act])
    return statement


def _contact(invoice: Invoice, contact_no: int) -> int:
    contact = Contact.objects.filter(account=invoice.account_id, contact_no=contact_no).values_list("pk", flat=True).first()
    if contact is None:
        detail = f"the account has no contact {contact_no}"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="statement_address_seq")
    return contact


def _send(waiting: QuerySet[Statement]) -> list[Statement]:
    """Sends each statement that no other process has begun to send meanwhile."""
    chosen = list(waiting.select_related("contact", "invoice__corrects", "invoice__client").order_by("pk"))
    mine = [statement for statement in chosen if _claim(statement)]
    if not mine:
        return []
    addresses = _addresses({statement.invoice.account_id for statement in mine})
    parts = statement_parts([statement.invoice for statement in mine])
    connection = mail.get_connection()
    for statement in mine:
        statement.email = _address(statement, addresses)
        code, message = ErrorCode.NO_STATEMENT_ADDRESS, ErrorCode.NO_STATEMENT_ADDRESS.message
        if statement.email:
            try:
                statement_mail(statement.invoice, parts[statement.invoice_id], statement.email, connection).send()
                code, message = ErrorCode.OK, ""
            except Exception as error:
                logger.exception("statement of invoice %s was not sent", statement.invoice_id)
                code, message = ErrorCode.STATEMENT_NOT_SENT, f"{ErrorCode.STATEMENT_NOT_SENT.message}: {type(error).__name__}"
                # What a broken connection has left is not used for the next one.
                connection = mail.get_connection()
        statement.status = StatementStatus.SENT if code is ErrorCode.OK else StatementStatus.FAILED
        statement.error_code, statement.message, statement.settled_at = code.number, message[:300], timezone.now()
        statement.save(update_fields=["email", "status", "error_code", "message", "settled_at"])
    return mine


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
