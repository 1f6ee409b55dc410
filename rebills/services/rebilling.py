"""Rebill issued invoices: write a credit memo that offsets each invoice and the rebill that replaces it, in one transaction.

A single call is a batch of one. Every rebill is first written as pending, then issued by the code that approves it, so a rebill
that needs approval and one that does not are issued in the same way.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.event_types import PENDING as TYPE_OF_PENDING
from accounts.kinds import CreditTo
from accounts.models import Client, Event
from accounts.rights import COLLECT, CORRECT, check_may, may
from accounts.trail import Act, acts_of_call, record_acts, refusal
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import reserve_ids
from billing_site.errors import BillingError, Detail, ErrorCode, error_from_event, listed, word
from invoices.models import Invoice
from invoices.plan.actions import Action, why_not
from invoices.plan.facts import BillingState
from invoices.services.document_facts import document_facts
from invoices.services.documents.approval_rules import rebill_approval_amount, rebill_needs_approval
from invoices.services.documents.batches import in_halves
from invoices.services.documents.comparisons import record_comparisons
from invoices.services.documents.document_storage import Links, insert_documents
from invoices.services.documents.outcomes import Recorded
from invoices.services.documents.rebill_markers import GENERATED
from invoices.services.documents.rights import check_may_rebill
from invoices.services.documents.tax_answers import is_pending_for_tax_data, record_tax_answers
from invoices.services.issuing.after_issue import finish_issued, settle_documents
from invoices.services.issuing.issuing import IssuePolicy, Issuing, issue, pending_document
from invoices.services.money.ledger.freed_money import check_may_refund, credit_to_of
from invoices.services.planning.facts import lock_states
from rebills.plan import RebillPlan
from rebills.plan.requests import MoneyFacts
from rebills.services.facts import read_money
from rebills.services.issuing import REBILLED
from rebills.services.previewing import preview_rebills
from rebills.services.requests import PlannedRebill, RebillOutcome, RebillRequest, RecordedRebill, RefusedRebill, SettledRebill

REFUSED = "rebill.refused"
PENDING = "invoice.rebill_waits"


def _not_noted(written: Sequence[RecordedRebill]) -> None:
    return None


class Approved(NamedTuple):
    """An approval that was given before, for all rebills of a request together.

    `by` approved them: a rebill is issued in that name, and is pending only if tax data is missing. `statement` says whether
    statements are sent. `note` gets what was written, in the transaction that writes it.
    """

    by: Caller
    statement: bool | None = None
    note: Callable[[Sequence[RecordedRebill]], None] = _not_noted


class Rebilling(NamedTuple):
    """Client, caller and business day of a request. `read_at` is when the facts of the plans were read."""

    client: Client
    caller: Caller
    today: date
    read_at: datetime | None = None
    approved: Approved | None = None


def rebill_invoices(
    *,
    client: Client,
    requests: Sequence[RebillRequest],
    caller: Caller,
    today: date,
    approved: Approved | None = None,
) -> list[RebillOutcome]:
    """Rebill invoices, and return one outcome per request, in their order. A refusal does not affect the others.

    If the client's settings or four eyes require it, a rebill is pending and changes nothing until it is approved. Otherwise
    its amount due is collected after the commit, if requested, and its statement sent. If these fail, the rebill stays issued.
    If the request is retried after an interruption, results already recorded are returned, and the rest is done now.
    """
    work = Rebilling(client, caller, today, approved=approved)
    outcomes = _rebilled_by_call(requests, work)
    left = [place for place in range(len(requests)) if place not in outcomes]
    for wave in _waves([requests[place] for place in left]):
        places = [left[place] for place in wave]
        done = _rebill_some([requests[place] for place in places], work)
        record_acts(client, caller, [_refusal(one) for one in done if isinstance(one, RefusedRebill)])
        outcomes |= dict(zip(places, done, strict=True))
    return [outcomes[place] for place in range(len(requests))]


def rebill_invoice(*, client: Client, request: RebillRequest, caller: Caller, today: date) -> int:
    """Rebill one invoice and return the rebill's number. A refusal is raised; only its event is written."""
    (outcome,) = rebill_invoices(client=client, requests=[request], caller=caller, today=today)
    if isinstance(outcome, RefusedRebill):
        raise outcome.error
    return outcome.rebill_no


