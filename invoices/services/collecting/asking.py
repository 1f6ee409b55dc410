"""Asking the gateway, outside any transaction. Whatever goes wrong on the way leaves the outcome unknown, never a guess."""

import logging
from collections.abc import Callable
from typing import NamedTuple

from invoices.gateways import gateway_named
from invoices.gateways.protocol import Answer, ChargeRequest, Gateway, Result
from invoices.models import CollectionAttempt

logger = logging.getLogger(__name__)


class Answered(NamedTuple):
    """An attempt with what the gateway has said of it; None where it knows nothing of it, and was not asked for it again."""

    attempt: CollectionAttempt
    account_no: int
    answer: Answer | None


def ask_to_charge(attempt: CollectionAttempt, account_no: int) -> Answered:
    """Charges under the attempt's key. The gateway charges once for a key, however often it is sent."""
    return _ask(attempt, account_no, lambda gateway, request: gateway.charge(request))


def ask_what_came(attempt: CollectionAttempt, account_no: int, *, still_due: bool) -> Answered:
    """What came of an attempt that the gateway may have been asked before. Where it knows nothing of it, it is asked now, under
    the same key: so a process that is still on its way with the same request cannot make it a second charge. But nothing is
    charged that was paid otherwise meanwhile."""

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
        # Not the error's text: what a gateway's library says may quote what it was sent.
        logger.error("gateway %s gave no answer on attempt %s: %s", attempt.gateway, attempt.pk, type(error).__name__)
        return Answered(attempt, account_no, Answer(Result.UNKNOWN))
