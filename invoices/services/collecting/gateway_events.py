"""Take webhook messages of a gateway: each once, in one transaction with its results."""

import logging
from collections.abc import Callable
from datetime import date

from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.database_errors import refusal_of
from billing_site.common.storage import is_lock_failure, limit_lock_wait
from billing_site.errors import BillingError, ErrorCode
from invoices.gateways.protocol import Message, News
from invoices.kinds import AttemptStatus
from invoices.models import CollectionAttempt, GatewayEvent, Refund
from invoices.services.collecting.asking import Answered
from invoices.services.collecting.recording import record
from invoices.services.collecting.starting import collecting
from invoices.services.documents.batches import LOCK_WAIT_SECONDS
from invoices.services.money.ledger.refunds import record_refund

logger = logging.getLogger(__name__)

DIFFERS = "gateway.amount_differs"

DayOf = Callable[[Client], date]
"""Returns the client's current date. It is a function, because the client is known only after the message is read."""


def take_message(gateway: str, message: Message, today: DayOf) -> None:
    """Record what a gateway's message says of charges and refunds.

    Refuses a message that was seen before (90024), and one whose account another call locks (3108); the gateway then sends it
    again.
    """
    try:
        with transaction.atomic():
            limit_lock_wait(LOCK_WAIT_SECONDS)
            _take(gateway, message, today)
    except OperationalError as error:
        if not is_lock_failure(error):
            raise
        raise refusal_of(error) from error


def _take(gateway: str, message: Message, today: DayOf) -> None:
    """Process a message. Its row is stored first, so that a second delivery at the same time waits for the first one."""
    _row, is_new = GatewayEvent.objects.get_or_create(
        gateway=gateway,
        event_id=message.event_id,
        defaults={"type": message.type[:100], "received_at": timezone.now()},
    )
    if not is_new:
        raise BillingError(ErrorCode.EVENT_SEEN)
    caller = Caller(process=gateway)
    for news in message.charges:
        _take_charge(gateway, news, caller, today)
    for news in message.refunds:
        _take_refund(gateway, news, caller, today)


def _take_charge(gateway: str, news: News, caller: Caller, today: DayOf) -> None:
    """Record the result of an attempt, as if the gateway had been asked."""
    attempts = CollectionAttempt.objects.exclude(status=AttemptStatus.REQUESTED).select_related("invoice__client")
    attempt = attempts.filter(gateway=gateway, idempotency_key=news.key).first()
    if attempt is None:
        return
    client, account_no = attempt.invoice.client, attempt.invoice.account_id
    if (news.amount, news.currency) != (attempt.amount, attempt.currency):
        asked = f"{attempt.amount} {attempt.currency}"
        _amount_differs(client, caller, news, Act(DIFFERS, account_no, attempt.invoice_id, before={"asked": asked}))
        return
    record([Answered(attempt, account_no, news.answer)], collecting(client, caller, today(client)))


def _take_refund(gateway: str, news: News, caller: Caller, today: DayOf) -> None:
    """Record the result of a refund. One that was done may fail later, if the bank sends the money back."""
    refunds = Refund.objects.select_related("entry__account__client")
    refund = refunds.filter(payment__gateway=gateway, idempotency_key=news.key).first()
    if refund is None:
        return
    account = refund.entry.account
    if (news.amount, news.currency) != (refund.entry.amount, account.currency):
        asked = f"{refund.entry.amount} {account.currency}"
        _amount_differs(account.client, caller, news, Act(DIFFERS, account.pk, before={"asked": asked}))
        return
    record_refund(refund.pk, news.answer, client=account.client, caller=caller, today=today(account.client))


def _amount_differs(client: Client, caller: Caller, news: News, act: Act) -> None:
    """Record no payment if the amount is not the requested one. Log it, so that a person looks at it."""
    logger.error("a gateway says another amount than was asked under %s", news.key)
    after = {"said": f"{news.amount} {news.currency}", "status": news.answer.result.value, "reference": news.answer.reference}
    record_acts(client, caller, [act._replace(after=after)])
