"""Acts that give money away wait for a second person, where the client's four eyes ask for one. The service that does the act
says so in its own transaction (`pass_second_person`); what is written then is a request, and nothing in the ledger.
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
from billing_site.errors import BillingError, ErrorCode, PendingAct
from invoices.kinds import ActState
from invoices.models import RequestedAct
from invoices.services.documents.approval_rules import four_eyes_apply

APPROVED = "act.approved"


class GuardedRequest(NamedTuple):
    """An act that is about to be done: its kind, on which account, invoice and transaction, for how much, and the arguments
    that its service takes, as JSON has them."""

    kind: GuardedAct
    account_no: int
    amount: Decimal
    currency: str
    arguments: Mapping[str, Any]
    invoice_no: int | None = None
    transaction_no: int | None = None


class ActHeld(Exception):
    """The act needs another person. The transaction that hears of it is undone, and the request is written after it."""

    def __init__(self, wanted: GuardedRequest) -> None:
        self.wanted = wanted
        super().__init__(wanted.kind)


def pass_second_person(wanted: GuardedRequest, client: Client, caller: Caller) -> None:
    """Lets an act go on that needs no second person, or that one has approved: its request is then marked as approved in this
    transaction, so that it is done once. Else raises ActHeld.

    Call it under the account's lock, after all checks and before anything is written. Refuses a request that was decided on
    (90072), and one whose amount is another by now (90003)."""
    if caller.approval is not None:
        _approve(wanted, client, caller.approval)
    elif four_eyes_apply(client, wanted.kind, wanted.amount):
        raise ActHeld(wanted)


def _approve(wanted: GuardedRequest, client: Client, approval: Approval) -> None:
    act = RequestedAct.objects.select_for_update(no_key=True).get(client=client, pk=approval.act_no)
    if act.state != ActState.PENDING:
        raise BillingError(ErrorCode.CHANGE_DECIDED, f"request {act.pk} is {act.state}")
    if act.amount != wanted.amount:
        detail = f"request {act.pk} is over {act.amount.normalize():f}, but the amount is now {wanted.amount.normalize():f}"
        raise BillingError(ErrorCode.DOCUMENT_MOVED, f"{detail}; discard the request and make a new one")
    act.state, act.decided_by, act.decided_at = ActState.APPROVED, approval.by.identity, timezone.now()
    act.save(update_fields=["state", "decided_by", "decided_at"])
    record_acts(client, approval.by, [Act(APPROVED, act.account_id, act.invoice_id, after=act_row(act), row_no=act.pk)])


def request_act(wanted: GuardedRequest, client: Client, caller: Caller) -> PendingAct:
    """Writes a request down, in a transaction of its own, and returns what its caller is answered by. An equal request that is
    pending is refused (90022)."""
    text = json.dumps({"kind": wanted.kind, **wanted.arguments}, sort_keys=True)
    given = {name: getattr(wanted, name) for name in ("kind", "amount", "currency", "arguments", "transaction_no")}
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
                **given,
            )
            row = act_row(act)
            record_acts(client, caller, [Act(REQUESTED, act.account_id, act.invoice_id, after=row, row_no=act.pk)])
            return PendingAct(row)
    except IntegrityError:
        earlier = RequestedAct.objects.filter(client=client, arguments_hash=hashed, state=ActState.PENDING).first()
        if earlier is None:
            raise
        detail = f"request {earlier.pk} for the same act is pending; approve or discard it first"
        raise BillingError(ErrorCode.IN_THE_WAY, detail) from None


def act_row(act: RequestedAct) -> dict[str, Any]:
    """A request as events and answers show it."""
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
