"""Usage as it is read and held in bulk: added up in the database, never loaded record by record."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from django.db.models import Count, Max, Q, QuerySet

from accounts.storage import ExactSum, assign_rows
from invoices.models import Usage
from invoices.plan.drafts import UsageClaim
from invoices.plan.facts import UsageTotal


def unbilled_usage(
    instance_nos: Collection[int], replacing: Collection[int], before: date | None
) -> dict[int, list[UsageTotal]]:
    """The usage of plan instances that no invoice holds, by day. What invoices in `replacing` hold counts as free.

    `before` leaves out the usage of that day and later: for a whole batch the latest bill date, so that accounts which are
    far behind do not read months of usage that they cannot bill yet.
    """
    free = Q(invoice__isnull=True)
    if replacing:
        free |= Q(invoice__in=replacing)
    rows = Usage.objects.filter(free, plan_instance__in=instance_nos)
    return _totals(rows if before is None else rows.filter(used_on__lt=before))


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
        for number, days in _totals(rows).items()
    }


def _totals(rows: QuerySet[Usage]) -> dict[int, list[UsageTotal]]:
    sums = (
        rows.order_by("plan_instance_id", "service_id", "used_on")
        .values_list("plan_instance_id", "service_id", "used_on")
        .annotate(ExactSum("units"), Count("pk"), Max("pk"))
    )
    totals: dict[int, list[UsageTotal]] = defaultdict(list)
    for instance_no, *row in sums.iterator():
        totals[instance_no].append(UsageTotal._make(row))
    return totals


def hold_usage(claims: Sequence[tuple[int, UsageClaim]]) -> int:
    """Gives the claimed usage to its invoices, and says how many records that were."""
    return assign_rows(
        Usage,
        "invoice_id",
        equal=("plan_instance_id",),
        at_most=("used_on", "id"),
        rows=[(invoice_no, claim.plan_instance_no, claim.through, claim.last_record) for invoice_no, claim in claims],
    )
