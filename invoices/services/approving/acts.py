"""The acts on pending documents: approve, discard, recalculate or regenerate, one or many. Each document has an outcome."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client, Event
from accounts.rights import APPROVE, COLLECT, ROW_RIGHTS, SEND_STATEMENTS, Right, check_may
from accounts.trail import acts_of_call, record_acts, refusal
from billing_site.errors import BillingError, Detail, ErrorCode, error_from_event
from invoices.models import Invoice
from invoices.plan.actions import Action, why_not_decided
from invoices.plan.facts import BillingState
from invoices.services.approving.approving import approve_locked
from invoices.services.approving.given_approvals import GIVEN
from invoices.services.approving.recalculating import RECALCULATED, recalculate_pending
from invoices.services.billing.one_time_charges import cancel_held
from invoices.services.billing.recording import Recording, record_plans
from invoices.services.documents.batches import in_halves
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.outcomes import NothingToBill, Outcome, Recorded, Refused, Settled, Written, without_settling
from invoices.services.documents.remarks import Remarks
from invoices.services.issuing.after_issue import finish_issued, settle_issued
from invoices.services.issuing.issuing import IssuePolicy, Issuing
from invoices.services.planning.adjusting import adjusted_documents, would_lose_adjustments
from invoices.services.planning.facts import lock_states
from invoices.services.planning.previewing import preview_invoices, regenerations
from invoices.services.planning.rule_matching import AUTOMATIC, TRIED_AGAIN
from invoices.services.undoing.discarding import discard_locked


class PendingRef(NamedTuple):
    """A pending document, with its account as read before the account was locked."""

    invoice_no: int
    account_no: int


class DecisionActs(NamedTuple):
    """The names of a decision's events: done, and refused."""

    done: str
    refused: str


APPROVAL = DecisionActs("invoice.approved", "invoice.approval_refused")
DISCARD = DecisionActs("invoice.discarded", "invoice.discard_refused")
RECALCULATION = DecisionActs(RECALCULATED, "invoice.recalculation_refused")
REGENERATION = DecisionActs("invoice.discarded", "invoice.regeneration_refused")


WriteLocked = Callable[[list[Invoice], Mapping[int, BillingState]], list[Recorded | Refused]]


def approve_invoices(
    *,
    client: Client,
    invoice_nos: Collection[int],
    caller: Caller,
    today: date,
    seen: Mapping[int, str] | None = None,
    remarks: Remarks | None = None,
    collect: bool | None = None,
    statement: bool | None = None,
) -> list[Outcome]:
    """Issue pending documents as they are stored, and return one outcome for each. Open amounts are then collected and
    statements sent.

    `seen` has the fingerprints that the caller has seen; a document that has changed since is refused (90003). `collect` and
    `statement` override the document's and the client's settings, and need the rights to collect (90025) and to send statements
    (90009). A rebill is issued together with its credit memo. Other refused outcomes: no right to approve (90001), the caller
    generated it (90002), it is not pending (3015), its account is locked by another call (3108), the client's approval rules do
    not allow it (90250, 90253). A document that needs more people stays pending, and its outcome has `approvals_missing`.
    """
    rights = [APPROVE, *([COLLECT] if collect else []), *([SEND_STATEMENTS] if statement else [])]
    policy = IssuePolicy(client, collect, statement)
    issuing = Issuing(policy, caller, today, timezone.now(), remarks or Remarks())
    approve = partial(approve_locked, issuing=issuing, seen=seen or {})
    written = _decide(APPROVAL.refused, client, invoice_nos, caller, rights, Action.APPROVE, approve)
    return settle_issued(client, written, caller, today)


def discard_invoices(
    *,
    client: Client,
    invoice_nos: Collection[int],
    caller: Caller,
    remarks: Remarks | None = None,
    cancel_orders: bool = False,
) -> list[Outcome]:
    """Discard pending invoices and rebills, and return one outcome for each. Their periods and originals can then be billed
    again.

    With `cancel_orders` the one-time charges on them are cancelled too, which needs the right to remove one-time charges
    (90009). Refused outcomes: no right to approve (90001), not pending (3015), account locked by another call (3108).
    """
    rights = [APPROVE, *([ROW_RIGHTS["delete", "invoices.onetimecharge"]] if cancel_orders else [])]

    def discard(invoices: list[Invoice], states: Mapping[int, BillingState]) -> list[Recorded | Refused]:
        if invoices:
            receipts.use(client, caller.receipt, invoice_no=invoices[0].pk)
        if cancel_orders:
            cancel_held(client, [invoice.pk for invoice in invoices], caller)
        discard_locked(client, {invoice.pk: invoice.account_id for invoice in invoices}, caller, timezone.now(), remarks)
        return [Recorded(invoice.account_id, invoice.pk) for invoice in invoices]

    return without_settling(_decide(DISCARD.refused, client, invoice_nos, caller, rights, Action.DISCARD, discard))


