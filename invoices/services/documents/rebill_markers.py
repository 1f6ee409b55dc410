"""What an invoice says of its rebill: Aria's rb_ markers, and which of its lines the rebill left out."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import Event
from invoices.kinds import InvoiceKind, InvoiceStatus, LineType
from invoices.models import Invoice, InvoiceLine

GENERATED = "invoice.generated"


def with_rebills(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """Documents with `rb_no`, the rebill that has replaced each, and `rebill_waiting`, the one that waits for approval."""
    rebills = Invoice.objects.filter(corrects=OuterRef("pk"), kind=InvoiceKind.REBILL).order_by("pk")
    marked: QuerySet[Any] = invoices.annotate(
        rb_no=Subquery(rebills.filter(status=InvoiceStatus.APPROVED).values("pk")[:1]),
        rebill_waiting=Subquery(rebills.filter(status=InvoiceStatus.PENDING).values("pk")[:1]),
    )
    return marked


def excluded_lines(rebill_nos: Collection[int]) -> dict[int, list[int]]:
    """The lines of the originals that rebills left out, taxes aside: two queries, however many."""
    kept: dict[int, set[int | None]] = defaultdict(set)
    sources = InvoiceLine.objects.filter(invoice__in=rebill_nos)
    for rebill_no, source in sources.values_list("invoice_id", "source_line_no"):
        kept[rebill_no].add(source)
    excluded: dict[int, list[int]] = {number: [] for number in rebill_nos}
    lines = InvoiceLine.objects.filter(invoice__corrected_by__in=rebill_nos).exclude(line_type=LineType.TAX)
    for rebill_no, line_no in lines.order_by("line_no").values_list("invoice__corrected_by", "line_no"):
        if rebill_no in excluded and line_no not in kept[rebill_no]:
            excluded[rebill_no].append(line_no)
    return excluded


def recounted_lines(rebill_nos: Collection[int]) -> dict[int, list[int]]:
    """The lines of rebills that were counted again, as what they are counted from had changed: from the trail, in one query."""
    recounted: dict[int, list[int]] = {number: [] for number in rebill_nos}
    events = Event.objects.filter(act=GENERATED, invoice_no__in=rebill_nos)
    for number, after in events.values_list("invoice_no", "after"):
        if number is not None:
            recounted[number] = list(after.get("recounted", []))
    return recounted
