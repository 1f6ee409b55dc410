"""Check what approval assigns: a number from a series without gaps, an invoice date, a due date and a fingerprint."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, Window
from django.db.models.functions import Lag

from accounts.models import Client
from invoices.audit.reports import AuditReport
from invoices.audit.rules import ROWS_AT_ONCE, of_client
from invoices.audit.stored_documents import StoredDocument
from invoices.document_numbers import Format
from invoices.fingerprints import changed_parts
from invoices.models import Invoice, NumberSeries


def numbered_when_approved(document: StoredDocument) -> Iterator[str]:
    """Check that issued documents have everything that approval assigns, voided ones too, and pending or discarded ones
    nothing."""
    terms, state = document.terms, document.state
    assigned = {
        "number": terms.number,
        "series": terms.series,
        "document number": terms.document_number,
        "invoice date": terms.invoice_date,
        "due date": terms.due_date,
        "fingerprint": state.fingerprint,
        "approver": state.approved_by,
        "moment of approval": state.approved_at,
    }
    for name, value in assigned.items():
        if document.is_issued and value in (None, ""):
            yield f"is {state.status}, but has no {name}"
        elif not document.is_issued and value not in (None, ""):
            yield f"is {state.status}, but its {name} is {value}"


def due_dates(document: StoredDocument) -> Iterator[str]:
    """Check that the due date is the invoice date plus the payment terms. A rebill may have the due date of its original."""
    terms = document.terms
    if terms.invoice_date is None or terms.due_date is None:
        return
    due = terms.invoice_date + timedelta(days=terms.payment_terms_days)
    originals = document.state.corrects__due_date if document.is_rebill else None
    if terms.due_date not in (due, originals):
        days = f"{terms.payment_terms_days} days from its invoice date {terms.invoice_date}"
        yield f"is due on {terms.due_date}, but {days} is {due}"


def gapless(client: Client | None) -> AuditReport:
    """Check that the numbers of each series of a client are 1, 2, 3 and so on."""
    numbered = of_client(Invoice, "client", client).filter(number__isnull=False)
    before = Window(Lag("number", default=0), partition_by=["client_id", "series"], order_by=["number", "pk"])
    steps = numbered.annotate(before=before, step=F("number") - F("before")).exclude(step=1)
    rows = steps.order_by("client_id", "series", "number", "pk")
    columns = rows.values_list("client_id", "series", "before", "number", "pk")
    return AuditReport(
        "Document numbers run from 1 without a hole or a repeat",
        numbered.count(),
        [_misstep(*row) for row in columns.iterator(chunk_size=ROWS_AT_ONCE)],
    )


def _misstep(client_no: int, series: str, before: int, number: int, invoice_no: int) -> str:
    where = f"client {client_no}, series {series or 'without a name'}, invoice {invoice_no}"
    if number <= before:
        return f"{where}: number {number} is used twice, or is below 1"
    missing = f"number {before + 1} is" if number == before + 2 else f"numbers {before + 1} to {number - 1} are"
    return f"{where}: {missing} missing before number {number}"


def series_counters(client: Client | None) -> AuditReport:
    """Check that the counter of each series is the highest number that a document has."""
    documents = of_client(Invoice, "client", client).filter(number__isnull=False).order_by()
    highest = {
        (client_no, series): number
        for client_no, series, number in documents.values_list("client_id", "series").annotate(Max("number"))
    }
    counters = {
        (client_no, kind): number
        for client_no, kind, number in of_client(NumberSeries, "client", client).values_list("client_id", "kind", "last_number")
    }
    findings = [
        f"client {client_no}, series {series or 'without a name'}: is at {counter}, but its highest number is {number}"
        for client_no, series in sorted(highest.keys() | counters.keys())
        if (counter := counters.get((client_no, series), "no number")) != (number := highest.get((client_no, series), 0))
    ]
    return AuditReport("Number series are at the last number they gave", len(counters), findings)


def unique_document_numbers(client: Client | None) -> AuditReport:
    """Check that each printed document number is on one document of the client only, whatever prefixes the series had."""
    printed = of_client(Invoice, "client", client).exclude(document_number="")
    repeated = (
        printed.order_by()
        .values_list("client_id", "document_number")
        .annotate(Count("pk"), Min("pk"), Max("pk"))
        .filter(pk__count__gt=1)
    )
    return AuditReport(
        "No two documents of a client have the same document number",
        printed.count(),
        [
            f"client {client_no}: {count} documents are numbered {number}, from invoice {first} to invoice {last}"
            for client_no, number, count, first, last in repeated.iterator(chunk_size=ROWS_AT_ONCE)
        ],
    )


def dates_follow_numbers(client: Client | None) -> AuditReport:
    """Check that no document is dated before the one with the number before it, unless the prefix or suffix has changed."""
    numbered = of_client(Invoice, "client", client).filter(number__isnull=False)
    order: dict[str, Any] = {"partition_by": ["client_id", "series"], "order_by": ["number", "pk"]}
    pairs = numbered.annotate(
        date_before=Window(Lag("invoice_date"), **order), printed_before=Window(Lag("document_number"), **order)
    )
    back = pairs.filter(invoice_date__lt=F("date_before")).order_by("client_id", "series", "number", "pk")
    columns = back.values_list("client_id", "pk", "number", "document_number", "invoice_date", "printed_before", "date_before")
    return AuditReport(
        "Documents are not dated before the number before them",
        numbered.count(),
        [
            f"client {client_no}, invoice {invoice_no}: {printed} is dated {day}, but {printed_before} is dated {day_before}"
            for client_no, invoice_no, number, printed, day, printed_before, day_before in columns.iterator(
                chunk_size=ROWS_AT_ONCE
            )
            if _looks_like(printed, number) == _looks_like(printed_before, number - 1)
        ],
    )


def _looks_like(printed: str, number: int) -> str:
    """Return what is printed before and after the number."""
    return printed.replace(Format().printed(number), "*", 1)


def count_approved(document: StoredDocument) -> int:
    return int(document.is_issued)


def unchanged(document: StoredDocument) -> Iterator[str]:
    """Compare the fingerprint of approval with that of the stored document, and name the parts that have changed."""
    if document.is_issued:
        moved = changed_parts(document.state.fingerprint, document.content)
        if moved:
            yield f"has changed since it was approved: {', '.join(moved)}"
