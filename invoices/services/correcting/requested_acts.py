"""Decide on acts that need a second person. Approving one calls the service of the act."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import override

from accounts.callers import Approval, Caller
from accounts.keys import people_behind
from accounts.kinds import GuardedAct
from accounts.models import ApiKey, Client
from accounts.rights import APPROVE, check_may, may
from accounts.staff import name_of, names_of
from accounts.trail import Act, record_acts, refusal
from billing_site.common.languages import ENGLISH
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.kinds import ACT_TRANSITIONS, ActState
from invoices.models import RequestedAct
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.memo_undoing import undo_memo_requested
from invoices.services.correcting.void_undoing import undo_void_requested
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.approval_rules import four_eyes_apply
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.second_person import act_row
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.undoing.voiding import void_invoice

REFUSED = "act.approval_refused"
By = Mapping[str, Any]


def pending_acts(client: Client) -> QuerySet[RequestedAct]:
    """Select the acts that need a second person, the oldest first."""
    rows = RequestedAct.objects.filter(client=client, state=ActState.PENDING)
    return rows.select_related("account", "invoice").order_by("pk")


class Decidable(NamedTuple):
    """What the caller may do with a request. `blocked` is a detail that says why they may not approve it; empty if they may."""

    blocked: str
    may_discard: bool


def decidable(client: Client, acts: Sequence[RequestedAct], caller: Caller) -> dict[int, Decidable]:
    """Return what the caller may do with each request, by number. The number of queries is constant."""
    identities = {act.requested_by for act in acts}
    with override(ENGLISH):
        people, names = people_behind(identities), names_of(identities)
    found = {}
    for act in acts:
        blocked, behind = "", people[act.requested_by]
        try:
            _check_approver(client, act, behind, names[act.requested_by], caller)
        except BillingError as error:
            blocked = error.as_detail
        found[act.pk] = Decidable(blocked, may(caller, APPROVE) or bool(behind & caller.people))
    return found


def approve_act(*, client: Client, act_no: int, caller: Caller, today: date) -> RequestedAct:
    """Do the requested act in the name of its requester, and return the request with its result.

    The act's own service checks everything again, the requester's rights included. If it refuses, the request stays pending and
    an event is written. Refuses a caller who may not approve (90001) or is the requester (90002), and a request that is not
    pending (90072).
    """
    act = _found(client, act_no)
    try:
        check_may(caller, APPROVE)
        _check_state(act, ActState.APPROVED)
        with override(ENGLISH):
            name = name_of(act.requested_by)
        _check_approver(client, act, people_behind([act.requested_by])[act.requested_by], name, caller)
        requester = replace(_caller_of(act.requested_by), request_id=caller.request_id, approval=Approval(act.pk, caller))
        result_no = _DO[GuardedAct(act.kind)](act.arguments, {"client": client, "caller": requester, "today": today})
    except BillingError as error:
        record_acts(client, caller, [refusal(REFUSED, error, account_no=act.account_id, invoice_no=act.invoice_id)])
        raise
    RequestedAct.objects.filter(pk=act.pk).update(result_no=result_no)
    return RequestedAct.objects.get(pk=act.pk)


def discard_act(*, client: Client, act_no: int, caller: Caller) -> RequestedAct:
    """Discard a request. The requester may always do so, which withdraws it; others need the right to approve (90001).

    Refuses a request that is not pending (90072). Locks the request.
    """
    with transaction.atomic():
        act = RequestedAct.objects.select_for_update(no_key=True).get(pk=_found(client, act_no).pk)
        state = check_may_discard(act, caller)
        _check_state(act, state)
        act.state, act.decided_by, act.decided_at = state, caller.identity, timezone.now()
        act.save(update_fields=["state", "decided_by", "decided_at"])
        event = Act(f"act.{state}", act.account_id, act.invoice_id, after=act_row(act), row_no=act.pk)
        record_acts(client, caller, [event])
        return act


def check_may_discard(act: RequestedAct, caller: Caller) -> ActState:
    """Return the state that discarding would give: withdrawn or discarded. Refuses a caller who may do neither (90001)."""
    if people_behind([act.requested_by])[act.requested_by] & caller.people:
        return ActState.WITHDRAWN
    check_may(caller, APPROVE)
    return ActState.DISCARDED


def _found(client: Client, act_no: int) -> RequestedAct:
    act = RequestedAct.objects.filter(client=client, pk=act_no).first()
    if act is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("request {number} does not exist", number=act_no))
    return act


def _check_state(act: RequestedAct, to: ActState) -> None:
    if to not in ACT_TRANSITIONS[ActState(act.state)]:
        raise BillingError(
            ErrorCode.CHANGE_DECIDED, Detail("request {number} is {state}", number=act.pk, state=word(act.state))
        )


def _check_approver(client: Client, act: RequestedAct, people: frozenset[str], name: str, caller: Caller) -> None:
    check_may(caller, APPROVE)
    if four_eyes_apply(client, GuardedAct(act.kind), act.amount) and people & caller.people:
        raise BillingError(ErrorCode.FOUR_EYES, Detail("request {number} was made by {name}", number=act.pk, name=name))


def _caller_of(identity: str) -> Caller:
    """Return the requester with their current rights. Refuses a revoked key (90009)."""
    kind, _colon, name = identity.partition(":")
    if kind == "staff":
        return Caller(staff=get_user_model().objects.get(pk=name))
    if kind == "process":
        return Caller(process=name)
    key = ApiKey.objects.get(pk=name)
    if key.revoked_at is not None:
        raise BillingError(
            ErrorCode.PERMISSION,
            Detail("the API key {name}, which made the request, is revoked; discard the request", name=key.name),
        )
    return Caller(api_key=key)


def _why(arguments: Mapping[str, Any]) -> Why:
    return Why(arguments["reason_code"], arguments["comments"])


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _memo(arguments: Mapping[str, Any], by: By) -> int:
    lines = {int(number): _amount(amount) for number, amount in arguments["lines"]}
    asked = CreditRequest(lines=lines, amount=_amount(arguments["amount"]), everything=arguments["everything"])
    why, credit_to = _why(arguments), arguments.get("credit_to", "")
    return create_credit_memo(invoice_no=arguments["invoice_no"], why=why, credit=asked, credit_to=credit_to, **by).pk


def _cash_credit(arguments: Mapping[str, Any], by: By) -> int:
    chosen = {int(number): Decimal(amount) for number, amount in arguments["invoices"]}
    amount = Decimal(arguments["amount"])
    return add_cash_credit(account_no=arguments["account_no"], amount=amount, why=_why(arguments), invoices=chosen, **by).pk


def _write_off(arguments: Mapping[str, Any], by: By) -> int:
    return write_off(invoice_no=arguments["invoice_no"], amount=Decimal(arguments["amount"]), why=_why(arguments), **by).pk


def _refund(arguments: Mapping[str, Any], by: By) -> int:
    amount = Decimal(arguments["amount"])
    return int(refund_payment(transaction_id=arguments["transaction_id"], amount=amount, why=_why(arguments), **by).pk)


def _void(arguments: Mapping[str, Any], by: By) -> int:
    reason = {"reason_code": arguments["reason_code"], "comments": arguments["comments"]}
    if "voided_no" in arguments:
        return undo_void_requested(arguments, by)
    if "undone_memo_no" in arguments:
        return undo_memo_requested(arguments, by)
    if "invoice_no" in arguments:
        reason["credit_to"] = arguments.get("credit_to", "")
        return int(void_invoice(invoice_no=arguments["invoice_no"], **reason, **by).void_transaction_id)
    return void_transaction(transaction_id=arguments["transaction_id"], **reason, **by).pk


Doing = Callable[[Mapping[str, Any], By], int]
_DO: dict[GuardedAct, Doing] = {
    GuardedAct.MEMOS: _memo,
    GuardedAct.CASH_CREDITS: _cash_credit,
    GuardedAct.WRITE_OFFS: _write_off,
    GuardedAct.REFUNDS: _refund,
    GuardedAct.VOIDS: _void,
}


def register_act(kind: GuardedAct, doing: Doing) -> None:
    """Register how requested acts of another app are done. `doing` gets the stored arguments with client, caller and today,
    and returns the number of the document or
    transaction that it made. Call it when the app is ready."""
    _DO[kind] = doing
