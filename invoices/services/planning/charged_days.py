"""Read the lines that charged unused days, and what was credited for them so far."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts.models import PlanInstance
from invoices.calculation import ZERO
from invoices.kinds import CYCLE_KINDS, DAY_TYPES, ISSUED_STATUSES, LIVE_STATUSES, InvoiceKind, InvoiceStatus, LineType
from invoices.models import CreditDetail, Invoice, InvoiceLine, TaxDetail, UnusedCredit
from invoices.plan.unused import DocumentAmount, SourceLine, SourceTax

Place = tuple[int, int]
"""The numbers of a document and of a line on it."""

TAX_FIELDS = (
    "authority",
    "authority_level",
    "jurisdiction",
    "percent",
    "is_inclusive",
    "vat_category",
    "exemption_reason",
    "amount",
)
LINE_COLUMNS = (
    "invoice_id",
    "line_no",
    "invoice__document_number",
    "plan_instance_id",
    "line_type",
    "service_id",
    "description",
    "plan_name",
    "gl_code",
    "tax_category",
    "po_num",
    "bill_from_location_id",
    "units",
    "rate_per_unit",
    "period_start",
    "period_end",
    "period_total_days",
    "proration_remaining_days",
    "amount",
)

REBILLED = Exists(Invoice.objects.filter(kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED, corrects=OuterRef("invoice")))
"""True if a rebill has replaced the row's document."""


class GivenBack(NamedTuple):
    """What was credited for unused days, by line: the valid amounts, and the number of the last step."""

    credited: Mapping[Place, list[DocumentAmount]]
    last_steps: Mapping[Place, int]


def instances_with_unused_days(**of: Any) -> QuerySet[PlanInstance]:
    """Select plan instances that have days to credit, or for which days were credited."""
    return PlanInstance.objects.filter(
        Q(credited_from__isnull=False) | Exists(UnusedCredit.objects.filter(plan_instance=OuterRef("pk"))), **of
    )


def read_charged_days(account_nos: Collection[int], replacing: Collection[int] = ()) -> dict[int, list[SourceLine]]:
    """Return the lines of issued documents whose unused days must be credited or were credited, by account.

    They are in the order of documents and lines. Documents in `replacing` are about to be discarded, and their credits do not
    count. Eight queries, none if no account is given.
    """
    if not account_nos:
        return {}
    return _read(dict(instances_with_unused_days(account__in=account_nos).values_list("pk", "account_id")), replacing)


def read_days_after_end(instance: PlanInstance) -> list[SourceLine]:
    """Return the lines of issued documents that charged days after the end of a plan instance, in order, even if these days are
    not credited."""
    return _read({instance.pk: instance.account_id}, ()).get(instance.account_id, [])


def _read(account_of: Mapping[int, int], replacing: Collection[int]) -> dict[int, list[SourceLine]]:
    back = _counted(UnusedCredit.objects.filter(plan_instance__in=account_of), replacing)
    lines = _lines(account_of)
    documents = {row[0] for row in lines}
    bases, memos = _credited(documents), _Memos(documents)
    taxes = _taxes(documents, memos)
    sources: dict[int, list[SourceLine]] = defaultdict(list)
    for *columns, credited_from, in_force in lines:
        place, amount = (columns[0], columns[1]), columns[-1]
        beside = (
            amount - bases.get(place, ZERO),
            in_force,
            credited_from,
            tuple(taxes.get(place, ())),
            tuple(back.credited.get(place, ())),
            tuple(memos.lines.get(place, ())),
            back.last_steps.get(place, 0),
        )
        sources[account_of[columns[3]]].append(SourceLine._make((*columns, *beside)))
    return sources


def given_back_of(document_no: int) -> dict[int, Decimal]:
    """Return what live documents credit for unused days of this document's lines, by line number."""
    rows = UnusedCredit.objects.filter(source=document_no)
    credited = _counted(rows, ()).credited
    return {line_no: sum((one.amount for one in amounts), ZERO) for (_, line_no), amounts in credited.items()}


def _lines(instance_nos: Iterable[int]) -> list[tuple[Any, ...]]:
    """Return the lines that charged days after the end of their plan instance, or whose days were credited, with the first day
    to credit and whether their document is valid now."""
    rows = (
        InvoiceLine.objects.filter(
            Q(plan_instance__end_date__lt=F("period_end")) | Exists(_rows_of_line()),
            plan_instance__in=instance_nos,
            line_type__in=DAY_TYPES,
            amount__gt=0,
            period_start__isnull=False,
            period_end__isnull=False,
            invoice__kind__in=[*CYCLE_KINDS, InvoiceKind.REBILL],
            invoice__status__in=ISSUED_STATUSES,
        )
        .annotate(is_rebilled=REBILLED)
        .order_by("invoice_id", "line_no")
        .values_list(*LINE_COLUMNS, "plan_instance__credited_from", "invoice__status", "is_rebilled")
    )
    return [
        (*columns, credited_from, status == InvoiceStatus.APPROVED and not is_rebilled)
        for *columns, credited_from, status, is_rebilled in rows
    ]


