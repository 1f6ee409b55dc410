"""Bounces: a mail server took an e-mail, and reports later that it could not deliver it."""

from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from typing import NamedTuple, cast

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import StatementStatus
from invoices.models import Statement

LONGEST_REASON = 200
BOUNCED = "statement.bounced"


class Bounce(NamedTuple):
    """An e-mail that came back, by its Message-ID or the id of the mail provider, and why."""

    mail_id: str
    reason: str


def statement_of(bounce: Bounce) -> Statement | None:
    """Return the statement whose e-mail came back, of any client, or None."""
    if not bounce.mail_id:
        return None
    ids = Q(message_id=bounce.mail_id) | Q(provider_id=bounce.mail_id)
    return Statement.objects.filter(ids).select_related("invoice__client").order_by("pk").first()


def note_bounce(statement: Statement, reason: str, caller: Caller) -> bool:
    """Record that a statement came back, with an event. It then counts as failed, so that the dashboard shows it.

    Says whether it is recorded now: if it was recorded before, nothing is done. Refuses a statement that was not sent (90044).
    """
    if statement.status == StatementStatus.BOUNCED:
        return False
    why = " ".join(reason.split())[:LONGEST_REASON]
    code, message = ErrorCode.STATEMENT_BOUNCED, BillingError(ErrorCode.STATEMENT_BOUNCED, why).message
    bounced = {"status": StatementStatus.BOUNCED, "error_code": code.number, "message": message, "settled_at": timezone.now()}
    invoice = statement.invoice
    with transaction.atomic():
        if not Statement.objects.filter(pk=statement.pk, status=StatementStatus.SENT).update(**bounced):
            raise BillingError(ErrorCode.STATEMENT_NOT_SENT)
        after = {"email": statement.email, "message": message}
        act = Act(BOUNCED, invoice.account_id, invoice.pk, after=after, error_code=code.number)
        record_acts(invoice.client, caller, [act])
        receipts.use(invoice.client, caller.receipt, invoice_no=invoice.pk, row_no=statement.pk)
    return True


def bounces_in(report: Message) -> list[Bounce]:
    """Return the bounce that a delivery report (RFC 3464) tells of. A report of a delay and any other mail have none."""
    reasons = [reason for part in report.walk() for reason in _reasons(part)]
    mail_ids = [mail_id for part in report.walk() for mail_id in _mail_ids(part)]
    return [Bounce(mail_ids[0], reasons[0])] if reasons and mail_ids else []


def _reasons(part: Message) -> Iterator[str]:
    """Yield why each recipient did not get the mail."""
    if part.get_content_type() != "message/delivery-status":
        return
    for recipient in cast(list[Message], part.get_payload()):
        if str(recipient.get("Action", "")).strip().lower() == "failed":
            _kind, _, text = str(recipient.get("Diagnostic-Code", "")).partition(";")
            yield text.strip() or str(recipient.get("Status", ""))


def _mail_ids(part: Message) -> Iterator[str]:
    """Yield the Message-ID of the mail that came back: a report has the whole mail, or its headers as text."""
    if part.get_content_type() == "message/rfc822":
        mails = cast(list[Message], part.get_payload())
    elif part.get_content_type() == "text/rfc822-headers":
        mails = [message_from_string(str(part.get_payload()))]
    else:
        return
    for mail in mails:
        if mail["Message-ID"]:
            yield str(mail["Message-ID"]).strip()
