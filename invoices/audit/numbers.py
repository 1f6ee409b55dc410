"""Check what approval assigns: a number from a series without gaps, an invoice date, a due date and a fingerprint."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Window
from django.db.models.functions import Coalesce, Lag

from invoices.audit.privacy import changed_beside_blanking
from invoices.audit.reads import scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.scopes import Scope, of_client
from invoices.audit.stored_documents import StoredDocument
from invoices.document_numbers import Format
from invoices.models import Invoice, NumberSeries

LONGEST_ACT = timedelta(minutes=20)
"""An act is written down with the time of its beginning. So a number may have an earlier time than the one before it."""

COUNTED_TOGETHER = ("client_id", "series", "number_year")
"""Documents with these values in common have the numbers 1, 2, 3 and so on."""

IN_ORDER: dict[str, Any] = {"partition_by": COUNTED_TOGETHER, "order_by": ["number", "pk"]}
"""The window of each document: those that are counted together with it, in the order of their numbers."""


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
    if terms.number_year and (terms.invoice_date is None or terms.invoice_date.year != terms.number_year):
        yield f"has a number of {terms.number_year}, but its invoice date is {terms.invoice_date}"


def due_dates(document: StoredDocument) -> Iterator[str]:
    """Check that the due date is the invoice date plus the payment terms. A rebill may have the due date of its original, and
    so may an invoice that restores a voided one."""
    terms = document.terms
    if terms.invoice_date is None or terms.due_date is None:
        return
    due = terms.invoice_date + timedelta(days=terms.payment_terms_days)
    originals = document.state.corrects__due_date
    if terms.due_date not in (due, originals):
        days = f"{terms.payment_terms_days} days from its invoice date {terms.invoice_date}"
        yield f"is due on {terms.due_date}, but {days} is {due}"


def _before(scope: Scope) -> dict[tuple[int, str, int], int]:
    """Return the last number that each series gave before the moment of the scope, 0 if there is none. Only of the series that
    gave one since then."""
    numbered = of_client(Invoice, "client", scope).filter(number__isnull=False).order_by()
    given = numbered.filter(approved_at__gte=scope.since).values_list(*COUNTED_TOGETHER).annotate(Min("number"))
    return {
        (client_no, series, year): numbered.filter(
            client_id=client_no, series=series, number_year=year, number__lt=first
        ).aggregate(last=Coalesce(Max("number"), 0))["last"]
        for client_no, series, year, first in given
    }


def _numbered(scope: Scope) -> QuerySet[Any]:
    """Return the documents with numbers: all, or those whose number was given since the moment of the scope, and in each series
    the one before them."""
    numbered = of_client(Invoice, "client", scope).filter(number__isnull=False)
    if scope.since is None:
        return numbered
    since = Q(pk=None)
    for series, last in _before(scope).items():
        since |= Q(**dict(zip(COUNTED_TOGETHER, series, strict=True)), number__gte=last)
    return numbered.filter(since)


def gapless(scope: Scope) -> AuditReport:
    """Check that the numbers of each series of a client are 1, 2, 3 and so on; those of a year by themselves."""
    first = {} if scope.since is None else _before(scope)
    return AuditReport(
        "Document numbers run from 1 without a hole or a repeat",
        _numbered_rows.count(scope),
        [
            _misstep(client_no, series, year, before, number, invoice_no)
            for client_no, series, year, before, number, invoice_no in _missteps(scope)
            if before or first.get((client_no, series, year)) != number
        ],
    )


@scope_read
def _numbered_rows(scope: Scope) -> QuerySet[Any, Any]:
    return _numbered(scope).values("pk")


@scope_read
def _missteps(scope: Scope) -> Any:
    before = Window(Lag("number", default=0), **IN_ORDER)
    steps = _numbered(scope).annotate(before=before, step=F("number") - F("before")).exclude(step=1)
    return steps.order_by(*COUNTED_TOGETHER, "number", "pk").values_list(*COUNTED_TOGETHER, "before", "number", "pk")


def _misstep(client_no: int, series: str, year: int, before: int, number: int, invoice_no: int) -> str:
    where = f"client {client_no}, series {_series_name(series, year)}, invoice {invoice_no}"
    if number <= before:
        return f"{where}: number {number} is used twice, or is below 1"
    missing = f"number {before + 1} is" if number == before + 2 else f"numbers {before + 1} to {number - 1} are"
    return f"{where}: {missing} missing before number {number}"


def _series_name(series: str, year: int) -> str:
    return f"{series or 'without a name'}{f' of {year}' if year else ''}"


def series_counters(scope: Scope) -> AuditReport:
    """Check that the counter of each series is the highest number that a document has. Of counts by year, the last is kept."""
    highest = {(client_no, series, year): number for client_no, series, year, number in _highest(scope)}
    counters: dict[tuple[int, str, int], int] = {}
    last_years: dict[tuple[int, str], int] = {}
    for client_no, kind, last_number, year, last_of_year in _series(scope):
        counters |= {(client_no, kind, 0): last_number, (client_no, kind, year): last_of_year if year else last_number}
        last_years[client_no, kind] = year
    findings = [
        f"client {client_no}, series {_series_name(kind, year)}: is at {counter}, but its highest number is {number}"
        for client_no, kind, year in sorted(highest.keys() | counters.keys())
        if not 0 < year < last_years.get((client_no, kind), 0)
        if (counter := counters.get((client_no, kind, year), "no number"))
        != (number := highest.get((client_no, kind, year), 0))
    ]
    return AuditReport("Number series are at the last number they gave", len(last_years), findings)


@scope_read
def _highest(scope: Scope) -> Any:
    documents = of_client(Invoice, "client", scope).filter(number__isnull=False).order_by()
    return documents.values_list(*COUNTED_TOGETHER).annotate(Max("number"))


@scope_read
def _series(scope: Scope) -> QuerySet[Any, Any]:
    series = of_client(NumberSeries, "client", scope)
    return series.values_list("client_id", "kind", "last_number", "year", "last_of_year")


def unique_document_numbers(scope: Scope) -> AuditReport:
    """Check that each printed document number is on one document of the client only, whatever prefixes the series had."""
    return AuditReport(
        "No two documents of a client have the same document number",
        _printed_numbers.count(scope),
        [
            f"client {client_no}: {count} documents are numbered {number}, from invoice {first} to invoice {last}"
            for client_no, number, count, first, last in _repeated(scope)
        ],
    )


def _printed(scope: Scope) -> QuerySet[Any]:
    printed = of_client(Invoice, "client", scope).exclude(document_number="").order_by()
    if scope.since is None:
        return printed
    return printed.filter(document_number__in=_numbered(scope).values("document_number"))


_printed_numbers = scope_read(lambda scope: _printed(scope).values("pk"))


@scope_read
def _repeated(scope: Scope) -> Any:
    counted = _printed(scope).values_list("client_id", "document_number").annotate(Count("pk"), Min("pk"), Max("pk"))
    return counted.filter(pk__count__gt=1)


def dates_follow_numbers(scope: Scope) -> AuditReport:
    """Check that no document is dated before the one with the number before it, unless the prefix or suffix has changed."""
    return AuditReport(
        "Documents are not dated before the number before them",
        _numbered_rows.count(scope),
        [
            f"client {client_no}, invoice {invoice_no}: {printed} is dated {day}, but {printed_before} is dated {day_before}"
            for client_no, invoice_no, number, printed, day, printed_before, day_before in _dated_back(scope)
            if _looks_like(printed, number) == _looks_like(printed_before, number - 1)
        ],
    )


@scope_read
def _dated_back(scope: Scope) -> Any:
    pairs = _numbered(scope).annotate(
        date_before=Window(Lag("invoice_date"), **IN_ORDER), printed_before=Window(Lag("document_number"), **IN_ORDER)
    )
    back = pairs.filter(invoice_date__lt=F("date_before")).order_by(*COUNTED_TOGETHER, "number", "pk")
    return back.values_list("client_id", "pk", "number", "document_number", "invoice_date", "printed_before", "date_before")


def times_follow_numbers(scope: Scope) -> AuditReport:
    """Check that no document was issued before the one with the number before it, unless the prefix or suffix has changed."""
    return AuditReport(
        "Documents are not issued before the number before them",
        _numbered_rows.count(scope),
        [
            f"client {client_no}, invoice {invoice_no}: {printed} was issued at {at:%Y-%m-%d %H:%M} UTC, but "
            f"{printed_before} at {before:%Y-%m-%d %H:%M} UTC"
            for client_no, invoice_no, number, printed, at, printed_before, before in _issued_back(scope)
            if _looks_like(printed, number) == _looks_like(printed_before, number - 1)
        ],
    )


@scope_read
def _issued_back(scope: Scope) -> Any:
    pairs = _numbered(scope).annotate(
        issued_before=Window(Lag("approved_at"), **IN_ORDER), printed_before=Window(Lag("document_number"), **IN_ORDER)
    )
    back = pairs.filter(approved_at__lt=F("issued_before") - LONGEST_ACT).order_by(*COUNTED_TOGETHER, "number", "pk")
    return back.values_list("client_id", "pk", "number", "document_number", "approved_at", "printed_before", "issued_before")


def _looks_like(printed: str, number: int) -> str:
    """Return what is printed before and after the number."""
    return printed.replace(Format().printed(number), "*", 1)


def count_approved(document: StoredDocument) -> int:
    return int(document.is_issued)


def unchanged(document: StoredDocument) -> Iterator[str]:
    """Compare the fingerprint of approval with that of the stored document, and name the parts that have changed."""
    if document.is_issued:
        moved = changed_beside_blanking(document)
        if moved:
            yield f"has changed since it was approved: {', '.join(moved)}"