def _rebilled_by_call(requests: Sequence[RebillRequest], work: Rebilling) -> dict[int, RebillOutcome]:
    """Return what an interrupted request already did, by index of the request, as its events recorded it.

    Several events of one invoice are matched in their order. Collects and sends what was issued but not yet collected or sent.
    """
    events: dict[int | None, list[Event]] = defaultdict(list)
    for event in acts_of_call(work.caller.receipt, REBILLED, PENDING, REFUSED):
        events[event.invoice_no].append(event)
    found = {place: events[request.invoice_no].pop(0) for place, request in enumerate(requests) if events[request.invoice_no]}
    issued = [event.after["rebill"] for event in found.values() if event.act == REBILLED]
    collected = finish_issued(work.client, issued, work.caller, work.today)
    accounts = dict(
        Invoice.objects.filter(pk__in=[requests[place].invoice_no for place in found]).values_list("pk", "account_id")
    )
    outcomes: dict[int, RebillOutcome] = {}
    for place, event in found.items():
        request = requests[place]
        if event.error_code:
            error = error_from_event(event.error_code, event.message, event.detail)
            outcomes[place] = RefusedRebill(request, event.account_id, error)
            continue
        rebill_no = event.after["rebill"]
        recorded = RecordedRebill(request, accounts[request.invoice_no], rebill_no, event.act == PENDING)
        outcomes[place] = SettledRebill(recorded, collected.get(rebill_no))
    return outcomes


def _waves(requests: Sequence[RebillRequest]) -> list[list[int]]:
    """Group the request indexes into waves in which no account repeats.

    A second rebill of an account is planned after the first was recorded, because it depends on the money that the first left.
    """
    if len(requests) == 1:
        return [[0]]
    accounts = dict(Invoice.objects.filter(pk__in=[one.invoice_no for one in requests]).values_list("pk", "account_id"))
    waves: list[list[int]] = []
    seen: dict[int, int] = {}
    for place, request in enumerate(requests):
        account_no = accounts.get(request.invoice_no, -place)
        wave = seen.get(account_no, 0)
        seen[account_no] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(place)
    return waves


def _rebill_some(requests: Sequence[RebillRequest], work: Rebilling) -> list[RebillOutcome]:
    try:
        check_may_rebill(work.caller)
    except BillingError as error:
        return [RefusedRebill(request, None, error) for request in requests]
    work = work._replace(read_at=timezone.now())
    previewed = preview_rebills(client=work.client, requests=requests, today=work.today)
    planned = [_check_refunding(_check_collecting(one, work), work) for one in previewed]
    ready = [one for one in planned if isinstance(one, PlannedRebill)]
    written = in_halves(ready, partial(_write, work), lambda one, error: RefusedRebill(one.request, one.account_no, error))
    outcomes = {one.request.invoice_no: one for one in _settled(written, work)}
    return [one if isinstance(one, RefusedRebill) else outcomes[one.request.invoice_no] for one in planned]


def _check_collecting(one: PlannedRebill | RefusedRebill, work: Rebilling) -> PlannedRebill | RefusedRebill:
    """Refuse a rebill that would collect if the caller may not collect (90025).

    A caller without that right must request no collection. If the rebill needs approval, the approver's right decides instead.
    """
    collector = work.caller if work.approved is None else work.approved.by
    if isinstance(one, RefusedRebill) or not one.plan.facts.collects or may(collector, COLLECT):
        return one
    if not one.request.collect and _needs_approval(one.plan, work):
        return one
    error = BillingError(
        COLLECT.refused, Detail("rebill with collect (do_collect) false, or ask who may collect"), field="collect"
    )
    return RefusedRebill(one.request, one.account_no, error)


