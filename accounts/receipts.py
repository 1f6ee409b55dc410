"""client_receipt_id: a call that is repeated gives its first answer again and does nothing twice.

Ours: Aria's receipt is an anti-replay key that refuses a second use (1012). Here the same call gets the same answer, other
arguments get 1012, and a failed call does not use the receipt up unless the client's never_allow_used_receipt_id says so.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from accounts.models import Client, Receipt
from billing_site.errors import BillingError, ErrorCode


class Claim(NamedTuple):
    """A receipt id with the call that it stands for."""

    receipt_id: str
    method: str
    arguments_hash: str


def claim_for(receipt_id: str | None, method: str, arguments: Mapping[str, Any]) -> Claim | None:
    """The claim of a call. `arguments` are what decides its effect: no credentials, no output format, no caller fields."""
    if not receipt_id:
        return None
    text = json.dumps(arguments, sort_keys=True, default=str)
    return Claim(receipt_id, method, hashlib.sha256(text.encode()).hexdigest())


def earlier_use(client: Client, claim: Claim) -> Receipt | None:
    """The call that succeeded under this receipt before, if it was the same; 1012 if the receipt is used up."""
    receipt = Receipt.objects.filter(client=client, receipt_id=claim.receipt_id).first()
    if receipt is None:
        return None
    if not receipt.succeeded:
        raise _used(claim, "was used by a call that failed")
    if (receipt.method, receipt.arguments_hash) != (claim.method, claim.arguments_hash):
        raise _used(claim, "was used with other arguments")
    return receipt


def use(client: Client, claim: Claim, *, invoice_no: int | None) -> None:
    """Writes the receipt. Its unique key makes an equal call at the same time wait, and fail with an IntegrityError."""
    Receipt.objects.create(
        client=client,
        receipt_id=claim.receipt_id,
        method=claim.method,
        arguments_hash=claim.arguments_hash,
        succeeded=True,
        invoice_no=invoice_no,
    )


def use_up(client: Client, claim: Claim) -> None:
    """Marks the receipt of a failed call as used, unless it is on file already."""
    Receipt.objects.get_or_create(
        client=client,
        receipt_id=claim.receipt_id,
        defaults={"method": claim.method, "arguments_hash": claim.arguments_hash, "succeeded": False},
    )


def _used(claim: Claim, why: str) -> BillingError:
    return BillingError(ErrorCode.INVALID_FORMAT, f"client_receipt_id {claim.receipt_id} {why}", field="client_receipt_id")
