"""Read documents for the audits: the stored document, and its events in the audit trail."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Exists, Min, OuterRef, Q

from accounts.models import Event
from billing_site.common.currencies import Currency
from invoices.audit.holdings import Holdings, holdings_of
from invoices.audit.reads import scope_read
from invoices.audit.reports import Unreadable, alone
from invoices.audit.scopes import Scope, of_client
from invoices.document import Credit, Document, Line, Period, Tax, Terms
from invoices.kinds import CYCLE_KINDS, ISSUED_STATUSES, LIVE_STATUSES, InvoiceKind, InvoiceStatus
from invoices.models import BlankedDocument, Invoice
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers
from invoices.services.documents.versions import StoredVersion, newest_versions
from invoices.services.issuing.issuing import ISSUED

DOCUMENTS_AT_ONCE = 500
ACTS = (
    "invoice.generated",
    "invoice.recalculated",
    "invoice.adjusted",
    "invoice.approved",
    ISSUED,
    "invoice.discarded",
    "invoice.voided",
    "document.blanked",
)


class DocumentState(NamedTuple):
    """The columns that approving, discarding and voiding change. `issued_with` is the rebill that a credit memo was issued
    with."""

    invoice_no: int
    account_no: int
    client_no: int
    status: str
    fingerprint: str
    generated_by: str
    approved_by: str
    approved_at: datetime | None
    issued_with: int | None
    corrects__due_date: date | None
    version: int
    void_reason_code: int | None
    is_rebilled: bool


class ActSeen(NamedTuple):
    """One event of a document: the act, who did it, the document's values after it, and when it was done."""

    name: str
    identity: str
    after: dict[str, Any]
    at: datetime


class StoredDocument(NamedTuple):
    """One document with its state, what it holds and its events. `newest` is its newest version, if it was changed while it was
    pending, and `blanked` says that its personal data was blanked."""

    state: DocumentState
    content: Document
    holdings: Holdings
    tax_answer: TaxAnswer | None
    acts: Sequence[ActSeen]
    has_event_of_issue: bool
    newest: StoredVersion | None = None
    blanked: BlankedDocument | None = None

    @property
    def terms(self) -> Terms:
        return self.content.terms

    @property
    def currency(self) -> Currency:
        return self.content.currency

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.content.lines

    @property
    def credits(self) -> tuple[Credit, ...]:
        return self.content.credits

    @property
    def taxes(self) -> tuple[Tax, ...]:
        return self.content.taxes

    @property
    def periods(self) -> tuple[Period, ...]:
        return self.content.periods

    @property
    def title(self) -> str:
        number = f" ({self.terms.document_number})" if self.terms.document_number else ""
        return f"invoice {self.state.invoice_no}{number} of account {self.state.account_no}"

    @property
    def is_live(self) -> bool:
        return self.state.status in LIVE_STATUSES

    @property
    def is_issued(self) -> bool:
        return self.state.status in ISSUED_STATUSES

    @property
    def is_memo(self) -> bool:
        return self.terms.kind == InvoiceKind.CREDIT_MEMO

    @property
    def is_reversal(self) -> bool:
        return self.terms.kind == InvoiceKind.REVERSAL

    @property
    def is_rebilled(self) -> bool:
        return self.state.is_rebilled

    @property
    def is_adjusted(self) -> bool:
        return self.newest is not None and self.newest.is_adjusted

    @property
    def is_changed_by_hand(self) -> bool:
        """Whether a person or program has changed lines: on a rebill, or by adjustments."""
        return self.is_rebill or self.is_adjusted

    @property
    def as_generated(self) -> "StoredDocument":
        """The document without adjustments: what it bills, whatever it charges for that."""
        return self._replace(content=self.newest.generated) if self.newest is not None and self.is_adjusted else self

    @property
    def is_rebill(self) -> bool:
        return self.terms.kind == InvoiceKind.REBILL

    @property
    def charge_lines(self) -> list[Line]:
        return [line for line in self.lines if line.is_charge]

    @property
    def tax_lines(self) -> list[Line]:
        return [line for line in self.lines if line.is_tax]


def of_bills(wrong: Callable[[StoredDocument], Iterator[str]]) -> Callable[[StoredDocument], Iterator[str]]:
    """Skip credit memos and reversals: their amounts are explained on the document that they offset."""
    return lambda document: iter(()) if document.is_memo or document.is_reversal else wrong(document)


