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
from accounts.event_types import TYPE_OF_ACT
from accounts.models import Client, Event
from accounts.receipts import Claim
from billing_site.common.request_ids import request_id_now
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
    "type",
)


REQUESTED = "act.requested"
"""The event of a request for an act that another person must approve."""


class Act(NamedTuple):
    """An act on one document or account. `row_no` is the transaction or other row that it created or changed.

    `detail` are the parts of its message (`stored_detail`). `idle`: there was nothing to do. It is reported, and the receipt
    stays unused. `type` is the public type of its event; None: that of its name (`event_types`).
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
    type: str | None = None

    @property
    def public_type(self) -> str:
        """Return the type under which programs read its event, or an empty text: nothing was done, or it was refused."""
        if self.idle:
            return ""
        return TYPE_OF_ACT.get(self.name, "") if self.type is None else self.type


def record_acts(client: Client, caller: Caller, acts: Sequence[Act], at: datetime | None = None) -> None:
    """Write one event per act, all by the same caller. An act that was done uses the caller's receipt in the same
    transaction."""
    at = at or timezone.now()
    done = next((act for act in acts if not act.error_code and not act.idle), None)
    if done is not None:
        receipts.use(client, caller.receipt, invoice_no=done.invoice_no, row_no=done.row_no)
    by = _By(
        caller.staff.pk if caller.staff is not None else None,
        caller.api_key.pk if caller.api_key is not None else None,
        caller.process,
        caller.declared,
        caller.request_id,
        caller.receipt.token if caller.receipt is not None else "",
    )
    insert_rows(Event, EVENT_FIELDS, [_row(client.pk, by, act, at) for act in acts])


def record_consequences(acts: Sequence[tuple[int, Act]], identity: str, at: datetime) -> None:
    """Write events of what follows from an act by itself, each for the client of this number. `identity` is who did the act
    (`Caller.identity`). A retried call does not read them."""
    if not acts:
        return
    kind, _, rest = identity.partition(":")
    number = int(rest) if kind in ("staff", "key") else None
    request_id = request_id_now.get()
    by = _By(
        number if kind == "staff" else None,
        number if kind == "key" else None,
        rest if number is None else "",
        {},
        "" if request_id == "-" else request_id,
        "",
    )
    insert_rows(Event, EVENT_FIELDS, [_row(client_no, by, act, at) for client_no, act in acts])


class _By(NamedTuple):
    """Who did an act, as the columns of its event say it."""

    staff_id: int | None
    key_id: int | None
    process: str
    declared: dict[str, Any]
    request_id: str
    call_token: str


def _row(client_no: int, by: _By, act: Act, at: datetime) -> tuple[Any, ...]:
    return (
        client_no,
        at,
        act.name,
        act.account_no,
        act.invoice_no,
        *by,
        act.error_code,
        act.message,
        act.detail,
        act.before,
        act.after,
        act.public_type,
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
