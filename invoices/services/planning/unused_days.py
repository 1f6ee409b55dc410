"""Move credits of unused days from rebilled documents to their rebills. The accounts must be locked."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Max, QuerySet

from billing_site.common.compiled_reads import Reading, compiled_read
from billing_site.common.storage import insert_rows, update_rows
from invoices.calculation import ZERO
from invoices.document import Document, Line
from invoices.models import UnusedCredit
from invoices.services.planning.holds import UNUSED_CREDIT


class Row(NamedTuple):
    """A stored row, in the order of UNUSED_CREDIT."""

    line_no: int
    plan_instance_no: int
    source_no: int
    source_line_no: int
    step: int
    first_day: date
    last_day: date
    amount: Decimal
    invoice_no: int


def move_unused_days(originals: Mapping[int, int], contents: Mapping[int, Document]) -> None:
    """Move the credits of unused days of originals to the rebills that replace them. `originals` is by rebill.

    A rebill's lines that credit unused days replace those of the original. Credits that were given on a line of the original
    move to the rebill's line for the same days and taxes. If there is none, the next invoice charges the days again.
    """
    _carry_lines(originals, contents)
    _move_sources(originals, contents)


def unused_days_readings(original_nos: Sequence[int]) -> list[Reading]:
    """Return what `move_unused_days` reads of these originals, which are in order, to be read ahead with others."""
    return [_credits_on.of(original_nos), _credits_of.of(original_nos)]


@compiled_read
def _credits_on(invoice_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    return UnusedCredit.objects.filter(invoice__in=invoice_nos).values_list(*UNUSED_CREDIT)


@compiled_read
def _credits_of(source_nos: Collection[int]) -> QuerySet[Any, tuple[int, int, int]]:
    return UnusedCredit.objects.filter(source__in=source_nos).values_list("pk", "source_id", "source_line_no")


def _carry_lines(originals: Mapping[int, int], contents: Mapping[int, Document]) -> None:
    stored = _credits_on(sorted(originals.values()))
    rows = {(row.invoice_no, row.line_no): row for row in map(Row._make, stored)}
    if not rows:
        return
    steps = _last_steps({row.source_no for row in rows.values()})
    carried = []
    for rebill_no, original_no in originals.items():
        for line in contents[rebill_no].lines:
            row = rows.get((original_no, line.source_line_no or 0))
            if row is not None and line.amount and line.gives_days_back:
                steps[row.source_no, row.source_line_no] += 1
                step = steps[row.source_no, row.source_line_no]
                carried.append(row._replace(invoice_no=rebill_no, line_no=line.line_no, step=step, amount=-line.amount))
    insert_rows(UnusedCredit, UNUSED_CREDIT, carried)


def _last_steps(document_nos: Iterable[int]) -> dict[tuple[int, int], int]:
    rows = UnusedCredit.objects.filter(source__in=document_nos).order_by().values_list("source_id", "source_line_no")
    last = rows.annotate(last=Max("step"))
    return defaultdict(int, {(source, line_no): step for source, line_no, step in last})


def _move_sources(originals: Mapping[int, int], contents: Mapping[int, Document]) -> None:
    given_back = _credits_of(sorted(originals.values()))
    if not given_back:
        return
    replaced_by = {
        (original_no, line.source_line_no): (rebill_no, line.line_no)
        for rebill_no, original_no in originals.items()
        for line in contents[rebill_no].lines
        if line.source_line_no is not None and _charges_the_same(contents[original_no], contents[rebill_no], line)
    }
    moved = [(row_no, *replaced_by[source, line]) for row_no, source, line in given_back if (source, line) in replaced_by]
    update_rows(UnusedCredit, ("source_id", "source_line_no"), moved)


def _charges_the_same(original: Document, rebill: Document, line: Line) -> bool:
    source = next(one for one in original.lines if one.line_no == line.source_line_no)
    same = all(getattr(source, name) == getattr(line, name) for name in ("plan_instance_id", "period_start", "period_end"))
    return same and line.amount > ZERO and _taxes_of(original, source.line_no) == _taxes_of(rebill, line.line_no)


def _taxes_of(content: Document, line_no: int) -> set[tuple[object, ...]]:
    """Return the identities of a line's taxes."""
    return {tax.identity for tax in content.taxes if tax.taxed_line_no == line_no}
