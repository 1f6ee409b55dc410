"""Retries of calls. Under the same client_receipt_id (Aria) or Idempotency-Key (resources), a call is done once, and each retry
gets its first answer.

This differs from Aria, where a receipt refuses a second use (1012). Here a retry gets the same answer, a use with other
arguments is refused, and a failed call frees its receipt unless the client's never_allow_used_receipt_id is set.

The receipt is written in the transaction of the work (by `accounts.trail`, with the event), so neither exists without the
other. The answer is stored afterwards. If the process died in between, the answer is rendered from what was stored: documents,
and the events with the receipt's token.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from accounts.models import Client, Receipt
from billing_site.common.storage import insert_new_rows
from billing_site.errors import BillingError, ErrorCode

ANSWER_WAIT = timedelta(seconds=10)
"""How long after its receipt a call may still be collecting or sending a statement before its answer is stored."""

POLL_SECONDS = 0.05


class Claim(NamedTuple):
    """A receipt id and the call that uses it. `token` distinguishes this call from an equal one at the same time.

    `refused_as` is the error if the receipt was used with other arguments, and `field` the parameter's name.
    """

    receipt_id: str
    method: str
    arguments_hash: str
    token: str
    refused_as: ErrorCode = ErrorCode.INVALID_FORMAT
    field: str = "client_receipt_id"


class ReceiptRefused(BillingError):
    """The receipt is used up, or was used by another call."""


class StillAtWork(BillingError):
    """The first call may still be running. The caller can retry later."""


class ReceiptTaken(Exception):
    """An equal call did the work meanwhile. The current transaction must be rolled back."""


def claim_for(receipt_id: str | None, method: str, arguments: Mapping[str, Any], **named: Any) -> Claim | None:
    """Return the claim of a call, or None without a receipt id.

    `arguments` are those that decide the effect: no credentials, no output format, no sender fields.
    """
    if not receipt_id:
        return None
    text = json.dumps(arguments, sort_keys=True, default=str)
    return Claim(receipt_id, method, hashlib.sha256(text.encode()).hexdigest(), secrets.token_hex(8), **named)


def claim_of(receipt: Receipt) -> Claim:
    """Return the claim of the call that wrote a receipt, to continue that call's work under it."""
    return Claim(receipt.receipt_id, receipt.method, receipt.arguments_hash, receipt.token)


def once(
    client: Client,
    claim: Claim | None,
    work: Callable[[], str],
    answer_of: Callable[[Receipt], str],
    check_right: Callable[[], None],
) -> str:
    """Do the work of a call once, and return its answer. `answer_of` renders the answer of a call whose process died.

    `check_right` refuses callers who may not do the act, before a stored answer is returned. `work` checks the right itself.
    """
    if claim is None:
        return work()
    while True:
        try:
            receipt = _earlier_use(client, claim)
            if receipt is None:
                return _work(client, claim, work)
            check_right()
            return _stored_answer(client, receipt, answer_of)
        except (ReceiptTaken, Receipt.DoesNotExist):
            continue  # An equal call was first: return its answer. If it failed instead, this call is the first.


def use(
    client: Client,
    claim: Claim | None,
    *,
    invoice_no: int | None = None,
    row_no: int | None = None,
    at: datetime | None = None,
) -> None:
    """Write the receipt in the transaction of the work, with the document or row that it is about.

    The unique key blocks an equal call at the same time until this one commits; that call then raises ReceiptTaken.
    """
    if claim is None:
        return
    row = (client.pk, *claim[:4], True, invoice_no, row_no, "", at or timezone.now())
    insert_new_rows(Receipt, RECEIPT_FIELDS, [row], unique=("client_id", "receipt_id"))
    if Receipt.objects.values_list("token", flat=True).get(client=client, receipt_id=claim.receipt_id) != claim.token:
        raise ReceiptTaken


def use_with_answer(client: Client, claim: Claim | None, answer: str) -> None:
    """Write the receipt with its answer in the transaction of the work, for work of which nothing tells the answer later."""
    if claim is None:
        return
    use(client, claim)
    Receipt.objects.filter(client=client, receipt_id=claim.receipt_id, token=claim.token).update(answer=answer)


def used_at(client: Client, claim: Claim | None) -> datetime | None:
    """Return when the work of a call was begun, or None. A call that finds a time was interrupted, and is now resumed."""
    if claim is None:
        return None
    rows = Receipt.objects.filter(client=client, receipt_id=claim.receipt_id, token=claim.token)
    return rows.values_list("created_at", flat=True).first()


RECEIPT_FIELDS = (
    "client_id",
    "receipt_id",
    "method",
    "arguments_hash",
    "token",
    "succeeded",
    "invoice_no",
    "row_no",
    "answer",
    "created_at",
)


def _work(client: Client, claim: Claim, work: Callable[[], str]) -> str:
    try:
        answer = work()
    except Exception as error:
        if _earlier_use(client, claim) is not None:
            raise ReceiptTaken from error
        if isinstance(error, BillingError):
            _failed(client, claim)
        raise
    with transaction.atomic():
        use(client, claim)
        return _kept(Receipt.objects.get(client=client, receipt_id=claim.receipt_id), answer)


def _earlier_use(client: Client, claim: Claim) -> Receipt | None:
    """Return the receipt of an earlier, successful, equal call, or None. Refuses a receipt that is used up."""
    receipt = Receipt.objects.filter(client=client, receipt_id=claim.receipt_id).first()
    if receipt is None or (receipt.token == claim.token and receipt.succeeded):
        return None
    if not receipt.succeeded:
        raise _used(claim, "was already used by a call that failed; give a new one")
    if (receipt.method, receipt.arguments_hash) != (claim.method, claim.arguments_hash):
        raise _used(claim, "was already used with other arguments; give a new one")
    return receipt


def _stored_answer(client: Client, receipt: Receipt, answer_of: Callable[[Receipt], str]) -> str:
    while not receipt.answer and timezone.now() < receipt.created_at + ANSWER_WAIT:
        time.sleep(POLL_SECONDS)
        receipt.refresh_from_db()
    if receipt.answer:
        return receipt.answer
    try:
        return _kept(receipt, answer_of(receipt))
    except StillAtWork:
        raise
    except BillingError:
        _failed(client, claim_of(receipt))
        raise


def _kept(receipt: Receipt, answer: str) -> str:
    """Store the answer unless one is stored already, and return the stored one."""
    Receipt.objects.filter(pk=receipt.pk, answer="").update(answer=answer)
    receipt.refresh_from_db()
    return receipt.answer


def _failed(client: Client, claim: Claim) -> None:
    """Free the receipt of a failed call, or mark it as used up if the client's setting says so. What was written stays."""
    own = Receipt.objects.filter(client=client, receipt_id=claim.receipt_id, token=claim.token, answer="")
    if not client.never_allow_used_receipt_id:
        own.delete()
    elif not own.update(succeeded=False):
        Receipt.objects.get_or_create(
            client=client,
            receipt_id=claim.receipt_id,
            defaults={"method": claim.method, "arguments_hash": claim.arguments_hash, "succeeded": False},
        )


def _used(claim: Claim, why: str) -> ReceiptRefused:
    return ReceiptRefused(claim.refused_as, f"{claim.field} {claim.receipt_id} {why}", field=claim.field)
