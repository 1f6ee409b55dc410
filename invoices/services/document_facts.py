"""Read the facts that decide what may be done with documents, for any number of documents with a constant number of queries."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from accounts.services.accounts import electronic_methods
from billing_site.common.compiled_reads import Reading, compiled_read, read_ahead
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import (
    BILLING_KINDS,
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
from invoices.plan.action_facts import Correcting, DocumentFacts, InvoiceCredit, PayerFacts
from invoices.plan.refunded import Move, left_unpaid

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
            closed_through=row["client__closed_through"],
            restored_by=corrections.restored_by.get(number),
            bills_again=row["bills_again_id"] is not None,
        )
    return facts


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
            "client__closed_through",
            "bills_again_id",
            has_method=Exists(methods),
            newest_no=Subquery(newest.values("pk")[:1]),
            pending_no=Subquery(cycles.filter(status=InvoiceStatus.PENDING).values("pk")[:1]),
        )
    )


class _Corrections(NamedTuple):
    """For each document: the live documents that correct it, the rebill that it was issued with, its original, the last issued
    rebill of its chain, the other live document of its cycle, and the invoice that restores it. Memos that were issued with a
    rebill are left out of the first."""

    corrected_by: dict[int, list[Correcting]]
    part_of: dict[int, Correcting]
    originals: dict[int, Correcting]
    newest: dict[int, Correcting]
    billed_by: dict[int, Correcting]
    restored_by: dict[int, Correcting]


def _corrections(invoice_nos: Collection[int]) -> _Corrections:
    found = _Corrections(defaultdict(list), {}, {}, {}, {}, {})
    for corrects, memo, *columns in _corrections_of(invoice_nos):
        correcting = Correcting(*columns)
        if corrects is not None and correcting.kind in BILLING_KINDS:
            found.restored_by[corrects] = correcting
        elif corrects is not None:
            found.corrected_by[corrects].append(correcting)
        if memo is not None:
            found.part_of[memo] = correcting
    found.originals.update({number: Correcting(*row) for number, *row in _originals_of(invoice_nos)})
    found.newest.update(_newest_of_chains(invoice_nos))
    found.billed_by.update(_billed_by(invoice_nos))
    return found


@compiled_read
def _corrections_of(invoice_nos: Collection[int]) -> Any:
    rows = Invoice.objects.filter(
        Q(status__in=LIVE_STATUSES) | Q(kind__in=BILLING_KINDS), Q(corrects__in=invoice_nos) | Q(memo__in=invoice_nos)
    )
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
