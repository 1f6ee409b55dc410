"""The one state of a document, as lists, pages, the API and CSV show it.

`Invoice.status` says how far a document is; the state adds what is paid of it, and what replaced it.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan

from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, OFFSETTING_KINDS, DocumentState, EntryKind, InvoiceKind, InvoiceStatus
from invoices.models import Allocation, Invoice, LedgerEntry

_PENDING, _APPROVED = Q(status=InvoiceStatus.PENDING), Q(status=InvoiceStatus.APPROVED)
_DISCARDED, _VOIDED = Q(status=InvoiceStatus.DISCARDED), Q(status=InvoiceStatus.VOIDED)
_OPEN, _MEMO = Q(open_amount__gt=ZERO), Q(kind__in=OFFSETTING_KINDS)


def with_states(invoices: QuerySet[Any], today: date) -> QuerySet[Any]:
    """Annotate documents with `state`, a value of DocumentState, as of the client's day."""
    marked: QuerySet[Any] = invoices.annotate(state=_state(today))
    return marked


def mark_states(documents: Collection[Invoice], today: date) -> None:
    """Set `state` on documents that were read without it. One query."""
    numbers = [one.pk for one in documents]
    states = dict(with_states(Invoice.objects.filter(pk__in=numbers), today).values_list("pk", "state"))
    for one in documents:
        one.state = states[one.pk]


def in_states(invoices: QuerySet[Any], states: Collection[DocumentState], today: date) -> QuerySet[Any]:
    """Return the documents with one of these states. Conditions that an index serves come first."""
    found = Q(*(_candidates(state, today) for state in states), _connector=Q.OR)
    matching: QuerySet[Any] = invoices.filter(found).alias(found_state=_state(today)).filter(found_state__in=states)
    return matching


def _state(today: date) -> Case:
    """Return the definition. The first condition that holds decides."""
    return Case(
        _when(_PENDING, DocumentState.PENDING),
        _when(_DISCARDED, DocumentState.DISCARDED),
        _when(_VOIDED, DocumentState.VOIDED),
        _when(_MEMO, DocumentState.CREDITED),
        _when(Exists(_rebills().filter(corrects=OuterRef("pk"))), DocumentState.REBILLED),
        _when(_OPEN & Q(due_date__lt=today), DocumentState.OVERDUE),
        _when(_OPEN & Q(_is_paid()), DocumentState.PARTLY_PAID),
        _when(_OPEN, DocumentState.OPEN),
        _when(Q(total_amount=ZERO) | Q(_is_paid()), DocumentState.PAID),
        default=Value(DocumentState.CREDITED.value),
        output_field=CharField(),
    )


def _when(condition: Any, state: DocumentState) -> When:
    return When(condition, then=Value(state.value))


def _rebills() -> QuerySet[Invoice]:
    return Invoice.objects.filter(kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)


def _is_paid() -> GreaterThan:
    """Whether payments or cash credits cover a part of the document. Credit memos, write-offs and disputes do not pay it."""
    taken = Allocation.objects.filter(
        debit__invoice=OuterRef("pk"), debit__kind=EntryKind.INVOICE, credit__kind__in=FREE_KINDS
    ).order_by()
    sums = taken.values("debit__invoice").annotate(sum=ExactSum("amount")).values("sum")
    return GreaterThan(Coalesce(Subquery(sums), Value(ZERO)), Value(ZERO))


def _candidates(state: DocumentState, today: date) -> Q:
    """Return a condition that all documents with this state fulfil."""
    match state:
        case DocumentState.PENDING:
            return _PENDING
        case DocumentState.DISCARDED:
            return _DISCARDED
        case DocumentState.VOIDED:
            return _VOIDED
        case DocumentState.OVERDUE:
            return _OPEN & Q(due_date__lt=today)
        case DocumentState.OPEN | DocumentState.PARTLY_PAID:
            return _OPEN & Q(due_date__gte=today)
        case DocumentState.REBILLED:
            return Q(pk__in=_rebills().values("corrects"))
        case DocumentState.CREDITED:
            return _MEMO | (_APPROVED & ~_OPEN & Q(pk__in=_credited()))
    return _APPROVED & ~_OPEN & ~_MEMO


def _credited() -> QuerySet[LedgerEntry, Any]:
    """Return the numbers of the invoices that a credit memo, write-off or dispute reduces."""
    entries = LedgerEntry.objects.filter(kind__in=(EntryKind.CREDIT_MEMO, EntryKind.WRITE_OFF, EntryKind.DISPUTE)).order_by()
    return entries.values_list(Coalesce(F("invoice__corrects"), F("invoice")))