def regenerate_invoices(
    *, client: Client, invoice_nos: Collection[int], caller: Caller, today: date, remarks: Remarks | None = None
) -> list[Outcome]:
    """Discard pending invoices and generate new pending ones for the same cycles. Each outcome names the new invoice.

    Both happen in one transaction: if the new invoice is refused, the old one stays. Other refused outcomes: no right to
    approve (90001), not pending (3015), a rebill, a document with adjustments (90241).
    """
    accounts, refused = _of_cycles(client, invoice_nos, caller, Action.REGENERATE)
    for invoice_no in sorted(adjusted_documents(list(accounts))):
        refused.append(Refused(accounts.pop(invoice_no), would_lose_adjustments(invoice_no), invoice_no))
    batches = regenerations(list(accounts), today)
    planned = {invoice_no for replacing in batches.values() for invoice_no in replacing.values()}
    for invoice_no in sorted(accounts.keys() - planned):
        # Another call has decided on it since it was read.
        error = BillingError(ErrorCode.NOT_PENDING, Detail("invoice {invoice_no}", invoice_no=invoice_no))
        refused.append(Refused(accounts[invoice_no], error, invoice_no))
    done = [
        one
        for request, replacing in batches.items()
        for one in _regenerate(Recording(IssuePolicy(client), caller, request, replacing, remarks or Remarks()))
    ]
    _record_refusals(REGENERATION.refused, client, caller, [*refused, *done])
    return without_settling([*done, *refused])


def recalculate_invoices(
    *, client: Client, invoice_nos: Collection[int], caller: Caller, today: date, remarks: Remarks | None = None
) -> list[Outcome]:
    """Recalculate pending invoices from today's data, and return one outcome for each. Each keeps its number and adjustments,
    and its earlier version.

    Refused outcomes: no right to approve (90001), not pending (3015), a rebill, and those of `recalculate_pending`.
    """
    accounts, refused = _of_cycles(client, invoice_nos, caller, Action.RECALCULATE)
    written = [*recalculate_pending(client, accounts, caller, today, remarks or Remarks()), *refused]
    _record_refusals(RECALCULATION.refused, client, caller, written)
    return without_settling(written)


def _of_cycles(
    client: Client, invoice_nos: Collection[int], caller: Caller, action: Action
) -> tuple[dict[int, int], list[Refused]]:
    """Return the accounts of the documents that may be calculated again, by number, and a refusal for each of the others."""
    chosen, refused = _chosen(client, invoice_nos, caller, [APPROVE])
    rows = Invoice.objects.filter(pk__in=[one.invoice_no for one in chosen]).values_list("pk", "account_id", "kind", "status")
    accounts = {}
    for invoice_no, account_no, kind, status in rows:
        why = why_not_decided(action, invoice_no, kind, status)
        if why is None:
            accounts[invoice_no] = account_no
        else:
            refused.append(Refused(account_no, why.error, invoice_no))
    return accounts, refused


def decided_by_call(client: Client, decision: DecisionActs, caller: Caller, today: date) -> dict[int, Outcome]:
    """Return what an interrupted call has decided, by invoice, from its events. Its collections and statements are finished.

    Invoices that it had not reached are missing.
    """
    events: dict[int, Event] = {}
    for event in acts_of_call(caller.receipt, *decision, *([GIVEN] if decision is APPROVAL else [])):
        if event.invoice_no is not None:
            events.setdefault(event.invoice_no, event)
    accounts = dict(Invoice.objects.filter(client=client, pk__in=events).values_list("pk", "account_id")) if events else {}
    issued = [number for number, event in events.items() if event.act == APPROVAL.done]
    collected = finish_issued(client, issued, caller, today)
    return {
        number: Refused(accounts.get(number), error_from_event(event.error_code, event.message, event.detail), number)
        if event.error_code
        else _decided(accounts[number], event, decision, collected.get(number))
        for number, event in events.items()
    }


