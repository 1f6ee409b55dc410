"""What a gateway sends of itself: once each, in one transaction with what follows from it."""

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
"""Which day it is for a client: whose message it is, is known only when it is read."""


def take_message(gateway: str, message: Message, today: DayOf) -> None:
    """Records what a gateway says of charges and refunds of ours. A message that was seen before is refused (90024), and so is
    one whose account another transaction holds (3108): the gateway sends that again."""
    try:
        with transaction.atomic():
            limit_lock_wait(LOCK_WAIT_SECONDS)
            _take(gateway, message, today)
    except OperationalError as error:
        if not is_lock_failure(error):
            raise
        raise refusal_of(error) from error


def _take(gateway: str, message: Message, today: DayOf) -> None:
    """The message's row comes first: of two that bring it at once, the second waits here for the first."""
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
    """What it says of an attempt of ours is recorded as if the gateway had been asked."""
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
    """What it says of a refund of ours is recorded. One that was done may fail later, where the bank sends the money back."""
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
    """Nothing is booked of an amount that we did not ask for: a person has to look."""
    logger.error("a gateway says another amount than was asked under %s", news.key)
    after = {"said": f"{news.amount} {news.currency}", "status": news.answer.result.value, "reference": news.answer.reference}
    record_acts(client, caller, [act._replace(after=after)])