def _rows_of_line() -> QuerySet[UnusedCredit]:
    return UnusedCredit.objects.filter(source=OuterRef("invoice"), source_line_no=OuterRef("line_no"))


def _counted(given: QuerySet[UnusedCredit], replacing: Collection[int]) -> GivenBack:
    """Return what valid documents credit, less what credit memos have taken back from these credits.

    A line that a rebill carried over counts with the number of the document that credited first, so that memos between the two
    are known to be later.
    """
    rows = list(
        given.annotate(is_rebilled=REBILLED)
        .order_by("invoice_id", "line_no")
        .values_list(
            "source_id",
            "source_line_no",
            "step",
            "invoice_id",
            "line_no",
            "amount",
            "invoice__status",
            "is_rebilled",
            "invoice__kind",
            "invoice__corrects_id",
        )
    )
    first: dict[tuple[Place, int], int] = {}
    taken_back = _taken_back({row[3] for row in rows})
    credited: dict[Place, list[DocumentAmount]] = defaultdict(list)
    last_steps: dict[Place, int] = {}
    for source, source_line, step, invoice_no, line_no, amount, status, is_rebilled, kind, corrects in rows:
        place = (source, source_line)
        # Rows are ordered by document, so an original comes before its rebill.
        carried = first.get((place, corrects or 0)) if kind == InvoiceKind.REBILL else None
        first[place, invoice_no] = carried or invoice_no
        last_steps[place] = max(step, last_steps.get(place, 0))
        left = amount - taken_back.get((invoice_no, line_no), ZERO)
        if status in LIVE_STATUSES and not is_rebilled and invoice_no not in replacing and left:
            credited[place].append(DocumentAmount(first[place, invoice_no], left))
    return GivenBack(credited, last_steps)


def _taken_back(document_nos: Collection[int]) -> dict[Place, Decimal]:
    """Return what credit memos have taken back from lines that credit unused days, above zero."""
    rows = _memo_lines(document_nos).exclude(line_type=LineType.TAX)
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    for source, line_no, amount in rows.values_list("invoice__corrects_id", "source_line_no", "amount"):
        sums[source or 0, line_no or 0] += amount
    return sums


def _memo_lines(document_nos: Collection[int]) -> QuerySet[InvoiceLine]:
    """Select the lines of credit memos of these documents, without memos that were issued with a rebill."""
    return InvoiceLine.objects.filter(
        invoice__corrects__in=document_nos,
        invoice__kind=InvoiceKind.CREDIT_MEMO,
        invoice__status=InvoiceStatus.APPROVED,
        invoice__issued_with=None,
    ).order_by("invoice_id", "line_no")


class _Memos:
    """What credit memos have credited of lines. Memos that credit unused days themselves are left out."""

    def __init__(self, document_nos: Collection[int]) -> None:
        rows = _memo_lines(document_nos).filter(~Exists(UnusedCredit.objects.filter(invoice=OuterRef("invoice"))))
        self.lines: dict[Place, list[DocumentAmount]] = defaultdict(list)
        self.source_of: dict[Place, Place] = {}
        for memo_no, line_no, source, source_line, line_type, amount in rows.values_list(
            "invoice_id", "line_no", "invoice__corrects_id", "source_line_no", "line_type", "amount"
        ):
            place = (source or 0, source_line or 0)
            self.source_of[memo_no, line_no] = place
            if line_type != LineType.TAX:
                self.lines[place].append(DocumentAmount(memo_no, -amount))

    @property
    def numbers(self) -> set[int]:
        return {memo_no for memo_no, _ in self.source_of}


def _credited(document_nos: Collection[int]) -> dict[Place, Decimal]:
    """Return what coupons, credits and maximums have reduced each line by."""
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    rows = CreditDetail.objects.filter(invoice__in=document_nos).order_by()
    for document_no, line_no, amount in rows.values_list("invoice_id", "credited_line_no", "amount"):
        sums[document_no, line_no] += amount
    return sums


def _taxes(document_nos: Collection[int], memos: _Memos) -> dict[Place, list[SourceTax]]:
    """Return the taxes of lines, with what credit memos have credited of each."""
    columns = ("invoice_id", "taxed_line_no", *TAX_FIELDS)
    given_back: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for memo_no, line_no, *tax, amount in TaxDetail.objects.filter(invoice__in=memos.numbers).values_list(*columns):
        given_back[memos.source_of[memo_no, line_no], *tax] -= amount
    taxes: dict[Place, list[SourceTax]] = defaultdict(list)
    rows = TaxDetail.objects.filter(invoice__in=document_nos).order_by("invoice_id", "tax_line_no", "taxed_line_no")
    for document_no, line_no, *tax, amount in rows.values_list(*columns):
        place = (document_no, line_no)
        taxes[place].append(SourceTax._make((*tax, amount, given_back.get((place, *tax), ZERO))))
    return taxes