def _decided(account_no: int, event: Event, decision: DecisionActs, collection: Collected | None) -> Settled | NothingToBill:
    """Return the outcome of a decision that an event recorded: of a regeneration, that of the new document."""
    number = event.after.get("replaced_by") if decision is REGENERATION else event.invoice_no
    if number is None:
        return NothingToBill(account_no)
    missing = event.after.get("approvals_missing", 0)
    return Settled(Recorded(account_no, number, approvals_missing=missing), collection)


def _regenerate(recording: Recording) -> list[Written]:
    replacing = recording.replacing
    planned = preview_invoices(
        client=recording.client, account_nos=replacing, request=recording.request, replacing=replacing.values()
    )
    return [
        Refused(account_no, one.error, replacing[account_no]) if isinstance(one, Refused) else one
        for account_no, one in zip(sorted(replacing), record_plans(recording, planned), strict=True)
    ]


def _decide(
    refused_act: str,
    client: Client,
    invoice_nos: Collection[int],
    caller: Caller,
    rights: Sequence[Right],
    action: Action,
    write_locked: WriteLocked,
) -> list[Recorded | Refused]:
    chosen, refused = _chosen(client, invoice_nos, caller, rights)
    decided = in_halves(
        chosen,
        partial(_write, action=action, write_locked=write_locked),
        lambda one, error: Refused(one.account_no, error, one.invoice_no),
    )
    written = [*decided, *refused]
    _record_refusals(refused_act, client, caller, written)
    return written


def _chosen(
    client: Client, invoice_nos: Collection[int], caller: Caller, rights: Sequence[Right]
) -> tuple[list[PendingRef], list[Refused]]:
    """Return the client's documents among these numbers, ordered by account, and a refusal for each of the others."""
    found = {
        invoice_no: PendingRef(invoice_no, account_no)
        for invoice_no, account_no in Invoice.objects.filter(client=client, pk__in=invoice_nos)
        .order_by("account_id", "pk")
        .values_list("pk", "account_id")
    }
    try:
        for right in rights:
            check_may(caller, right)
    except BillingError as error:
        # The same refusal for unknown numbers, so that a caller without the right cannot find out which invoices exist.
        accounts = {one.invoice_no: one.account_no for one in found.values()}
        return [], [Refused(accounts.get(number), error, number) for number in sorted(set(invoice_nos))]
    unknown = [
        Refused(
            None, BillingError(ErrorCode.NOT_PENDING, Detail("invoice {invoice_no} does not exist", invoice_no=number)), number
        )
        for number in sorted(set(invoice_nos) - found.keys())
    ]
    return list(found.values()), unknown


def _write(chosen: Sequence[PendingRef], action: Action, write_locked: WriteLocked) -> list[Recorded | Refused]:
    """Lock the accounts, then the invoices, and decide on those that are still pending."""
    locked = lock_states([one.account_no for one in chosen], skip_locked=len(chosen) > 1)
    invoices = {
        invoice.pk: invoice
        for invoice in Invoice.objects.select_for_update(no_key=True, of=("self",))
        .select_related("corrects")
        .filter(pk__in=[one.invoice_no for one in chosen], account__in=locked)
        .order_by("pk")
    }
    refused: list[Refused] = []
    for one in chosen:
        invoice = invoices.get(one.invoice_no)
        if invoice is None:
            refused.append(Refused(one.account_no, BillingError(ErrorCode.IN_PROGRESS), one.invoice_no))
            continue
        why = why_not_decided(action, invoice.pk, invoice.kind, invoice.status)
        if why is not None:
            refused.append(Refused(invoice.account_id, why.error, invoice.pk))
            del invoices[invoice.pk]
    return [*write_locked(list(invoices.values()), locked), *refused]


def _record_refusals(act: str, client: Client, caller: Caller, written: Sequence[Written]) -> None:
    left_out = TRIED_AGAIN if caller.process == AUTOMATIC.process else ()
    refused = [one for one in written if isinstance(one, Refused) and one.error.code not in left_out]
    record_acts(
        client, caller, [refusal(act, one.error, account_no=one.account_no, invoice_no=one.invoice_no) for one in refused]
    )
