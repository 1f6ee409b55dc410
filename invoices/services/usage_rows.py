"""Usage as it is read and held in bulk: added up in the database, never loaded record by record."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

from django.db.models import Count, Max, Min, Q, QuerySet

from accounts.storage import ExactSum, assign_rows
from invoices.models import Usage
from invoices.plan.drafts import UsageClaim
from invoices.plan.facts import UsageTotal

InOneCycle = Callable[[int, date, date], bool]


def unbilled_usage(
    instance_nos: Collection[int], replacing: Collection[int], before: date | None, in_one_cycle: InOneCycle
) -> dict[int, list[UsageTotal]]:
    """The usage of plan instances that no invoice holds. What invoices in `replacing` hold counts as free.

    One pass adds up all of an instance's usage of a service. Where its first and last day lie in one cycle, as they nearly
    always do, that is all there is to know; else it is read day by day. `before` leaves out that day and later ones: for a
    batch the latest bill date, so that accounts which are far behind do not read months that they cannot bill yet.
    """
    free = Q(invoice__isnull=True)
    if replacing:
        free |= Q(invoice__in=replacing)
    rows = Usage.objects.filter(free, plan_instance__in=instance_nos)
    rows = rows if before is None else rows.filter(used_on__lt=before)
    sums = rows.order_by().values_list("plan_instance_id", "service_id")
    totals: dict[int, list[UsageTotal]] = defaultdict(list)
    spread = set()
    for instance_no, service_no, first, units, records, newest, last in sums.annotate(
        Min("used_on"), ExactSum("units"), Count("pk"), Max("pk"), Max("used_on")
    ):
        if in_one_cycle(instance_no, first, last):
            totals[instance_no].append(UsageTotal(service_no, first, units, records, newest))
        else:
            spread.add(instance_no)
    return {**totals, **_by_day(rows.filter(plan_instance__in=spread))} if spread else totals


def billed_usage(spans: Mapping[int, tuple[date, date]], replacing: Collection[int]) -> dict[int, list[UsageTotal]]:
    """The usage that invoices hold of plan instances, each between two days, by day."""
    rows = Usage.objects.filter(
        plan_instance__in=spans,
        invoice__isnull=False,
        used_on__gte=min(start for start, _ in spans.values()),
        used_on__lte=max(end for _, end in spans.values()),
    ).exclude(invoice__in=replacing)
    return {
        number: [day for day in days if spans[number][0] <= day.day <= spans[number][1]]
        for number, days in _by_day(rows).items()
    }


def _by_day(rows: QuerySet[Usage]) -> dict[int, list[UsageTotal]]:
    totals: dict[int, list[UsageTotal]] = defaultdict(list)
    days = rows.order_by("plan_instance_id", "service_id", "used_on").values_list("plan_instance_id", "service_id", "used_on")
    for instance_no, *row in days.annotate(ExactSum("units"), Count("pk"), Max("pk")):
        totals[instance_no].append(UsageTotal._make(row))
    return totals


def hold_usage(claims: Sequence[tuple[int, UsageClaim]]) -> int:
    """Gives the claimed usage to its invoices, and says how many records that were."""
    return assign_rows(
        Usage,
        "invoice_id",
        equal=("plan_instance_id", "service_id"),
        at_most=("used_on", "id"),
        rows=[(invoice_no, *claim[:-1]) for invoice_no, claim in claims],
    )
