"""Calls that are repeated: under the same client_receipt_id (Aria) or Idempotency-Key (resources) a call does its work once,
and gives its first answer whenever it is asked again.

Ours: Aria's receipt is an anti-replay key that refuses a second use (1012). Here the same call gets the same answer, other
arguments are refused, and a failed call does not use the receipt up unless the client's never_allow_used_receipt_id says so.

The receipt is written in the transaction of the work (by `accounts.trail`, with the event of what was done), so there is no
moment at which the one is there without the other. The answer is kept after it. Where the process died between the two, the
answer is made again from what was stored: documents, and the events that carry the receipt's token.
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
"""So long after a receipt was written its call may still be at its answer: collecting, or sending a statement."""

POLL_SECONDS = 0.05


class Claim(NamedTuple):
    """A receipt id with the call that it stands for. `token` tells this call from an equal one at the same time; `refused_as`
    is the refusal where the receipt stands for other arguments, and `field` its name on the wire."""

    receipt_id: str
    method: str
    arguments_hash: str
    token: str
    refused_as: ErrorCode = ErrorCode.INVALID_FORMAT
    field: str = "client_receipt_id"


class ReceiptRefused(BillingError):
    """The receipt is used up, or stands for another call."""


class StillAtWork(BillingError):
    """The call may still be at what it has begun: its receipt stands, and its answer is to be asked for later."""


class ReceiptTaken(Exception):
    """An equal call has done the work meanwhile. The transaction that hears of it is to be undone."""


def claim_for(receipt_id: str | None, method: str, arguments: Mapping[str, Any], **named: Any) -> Claim | None:
    """The claim of a call. `arguments` are what decides its effect: no credentials, no output format, no caller fields."""
    if not receipt_id:
        return None
    text = json.dumps(arguments, sort_keys=True, default=str)
    return Claim(receipt_id, method, hashlib.sha256(text.encode()).hexdigest(), secrets.token_hex(8), **named)


def claim_of(receipt: Receipt) -> Claim:
    """The claim of the call that wrote a receipt: what is done under it is done by that call."""
    return Claim(receipt.receipt_id, receipt.method, receipt.arguments_hash, receipt.token)


def once(
    client: Client,
    claim: Claim | None,
    work: Callable[[], str],
    answer_of: Callable[[Receipt], str],
    check_right: Callable[[], None],
) -> str:
    """The answer of a call that does its work once. `answer_of` makes it again of a call that died before it was kept.

    `check_right` refuses who may not do the act: a stored answer is given to nobody else. `work` checks it by itself."""
    if claim is None:
        return work()
    while True:
        try:
            receipt = _earlier_use(client, claim)
            if receipt is None:
                return _work(client, claim, work)
            check_right()
            return _answer_again(client, receipt, answer_of)
        except (ReceiptTaken, Receipt.DoesNotExist):
            continue  # An equal call was there first: its answer is this one's. Or it has failed: this one is the first.


def use(
    client: Client,
    claim: Claim | None,
    *,
    invoice_no: int | None = None,
    row_no: int | None = None,
    at: datetime | None = None,
) -> None:
    """Writes the receipt in the transaction of the work, with the document or other row that it is about. Its unique key makes
    an equal call at the same time wait; that one's work is then undone."""
    if claim is None:
        return
    row = (client.pk, *claim[:4], True, invoice_no, row_no, "", at or timezone.now())
    insert_new_rows(Receipt, RECEIPT_FIELDS, [row], unique=("client_id", "receipt_id"))
    if Receipt.objects.values_list("token", flat=True).get(client=client, receipt_id=claim.receipt_id) != claim.token:
        raise ReceiptTaken


def used_at(client: Client, claim: Claim | None) -> datetime | None:
    """When the work of a call was begun; None before that. A call that finds a time was interrupted, and is done again."""
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
    """The call that succeeded under this receipt before, if it was the same; a refusal if the receipt is used up."""
    receipt = Receipt.objects.filter(client=client, receipt_id=claim.receipt_id).first()
    if receipt is None or (receipt.token == claim.token and receipt.succeeded):
        return None
    if not receipt.succeeded:
        raise _used(claim, "was already used by a call that failed; give a new one")
    if (receipt.method, receipt.arguments_hash) != (claim.method, claim.arguments_hash):
        raise _used(claim, "was already used with other arguments; give a new one")
    return receipt


def _answer_again(client: Client, receipt: Receipt, answer_of: Callable[[Receipt], str]) -> str:
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
    """The answer that is kept: where two keep one at once, the first."""
    Receipt.objects.filter(pk=receipt.pk, answer="").update(answer=answer)
    receipt.refresh_from_db()
    return receipt.answer


def _failed(client: Client, claim: Claim) -> None:
    """What a failed call has written stands, but its receipt does not stand for it: it is free again, or is used up."""
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
