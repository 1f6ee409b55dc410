"""Documents as audits are shown them: what stands in the database, and the acts that the trail has of them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Exists, Min, OuterRef

from accounts.models import Client, Event
from invoices.audit.holdings import Holdings, holdings_of
from invoices.audit.rules import of_client
from invoices.document import Credit, Document, Line, Period, Tax, Terms
from invoices.kinds import (
    CYCLE_KINDS,
    ISSUED_STATUSES,
    LIVE_STATUSES,
    InvoiceKind,
    InvoiceStatus,
)
from invoices.models import Invoice
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers
from invoices.services.issuing.issuing import ISSUED

DOCUMENTS_AT_ONCE = 500
ACTS = ("invoice.generated", "invoice.approved", ISSUED, "invoice.discarded", "invoice.voided")


class Standing(NamedTuple):
    """What approval and discarding change, beside the terms. `issued_with` is the rebill that a credit memo was issued with."""

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
    is_rebilled: bool


class ActSeen(NamedTuple):
    """An event of the document: the act, whose identity did it, and what it says of the document after it."""

    name: str
    identity: str
    after: dict[str, Any]


class StoredDocument(NamedTuple):
    """A document with what is stored beside it."""

    standing: Standing
    content: Document
    holdings: Holdings
    tax_answer: TaxAnswer | None
    acts: Sequence[ActSeen]
    has_event_of_issue: bool

    @property
    def terms(self) -> Terms:
        return self.content.terms

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
        return f"invoice {self.standing.invoice_no}{number} of account {self.standing.account_no}"

    @property
    def is_live(self) -> bool:
        return self.standing.status in LIVE_STATUSES

    @property
    def is_issued(self) -> bool:
        return self.standing.status in ISSUED_STATUSES

    @property
    def is_memo(self) -> bool:
        return self.terms.kind == InvoiceKind.CREDIT_MEMO

    @property
    def is_rebilled(self) -> bool:
        return self.standing.is_rebilled

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
    """An audit of documents that bill something. How the amounts of a credit memo came about stands on what it corrects."""
    return lambda document: iter(()) if document.is_memo else wrong(document)


def of_cycles(wrong: Callable[[StoredDocument], Iterator[str]]) -> Callable[[StoredDocument], Iterator[str]]:
    """An audit of documents that bill a cycle: a rebill changes what was billed, and neither periods nor usage."""
    return lambda document: iter(()) if document.terms.kind not in CYCLE_KINDS else wrong(document)


def stored_documents(client: Client | None) -> Iterator[StoredDocument]:
    """All documents in the order of their numbers, read in chunks: eleven queries for each, and one chunk in memory."""
    since = _issues_told_since(client)
    columns = ("pk", "account_id", "client_id", *Standing._fields[3:])
    rebills = Invoice.objects.filter(corrects=OuterRef("pk"), kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    documents = of_client(Invoice, "client", client).annotate(is_rebilled=Exists(rebills))
    rows = documents.order_by("pk").values_list(*columns)
    last = 0
    while chunk := [Standing._make(row) for row in rows.filter(pk__gt=last)[:DOCUMENTS_AT_ONCE]]:
        numbers = [standing.invoice_no for standing in chunk]
        contents = stored_contents(numbers)
        acts = _acts(numbers)
        holdings = holdings_of(numbers)
        answers = stored_tax_answers(numbers)
        for standing in chunk:
            number = standing.invoice_no
            told = _is_told(standing, since)
            beside = holdings[number], answers.get(number), acts.get(number, ())
            yield StoredDocument(standing, contents[number], *beside, told)
        last = numbers[-1]


def _issues_told_since(client: Client | None) -> dict[int, datetime]:
    """When the first event of an issue was written, by client. Documents that were issued before have none."""
    events = of_client(Event, "client", client).filter(act=ISSUED).order_by()
    return dict(events.values_list("client").annotate(Min("at")))


def _is_told(standing: Standing, since: Mapping[int, datetime]) -> bool:
    """Whether an event has to tell of the document's issue."""
    first = since.get(standing.client_no)
    return standing.approved_at is not None and first is not None and standing.approved_at >= first


def _acts(invoice_nos: Sequence[int]) -> dict[int, list[ActSeen]]:
    rows = Event.objects.filter(invoice_no__in=invoice_nos, act__in=ACTS).order_by("pk")
    acts: dict[int, list[ActSeen]] = defaultdict(list)
    for invoice_no, act, staff_no, key_no, process, after in rows.values_list(
        "invoice_no", "act", "staff_id", "api_key_id", "process", "after"
    ):
        assert invoice_no is not None
        acts[invoice_no].append(ActSeen(act, _identity(staff_no, key_no, process), after))
    return acts


def _identity(staff_no: int | None, key_no: int | None, process: str) -> str:
    """As Caller.identity has it."""
    if staff_no is not None:
        return f"staff:{staff_no}"
    return f"key:{key_no}" if key_no is not None else f"process:{process}"
