"""Issue documents: number, date and charge them, request collections and statements, and write their events.

No other module does this. A document may have been pending, or is written when it is issued. Each app registers what is special
to its kinds of documents (`register`), so that nothing here names a kind. Everything runs in the caller's transaction, under
the accounts' locks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from accounts.callers import Caller
from accounts.event_types import MEMO_ISSUED
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.storage import check_references, update_rows
from invoices.calculation import ZERO, amount_text
from invoices.document import Document, Terms
from invoices.fingerprints import numbered_fingerprint, part_hashes
from invoices.kinds import InvoiceKind, InvoiceStatus, SeriesKind
from invoices.models import Invoice
from invoices.services.collecting.starting import request_collection
from invoices.services.documents.document_storage import NO_LINKS, Header, Links, insert_headers, insert_parts
from invoices.services.documents.numbers import Numbered, take_numbers
from invoices.services.documents.open_periods import check_open
from invoices.services.documents.remarks import Remarks
from invoices.services.issuing.e_invoicing import e_invoice_styles
from invoices.services.money.ledger.charging import Issued
from invoices.services.money.ledger.entries import AccountPosition, PostedBy, paid_act
from invoices.services.printing.files import owe_files
from invoices.services.statements.statements import StatementRequest, request_statements

ISSUED = "invoice.issued"
APPROVED = "invoice.approved"
ISSUE_FIELDS = ("invoice_date", "due_date", "series", "number", "number_year", "document_number")
_issue_values = attrgetter(*ISSUE_FIELDS)


class ToIssue(NamedTuple):
    """A document that is to be issued. `content` is the generated document, without number and dates.

    `pending` is its stored row, read with the document that it corrects; None if it is written when it is issued. `original` is
    the content of the document that it replaces, if already read. `memo_no` is the credit memo that is issued with it. `acts`
    are events that come before `invoice.issued`. `approved_by_rule` names the approval rule that decided, for its event.

    `restored_due_date` is set if the document restores a voided one: it is due on that day, and its caller moves the payments
    back to it, so that no other credit pays it.
    """

    invoice_no: int
    content: Document
    links: Links = NO_LINKS
    pending: Invoice | None = None
    original: Document | None = None
    memo_no: int | None = None
    acts: tuple[Act, ...] = ()
    approved_by_rule: Mapping[str, Any] = MappingProxyType({})
    restored_due_date: date | None = None

    @property
    def terms(self) -> Terms:
        return self.content.terms

    @property
    def kind(self) -> InvoiceKind:
        return InvoiceKind(self.terms.kind)

    @property
    def account_no(self) -> int:
        return self.content.parties.account_id

    @property
    def due_date_of_original(self) -> date | None:
        corrects = self.pending.corrects if self.pending is not None else None
        return corrects.due_date if corrects is not None else None

    @property
    def charged(self) -> Issued:
        return Issued(self.account_no, self.invoice_no, self.terms.total_amount, self.terms.currency)


def pending_document(invoice: Invoice, content: Document, original: Document | None = None) -> ToIssue:
    """Return a stored pending document to issue. `invoice` must be read with the document that it corrects."""
    links = Links(
        invoice.chain_root_id,
        invoice.collect_when_issued,
        invoice.statement_contact_id,
        invoice.keeps_due_date,
        invoice.bills_again_id,
        invoice.credit_to,
    )
    return ToIssue(invoice.pk, content, links, invoice, original)


class IssuePolicy(NamedTuple):
    """Decides whether documents are collected and sent when they are issued, and when they are due.

    `collect` and `statement` are the caller's wishes; None leaves the decision to the document and the client's settings.
    """

    client: Client
    collect: bool | None = None
    statement: bool | None = None

    def collects(self, kind: str, requested: bool | None = None) -> bool:
        """Return whether a document's open amount is collected: as the caller says, else as requested when the document was
        made (`requested`), else as the client's setting for its kind says. Credit memos are never collected."""
        setting = how_issued(kind).collects
        if setting is None:
            return False
        requested = requested if self.collect is None else self.collect
        return setting(self.client) if requested is None else requested

    def sends_statement(self, kind: str, contact: int | None = None) -> bool:
        """Return whether a document's statement is sent: as the caller says, else if the client's setting says so or the
        document names a contact for it."""
        if not how_issued(kind).has_statement:
            return False
        if self.statement is not None:
            return self.statement
        return self.client.statement_on_issue or contact is not None

    def due_date(self, document: ToIssue, invoice_date: date) -> date:
        """Return the original's due date if the document restores one, or replaces one and keeps its date, else the invoice
        date plus payment terms."""
        if document.restored_due_date is not None:
            return document.restored_due_date
        before, keeps = document.due_date_of_original, document.links.keeps_due_date
        if before is not None and (how_issued(document.kind).keeps_due_date(self.client) if keeps is None else keeps):
            return before
        return invoice_date + timedelta(days=document.terms.payment_terms_days)


