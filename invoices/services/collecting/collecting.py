"""Collect invoices: when they are issued, on request, in bulk, and after a process has died."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from accounts.callers import Caller
from accounts.models import Client, Event
from accounts.receipts import Claim, used_at
from accounts.services.accounts import electronic_methods
from accounts.trail import Act, acts_of_call, record_acts, refusal
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.keyset_pages import Order, Position, first_after
from billing_site.errors import BillingError, Detail, ErrorCode, error_from_event, recorded, stored_detail
from invoices.calculation import ZERO
from invoices.kinds import OPEN_ATTEMPTS, AttemptStatus
from invoices.models import CollectionAttempt, Invoice
from invoices.services.collecting.asking import Answered, ask_for_result, ask_to_charge
from invoices.services.collecting.recording import record
from invoices.services.collecting.starting import Collecting, CollectRequest, Started, collecting, start
from invoices.services.document_facts import unpaid_by_refunds
from invoices.services.documents.batches import in_halves
from invoices.services.documents.collection_results import Collected, CollectionResult, outcome_of, refused
from invoices.services.documents.outcomes import Recorded
from invoices.services.documents.rights import check_may_collect
from invoices.services.money.ledger.acts import account_currency, check_amount, check_not_above
from invoices.services.money.ledger.open_items import Charge, open_charges, open_invoices
from invoices.services.money.ledger.refunds import resolve_refund, unresolved_refunds

logger = logging.getLogger(__name__)

AT_ONCE = 100
"""The number of invoices whose attempts are started in one transaction and recorded in another. The gateway is called between
them, once per invoice. If the process dies, at most this number of attempts must be asked about again."""

BY_DUE_DATE = Order("due_date")

COLLECTION = "collection."
"""The prefix of the names of collection events."""

Progress = Callable[[Sequence[Collected]], object]


def collect_issued(client: Client, issued: Sequence[Recorded], caller: Caller, today: date) -> dict[int, Collected]:
    """Collect the invoices that were issued with a request to collect, and return the results by invoice number.

    Must be called after the commit. Whatever goes wrong here, the invoices stay issued.
    """
    numbers = [one.invoice_no for one in issued]
    wanted = [CollectRequest(*row) for row in requested_rows(numbers)]
    try:
        collected = settle(client, wanted, caller, today)
        _record_without_attempt(client, caller, collected)
    except Exception:
        logger.exception("collecting at issue failed")
        collected = [refused(one.account_no, one.invoice_no, BillingError(ErrorCode.UNEXPECTED)) for one in wanted]
    return {one.invoice_no: one for one in collected}


@compiled_read
def requested_rows(invoice_nos: Collection[int]) -> QuerySet[Any, tuple[int, int]]:
    """Read the documents among these that are requested to be collected, with their accounts."""
    attempts = CollectionAttempt.objects.filter(invoice__in=invoice_nos, status=AttemptStatus.REQUESTED).order_by("pk")
    return attempts.values_list("invoice_id", "invoice__account_id")


def collect_account(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    today: date,
    invoice_nos: Sequence[int] = (),
    amount: Decimal | None = None,
) -> list[Collected]:
    """Collect what is open on an account, or on the named invoices of it, or only `amount` of that, the oldest invoice first.
    Returns one result per invoice, ordered by number.

    Refuses a named invoice that has no open balance (3004), an amount that is not valid (1016), and one above the open balance
    (90021). Nothing is collected then.
    """
    charges = open_charges([account_no]).get(account_no, [])
    _check_open(invoice_nos, charges)
    charges = [charge for charge in charges if not invoice_nos or charge.invoice_no in invoice_nos]
    limits = None if amount is None else _limits(amount, charges, account_currency(account_no))
    numbers = [charge.invoice_no for charge in charges if limits is None or charge.invoice_no in limits]
    collected = collect_invoices(client=client, invoice_nos=numbers, caller=caller, today=today, limits=limits)
    return sorted(collected, key=lambda one: one.invoice_no)


def collect_account_by(*, client: Client, account_no: int, method_no: int, caller: Caller, today: date) -> list[Collected]:
    """Collect what is open on an account by this payment method of it, whichever the account is otherwise collected by. Returns
    one result per invoice, ordered by number.

    If the same call was interrupted before, what it has collected is returned too, and nothing is collected twice.
    """
    charges = open_charges([account_no]).get(account_no, [])
    since = used_at(client, caller.receipt)
    begun = CollectionAttempt.objects.filter(invoice__account=account_no, started_at__gte=since) if since is not None else ()
    numbers = {charge.invoice_no for charge in charges} | {attempt.invoice_id for attempt in begun}
    collected = collect_invoices(client=client, invoice_nos=sorted(numbers), caller=caller, today=today, method_no=method_no)
    return sorted(collected, key=lambda one: one.invoice_no)


def _check_open(invoice_nos: Sequence[int], charges: Sequence[Charge]) -> None:
    due = {charge.invoice_no for charge in charges}
    for invoice_no in invoice_nos:
        if invoice_no not in due:
            detail = Detail("invoice_no {invoice_no} has no open balance", invoice_no=invoice_no)
            raise BillingError(ErrorCode.INVOICE_NOT_FOUND, detail, field="invoice_no")


def _limits(amount: Decimal, charges: Sequence[Charge], currency: str) -> dict[int, Decimal]:
    """Return how much of an amount is collected on each invoice, the oldest first."""
    left = check_amount(amount, currency)
    check_not_above(left, sum((charge.due for charge in charges), ZERO), currency, Detail("is open"))
    limits: dict[int, Decimal] = {}
    for charge in charges:
        if left > ZERO:
            limits[charge.invoice_no] = min(charge.due, left)
            left -= limits[charge.invoice_no]
    return limits


def collect_invoices(
    *,
    client: Client,
    invoice_nos: Collection[int],
    caller: Caller,
    today: date,
    limits: Mapping[int, Decimal] | None = None,
    method_no: int | None = None,
) -> list[Collected]:
    """Collect the open amounts of invoices, each at most its amount in `limits`, and return one result for each. `method_no` is
    the payment method of all of them; None: those by which their accounts are collected.

    If an earlier attempt has no known outcome, it is resolved, and no new one is started. If the same call was interrupted
    before, its recorded results are returned, its started attempts are finished, and the remaining invoices are collected. A
    caller who may not collect (90025) and an unknown invoice (3004) get a refused result.
    """
    recorded = _collected_by_call(client, invoice_nos, caller, today)
    left = [number for number in invoice_nos if number not in recorded]
    if not left:
        return list(recorded.values())
    rows = Invoice.objects.filter(client=client, pk__in=left).order_by("account_id", "pk").values_list("pk", "account_id")
    found = [CollectRequest(*row, (limits or {}).get(row[0]), method_no) for row in rows]
    return [*recorded.values(), *_collect(client, left, found, caller, today)]


def _collect(
    client: Client, invoice_nos: Collection[int], found: Sequence[CollectRequest], caller: Caller, today: date
) -> list[Collected]:
    missing = sorted(set(invoice_nos) - {one.invoice_no for one in found})
    try:
        check_may_collect(caller)
    except BillingError as error:
        accounts = {one.invoice_no: one.account_no for one in found}
        outcomes = [refused(accounts.get(number), number, error) for number in sorted(set(invoice_nos))]
    else:
        unknown = [
            refused(None, no, BillingError(ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=no)))
            for no in missing
        ]
        outcomes = [*settle(client, found, caller, today), *unknown]
    _record_without_attempt(client, caller, outcomes)
    return outcomes


def _record_without_attempt(client: Client, caller: Caller, outcomes: Sequence[Collected]) -> None:
    """Write an event for each invoice for which the gateway was not called. Attempts have their own events."""
    record_acts(client, caller, [_event_without_attempt(one) for one in outcomes if one.attempt is None])


def _event_without_attempt(one: Collected) -> Act:
    name = f"{COLLECTION}{one.result.value}"
    if one.error is not None:
        return refusal(name, one.error, account_no=one.account_no, invoice_no=one.invoice_no)
    return Act(name, one.account_no, one.invoice_no, message=str(one.message), detail=stored_detail(one.message), idle=True)


def finish_collecting(client: Client, invoice_no: int, at: datetime, caller: Caller, today: date) -> list[Collected]:
    """Finish the attempts that an interrupted call started at time `at`, on the account of this invoice. Returns one result per
    invoice, ordered by number."""
    attempts = CollectionAttempt.objects.filter(started_at=at, invoice__account__invoices=invoice_no)
    return _finish(client, sorted({invoice_no, *attempts.values_list("invoice_id", flat=True)}), caller, today)


def _finish(client: Client, invoice_nos: Sequence[int], caller: Caller, today: date) -> list[Collected]:
    """Return the result of the last attempt on each invoice, in the order given. Open attempts are finished first."""
    unfinished = CollectionAttempt.objects.filter(
        invoice__client=client, invoice__in=invoice_nos, status__in=OPEN_ATTEMPTS
    ).order_by("pk")
    settle(
        client,
        [CollectRequest(row[0], row[1]) for row in unfinished.values_list("invoice_id", "invoice__account_id")],
        caller,
        today,
    )
    attempts = CollectionAttempt.objects.filter(invoice__client=client, invoice__in=invoice_nos).select_related("invoice")
    latest = {attempt.invoice_id: attempt for attempt in attempts.order_by("attempt_no")}
    nothing = CollectionResult.NOTHING_DUE
    return [
        outcome_of(latest[no], latest[no].invoice.account_id) if no in latest else Collected(None, no, nothing)
        for no in invoice_nos
    ]


def _collected_by_call(client: Client, invoice_nos: Collection[int], caller: Caller, today: date) -> dict[int, Collected]:
    """Return what an interrupted call has done: from its events, and from the attempts that it started."""
    since = used_at(client, caller.receipt)
    if since is None:
        return {}
    recorded = {number: one for number, one in _recorded_results(caller.receipt).items() if number in invoice_nos}
    open_now = [number for number in invoice_nos if number not in recorded]
    return recorded | collected_since(client, open_now, since, caller, today)


def collected_since(
    client: Client, invoice_nos: Collection[int], since: datetime, caller: Caller, today: date
) -> dict[int, Collected]:
    """Return the results of attempts on these invoices that were started since then, by invoice. Open attempts are finished."""
    attempts = CollectionAttempt.objects.filter(invoice__client=client, invoice__in=invoice_nos, started_at__gte=since)
    begun = sorted(set(attempts.values_list("invoice_id", flat=True)))
    return {one.invoice_no: one for one in _finish(client, begun, caller, today)}


def collected_at_issue(client: Client, invoice_nos: Sequence[int], caller: Caller, today: date) -> dict[int, Collected]:
    """Return the results of collecting documents that an interrupted call issued with a request to collect, by invoice."""
    attempts = CollectionAttempt.objects.filter(invoice__client=client, invoice__in=invoice_nos, at_issue=True)
    requested = list(attempts.values_list("invoice_id", flat=True))
    finished = {one.invoice_no: one for one in _finish(client, requested, caller, today)}
    return finished | _recorded_results(caller.receipt)


def _recorded_results(claim: Claim | None) -> dict[int, Collected]:
    """Return the results that a call has recorded, by invoice: the first of each."""
    events: dict[int, Event] = {}
    for event in acts_of_call(claim, COLLECTION):
        if event.invoice_no is not None:
            events.setdefault(event.invoice_no, event)
    rows = CollectionAttempt.objects.filter(invoice__in=events)
    attempts = {(attempt.invoice_id, attempt.attempt_no): attempt for attempt in rows}
    return {
        number: _result_of_event(number, event, attempts.get((number, event.after.get("attempt_no"))))
        for number, event in events.items()
    }


def _result_of_event(invoice_no: int, event: Event, attempt: CollectionAttempt | None) -> Collected:
    """Return the result of an attempt, or the one that an event recorded because the gateway was not asked."""
    if attempt is not None:
        return outcome_of(attempt, event.account_id)
    error = error_from_event(event.error_code, event.message, event.detail) if event.error_code else None
    result = CollectionResult(event.act.removeprefix(COLLECTION))
    return Collected(event.account_id, invoice_no, result, recorded(event.message, event.detail), error)


def resume_collecting(
    *, client: Client, caller: Caller, today: date, progress: Progress = lambda collected: None
) -> list[Collected]:
    """Finish what died processes left: make requested attempts, and ask the gateway about open attempts and refunds.

    Returns one result per attempt. `progress` gets the results of each batch of 100. Refuses a caller who may not collect
    (90025).
    """
    check_may_collect(caller)
    collected: list[Collected] = []
    attempts = CollectionAttempt.objects.filter(invoice__client=client, status__in=OPEN_ATTEMPTS).order_by("pk")
    last = 0
    while rows := list(attempts.filter(pk__gt=last).values_list("pk", "invoice_id", "invoice__account_id")[:AT_ONCE]):
        some = settle(client, [CollectRequest(invoice_no, account_no) for _, invoice_no, account_no in rows], caller, today)
        progress(some)
        collected += some
        last = rows[-1][0]
    for refund in unresolved_refunds(client).select_related("entry", "payment"):
        resolve_refund(refund, client=client, caller=caller, today=today)
    return collected


def collect_due(
    *, client: Client, caller: Caller, today: date, progress: Progress = lambda collected: None
) -> Iterator[Collected]:
    """Collect every open invoice of accounts that have an electronic payment method. Yields one result per invoice.

    Invoices that a refund left open are skipped, and so are those that were declined today. So an interrupted run can be
    started again, and no card is charged twice a day. Refuses a caller who may not collect (90025).
    """
    check_may_collect(caller)
    for wanted in _due(client, today):
        collected = settle(client, wanted, caller, today)
        progress(collected)
        yield from collected


def collectable_invoices(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Those of the invoices on which something is due, and whose account has an electronic payment method."""
    methods = electronic_methods().filter(account=OuterRef("account"))
    return open_invoices(invoices.filter(Exists(methods)))


