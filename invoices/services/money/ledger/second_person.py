"""Hold acts that give money away until a second person approves them, if the client's four-eyes settings require it.

The service of the act calls `require_second_person` in its own transaction. If approval is needed, that transaction is rolled
back, and only a request is stored.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.callers import Approval, Caller
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import REQUESTED, Act, record_acts
from billing_site.common.currencies import named_amount
from billing_site.errors import BillingError, Detail, ErrorCode, PendingAct, word
from invoices.kinds import ActState
from invoices.models import RequestedAct
from invoices.services.documents.approval_rules import four_eyes_apply

APPROVED = "act.approved"


class GuardedRequest(NamedTuple):
    """The requested act: kind, account, invoice, transaction, amount, and the arguments of its service as JSON values."""

    kind: GuardedAct
    account_no: int
    amount: Decimal
    currency: str
    arguments: Mapping[str, Any]
    invoice_no: int | None = None
    transaction_no: int | None = None


class ActHeld(Exception):
    """The act needs another person. The transaction is rolled back, and the request is stored after it."""

    def __init__(self, wanted: GuardedRequest) -> None:
        self.wanted = wanted
        super().__init__(wanted.kind)


def require_second_person(wanted: GuardedRequest, client: Client, caller: Caller, *, always: bool = False) -> None:
    """Return if the act may proceed now: it needs no second person, or one has approved it. Raises ActHeld otherwise.

    `always`: it needs one whatever four eyes say. An approved request is marked as approved in this transaction, so that it is
    done only once. Call it under the account's lock, after all checks and before anything is written. Refuses a request that
    was already decided on (90072), and one whose amount has changed (90003).
    """
    if caller.approval is not None:
        _approve(wanted, client, caller.approval)
    elif always or four_eyes_apply(client, wanted.kind, wanted.amount):
        raise ActHeld(wanted)


def _approve(wanted: GuardedRequest, client: Client, approval: Approval) -> None:
    act = RequestedAct.objects.select_for_update(no_key=True).get(client=client, pk=approval.act_no)
    if act.state != ActState.PENDING:
        raise BillingError(
            ErrorCode.CHANGE_DECIDED, Detail("request {number} is {state}", number=act.pk, state=word(act.state))
        )
    if act.amount != wanted.amount:
        detail = Detail(
            "request {number} is over {amount}, but the amount is now {now}",
            number=act.pk,
            amount=named_amount(act.amount, act.currency),
            now=named_amount(wanted.amount, wanted.currency),
        )
        raise BillingError(ErrorCode.DOCUMENT_MOVED, Detail("{detail}; discard the request and make a new one", detail=detail))
    act.state, act.decided_by, act.decided_at = ActState.APPROVED, approval.by.identity, timezone.now()
    act.save(update_fields=["state", "decided_by", "decided_at"])
    record_acts(client, approval.by, [Act(APPROVED, act.account_id, act.invoice_id, after=act_row(act), row_no=act.pk)])


def request_act(wanted: GuardedRequest, client: Client, caller: Caller) -> PendingAct:
    """Store a request in a transaction of its own, and return the PendingAct (90073) to raise. Refuses a request if an equal
    one is pending (90022)."""
    text = json.dumps({"kind": wanted.kind, **wanted.arguments}, sort_keys=True)
    columns = {name: getattr(wanted, name) for name in ("kind", "amount", "currency", "arguments", "transaction_no")}
    hashed = hashlib.sha256(text.encode()).hexdigest()
    try:
        with transaction.atomic():
            act = RequestedAct.objects.create(
                client=client,
                account_id=wanted.account_no,
                invoice_id=wanted.invoice_no,
                arguments_hash=hashed,
                requested_by=caller.identity,
                requested_at=timezone.now(),
                **columns,
            )
            row = act_row(act)
            record_acts(client, caller, [Act(REQUESTED, act.account_id, act.invoice_id, after=row, row_no=act.pk)])
            return PendingAct(row)
    except IntegrityError:
        earlier = RequestedAct.objects.filter(client=client, arguments_hash=hashed, state=ActState.PENDING).first()
        if earlier is None:
            raise
        detail = Detail("request {number} for the same act is pending; approve or discard it first", number=earlier.pk)
        raise BillingError(ErrorCode.IN_THE_WAY, detail) from None


def act_row(act: RequestedAct) -> dict[str, Any]:
    """Return a request as events and answers show it."""
    return {
        "id": act.pk,
        "kind": str(act.kind),
        "acct_no": act.account_id,
        "invoice_no": act.invoice_id,
        "transaction_id": act.transaction_no,
        "amount": f"{act.amount.normalize():f}",
        "currency": act.currency,
        "state": str(act.state),
    }
