"""Read usage as sums, and hold it for invoices. Records are added up in the database."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.models import PlanInstance
from billing_site.common.storage import ExactSum, assign_rows
from invoices.basis import BASIS_FIELDS, Billed, basis_of
from invoices.kinds import CYCLE_KINDS, LIVE_STATUSES, InvoiceKind, InvoiceStatus, LineType
from invoices.models import Invoice, InvoiceLine, LineBasis, Usage
from invoices.plan.drafts import UsageClaim
from invoices.plan.facts import BilledUsage, UsageTotal
from invoices.services.usage.moves import charged_after, moves_of


class Limit(NamedTuple):
    """Which usage is read: before this day, and all of plan instances that have ended, which is in their last cycle."""

    before: date
    ended: Collection[int]


CHARGED_UNITS = Coalesce("charged_units", "units")
"""The units that a record counts as."""

InOneCycle = Callable[[int, date, date], bool]


def unbilled_usage(
    instance_nos: Collection[int], replacing: Collection[int], limit: Limit | None, in_one_cycle: InOneCycle
) -> dict[int, list[UsageTotal]]:
    """Return the usage of plan instances that no invoice holds. Usage of the invoices in `replacing` counts as free.

    All usage of an instance and service is added up at once. If its first and last day are in one cycle, as usual, that is
    enough; otherwise it is read by day. `limit` keeps an account that is far behind from reading months that it cannot bill
    yet. Usage that `replacing` would free is returned under the plan of its day.
    """
    moves = moves_of(Usage.objects.filter(invoice__in=replacing)) if replacing else {}
    free = Q(invoice__isnull=True)
    if replacing:
        free |= Q(invoice__in=replacing)
    rows = Usage.objects.filter(free, plan_instance__in=instance_nos).exclude(pk__in=moves)
    if limit is not None:
        rows = rows.filter(Q(used_on__lt=limit.before) | Q(plan_instance__in=limit.ended))
    sums = rows.order_by().values_list("plan_instance_id", "service_id")
    totals: dict[int, list[UsageTotal]] = defaultdict(list)
    spread = set()
    for instance_no, service_no, first, records, newest, last, units in sums.annotate(
        Min("used_on"), Count("pk"), Max("pk"), Max("used_on"), charged=ExactSum(CHARGED_UNITS)
    ):
        if in_one_cycle(instance_no, first, last):
            totals[instance_no].append(UsageTotal(service_no, first, units, records, newest))
        else:
            spread.add(instance_no)
    if spread:
        totals |= _by_day(rows.filter(plan_instance__in=spread))
    for instance_no, moved in _moved(moves, limit).items():
        totals[instance_no] = [*totals[instance_no], *moved]
    return totals


def _moved(moves: Mapping[int, int], limit: Limit | None) -> dict[int, list[UsageTotal]]:
    """Return records that move to another plan instance, by that instance. Each record has its own total."""
    totals: dict[int, list[UsageTotal]] = defaultdict(list)
    rows = Usage.objects.filter(pk__in=moves).order_by("pk") if moves else Usage.objects.none()
    charged = charged_after(moves)
    for number, service_no, day, units in rows.values_list("pk", "service_id", "used_on", "units"):
        rounded = charged[number]
        if limit is None or day < limit.before or moves[number] in limit.ended:
            counted = units if rounded is None else rounded
            totals[moves[number]].append(UsageTotal(service_no, day, counted, 1, number))
    return totals


def billed_usage(late_from: Mapping[int, date], replacing: Collection[int]) -> dict[int, list[BilledUsage]]:
    """Return what documents have charged for the usage of plan instances, from the given first day of each.

    For a rebilled invoice the last rebill of its chain counts, so late usage continues after the corrected units. Credit memos
    do not count, because the usage took place.
    """
    documents = (
        Invoice.objects.filter(
            Q(status__in=LIVE_STATUSES, kind__in=CYCLE_KINDS) | ISSUED_REBILL,
            account__in=PlanInstance.objects.filter(pk__in=late_from).values("account"),
        )
        .exclude(pk__in=replacing)
        .exclude(Exists(Invoice.objects.filter(ISSUED_REBILL, corrects=OuterRef("pk"))))
    )
    billed: dict[int, list[BilledUsage]] = defaultdict(list)
    for instance_no, service_no, day, sums in [*_by_basis(documents, late_from), *_by_lines(documents, late_from)]:
        if day >= late_from[instance_no]:
            billed[instance_no].append(BilledUsage(service_no, day, *sums))
    return billed


ISSUED_REBILL = Q(kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
Charged = tuple[int, int, date, Billed]
"""The plan instance, the service, the first day of a cycle, and what was billed for it."""


def _by_basis(documents: QuerySet[Invoice], instance_nos: Collection[int]) -> Iterator[Charged]:
    rows = LineBasis.objects.filter(invoice__in=documents, plan_instance__in=instance_nos, line_type=LineType.USAGE)
    for row in rows.order_by("invoice", "place").values_list(*BASIS_FIELDS):
        for charge in basis_of([row]).charges:
            yield charge.plan_instance_no, charge.service_no, charge.period_start, charge.billed


def _by_lines(documents: QuerySet[Invoice], instance_nos: Collection[int]) -> Iterator[Charged]:
    """Read from the lines of documents that are older than the stored basis."""
    kept = LineBasis.objects.filter(
        invoice=OuterRef("invoice"), plan_instance=OuterRef("plan_instance"), line_type=LineType.USAGE
    )
    rows = InvoiceLine.objects.filter(invoice__in=documents, line_type=LineType.USAGE, plan_instance__in=instance_nos)
    columns = ("plan_instance_id", "service_id", "period_start", "units", "amount")
    for instance_no, service_no, day, units, amount in rows.exclude(Exists(kept)).order_by("pk").values_list(*columns):
        if instance_no is not None and service_no is not None and day is not None:
            # A line without units is an adjustment to a minimum or maximum.
            sums = Billed(adjustment=amount) if units is None else Billed(units, amount)
            yield instance_no, service_no, day, sums


def _by_day(rows: QuerySet[Usage]) -> dict[int, list[UsageTotal]]:
    totals: dict[int, list[UsageTotal]] = defaultdict(list)
    days = rows.order_by("plan_instance_id", "service_id", "used_on").values_list("plan_instance_id", "service_id", "used_on")
    sums = days.annotate(Count("pk"), Max("pk"), charged=ExactSum(CHARGED_UNITS))
    for instance_no, service_no, day, records, newest, units in sums:
        totals[instance_no].append(UsageTotal(service_no, day, units, records, newest))
    return totals


def hold_usage(claims: Sequence[tuple[int, UsageClaim]]) -> int:
    """Assign the claimed usage to its invoices, and return the number of records."""
    return assign_rows(
        Usage,
        "invoice_id",
        equal=("plan_instance_id", "service_id"),
        at_most=("used_on", "id"),
        rows=[(invoice_no, *claim[:-1]) for invoice_no, claim in claims],
    )