def _check_refunding(one: PlannedRebill | RefusedRebill, work: Rebilling) -> PlannedRebill | RefusedRebill:
    """Refuse a rebill that would refund money if the caller may not (90026), or if refunds need a second person (90176). If the
    rebill needs approval, its approver is the second person."""
    if isinstance(one, RefusedRebill):
        return one
    try:
        if work.approved is not None and one.plan.money.refunded:
            check_may(work.approved.by, CORRECT)  # a second person has approved the refunds too
        elif _needs_approval(one.plan, work) and one.plan.money.refunded:
            check_may(work.caller, CORRECT)
        else:
            check_may_refund(work.client, work.caller, one.plan.money.refunded)
    except BillingError as error:
        return RefusedRebill(one.request, one.account_no, error)
    return one


def _needs_approval(plan: RebillPlan, work: Rebilling) -> bool:
    if work.approved is not None:
        return is_pending_for_tax_data(work.client, plan.tax_answer)
    amount = rebill_approval_amount(plan.original.total, plan.rebill.total)
    return rebill_needs_approval(work.client, amount, plan.tax_answer)


class _Written(NamedTuple):
    """A rebill that is being written, with its plan."""

    recorded: RecordedRebill
    plan: RebillPlan


def _write(work: Rebilling, ready: Sequence[PlannedRebill]) -> list[RecordedRebill | RefusedRebill]:
    """Check the plans again under the accounts' locks, and write those that still hold."""
    states = lock_states([one.account_no for one in ready], skip_locked=len(ready) > 1)
    checked = _checked_again(work, ready, states)
    good = [one for one in checked if isinstance(one, PlannedRebill)]
    written = {
        one.request.invoice_no: _Written(
            RecordedRebill(one.request, one.account_no, rebill_no, _needs_approval(one.plan, work)), one.plan
        )
        for one, rebill_no in zip(good, reserve_ids(Invoice, len(good)), strict=True)
    }
    if good:
        first = written[good[0].request.invoice_no].recorded
        receipts.use(work.client, work.caller.receipt, invoice_no=first.rebill_no)
    issuing = Issuing(IssuePolicy(work.client), work.caller, work.today, timezone.now())
    _insert(list(written.values()), issuing, work)
    now = {one.recorded.rebill_no: one.plan for one in written.values() if not one.recorded.is_pending}
    rebills = _pending_rebills(sorted(now))
    by = issuing
    if work.approved is not None:
        by = by._replace(policy=IssuePolicy(work.client, statement=work.approved.statement), caller=work.approved.by)
        work.approved.note([one.recorded for one in written.values()])
    issue([pending_document(one, now[one.pk].content, now[one.pk].facts.original) for one in rebills], by)
    return [one if isinstance(one, RefusedRebill) else written[one.request.invoice_no].recorded for one in checked]


@compiled_read
def _pending_rebills(rebill_nos: Collection[int]) -> QuerySet[Invoice]:
    return Invoice.objects.filter(pk__in=rebill_nos).select_related("corrects").order_by("account_id", "pk")


def _checked_again(
    work: Rebilling, ready: Sequence[PlannedRebill], states: Mapping[int, BillingState]
) -> list[PlannedRebill | RefusedRebill]:
    """Refuse what another process has locked, and originals that may not be rebilled any more or have changed since they
    were seen."""
    documents = document_facts([one.request.invoice_no for one in ready], work.today)
    seen = {one.request.invoice_no: documents[one.request.invoice_no] for one in ready if one.request.fingerprint}
    money = read_money(work.client, seen) if seen else {}
    checked: list[PlannedRebill | RefusedRebill] = []
    for one in ready:
        try:
            if one.account_no not in states:
                raise BillingError(ErrorCode.IN_PROGRESS)
            why = why_not(Action.REBILL, documents[one.request.invoice_no])
            if why is not None:
                raise why.error
            _check_seen(one, money)
            checked.append(one)
        except BillingError as error:
            checked.append(RefusedRebill(one.request, one.account_no, error))
    return checked


