"""Call the gateway, outside any transaction. Any error makes the outcome unknown; it is never guessed."""

import logging
from collections.abc import Callable
from typing import NamedTuple

from invoices.gateways import gateway_named
from invoices.gateways.protocol import Answer, ChargeRequest, Gateway, Result
from invoices.models import CollectionAttempt

logger = logging.getLogger(__name__)


class Answered(NamedTuple):
    """An attempt and the gateway's answer. None: the gateway does not know the attempt and was not asked to charge."""

    attempt: CollectionAttempt
    account_no: int
    answer: Answer | None


def ask_to_charge(attempt: CollectionAttempt, account_no: int) -> Answered:
    """Charge with the attempt's key. The gateway charges once per key, however often the request is sent."""
    return _ask(attempt, account_no, lambda gateway, request: gateway.charge(request))


def ask_for_result(attempt: CollectionAttempt, account_no: int, *, still_due: bool) -> Answered:
    """Ask for the result of an attempt that may have reached the gateway before.

    If the gateway does not know it and the amount is `still_due`, it is charged now with the same key. So another process that
    is still sending the same request cannot cause a second charge.
    """

    def ask(gateway: Gateway, request: ChargeRequest) -> Answer | None:
        found = gateway.find_charge(request)
        return gateway.charge(request) if found is None and still_due else found

    return _ask(attempt, account_no, ask)


def _ask(attempt: CollectionAttempt, account_no: int, ask: Callable[[Gateway, ChargeRequest], Answer | None]) -> Answered:
    assert attempt.amount is not None, "only attempts that were started are asked about"
    request = ChargeRequest(
        attempt.idempotency_key, attempt.amount, attempt.currency, attempt.token, account_no, attempt.invoice_id
    )
    try:
        return Answered(attempt, account_no, ask(gateway_named(attempt.gateway), request))
    except Exception as error:
        # The error's text is not logged: a gateway's library may quote what it was sent.
        logger.error("gateway %s gave no answer on attempt %s: %s", attempt.gateway, attempt.pk, type(error).__name__)
        return Answered(attempt, account_no, Answer(Result.UNKNOWN))
