"""Read an invoice's rebill (Aria's rb_ fields), and which lines the rebill left out or recalculated."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import Event
from billing_site.common.compiled_reads import Reading, compiled_read
from invoices.kinds import InvoiceKind, InvoiceStatus, LineType
from invoices.models import Invoice, InvoiceLine

GENERATED = "invoice.generated"


def with_rebills(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate with `rb_no`, the issued rebill that replaces the document, and `rebill_waiting`, its pending rebill."""
    rebills = Invoice.objects.filter(corrects=OuterRef("pk"), kind=InvoiceKind.REBILL).order_by("pk")
    marked: QuerySet[Any] = invoices.annotate(
        rb_no=Subquery(rebills.filter(status=InvoiceStatus.APPROVED).values("pk")[:1]),
        rebill_waiting=Subquery(rebills.filter(status=InvoiceStatus.PENDING).values("pk")[:1]),
    )
    return marked


def excluded_lines(rebill_nos: Collection[int]) -> dict[int, list[int]]:
    """Return the line numbers of the originals that rebills left out, without taxes, by rebill. Two queries."""
    kept: dict[int, set[int | None]] = defaultdict(set)
    for rebill_no, source in _sources(rebill_nos):
        kept[rebill_no].add(source)
    excluded: dict[int, list[int]] = {number: [] for number in rebill_nos}
    for rebill_no, line_no in _lines_of_originals(rebill_nos):
        if rebill_no in excluded and line_no not in kept[rebill_no]:
            excluded[rebill_no].append(line_no)
    return excluded


def marker_readings(rebill_nos: Collection[int]) -> list[Reading]:
    """Return what `excluded_lines` and `recounted_lines` read, to be read ahead with others."""
    return [read.of(rebill_nos) for read in (_sources, _lines_of_originals, _generated)]


@compiled_read
def _sources(rebill_nos: Collection[int]) -> QuerySet[Any, tuple[int, int | None]]:
    return InvoiceLine.objects.filter(invoice__in=rebill_nos).values_list("invoice_id", "source_line_no")


@compiled_read
def _lines_of_originals(rebill_nos: Collection[int]) -> QuerySet[Any, tuple[int, int]]:
    lines = InvoiceLine.objects.filter(invoice__corrected_by__in=rebill_nos).exclude(line_type=LineType.TAX)
    return lines.order_by("line_no").values_list("invoice__corrected_by", "line_no")


@compiled_read
def _generated(rebill_nos: Collection[int]) -> QuerySet[Any, tuple[int | None, Any]]:
    return Event.objects.filter(act=GENERATED, invoice_no__in=rebill_nos).values_list("invoice_no", "after")


def recounted_lines(rebill_nos: Collection[int]) -> dict[int, list[int]]:
    """Return the line numbers that were recalculated on rebills, by rebill, from the audit trail. One query."""
    recounted: dict[int, list[int]] = {number: [] for number in rebill_nos}
    for number, after in _generated(rebill_nos):
        if number is not None:
            recounted[number] = list(after.get("recounted", []))
    return recounted