def _check_seen(one: PlannedRebill, money: Mapping[int, MoneyFacts]) -> None:
    """Refuse a plan that differs from the fingerprint that was seen. The account's money is read again under the lock."""
    request = one.request
    if not request.fingerprint:
        return
    moved = one.plan.with_money(money[request.invoice_no]).moved(request.fingerprint)
    if moved:
        detail = Detail(
            "rebill of invoice {invoice_no}, moved: {parts}", invoice_no=request.invoice_no, parts=listed(map(word, moved))
        )
        raise BillingError(ErrorCode.DOCUMENT_MOVED, detail, field="fingerprint")


def _insert(written: Sequence[_Written], issuing: Issuing, work: Rebilling) -> None:
    """Write rebills as pending documents, with the requested collection, statement contact and due date for their issue."""
    documents, links, acts = [], {}, []
    for one, plan in written:
        documents.append((one.rebill_no, plan.content))
        links[one.rebill_no] = Links(
            plan.facts.chain_root,
            one.request.collect,
            plan.facts.statement_contact,
            one.request.keeps_due_date,
            credit_to=one.request.credit_to,
        )
        acts += _acts(one, plan)
    insert_documents(
        documents,
        generated_by=issuing.caller.identity,
        at=issuing.at,
        today=issuing.today,
        links=links,
    )
    record_tax_answers((one.rebill_no, plan.tax_answer) for one, plan in written)
    waiting = {one.rebill_no for one, _ in written if one.is_pending}
    if waiting:
        pending = [(number, content) for number, content in documents if number in waiting]
        record_comparisons(pending, {number: work.read_at for number, _ in pending})
    record_acts(issuing.client, issuing.caller, acts, issuing.at)


def _acts(one: RecordedRebill, plan: RebillPlan) -> list[Act]:
    """Return the events: the rebill was generated and, if it needs approval, the original has a pending rebill."""
    after = {
        "status": "pending",
        "total_amount": str(plan.rebill.total),
        "currency": plan.facts.currency.code,
        "corrects": one.request.invoice_no,
        "reason_code": one.request.reason_code,
        "comments": one.request.comments,
        "excluded": [row.line_no for row in plan.excluded],
        "recounted": plan.recounted_lines,
    }
    generated = Act(GENERATED, one.account_no, one.rebill_no, after=after, type=TYPE_OF_PENDING if one.is_pending else None)
    if not one.is_pending:
        return [generated]
    return [generated, Act(PENDING, one.account_no, one.request.invoice_no, after={"rebill": one.rebill_no})]


def _settled(written: Sequence[RecordedRebill | RefusedRebill], work: Rebilling) -> list[RebillOutcome]:
    recorded = [one for one in written if isinstance(one, RecordedRebill)]
    issued = [Recorded(one.account_no, one.rebill_no, _refunds(one.request, work)) for one in recorded if not one.is_pending]
    settled = settle_documents(work.client, issued, work.caller, work.today)
    outcomes: list[RebillOutcome] = []
    for one in written:
        if isinstance(one, RecordedRebill):
            money = settled.get(one.rebill_no)
            outcomes.append(SettledRebill(one) if money is None else SettledRebill(one, money.collection, money.statement))
        else:
            outcomes.append(one)
    return outcomes


def _refunds(request: RebillRequest, work: Rebilling) -> bool:
    return credit_to_of(work.client, request.credit_to, CreditTo.OLDEST_OPEN_INVOICE).refunds


def _refusal(one: RefusedRebill) -> Act:
    return refusal(REFUSED, one.error, account_no=one.account_no, invoice_no=one.request.invoice_no)
