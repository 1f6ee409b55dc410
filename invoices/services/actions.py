"""What may be done with documents, why not, and what else: for callers with their rights, and for acts under their locks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from django.db.models import QuerySet

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import APPROVE, COLLECT, CORRECT, REBILL, Right, check_may
from billing_site.common.compiled_reads import Reading, compiled_read, read_ahead
from billing_site.errors import BillingError
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan.action_facts import DocumentFacts, InTheWay
from invoices.plan.actions import Action, Refusal, why_not, why_not_decided, why_not_issued_now
from invoices.services.document_facts import document_facts, fact_readings
from invoices.services.documents.approval_rules import check_four_eyes
from invoices.services.documents.versions import Makers, makers_of
from invoices.services.planning.adjusting import adjusted_documents, would_lose_adjustments
from invoices.services.planning.previewing import why_not_regenerated
from invoices.services.planning.rule_matching import Ruled, check_role, roles_for, ruled_documents


def check_allowed(action: Action, invoice_no: int, today: date) -> DocumentFacts:
    """Return the facts of a document, or raise why this action is refused. Under its account's lock."""
    facts = document_facts([invoice_no], today)[invoice_no]
    refusal = why_not(action, facts)
    if refusal is not None:
        raise refusal.error
    return facts


class Allowed(NamedTuple):
    """Whether a caller may do an action now, and if not, why."""

    action: Action
    error: BillingError | None = None
    in_the_way: InTheWay | None = None
    instead: str = ""


PLANNED_AGAIN = {Action.RECALCULATE, Action.REGENERATE}
"""These acts calculate a pending document again. They are planned, to see whether they would be refused."""

RIGHTS: dict[Action, Right] = {
    Action.APPROVE: APPROVE,
    Action.DISCARD: APPROVE,
    Action.RECALCULATE: APPROVE,
    Action.REGENERATE: APPROVE,
    Action.ADJUST: REBILL,
    Action.VOID: CORRECT,
    Action.COLLECT: COLLECT,
    Action.REFUND: CORRECT,
    Action.CREDIT: CORRECT,
    Action.WRITE_OFF: CORRECT,
    Action.DISPUTE: CORRECT,
    Action.REBILL: REBILL,
    Action.UNDO: REBILL,
    Action.UNDO_MEMO: CORRECT,
    Action.UNDO_VOID: CORRECT,
}


def available_actions(
    client: Client, invoice_nos: Collection[int], caller: Caller, today: date, actions: Collection[Action] = tuple(Action)
) -> dict[int, list[Allowed]]:
    """Return for each document, by number, whether this caller may do each of `actions`, in their order.

    An allowed action would succeed now: a rebill whose original can no longer be rebilled may not be approved, and what
    calculates a document again is planned to see whether it would be refused.
    """
    with read_ahead(*action_readings(invoice_nos)):
        facts = document_facts(invoice_nos, today)
        pending_invoices = _pending_of(invoice_nos)
    pending = _read_pending(client, pending_invoices, actions, caller, today)
    return {
        number: [_allowed(action, why_not(action, one), number, pending, caller) for action in actions]
        for number, one in facts.items()
    }


def action_readings(invoice_nos: Collection[int]) -> list[Reading]:
    """Return the reads of `available_actions` of documents that are not pending, to be read ahead with others."""
    return [*fact_readings(invoice_nos), _pending_of.of(invoice_nos)]


@compiled_read
def _pending_of(invoice_nos: Collection[int]) -> QuerySet[Invoice]:
    return Invoice.objects.filter(pk__in=invoice_nos, status=InvoiceStatus.PENDING).select_related("corrects")


def refused_decisions(
    action: Action, invoices: Sequence[Invoice], *, client: Client, caller: Caller, today: date, plans: bool
) -> dict[int, BillingError]:
    """Return the documents whose approval, discard, recalculation or regeneration would be refused to this caller, with the
    error, by number.

    The documents must be read with the documents that they correct. Without `plans`, a recalculation or regeneration is not
    planned.
    """
    actions = [action] if plans or action not in PLANNED_AGAIN else []
    still_pending = [one for one in invoices if one.status == InvoiceStatus.PENDING]
    pending = _read_pending(client, still_pending, actions, caller, today)
    found = {}
    for one in invoices:
        refusal = why_not_decided(action, one.pk, one.kind, one.status)
        error = _allowed(action, refusal, one.pk, pending, caller).error
        if error is not None:
            found[one.pk] = error
    return found


def why_rebills_are_not_issued(invoices: Collection[Invoice], today: date) -> dict[int, Refusal]:
    """Return pending rebills that can no longer be issued, with the reason: their originals have changed meanwhile."""
    originals = {one.pk: one.corrects_id for one in invoices if one.kind == InvoiceKind.REBILL and one.corrects_id is not None}
    if not originals:
        return {}
    facts = document_facts(list(originals.values()), today)
    refusals = {number: why_not_issued_now(facts[original]) for number, original in originals.items()}
    return {number: refusal for number, refusal in refusals.items() if refusal is not None}


class _Pending(NamedTuple):
    """Pending documents by number, and what blocks decisions on them beside their state.

    `makers` are the people behind who generated or changed them, `ruled` the approval rules that decide about them, `roles`
    those of the reader, `unissuable` the rebills whose originals have changed,
    `unplanned` the documents that cannot be planned again, `adjusted` those with adjustments.
    """

    client: Client
    invoices: Mapping[int, Invoice]
    makers: Mapping[int, Makers]
    ruled: Mapping[int, Ruled]
    roles: Collection[str]
    unissuable: Mapping[int, Refusal]
    unplanned: Mapping[int, BillingError]
    adjusted: frozenset[int]


def _read_pending(
    client: Client, pending_invoices: Sequence[Invoice], actions: Collection[Action], caller: Caller, today: date
) -> _Pending:
    numbers = [one.pk for one in pending_invoices]
    ruled = ruled_documents(client, numbers) if Action.APPROVE in actions else {}
    return _Pending(
        client,
        {one.pk: one for one in pending_invoices},
        makers_of(pending_invoices),
        ruled,
        roles_for(ruled, client, caller, today),
        why_rebills_are_not_issued(pending_invoices, today) if Action.APPROVE in actions else {},
        why_not_regenerated(client, numbers, today) if PLANNED_AGAIN & set(actions) else {},
        adjusted_documents([one.pk for one in pending_invoices if one.version > 1]),
    )


def _allowed(action: Action, refusal: Refusal | None, number: int, pending: _Pending, caller: Caller) -> Allowed:
    if refusal is None and action is Action.APPROVE:
        refusal = pending.unissuable.get(number)
    if refusal is not None:
        return Allowed(action, refusal.error, refusal.in_the_way, refusal.instead)
    try:
        check_may(caller, RIGHTS[action])
        if action is Action.APPROVE and number in pending.invoices:
            check_four_eyes(pending.client, pending.invoices[number], pending.makers[number], caller)
            check_role(pending.ruled.get(number), pending.roles)
        if action in PLANNED_AGAIN and number in pending.unplanned:
            raise pending.unplanned[number]
        if action is Action.REGENERATE and number in pending.adjusted:
            raise would_lose_adjustments(number)
    except BillingError as error:
        return Allowed(action, error)
    return Allowed(action)
