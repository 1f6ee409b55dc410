"""What may be done with documents: reading what decides it, for one or for many in a constant number of queries."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, Subquery

from accounts.callers import Caller
from accounts.models import Client
from accounts.services import electronic_methods
from accounts.storage import ExactSum
from billing_site.errors import BillingError
from invoices.calculation import ZERO
from invoices.kinds import (
    CREDIT_TYPES,
    CYCLE_KINDS,
    LIVE_STATUSES,
    OPEN_ATTEMPTS,
    PAYMENT_KINDS,
    AllocationKind,
    EntryKind,
    InvoiceKind,
    InvoiceStatus,
    LineType,
)
from invoices.models import Allocation, CollectionAttempt, Invoice, InvoiceLine, LedgerEntry
from invoices.plan.actions import Action, Correcting, DocumentFacts, InTheWay, PayerFacts, TakenOff, why_not
from invoices.services.approval_rules import check_four_eyes, stake_of
from invoices.services.ledger.open_items import charges_of
from invoices.services.rights import check_may_approve, check_may_collect, check_may_correct, check_may_rebill

CORRECTING_COLUMNS = ("pk", "kind", "status", "document_number")


def document_facts(invoice_nos: Collection[int]) -> dict[int, DocumentFacts]:
    """What decides on documents: eight queries, however many."""
    corrected_by, part_of = _corrections(invoice_nos)
    taken_off = _taken_off(invoice_nos)
    charges = charges_of(invoice_nos)
    attempts = _open_attempts(invoice_nos)
    refunds, paid = _refunds(invoice_nos), _paid(invoice_nos)
    facts = {}
    for row in _documents(invoice_nos):
        number = row["pk"]
        charge = charges.get(number)
        attempt = attempts.get(number)
        facts[number] = DocumentFacts(
            invoice_no=number,
            account_no=row["account_id"],
            kind=row["kind"],
            status=row["status"],
            document_number=row["document_number"],
            currency=row["currency"],
            total=row["total_amount"],
            due=charge.due if charge is not None and row["status"] == InvoiceStatus.APPROVED else ZERO,
            charges=row["charges"],
            payer=PayerFacts(row["account__is_test"], row["account__status"], row["has_method"]),
            corrected_by=tuple(corrected_by.get(number, ())),
            part_of=part_of.get(number),
            taken_off=tuple(taken_off.get(number, ())),
            refund_no=refunds.get(number),
            attempt_status=attempt[0] if attempt else None,
            attempt_no=attempt[1] if attempt else None,
            has_payments=number in paid,
            reopens=row["kind"] in CYCLE_KINDS
            and (number, row["bill_date"]) == (row["newest_no"], row["account__last_bill_date"]),
            pending_no=row["pending_no"],
        )
    return facts


def check_allowed(action: Action, invoice_no: int) -> DocumentFacts:
    """Raises why a document may not be acted on so, else gives what is known of it. Under its account's lock."""
    facts = document_facts([invoice_no])[invoice_no]
    refusal = why_not(action, facts)
    if refusal is not None:
        raise refusal.error
    return facts


class Allowed(NamedTuple):
    """Whether an action is open to a caller, and if not, why."""

    action: Action
    error: BillingError | None = None
    in_the_way: InTheWay | None = None
    instead: str = ""


RIGHTS: dict[Action, Callable[[Caller], None]] = {
    Action.APPROVE: check_may_approve,
    Action.DISCARD: check_may_approve,
    Action.REGENERATE: check_may_approve,
    Action.VOID: check_may_correct,
    Action.COLLECT: check_may_collect,
    Action.REFUND: check_may_correct,
    Action.CREDIT: check_may_correct,
    Action.WRITE_OFF: check_may_correct,
    Action.DISPUTE: check_may_correct,
    Action.REBILL: check_may_rebill,
}


def available_actions(client: Client, invoice_nos: Collection[int], caller: Caller) -> dict[int, list[Allowed]]:
    """For each document every action: allowed, or why it is not to this caller."""
    facts = document_facts(invoice_nos)
    pending = Invoice.objects.filter(pk__in=invoice_nos, status=InvoiceStatus.PENDING).select_related("corrects")
    waiting = {invoice.pk: invoice for invoice in pending}
    return {
        number: [_allowed(action, one, client, waiting.get(number), caller) for action in Action]
        for number, one in facts.items()
    }


