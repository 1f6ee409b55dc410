"""Write events: one append-only row per act on money, in the act's own transaction."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client, Event
from accounts.receipts import Claim
from billing_site.common.storage import insert_rows
from billing_site.errors import BillingError, ErrorCode, PendingAct

EVENT_FIELDS = (
    "client_id",
    "at",
    "act",
    "account_id",
    "invoice_no",
    "staff_id",
    "api_key_id",
    "process",
    "caller",
    "request_id",
    "call_token",
    "error_code",
    "message",
    "detail",
    "before",
    "after",
)


REQUESTED = "act.requested"
"""The event of a request for an act that another person must approve."""


class Act(NamedTuple):
    """An act on one document or account. `row_no` is the transaction or other row that it created or changed.

    `detail` are the parts of its message (`stored_detail`). `idle`: there was nothing to do. It is reported, and the receipt
    stays unused.
    """

    name: str
    account_no: int | None = None
    invoice_no: int | None = None
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    error_code: int = 0
    message: str = ""
    detail: str = ""
    row_no: int | None = None
    idle: bool = False


def record_acts(client: Client, caller: Caller, acts: Sequence[Act], at: datetime | None = None) -> None:
    """Write one event per act, all by the same caller. An act that was done uses the caller's receipt in the same
    transaction."""
    at = at or timezone.now()
    done = next((act for act in acts if not act.error_code and not act.idle), None)
    if done is not None:
        receipts.use(client, caller.receipt, invoice_no=done.invoice_no, row_no=done.row_no)
    token = caller.receipt.token if caller.receipt is not None else ""
    staff_id = caller.staff.pk if caller.staff is not None else None
    key_id = caller.api_key.pk if caller.api_key is not None else None
    insert_rows(
        Event,
        EVENT_FIELDS,
        [
            (
                client.pk,
                at,
                act.name,
                act.account_no,
                act.invoice_no,
                staff_id,
                key_id,
                caller.process,
                caller.declared,
                caller.request_id,
                token,
                act.error_code,
                act.message,
                act.detail,
                act.before,
                act.after,
            )
            for act in acts
        ],
    )


def acts_of_call(claim: Claim | None, *prefixes: str) -> list[Event]:
    """Return the events of a call under a receipt whose act names begin with one of the prefixes, oldest first."""
    if claim is None:
        return []
    named = [Q(act__startswith=prefix) for prefix in prefixes]
    return list(Event.objects.filter(reduce(or_, named), call_token=claim.token).order_by("pk"))


def pending_act_of(claim: Claim | None) -> PendingAct | None:
    """Return the request for approval that a call under a receipt wrote, or None."""
    events = acts_of_call(claim, REQUESTED)
    return PendingAct(events[0].after) if events else None


def refusal(name: str, error: BillingError, *, account_no: int | None = None, invoice_no: int | None = None) -> Act:
    """Return the act of a refusal, with its code and message. It names no account if the account does not exist."""
    if error.code is ErrorCode.ACCOUNT_NOT_FOUND:
        account_no = None
    return Act(name, account_no, invoice_no, error_code=error.code.number, message=error.message, detail=error.stored)
