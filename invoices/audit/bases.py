"""Check the amounts of charges against the stored basis: minimum, maximum, and late usage after the usage billed before it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.kinds import RateModel
from invoices.audit.amounts import shown
from invoices.audit.reads import ROWS_AT_ONCE, scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.scopes import Scope, of_client
from invoices.audit.stored_documents import StoredDocument
from invoices.basis import BASIS_FIELDS, Billed, ChargeBasis, MinimumBasis, basis_of
from invoices.calculation import ZERO
from invoices.document import Line
from invoices.kinds import CYCLE_KINDS, LIVE_STATUSES, InvoiceKind, InvoiceStatus, LineType
from invoices.models import LineBasis
from invoices.plan.rating import bound_of


def count_bases(document: StoredDocument) -> int:
    return sum(map(len, document.content.basis))


def bases(document: StoredDocument) -> Iterator[str]:
    """Check that a charge's lines have the units and amounts of its basis, and that its minimum or maximum is calculated from
    it.

    A minimum or maximum that a person entered is not checked. Each basis of a coupon or surcharge must belong to a line.
    """
    lines = {line.line_no: line for line in document.lines}
    basis = document.content.basis
    for cover in basis.covers:
        if cover.line_no not in lines:
            yield f"line {cover.line_no} has a stored basis, but does not exist"
    for minimum in basis.minimums:
        yield from _wrong_minimum(minimum, lines)
    for charge in basis.charges:
        numbers = [*charge.line_nos, *([charge.bound_line_no] if charge.bound_line_no is not None else [])]
        missing = [number for number in numbers if number not in lines]
        if missing:
            yield f"line {missing[0]} has a stored basis, but does not exist"
            continue
        parts = [lines[number] for number in charge.line_nos]
        units = sum((part.units or ZERO for part in parts), ZERO)
        amount = sum((part.amount for part in parts), ZERO)
        adjustment = lines[charge.bound_line_no].amount if charge.bound_line_no is not None else ZERO
        name = f"the charge of line {numbers[0]}" if numbers else f"the charge of service {charge.service_no}"
        if units != charge.billed.units and charge.terms.model != RateModel.FLAT:
            yield f"{name} has {shown(charge.billed.units)} units in its basis, but {shown(units)} on its lines"
        if (amount, adjustment) != charge.billed[1:]:
            kept = " and ".join(shown(one) for one in charge.billed[1:])
            yield f"{name} has {kept} in its basis, but {shown(amount)} and {shown(adjustment)} on its lines"
        if numbers and not charge.is_bound_by_hand:
            due = bound_of(charge.terms, amount, document.currency).adjustment
            if due != adjustment:
                yield f"{name} is adjusted to its minimum or maximum by {shown(adjustment)}, but should be by {shown(due)}"


def _wrong_minimum(minimum: MinimumBasis, lines: Mapping[int, Line]) -> Iterator[str]:
    """Yield what is wrong with the minimum of a plan: what it counts, and the line that adds what is missing."""
    name = f"the minimum of plan instance {minimum.plan_instance_no} from {minimum.period_start}"
    if minimum.line_no is not None and minimum.line_no not in lines:
        yield f"line {minimum.line_no} has a stored basis, but does not exist"
        return
    charged = sum((line.amount for line in lines.values() if minimum.counts(line)), ZERO)
    added = ZERO if minimum.line_no is None else lines[minimum.line_no].amount
    if charged != minimum.charged:
        yield f"{name} counts {shown(minimum.charged)}, but its lines charge {shown(charged)}"
    elif not minimum.is_by_hand and added != minimum.missing(charged):
        yield f"{name} adds {shown(added)}, but should add {shown(minimum.missing(charged))}"


class _Document(NamedTuple):
    number: int
    kind: str
    status: str
    corrects: int | None
    generated_at: datetime
    approved_at: datetime | None

    def replaced(self, moment: datetime, others: Iterable["_Document"]) -> bool:
        """Return whether a rebill of this document had been issued by that moment."""
        return any(
            one.corrects == self.number
            and one.kind == InvoiceKind.REBILL
            and one.status == InvoiceStatus.APPROVED
            and one.approved_at is not None
            and one.approved_at <= moment
            for one in others
        )


Kept = tuple[_Document, ChargeBasis]


def late_usage(scope: Scope) -> AuditReport:
    """Check that late usage starts after the units billed before it when it was generated.

    If an earlier invoice of the cycle was rebilled, the last rebill counts. A cycle is not checked if one of its documents was
    voided, or is older than the stored basis.
    """
    instances = set(_instances_with_late_usage(scope))
    cycles: dict[tuple[object, ...], list[Kept]] = defaultdict(list)
    columns = ("invoice_id", "kind", "status", "corrects_id", "generated_at", "approved_at")
    paths = ("invoice_id", *(f"invoice__{name}" for name in columns[1:]))
    rows = _of_usage(scope).filter(plan_instance__in=instances).order_by("invoice_id", "place")
    for row in rows.values_list(*paths, *BASIS_FIELDS).iterator(ROWS_AT_ONCE) if instances else ():
        (charge,) = basis_of([row[len(paths) :]]).charges
        key = charge.plan_instance_no, charge.service_no, charge.period_start
        cycles[key].append((_Document._make(row[: len(paths)]), charge))
    found = [finding for kept in cycles.values() for finding in _wrong_before(kept)]
    return AuditReport("Late usage starts after the units that were billed before it", len(instances), found)


def _of_usage(scope: Scope) -> QuerySet[LineBasis]:
    return of_client(LineBasis, "invoice__client", scope).filter(line_type=LineType.USAGE)


@scope_read
def _instances_with_late_usage(scope: Scope) -> QuerySet[Any, Any]:
    late = _of_usage(scope).filter(terms__before__isnull=False).exclude(terms__before=None)
    return late.order_by().values_list("plan_instance_id", flat=True).distinct()


def _wrong_before(kept: list[Kept]) -> Iterator[str]:
    documents = [document for document, _ in kept]
    is_whole = kept[0][1].terms.before is None and not any(one.status == InvoiceStatus.VOIDED for one in documents)
    for document, charge in kept:
        before = charge.terms.before
        if before is None or not is_whole or document.kind not in CYCLE_KINDS or document.status not in LIVE_STATUSES:
            continue
        counted = [
            other.billed
            for one, other in kept
            if one.number < document.number
            and _had_billed(one, document.generated_at)
            and not one.replaced(document.generated_at, documents)
        ]
        due = Billed(*(sum(column, ZERO) for column in zip(*counted, strict=True))) if counted else Billed()
        if before != due:
            yield (
                f"invoice {document.number}: late usage of {charge.period_start} starts after {shown(before.units)} units, "
                f"but {shown(due.units)} were billed before it"
            )


def _had_billed(document: _Document, moment: datetime) -> bool:
    if document.kind == InvoiceKind.REBILL:
        is_issued = document.status == InvoiceStatus.APPROVED and document.approved_at is not None
        return is_issued and document.approved_at is not None and document.approved_at <= moment
    return document.kind in CYCLE_KINDS and document.status in LIVE_STATUSES
