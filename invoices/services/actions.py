"""Read the facts that decide what may be done with documents, for any number of documents with a constant number of queries."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import APPROVE, COLLECT, CORRECT, REBILL, Right, check_may
from accounts.services.accounts import electronic_methods
from billing_site.common.compiled_reads import Reading, compiled_read, read_ahead
from billing_site.common.storage import ExactSum
from billing_site.errors import BillingError
from invoices.calculation import ZERO
from invoices.kinds import (
    CYCLE_KINDS,
    FREE_KINDS,
    LIVE_STATUSES,
    OPEN_ATTEMPTS,
    PAYMENT_KINDS,
    AllocationKind,
    EntryKind,
    InvoiceKind,
    InvoiceStatus,
)
from invoices.models import Allocation, CollectionAttempt, Invoice, LedgerEntry
from invoices.plan.actions import (
    Action,
    Correcting,
    DocumentFacts,
    InTheWay,
    InvoiceCredit,
    PayerFacts,
    Refusal,
    why_not,
    why_not_decided,
    why_not_issued_now,
)
from invoices.plan.refunded import Move, left_unpaid
from invoices.services.documents.approval_rules import check_four_eyes, people_who_generated
from invoices.services.planning.previewing import why_not_regenerated

CORRECTING_COLUMNS = ("pk", "kind", "status", "document_number")


def document_facts(invoice_nos: Collection[int], today: date) -> dict[int, DocumentFacts]:
    """Return the facts of documents by number, as of the client's day. At most ten queries, in one round trip unless documents
    were voided or refunded."""
    with read_ahead(*fact_readings(invoice_nos)):
        return _document_facts(invoice_nos, today)


def fact_readings(invoice_nos: Collection[int]) -> list[Reading]:
    """Return the reads of `document_facts`, to be read ahead with others."""
    reads = (
        _corrections_of,
        _originals_of,
        _roots_of,
        _rebills_of_chains,
        _others_of_cycles,
        _taken_off_rows,
        _attempt_rows,
        _refunded_rows,
        _paid_rows,
        _documents,
    )
    return [read.of(invoice_nos) for read in reads]


def _document_facts(invoice_nos: Collection[int], today: date) -> dict[int, DocumentFacts]:
    corrections = _corrections(invoice_nos)
    credits, lowered = _credits_of(invoice_nos)
    attempts = _open_attempts(invoice_nos)
    refunds, paid = unpaid_by_refunds(invoice_nos), _paid(invoice_nos)
    facts = {}
    for row in _documents(invoice_nos):
        number = row["pk"]
        attempt = attempts.get(number)
        facts[number] = DocumentFacts(
            invoice_no=number,
            account_no=row["account_id"],
            kind=row["kind"],
            status=row["status"],
            document_number=row["document_number"],
            currency=row["currency"],
            total=row["total_amount"],
            due=row["open_amount"],
            payer=PayerFacts(row["account__is_test"], row["account__status"], row["has_method"]),
            today=today,
            invoice_date=row["invoice_date"],
            to_credit=row["total_amount"] + lowered[number],
            corrected_by=tuple(corrections.corrected_by.get(number, ())),
            part_of=corrections.part_of.get(number),
            original=corrections.originals.get(number),
            newest=corrections.newest.get(number),
            billed_by=corrections.billed_by.get(number),
            cycle_is_open=row["account__next_bill_date"] == row["bill_date"] and row["pending_no"] is None,
            credits=tuple(credits.get(number, ())),
            refund_no=refunds.get(number),
            attempt_status=attempt[0] if attempt else None,
            attempt_no=attempt[1] if attempt else None,
            has_payments=number in paid,
            reopens=row["kind"] in CYCLE_KINDS
            and (number, row["bill_date"]) == (row["newest_no"], row["account__last_bill_date"]),
            pending_no=row["pending_no"],
        )
    return facts


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


RIGHTS: dict[Action, Right] = {
    Action.APPROVE: APPROVE,
    Action.DISCARD: APPROVE,
    Action.REGENERATE: APPROVE,
    Action.VOID: CORRECT,
    Action.COLLECT: COLLECT,
    Action.REFUND: CORRECT,
    Action.CREDIT: CORRECT,
    Action.WRITE_OFF: CORRECT,
    Action.DISPUTE: CORRECT,
    Action.REBILL: REBILL,
}


def available_actions(
    client: Client, invoice_nos: Collection[int], caller: Caller, today: date, actions: Collection[Action] = tuple(Action)
) -> dict[int, list[Allowed]]:
    """Return for each document, by number, whether this caller may do each of `actions`, in their order.

    An allowed action would succeed now: a rebill whose original can no longer be rebilled may not be approved, and a
    regeneration is planned to see whether it would be refused.
    """
    with read_ahead(*action_readings(invoice_nos)):
        facts = document_facts(invoice_nos, today)
        pending_invoices = _pending_of(invoice_nos)
    pending = _read_pending(client, pending_invoices, actions, today)
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
    """Return the documents whose approval, discard or regeneration would be refused to this caller, with the error, by number.

    The documents must be read with the documents that they correct. Without `plans`, a regeneration is not planned.
    """
    actions = [action] if plans or action is not Action.REGENERATE else []
    pending = _read_pending(client, [one for one in invoices if one.status == InvoiceStatus.PENDING], actions, today)
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

    `people` are the people behind who generated them, `unissuable` the rebills whose originals have changed, `unplanned` the
    documents that cannot be regenerated.
    """

    client: Client
    invoices: Mapping[int, Invoice]
    people: Mapping[str, frozenset[str]]
    unissuable: Mapping[int, Refusal]
    unplanned: Mapping[int, BillingError]


