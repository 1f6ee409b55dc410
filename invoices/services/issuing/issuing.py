"""Issuing pending documents: what any of them is given, of whichever kind. Under the accounts' locks."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.storage import update_rows
from invoices.fingerprints import TERM_FIELDS, Content, fingerprint
from invoices.kinds import InvoiceKind, InvoiceStatus, SeriesKind
from invoices.models import Invoice
from invoices.services.documents.numbers import take_numbers
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rows import issue
from invoices.services.money.ledger.entries import Stamp

ISSUE_FIELDS = ("invoice_date", "due_date", "series", "number", "document_number")


class Issuing(NamedTuple):
    """For whom, by whom and when documents are issued. `collect` and `statement` are what the caller asks for: whether what is
    due is collected, and whether a statement is sent; None: the settings decide."""

    client: Client
    caller: Caller
    today: date
    at: datetime
    remarks: Remarks = Remarks()
    collect: bool | None = None
    statement: bool | None = None

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.today, self.at, self.caller.identity)


def collects(client: Client, kind: str, asked: bool | None) -> bool:
    """Whether what is due on a document is collected when it is issued: what is asked for counts before the client's
    setting, of which there is one for invoices (Auto-Collect On Pending Invoice Approval) and one for rebills (Autocollect on
    Rebill)."""
    if asked is not None:
        return asked
    return client.collect_on_rebill if kind == InvoiceKind.REBILL else client.collect_on_approval


def issue_pending(
    invoices: Sequence[Invoice],
    contents: Mapping[int, Content],
    series: SeriesKind,
    issuing: Issuing,
    *,
    due_dates: Mapping[int, date] | None = None,
    memos: Mapping[int, int] | None = None,
) -> None:
    """Gives pending documents their numbers of a series, dates and fingerprints. `due_dates` stand before the payment terms;
    `memos` are those that are issued with rebills."""
    numbered = zip(invoices, take_numbers(issuing.client, series, len(invoices), issuing.today), strict=True)
    noted = issuing.remarks.columns()
    rows, acts = [], []
    for invoice, number in numbered:
        issued = issue(number, invoice.payment_terms_days)
        given: dict[str, Any] = {**issued._asdict(), "series": series.value}
        if due_dates and invoice.pk in due_dates:
            given["due_date"] = due_dates[invoice.pk]
        content = _with_terms(contents[invoice.pk], given)
        standing = (InvoiceStatus.APPROVED.value, fingerprint(content), issuing.caller.identity, issuing.at, *noted.values())
        memo_no = memos[invoice.pk] if memos else None
        rows.append((invoice.pk, *(given[name] for name in ISSUE_FIELDS), *standing, memo_no))
        acts.append(_act(invoice, issued.document_number, issuing.remarks.reason))
    columns = (*ISSUE_FIELDS, "status", "fingerprint", "approved_by", "approved_at", *noted, "memo_id")
    update_rows(Invoice, columns, rows)
    record_acts(issuing.client, issuing.caller, acts, issuing.at)


def _act(invoice: Invoice, document_number: str, reason: str) -> Act:
    after = {"status": "approved", "document_number": document_number, "total_amount": str(invoice.total_amount)}
    before = {"status": "pending"}
    return Act("invoice.approved", invoice.account_id, invoice.pk, before=before, after={**after, "reason": reason})


def _with_terms(content: Content, given: Mapping[str, Any]) -> Content:
    terms = {**dict(zip(TERM_FIELDS, content.terms, strict=True)), **given}
    return content._replace(terms=tuple(terms[name] for name in TERM_FIELDS))
