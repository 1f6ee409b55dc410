"""Compare pending documents with the account's last document.

The comparison is stored, so that a queue of any length can be sorted and counted by its flags.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import OuterRef, Subquery

from accounts.models import Account
from billing_site.common.currencies import ROUNDING
from billing_site.common.storage import insert_rows
from invoices.calculation import ZERO
from invoices.document import Document
from invoices.kinds import CYCLE_KINDS, EACH_CYCLE_TYPES, InvoiceKind, InvoiceStatus
from invoices.models import Comparison, Invoice, InvoiceLine

FIELDS = (
    "invoice_id",
    "previous_id",
    "change_amount",
    "change_percent",
    "new_lines",
    "missing_lines",
    "has_po",
    "facts_read_at",
)
LARGEST_PERCENT = Decimal("99999999999.99")

Charged = tuple[int, int | None]
"""A line type and a service."""


class _Previous(NamedTuple):
    invoice_no: int
    total: Decimal
    charged: Collection[Charged]


class Compared(NamedTuple):
    """How a document differs from the account's last one. All but the counts of lines are empty where there is none."""

    previous_no: int | None = None
    change_amount: Decimal | None = None
    change_percent: Decimal | None = None
    new_lines: int = 0
    missing_lines: int = 0


def compare_documents(documents: Mapping[int, Document]) -> dict[int, Compared]:
    """Compare documents, by any numbers that are their own, with the last ones of their accounts: three queries."""
    previous = _previous(documents)
    return {
        number: _compared(content, previous[number]) if number in previous else Compared()
        for number, content in documents.items()
    }


def record_comparisons(documents: Sequence[tuple[int, Document]], read_at: Mapping[int, datetime | None]) -> None:
    """Store the comparisons of new pending documents. Four statements. `read_at` is when each document's facts were read."""
    compared = compare_documents(dict(documents))
    rows = [
        (number, *compared[number], any(line.po_num for line in content.lines), read_at.get(number))
        for number, content in documents
    ]
    insert_rows(Comparison, FIELDS, rows)


def _compared(content: Document, last: _Previous) -> Compared:
    total = content.terms.total_amount
    change = total - last.total
    charged = {(line.line_type, line.service_id) for line in content.lines if line.line_type in EACH_CYCLE_TYPES}
    gone, new = set(last.charged) - charged, charged - set(last.charged)
    return Compared(last.invoice_no, change, _percent(change, last.total), len(new), len(gone))


def _percent(change: Decimal, of: Decimal) -> Decimal | None:
    if of == ZERO:
        return None
    percent = (change * 100 / abs(of)).quantize(Decimal("0.01"), ROUNDING)
    return max(min(percent, LARGEST_PERCENT), -LARGEST_PERCENT)


def _previous(documents: Mapping[int, Document]) -> dict[int, _Previous]:
    """Return what each document is compared with: the original of a rebill, else the account's newest issued invoice or
    rebill. A one-off invoice is like no other, and is compared with none."""
    of_accounts = _newest({content.parties.account_id for content in documents.values()})
    chosen = {
        number: content.correction.corrects_id if content.correction else of_accounts.get(content.parties.account_id)
        for number, content in documents.items()
        if content.terms.kind != InvoiceKind.ONE_OFF
    }
    numbers = {number for number in chosen.values() if number is not None}
    totals = dict(Invoice.objects.filter(pk__in=numbers).values_list("pk", "total_amount"))
    charged: dict[int, set[Charged]] = defaultdict(set)
    lines = InvoiceLine.objects.filter(invoice__in=numbers, line_type__in=EACH_CYCLE_TYPES).order_by()
    for number, line_type, service_no in lines.values_list("invoice_id", "line_type", "service_id"):
        charged[number].add((line_type, service_no))
    return {number: _Previous(last, totals[last], charged[last]) for number, last in chosen.items() if last is not None}


def _newest(account_nos: Collection[int]) -> dict[int, int | None]:
    issued = Invoice.objects.filter(
        account=OuterRef("pk"), status=InvoiceStatus.APPROVED, kind__in=[*CYCLE_KINDS, InvoiceKind.REBILL]
    )
    newest = issued.order_by("-bill_date", "-pk").values("pk")[:1]
    return dict(Account.objects.filter(pk__in=account_nos).values_list("pk", Subquery(newest)))


class ComparedLine(NamedTuple):
    """The amounts of a kind of line on a document and on the last one. None if one of them has no such line."""

    description: str
    before: Decimal | None
    now: Decimal | None
    units_before: Decimal | None
    units_now: Decimal | None

    @property
    def change(self) -> Decimal:
        return (self.now or ZERO) - (self.before or ZERO)


def compared_lines(invoice: Invoice, previous: Invoice | None) -> list[ComparedLine]:
    """Return the lines of two documents side by side, matched by type, service and description. One query.

    The order is that of the first document; lines that only the second has come last.
    """
    numbers = [invoice.pk] if previous is None else [invoice.pk, previous.pk]
    sums: dict[tuple[Any, ...], dict[int, tuple[Decimal, Decimal | None]]] = defaultdict(dict)
    lines = InvoiceLine.objects.filter(invoice__in=numbers).order_by("line_no")
    for line in sorted(lines, key=lambda line: line.invoice_id != invoice.pk):
        of_line = sums[(line.line_type, line.service_id, line.description)]
        amount, units = of_line.get(line.invoice_id, (ZERO, None))
        of_line[line.invoice_id] = (amount + line.amount, line.units if units is None else units + (line.units or ZERO))
    nothing: tuple[Decimal | None, Decimal | None] = (None, None)
    beside = []
    for (_, _, description), of_line in sums.items():
        now, units_now = of_line.get(invoice.pk, nothing)
        before, units_before = of_line.get(previous.pk, nothing) if previous else nothing
        beside.append(ComparedLine(description, before, now, units_before, units_now))
    return beside