class Issuing(NamedTuple):
    """The policy, the caller and the time of issuing. `today` is the date in the client's time zone.

    `remarks` are put on documents that were pending. `positions` are the accounts' ledger positions, if already read.
    """

    policy: IssuePolicy
    caller: Caller
    today: date
    at: datetime
    remarks: Remarks = Remarks()
    positions: dict[int, AccountPosition] | None = None

    @property
    def client(self) -> Client:
        return self.policy.client

    @property
    def posted_by(self) -> PostedBy:
        return PostedBy(self.today, self.at, self.caller.identity)


def _unchanged(documents: Sequence[ToIssue], issuing: Issuing) -> Sequence[ToIssue]:
    return documents


def _nothing_more(documents: Sequence[ToIssue], issuing: Issuing) -> Sequence[Act]:
    return ()


def _no(client: Client) -> bool:
    return False


@dataclass(frozen=True)
class HowIssued:
    """How documents of a kind are issued. Each function gets all documents of a batch that are issued in this way.

    `enter` posts them to the ledger, and returns the open amount of each by number. `collects` returns the client's setting;
    None means never. `keeps_due_date` returns the client's setting for documents that replace another. `prepare` returns the
    documents together with those that are issued with them, before anything is written. `finish` runs after all are written,
    and returns its events.
    """

    series: SeriesKind
    enter: Callable[[Sequence[ToIssue], Issuing], Mapping[int, Decimal]]
    collects: Callable[[Client], bool] | None = None
    has_statement: bool = False
    keeps_due_date: Callable[[Client], bool] = _no
    prepare: Callable[[Sequence[ToIssue], Issuing], Sequence[ToIssue]] = _unchanged
    finish: Callable[[Sequence[ToIssue], Issuing], Sequence[Act]] = _nothing_more


_HOW: dict[InvoiceKind, HowIssued] = {}


def register(how: HowIssued, *kinds: InvoiceKind) -> None:
    """Register how documents of these kinds are issued. Call it when the app is ready."""
    _HOW.update(dict.fromkeys(kinds, how))


def how_issued(kind: str) -> HowIssued:
    return _HOW[InvoiceKind(kind)]


def issue(documents: Sequence[ToIssue], issuing: Issuing) -> None:
    """Issue documents that may be issued: give each its number, dates and fingerprint, post it, and write one event
    `invoice.issued`.

    Collections and statements are requested as the policy says; they are made after the commit. The number of statements is
    constant for each kind. Number series are locked in a fixed order. Other calls that issue wait from then until the commit,
    so what needs no number is written and checked before. Must be called in the transaction that locked the accounts.

    Refuses a day in a closed period (90173), if the clock went back (90094), a balance would be too large (90008), or a
    document that is sent as an electronic invoice cannot be a valid one (90120).
    """
    if not documents:
        return
    check_open(issuing.client, issuing.today)
    groups = _groups(documents, issuing)
    styles = e_invoice_styles(issuing.client, {one.invoice_no: one.content for _, mine in groups for one in mine})
    unnumbered = [document for _, mine in groups for document in mine]
    hashes = {one.invoice_no: part_hashes(one.content) for one in unnumbered}
    insert_parts([(one.invoice_no, one.content) for one in unnumbered if one.pending is None])
    check_references()
    issued = _numbered(unnumbered, issuing)
    # Written before their ledger entries: a document is open by its total until credits are allocated to it. If an entry came
    # first, SQLite would also search for more such rows at each document.
    _insert([one for one in issued if one.pending is None], hashes, issuing)
    _update([one for one in issued if one.pending is not None], hashes, issuing)
    due: dict[int, Decimal] = {}
    for how, mine in groups:
        due |= how.enter(mine, issuing)
    _request(issued, due, issuing)
    owe_files([one.invoice_no for one in issued], styles)
    acts = [act for one in issued for act in _acts(one, issuing, due)]
    for how, mine in groups:
        acts += how.finish(mine, issuing)
    record_acts(issuing.client, issuing.caller, acts, issuing.at)