def _read_pending(client: Client, pending_invoices: Sequence[Invoice], actions: Collection[Action], today: date) -> _Pending:
    return _Pending(
        client,
        {one.pk: one for one in pending_invoices},
        people_who_generated(pending_invoices),
        why_rebills_are_not_issued(pending_invoices, today) if Action.APPROVE in actions else {},
        why_not_regenerated(client, [one.pk for one in pending_invoices], today) if Action.REGENERATE in actions else {},
    )


def _allowed(action: Action, refusal: Refusal | None, number: int, pending: _Pending, caller: Caller) -> Allowed:
    if refusal is None and action is Action.APPROVE:
        refusal = pending.unissuable.get(number)
    if refusal is not None:
        return Allowed(action, refusal.error, refusal.in_the_way, refusal.instead)
    try:
        check_may(caller, RIGHTS[action])
        if action is Action.APPROVE and number in pending.invoices:
            check_four_eyes(pending.client, pending.invoices[number], pending.people, caller)
        if action is Action.REGENERATE and number in pending.unplanned:
            raise pending.unplanned[number]
    except BillingError as error:
        return Allowed(action, error)
    return Allowed(action)


@compiled_read
def _documents(invoice_nos: Collection[int]) -> Any:
    methods = electronic_methods().filter(account=OuterRef("account"))
    cycles = Invoice.objects.filter(account=OuterRef("account"), kind__in=CYCLE_KINDS)
    newest = cycles.filter(status=InvoiceStatus.APPROVED, bills_again=None).order_by("-bill_date", "-pk")
    return (
        Invoice.objects.filter(pk__in=invoice_nos)
        .order_by("pk")
        .values(
            "pk",
            "account_id",
            "kind",
            "status",
            "document_number",
            "currency",
            "total_amount",
            "open_amount",
            "bill_date",
            "invoice_date",
            "account__is_test",
            "account__status",
            "account__last_bill_date",
            "account__next_bill_date",
            has_method=Exists(methods),
            newest_no=Subquery(newest.values("pk")[:1]),
            pending_no=Subquery(cycles.filter(status=InvoiceStatus.PENDING).values("pk")[:1]),
        )
    )


class _Corrections(NamedTuple):
    """For each document: the live documents that correct it, the rebill that it was issued with, its original, the last issued
    rebill of its chain, and the other live document of its cycle. Memos that were issued with a rebill are left out of the
    first."""

    corrected_by: dict[int, list[Correcting]]
    part_of: dict[int, Correcting]
    originals: dict[int, Correcting]
    newest: dict[int, Correcting]
    billed_by: dict[int, Correcting]


def _corrections(invoice_nos: Collection[int]) -> _Corrections:
    found = _Corrections(defaultdict(list), {}, {}, {}, {})
    for corrects, memo, *columns in _corrections_of(invoice_nos):
        correcting = Correcting(*columns)
        if corrects is not None:
            found.corrected_by[corrects].append(correcting)
        if memo is not None:
            found.part_of[memo] = correcting
    found.originals.update({number: Correcting(*row) for number, *row in _originals_of(invoice_nos)})
    found.newest.update(_newest_of_chains(invoice_nos))
    found.billed_by.update(_billed_by(invoice_nos))
    return found


@compiled_read
def _corrections_of(invoice_nos: Collection[int]) -> Any:
    rows = Invoice.objects.filter(Q(corrects__in=invoice_nos) | Q(memo__in=invoice_nos), status__in=LIVE_STATUSES)
    rows = rows.filter(~Q(kind=InvoiceKind.CREDIT_MEMO) | ~Exists(Invoice.objects.filter(memo=OuterRef("pk"))))
    return rows.order_by("pk").values_list("corrects_id", "memo_id", *CORRECTING_COLUMNS)


@compiled_read
def _originals_of(invoice_nos: Collection[int]) -> Any:
    rows = Invoice.objects.filter(pk__in=invoice_nos, corrects__isnull=False)
    return rows.values_list("pk", *(f"corrects__{column}" for column in CORRECTING_COLUMNS))


@compiled_read
def _roots_of(invoice_nos: Collection[int]) -> Any:
    return Invoice.objects.filter(pk__in=invoice_nos).values_list("pk", Coalesce("chain_root_id", "pk"))