def _allowed(action: Action, facts: DocumentFacts, client: Client, pending: Invoice | None, caller: Caller) -> Allowed:
    refusal = why_not(action, facts)
    if refusal is not None:
        return Allowed(action, refusal.error, refusal.in_the_way, refusal.instead)
    try:
        RIGHTS[action](caller)
        if action is Action.APPROVE and pending is not None:
            check_four_eyes(client, stake_of(pending), pending.generated_by, caller)
    except BillingError as error:
        return Allowed(action, error)
    return Allowed(action)


def _documents(invoice_nos: Collection[int]) -> Any:
    charges = InvoiceLine.objects.filter(invoice=OuterRef("pk"), amount__gt=0).exclude(
        line_type__in=[LineType.TAX, *CREDIT_TYPES]
    )
    methods = electronic_methods().filter(account=OuterRef("account"))
    cycles = Invoice.objects.filter(account=OuterRef("account"), kind__in=CYCLE_KINDS)
    newest = cycles.filter(status=InvoiceStatus.APPROVED).order_by("-bill_date", "-pk")
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
            "bill_date",
            "account__is_test",
            "account__status",
            "account__last_bill_date",
            charges=Exists(charges),
            has_method=Exists(methods),
            newest_no=Subquery(newest.values("pk")[:1]),
            pending_no=Subquery(cycles.filter(status=InvoiceStatus.PENDING).values("pk")[:1]),
        )
    )


def _corrections(invoice_nos: Collection[int]) -> tuple[dict[int, list[Correcting]], dict[int, Correcting]]:
    """The live documents that correct each, memos that were issued with a rebill aside; and the rebill of each memo."""
    rows = Invoice.objects.filter(Q(corrects__in=invoice_nos) | Q(memo__in=invoice_nos), status__in=LIVE_STATUSES)
    rows = rows.filter(~Q(kind=InvoiceKind.CREDIT_MEMO) | ~Exists(Invoice.objects.filter(memo=OuterRef("pk"))))
    corrected_by: dict[int, list[Correcting]] = defaultdict(list)
    part_of = {}
    for corrects, memo, *columns in rows.order_by("pk").values_list("corrects_id", "memo_id", *CORRECTING_COLUMNS):
        correcting = Correcting(*columns)
        if corrects is not None:
            corrected_by[corrects].append(correcting)
        if memo is not None:
            part_of[memo] = correcting
    return corrected_by, part_of


def _taken_off(invoice_nos: Collection[int]) -> dict[int, list[TakenOff]]:
    kinds = (EntryKind.WRITE_OFF, EntryKind.DISPUTE)
    rows = LedgerEntry.objects.filter(invoice__in=invoice_nos, kind__in=kinds, voided_by=None).order_by("pk")
    taken_off: dict[int, list[TakenOff]] = defaultdict(list)
    for invoice_no, number, kind in rows.values_list("invoice_id", "pk", "kind"):
        if invoice_no is not None:
            taken_off[invoice_no].append(TakenOff(number, kind))
    return taken_off


def _open_attempts(invoice_nos: Collection[int]) -> dict[int, tuple[str, int]]:
    rows = CollectionAttempt.objects.filter(invoice__in=invoice_nos, status__in=OPEN_ATTEMPTS)
    return {
        number: (status, attempt_no) for number, status, attempt_no in rows.values_list("invoice_id", "status", "attempt_no")
    }


def _refunds(invoice_nos: Collection[int]) -> dict[int, int]:
    """A refund that stands of money that had paid each."""
    rows = Allocation.objects.filter(
        debit__invoice__in=invoice_nos,
        kind=AllocationKind.REFUNDED,
        credit__payment__refunds__entry__voided_by=None,
        credit__payment__refunds__isnull=False,
    )
    return dict(rows.order_by("pk").values_list("debit__invoice_id", "credit__payment__refunds"))


def _paid(invoice_nos: Collection[int]) -> set[int]:
    """The documents that payments pay at present."""
    rows = (
        Allocation.objects.filter(debit__invoice__in=invoice_nos, debit__kind=EntryKind.INVOICE, credit__kind__in=PAYMENT_KINDS)
        .order_by()
        .values_list("debit__invoice_id")
        .annotate(ExactSum("amount"))
    )
    return {invoice_no for invoice_no, amount in rows if invoice_no is not None and amount > ZERO}