def _due(client: Client, today: date) -> Iterator[list[CollectRequest]]:
    """The invoices to collect, those that were due first before others."""
    declined = CollectionAttempt.objects.filter(invoice=OuterRef("pk"), status=AttemptStatus.DECLINED, requested_on=today)
    opened = collectable_invoices(Invoice.objects.filter(~Exists(declined), client=client))
    position = None
    while rows := first_after(opened.only("account_id", "due_date"), BY_DUE_DATE, position, AT_ONCE):
        refunded = unpaid_by_refunds([row.pk for row in rows])
        yield [CollectRequest(row.pk, row.account_id) for row in rows if row.pk not in refunded]
        position = Position(rows[-1].due_date, rows[-1].pk)


def settle(client: Client, wanted: Sequence[CollectRequest], caller: Caller, today: date) -> list[Collected]:
    """Start, ask and record, 100 invoices at a time. Returns one result per invoice, not in the order given."""
    if not wanted:
        return []
    work = collecting(client, caller, today)
    chunks = (wanted[at : at + AT_ONCE] for at in range(0, len(wanted), AT_ONCE))
    return [outcome for chunk in chunks for outcome in _settle_some(chunk, work)]


def _settle_some(wanted: Sequence[CollectRequest], work: Collecting) -> list[Collected]:
    started = in_halves(
        wanted,
        lambda some: start(some, work),
        lambda one, error: Started(one, settled=refused(one.account_no, one.invoice_no, error)),
    )
    answered = [_ask(one.attempt, one) for one in started if one.attempt is not None]
    recorded = in_halves(answered, lambda some: record(some, work), lambda one, error: outcome_of(one.attempt, one.account_no))
    return [*(one.settled for one in started if one.settled is not None), *recorded]


def _ask(attempt: CollectionAttempt, started: Started) -> Answered:
    account_no = started.wanted.account_no
    if started.unresolved:
        return ask_for_result(attempt, account_no, still_due=started.still_due)
    return ask_to_charge(attempt, account_no)