def of_cycles(wrong: Callable[[StoredDocument], Iterator[str]]) -> Callable[[StoredDocument], Iterator[str]]:
    """Skip documents that bill no cycle. A rebill changes amounts, but bills no new period and no new usage. Of a document with
    adjustments, what was generated is checked."""
    return lambda document: iter(()) if document.terms.kind not in CYCLE_KINDS else wrong(document.as_generated)


def stored_documents(scope: Scope) -> Iterator[StoredDocument | Unreadable]:
    """Yield the documents of a scope in the order of their numbers; with its moment, those that were written or have an event
    since then.

    Reads 500 at a time, with thirteen queries each. If some cannot be read, the others of the 500 are.
    """
    since = _first_issue_events(scope)
    columns = ("pk", "account_id", "client_id", *DocumentState._fields[3:])
    rebills = Invoice.objects.filter(corrects=OuterRef("pk"), kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    documents = of_client(Invoice, "client", scope).annotate(is_rebilled=Exists(rebills))
    if scope.since is not None:
        events = of_client(Event, "client", scope).filter(at__gte=scope.since, invoice_no__isnull=False)
        documents = documents.filter(Q(pk__in=events.values("invoice_no")) | Q(generated_at__gte=scope.since))
    rows = documents.order_by("pk").values_list(*columns)
    last = 0
    while chunk := [DocumentState._make(row) for row in rows.filter(pk__gt=last)[:DOCUMENTS_AT_ONCE]]:
        yield from _readable(chunk, since)
        last = chunk[-1].invoice_no


def _readable(chunk: Sequence[DocumentState], since: Mapping[int, datetime]) -> Iterator[StoredDocument | Unreadable]:
    """Yield the documents of a chunk. One that cannot be read is found by reading the halves."""
    try:
        with alone():
            documents = _read(chunk, since)
    except Exception as error:
        if len(chunk) == 1:
            yield Unreadable(f"invoice {chunk[0].invoice_no} of account {chunk[0].account_no}", error)
            return
        half = len(chunk) // 2
        yield from _readable(chunk[:half], since)
        yield from _readable(chunk[half:], since)
        return
    yield from documents


def _read(chunk: Sequence[DocumentState], since: Mapping[int, datetime]) -> list[StoredDocument]:
    numbers = [state.invoice_no for state in chunk]
    contents = stored_contents(numbers)
    acts = _acts(numbers)
    holdings = holdings_of(numbers)
    answers = stored_tax_answers(numbers)
    versions = newest_versions([state.invoice_no for state in chunk if state.version > 1])
    blanked = BlankedDocument.objects.in_bulk(numbers)
    return [
        StoredDocument(
            state,
            contents[state.invoice_no],
            holdings[state.invoice_no],
            answers.get(state.invoice_no),
            acts.get(state.invoice_no, ()),
            _must_have_issue_event(state, since),
            versions.get(state.invoice_no),
            blanked.get(state.invoice_no),
        )
        for state in chunk
    ]


def _first_issue_events(scope: Scope) -> dict[int, datetime]:
    """Return when the first `invoice.issued` event of each client was written. Documents issued before that have none."""
    return dict(_issue_events(Scope(scope.client)))


@scope_read
def _issue_events(scope: Scope) -> Any:
    events = of_client(Event, "client", scope).filter(act=ISSUED).order_by()
    return events.values_list("client").annotate(Min("at"))


def _must_have_issue_event(state: DocumentState, since: Mapping[int, datetime]) -> bool:
    """Return whether the document must have an `invoice.issued` event."""
    first = since.get(state.client_no)
    return state.approved_at is not None and first is not None and state.approved_at >= first


def _acts(invoice_nos: Sequence[int]) -> dict[int, list[ActSeen]]:
    rows = Event.objects.filter(invoice_no__in=invoice_nos, act__in=ACTS).order_by("pk")
    acts: dict[int, list[ActSeen]] = defaultdict(list)
    for invoice_no, act, staff_no, key_no, process, after, at in rows.values_list(
        "invoice_no", "act", "staff_id", "api_key_id", "process", "after", "at"
    ):
        assert invoice_no is not None
        acts[invoice_no].append(ActSeen(act, _identity(staff_no, key_no, process), after, at))
    return acts


def _identity(staff_no: int | None, key_no: int | None, process: str) -> str:
    """Return the same text as `Caller.identity`."""
    if staff_no is not None:
        return f"staff:{staff_no}"
    return f"key:{key_no}" if key_no is not None else f"process:{process}"