def _groups(documents: Sequence[ToIssue], issuing: Issuing) -> list[tuple[HowIssued, Sequence[ToIssue]]]:
    groups: dict[HowIssued, list[ToIssue]] = {}
    for document in documents:
        groups.setdefault(how_issued(document.kind), []).append(document)
    return [(how, how.prepare(mine, issuing)) for how, mine in groups.items()]


def _numbered(documents: Sequence[ToIssue], issuing: Issuing) -> list[ToIssue]:
    """Return the documents with numbers and dates. All calls lock the series in the same order, so that they cannot block each
    other."""
    series = [how_issued(document.kind).series for document in documents]
    numbers = {
        one: iter(take_numbers(issuing.client, one, series.count(one), issuing.today)) for one in SeriesKind if one in series
    }
    return [_with_number(document, one, next(numbers[one]), issuing) for document, one in zip(documents, series, strict=True)]


def _with_number(document: ToIssue, series: SeriesKind, numbered: Numbered, issuing: Issuing) -> ToIssue:
    assigned: dict[str, Any] = {
        "series": series.value,
        "due_date": issuing.policy.due_date(document, numbered.invoice_date),
        **numbered._asdict(),
    }
    return document._replace(content=replace(document.content, terms=replace(document.terms, **assigned)))


def _insert(documents: Sequence[ToIssue], hashes: Mapping[int, Mapping[str, str]], issuing: Issuing) -> None:
    if documents:
        insert_headers(
            [
                Header(one.invoice_no, one.content, one.links, numbered_fingerprint(hashes[one.invoice_no], one.terms))
                for one in documents
            ],
            generated_by=issuing.caller.identity,
            at=issuing.at,
            today=issuing.today,
        )


def _update(documents: Sequence[ToIssue], hashes: Mapping[int, Mapping[str, str]], issuing: Issuing) -> None:
    noted = issuing.remarks.columns()
    columns = (*ISSUE_FIELDS, "status", "open_amount", "fingerprint", "approved_by", "approved_at", *noted, "memo_id")
    rows = [
        (
            one.invoice_no,
            *_issue_values(one.terms),
            InvoiceStatus.APPROVED.value,
            one.terms.owed,
            numbered_fingerprint(hashes[one.invoice_no], one.terms),
            issuing.caller.identity,
            issuing.at,
            *noted.values(),
            one.memo_no,
        )
        for one in documents
    ]
    update_rows(Invoice, columns, rows)


def _request(documents: Sequence[ToIssue], due: Mapping[int, Decimal], issuing: Issuing) -> None:
    """Stored in the same transaction, so that a request is not lost if the process dies."""
    collected, sent = [], []
    for one in documents:
        if one.invoice_no in due and issuing.policy.collects(one.kind, one.links.collect_when_issued):
            collected.append((one.charged, due[one.invoice_no]))
        if issuing.policy.sends_statement(one.kind, one.links.statement_contact_id):
            sent.append(StatementRequest(one.invoice_no, one.links.statement_contact_id))
    request_collection(collected, issuing.posted_by)
    request_statements(sent, issuing.posted_by)


def _acts(document: ToIssue, issuing: Issuing, due: Mapping[int, Decimal]) -> list[Act]:
    """Return the events of a document: approved if it was pending, then issued, then paid if credits have paid all of it."""
    account_no, number = document.account_no, document.terms.document_number
    acts = list(document.acts)
    if document.pending is not None:
        total = amount_text(document.pending.total_amount, document.terms.currency)
        after = {"status": "approved", "document_number": number, "total_amount": total, "reason": issuing.remarks.reason}
        after |= document.approved_by_rule
        acts.append(Act(APPROVED, account_no, document.invoice_no, before={"status": "pending"}, after=after))
    issued: dict[str, Any] = {
        "kind": document.kind.value,
        "document_number": number,
        "invoice_date": str(document.terms.invoice_date),
        "due_date": str(document.terms.due_date),
        "total_amount": amount_text(document.terms.total_amount, document.terms.currency),
        "currency": document.terms.currency,
    }
    correction = document.content.correction
    if correction is not None:
        issued["corrects"] = correction.corrects_id
    public = MEMO_ISSUED if document.kind == InvoiceKind.CREDIT_MEMO else None
    acts.append(Act(ISSUED, account_no, document.invoice_no, after=issued, type=public))
    owed = document.terms.total_amount
    if owed > ZERO and due.get(document.invoice_no) == ZERO:
        acts.append(paid_act(account_no, document.invoice_no, owed, owed, document.terms.currency))
    return acts
