"""Documents as audits are shown them: what stands in the database, and the acts that the trail has of them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Exists, Min, OuterRef

from accounts.models import Client, Event
from invoices.audit.holdings import Holdings, holdings_of
from invoices.audit.rules import of_client
from invoices.calculation import WHOLE, Share
from invoices.fingerprints import LINE_FIELDS, TAX_FIELDS, TERM_FIELDS, Content
from invoices.kinds import (
    CREDIT_TYPES,
    CYCLE_KINDS,
    ISSUED_STATUSES,
    LIVE_STATUSES,
    InvoiceKind,
    InvoiceStatus,
    LineType,
    gives_days_back,
)
from invoices.models import Invoice
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.rows import stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers
from invoices.services.issuing.issuing import ISSUED

DOCUMENTS_AT_ONCE = 500
ACTS = ("invoice.generated", "invoice.approved", ISSUED, "invoice.discarded", "invoice.voided")


class Terms(NamedTuple):
    kind: str
    currency: str
    bill_date: date
    period_start: date
    period_end: date
    invoice_date: date | None
    payment_terms_days: int
    due_date: date | None
    net_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal
    series: str
    number: int | None
    document_number: str


class Line(NamedTuple):
    line_no: int
    line_type: int
    service_id: int | None
    plan_instance_id: int | None
    units: Decimal | None
    rate_per_unit: Decimal | None
    tier_no: int | None
    tier_from: Decimal | None
    tier_to: Decimal | None
    percent: Decimal | None
    base_amount: Decimal | None
    explanation: str
    order_no: int | None
    proration_factor: Decimal
    period_total_days: int | None
    proration_remaining_days: int | None
    amount: Decimal
    period_start: date | None
    period_end: date | None

    @property
    def share(self) -> Share:
        """The days that the line is of, of those of its full period."""
        if not (self.period_total_days and self.proration_remaining_days and self.period_start and self.period_end):
            return WHOLE
        days = (self.period_end - self.period_start).days + 1
        return Share(days, self.proration_remaining_days, self.period_total_days)

    @property
    def charges(self) -> bool:
        """Whether it charges something: it is no tax, and takes nothing off."""
        return self.line_type != LineType.TAX and self.line_type not in CREDIT_TYPES and self.amount >= 0

    @property
    def takes_off(self) -> bool:
        """Whether it takes something off lines that charge: a coupon, a credit, or what is above a maximum."""
        return self.line_type != LineType.TAX and not self.charges and not self.gives_days_back

    @property
    def gives_days_back(self) -> bool:
        """Whether it gives unused days of a plan instance back, or charges them again."""
        return gives_days_back(self.line_type, self.plan_instance_id)

    @property
    def charge_key(self) -> tuple[object, ...]:
        """What is charged for which days: the lines of a charge that is priced over several bands have the same."""
        return self.plan_instance_id, self.service_id, self.line_type, self.period_start, self.period_end


class Credit(NamedTuple):
    credit_line_no: int
    credited_line_no: int
    amount: Decimal


class Tax(NamedTuple):
    tax_line_no: int
    taxed_line_no: int
    is_inclusive: bool
    taxable_amount: Decimal
    amount: Decimal


class Period(NamedTuple):
    plan_instance_no: int
    start: date
    end: date


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


class Document(NamedTuple):
    standing: Standing
    terms: Terms
    lines: list[Line]
    credits: list[Credit]
    taxes: list[Tax]
    periods: list[Period]
    holdings: Holdings
    content: Content
    tax_answer: TaxAnswer | None
    acts: Sequence[ActSeen]
    has_event_of_issue: bool

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
        return [line for line in self.lines if line.charges]

    @property
    def tax_lines(self) -> list[Line]:
        return [line for line in self.lines if line.line_type == LineType.TAX]


def of_bills(wrong: Callable[[Document], Iterator[str]]) -> Callable[[Document], Iterator[str]]:
    """An audit of documents that bill something. How the amounts of a credit memo came about stands on what it corrects."""
    return lambda document: iter(()) if document.is_memo else wrong(document)


def of_cycles(wrong: Callable[[Document], Iterator[str]]) -> Callable[[Document], Iterator[str]]:
    """An audit of documents that bill a cycle: a rebill changes what was billed, and neither periods nor usage."""
    return lambda document: iter(()) if document.terms.kind not in CYCLE_KINDS else wrong(document)


def stored_documents(client: Client | None) -> Iterator[Document]:
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
            yield _document(standing, contents[number], holdings[number], answers.get(number), acts.get(number, ()), told)
        last = numbers[-1]


def _issues_told_since(client: Client | None) -> dict[int, datetime]:
    """When the first event of an issue was written, by client. Documents that were issued before have none."""
    events = of_client(Event, "client", client).filter(act=ISSUED).order_by()
    return dict(events.values_list("client").annotate(Min("at")))


def _is_told(standing: Standing, since: Mapping[int, datetime]) -> bool:
    """Whether an event has to tell of the document's issue."""
    first = since.get(standing.client_no)
    return standing.approved_at is not None and first is not None and standing.approved_at >= first


def _document(
    standing: Standing,
    content: Content,
    holdings: Holdings,
    tax_answer: TaxAnswer | None,
    acts: Sequence[ActSeen],
    has_event_of_issue: bool,
) -> Document:
    return Document(
        standing,
        Terms._make(_terms_of(content.terms)),
        [Line._make(_line_of(row)) for row in content.lines],
        [Credit._make(row) for row in content.credits],
        [Tax._make(_tax_of(row)) for row in content.taxes],
        [Period._make(row) for row in content.periods],
        holdings,
        content,
        tax_answer,
        acts,
        has_event_of_issue,
    )


def _chosen(wanted: Sequence[str], fields: Sequence[str]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Takes the wanted values from a row whose values stand in the order of `fields`."""
    return itemgetter(*(fields.index(name) for name in wanted))


_terms_of = _chosen(Terms._fields, TERM_FIELDS)
_line_of = _chosen(Line._fields, LINE_FIELDS)
_tax_of = _chosen(Tax._fields, TAX_FIELDS)


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