@compiled_read
def _rebills_of_chains(invoice_nos: Collection[int]) -> Any:
    roots = Invoice.objects.filter(pk__in=invoice_nos).values(root=Coalesce("chain_root_id", "pk"))
    rebills = Invoice.objects.filter(chain_root__in=roots, kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    return rebills.order_by("pk").values_list("chain_root", *CORRECTING_COLUMNS)


def _newest_of_chains(invoice_nos: Collection[int]) -> dict[int, Correcting]:
    """Return the last issued rebill of each document's chain."""
    newest = {root: Correcting(*row) for root, *row in _rebills_of_chains(invoice_nos)}
    return {number: newest[root] for number, root in _roots_of(invoice_nos) if root in newest}


def _billed_by(invoice_nos: Collection[int]) -> dict[int, Correcting]:
    """Return the live document of the cycle for documents that were discarded or voided. If it was rebilled, return its
    rebill."""
    others = {number: Correcting(*row) for number, *row in _others_of_cycles(invoice_nos)}
    replaced = _newest_of_chains([one.invoice_no for one in others.values()]) if others else {}
    return {number: replaced.get(one.invoice_no, one) for number, one in others.items()}


@compiled_read
def _others_of_cycles(invoice_nos: Collection[int]) -> Any:
    rows = Invoice.objects.filter(
        pk__in=invoice_nos,
        kind__in=CYCLE_KINDS,
        account__invoices__kind__in=CYCLE_KINDS,
        account__invoices__status__in=LIVE_STATUSES,
        account__invoices__bill_date=F("bill_date"),
    ).exclude(status__in=LIVE_STATUSES)
    return rows.values_list("pk", *(f"account__invoices__{column}" for column in CORRECTING_COLUMNS))


def _credits_of(invoice_nos: Collection[int]) -> tuple[dict[int, list[InvoiceCredit]], dict[int, Decimal]]:
    """Return the write-offs and disputes of each document, and the sum of these and its credit memos, below zero."""
    credits: dict[int, list[InvoiceCredit]] = defaultdict(list)
    lowered: dict[int, Decimal] = defaultdict(Decimal)
    for invoice_no, corrects, number, kind, amount in _taken_off_rows(invoice_nos):
        if kind != EntryKind.CREDIT_MEMO and invoice_no is not None:
            credits[invoice_no].append(InvoiceCredit(number, kind))
        lowered[(corrects if kind == EntryKind.CREDIT_MEMO else invoice_no) or 0] += amount
    return credits, lowered


@compiled_read
def _taken_off_rows(invoice_nos: Collection[int]) -> Any:
    kinds = (EntryKind.WRITE_OFF, EntryKind.DISPUTE, EntryKind.CREDIT_MEMO)
    rows = LedgerEntry.objects.filter(
        Q(invoice__in=invoice_nos) | Q(invoice__corrects__in=invoice_nos), kind__in=kinds, voided_by=None
    ).order_by("pk")
    return rows.values_list("invoice_id", "invoice__corrects_id", "pk", "kind", "amount")


def _open_attempts(invoice_nos: Collection[int]) -> dict[int, tuple[str, int]]:
    return {number: (status, attempt_no) for number, status, attempt_no in _attempt_rows(invoice_nos)}


@compiled_read
def _attempt_rows(invoice_nos: Collection[int]) -> Any:
    rows = CollectionAttempt.objects.filter(invoice__in=invoice_nos, status__in=OPEN_ATTEMPTS)
    return rows.values_list("invoice_id", "status", "attempt_no")


def unpaid_by_refunds(invoice_nos: Collection[int]) -> dict[int, int]:
    """Return the invoices that refunds have left unpaid, each with its newest such refund. One query if nothing was
    refunded."""
    debits: dict[int, int] = {}
    credits = set()
    for credit_no, debit_no, invoice_no in _refunded_rows(invoice_nos):
        debits[debit_no] = invoice_no or 0
        credits.add(credit_no)
    if not debits:
        return {}
    rows = Allocation.objects.filter(Q(credit__in=credits) | Q(debit__in=debits), credit__kind__in=FREE_KINDS).order_by("pk")
    chain_no = Coalesce("debit__invoice__chain_root_id", "debit__invoice_id")
    moves = [Move._make(row) for row in rows.values_list("credit_id", "debit_id", "debit__kind", chain_no, "kind", "amount")]
    return {debits[debit_no]: refund_no for debit_no, refund_no in left_unpaid(moves, debits).items()}


@compiled_read
def _refunded_rows(invoice_nos: Collection[int]) -> Any:
    refunded = Allocation.objects.filter(debit__invoice__in=invoice_nos, kind=AllocationKind.REFUNDED)
    return refunded.order_by("pk").values_list("credit_id", "debit_id", "debit__invoice_id")


def _paid(invoice_nos: Collection[int]) -> set[int]:
    """Return the documents that are paid by payments, in full or in part."""
    return {invoice_no for invoice_no, amount in _paid_rows(invoice_nos) if invoice_no is not None and amount > ZERO}


@compiled_read
def _paid_rows(invoice_nos: Collection[int]) -> Any:
    return (
        Allocation.objects.filter(debit__invoice__in=invoice_nos, debit__kind=EntryKind.INVOICE, credit__kind__in=PAYMENT_KINDS)
        .order_by()
        .values_list("debit__invoice_id")
        .annotate(ExactSum("amount"))
    )
