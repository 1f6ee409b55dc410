"""Decide on pending documents: approve, discard, recalculate, regenerate, or add a note. All doors call this."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

from accounts.callers import Caller
from accounts.models import Client
from invoices.kinds import CYCLE_KINDS, DecisionAct, InvoiceStatus
from invoices.models import Invoice
from invoices.services.approving.acts import (
    APPROVAL,
    DISCARD,
    RECALCULATION,
    REGENERATION,
    approve_invoices,
    decided_by_call,
    discard_invoices,
    recalculate_invoices,
    regenerate_invoices,
)
from invoices.services.approving.remarking import remark_invoices
from invoices.services.documents.outcomes import NothingToBill, Outcome, Refused, Settled
from invoices.services.documents.remarks import NO_REMARKS, Remarks

EVENTS = {
    DecisionAct.APPROVE: APPROVAL,
    DecisionAct.DISCARD: DISCARD,
    DecisionAct.RECALCULATE: RECALCULATION,
    DecisionAct.REGENERATE: REGENERATION,
}


def decide(
    act: DecisionAct,
    *,
    client: Client,
    invoice_nos: Sequence[int],
    caller: Caller,
    today: date,
    remarks: Remarks = NO_REMARKS,
    seen: Mapping[int, str] | None = None,
    collect: bool | None = None,
    statement: bool | None = None,
    cancel_orders: bool = False,
) -> dict[int, Outcome]:
    """Decide on documents, and return one outcome for each, by number and in the order given. A refusal affects no other
    document.

    The outcome of a regeneration names the new document. `seen`, `collect` and `statement` are for approvals, `cancel_orders`
    for discards: see `approve_invoices` and `discard_invoices`, which list the refusals. If the same call was interrupted
    before, its outcomes are returned unchanged, and the remaining documents are decided on.
    """
    numbers = list(dict.fromkeys(invoice_nos))
    decided = decided_by_call(client, EVENTS[act], caller, today) if act in EVENTS else {}
    left = [number for number in numbers if number not in decided]
    if not left:
        return {number: decided[number] for number in numbers}
    match act:
        case DecisionAct.APPROVE:
            outcomes = approve_invoices(
                client=client,
                invoice_nos=left,
                caller=caller,
                today=today,
                seen=seen,
                remarks=remarks,
                collect=collect,
                statement=statement,
            )
        case DecisionAct.DISCARD:
            outcomes = discard_invoices(
                client=client, invoice_nos=left, caller=caller, remarks=remarks, cancel_orders=cancel_orders
            )
        case DecisionAct.RECALCULATE:
            outcomes = recalculate_invoices(client=client, invoice_nos=left, caller=caller, today=today, remarks=remarks)
        case DecisionAct.REGENERATE:
            outcomes = regenerate_invoices(client=client, invoice_nos=left, caller=caller, today=today, remarks=remarks)
        case DecisionAct.REMARK:
            outcomes = remark_invoices(client=client, invoice_nos=left, caller=caller, remarks=remarks)
    found = {**_by_number(left, outcomes), **decided}
    return {number: found[number] for number in numbers}


def decide_on_one(
    act: DecisionAct,
    *,
    client: Client,
    invoice_no: int,
    caller: Caller,
    today: date,
    remarks: Remarks = NO_REMARKS,
    seen: str = "",
    collect: bool | None = None,
    statement: bool | None = None,
    cancel_orders: bool = False,
) -> Settled | NothingToBill:
    """Decide on one document, as `decide` does, and return its outcome. The refusal is raised.

    Only a regeneration can find nothing to bill: the document is then discarded and no other takes its place.
    """
    (outcome,) = decide(
        act,
        client=client,
        invoice_nos=[invoice_no],
        caller=caller,
        today=today,
        remarks=remarks,
        seen={invoice_no: seen},
        collect=collect,
        statement=statement,
        cancel_orders=cancel_orders,
    ).values()
    if isinstance(outcome, Refused):
        raise outcome.error
    return outcome


def discard_stale(*, client: Client, caller: Caller, today: date) -> dict[int, Outcome]:
    """Discard the pending invoices that were generated more than the client's pending_discard_days ago.

    Returns an outcome for each by its number. Rebills are kept (ours), because a person made them.
    """
    if client.pending_discard_days is None:
        return {}
    oldest = today - timedelta(days=client.pending_discard_days)
    pending = Invoice.objects.filter(client=client, status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS)
    stale = list(pending.filter(tax_date__lt=oldest).order_by("pk").values_list("pk", flat=True))
    remarks = Remarks(reason=f"pending for more than {client.pending_discard_days} days")
    return decide(DecisionAct.DISCARD, client=client, invoice_nos=stale, caller=caller, today=today, remarks=remarks)


def _by_number(numbers: Collection[int], outcomes: Sequence[Outcome]) -> dict[int, Outcome]:
    """Return the outcomes by document. An outcome that names a new document or none is matched by its account, which has at
    most one pending document of a cycle."""
    found = {number: one for one in outcomes if (number := _number_of(one)) in numbers and number is not None}
    of_accounts = {one.account_no: one for one in outcomes if _number_of(one) not in numbers}
    missing = [number for number in numbers if number not in found]
    accounts = Invoice.objects.filter(pk__in=missing).values_list("pk", "account_id") if missing else []
    return found | {number: of_accounts[account_no] for number, account_no in accounts}


def _number_of(outcome: Outcome) -> int | None:
    return None if isinstance(outcome, NothingToBill) else outcome.invoice_no
