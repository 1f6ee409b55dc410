"""Move usage to the plan of its day, after the account's plans have changed.

If a plan is changed, ended or begun with a day in the past, usage of later days still names the ended plan. Usage that is not
billed is moved to the one plan that charges for its service on its day. If there is no such plan, or several, it stays and
belongs to the last cycle of the ended plan.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet

from accounts.kinds import ChargeType
from accounts.models import PlanCharge, PlanInstance
from accounts.periods import ONE_DAY
from accounts.rates import PerRecord
from billing_site.common.storage import update_rows
from invoices.models import Usage

IN_ITS_PLAN = Q(used_on__gte=F("plan_instance__start_date"), plan_instance__taken_off_on__isnull=True) & (
    Q(plan_instance__end_date__isnull=True) | Q(used_on__lte=F("plan_instance__end_date"))
)


class _Metered(NamedTuple):
    """A plan instance whose plan charges for the usage of a service."""

    plan_instance_no: int
    start: date
    end: date | None


def move_usage(account_nos: Iterable[int]) -> None:
    """Move usage that no invoice holds to the plans of its days. Under the accounts' locks. One query if nothing moves."""
    rows = Usage.objects.filter(account__in=account_nos, invoice__isnull=True)
    moves = moves_of(rows)
    charged = charged_after(moves)
    update_rows(
        Usage, ("plan_instance_id", "charged_units"), [(pk, number, charged[pk]) for pk, number in sorted(moves.items())]
    )


def charged_after(moves: Mapping[int, int]) -> dict[int, Decimal | None]:
    """Return the units that records count as under the plan instances to which they move. None: their units."""
    if not moves:
        return {}
    plans = dict(PlanInstance.objects.filter(pk__in=set(moves.values())).values_list("pk", "plan_id"))
    charges = PlanCharge.objects.filter(plan__in=set(plans.values()), line_type=ChargeType.USAGE)
    per_record = {
        (plan_no, service_no): PerRecord._make(rounding)
        for plan_no, service_no, *rounding in charges.values_list("plan_id", "service_id", "record_increment", "record_minimum")
    }
    return {
        pk: per_record.get((plans[moves[pk]], service_no), PerRecord()).charged(units)
        for pk, service_no, units in Usage.objects.filter(pk__in=moves).values_list("pk", "service_id", "units")
    }


def moves_of(usage: QuerySet[Usage]) -> dict[int, int]:
    """Return the new plan instance of each record whose plan does not cover its day. Writes nothing."""
    columns = ("pk", "account_id", "service_id", "used_on", "plan_instance__end_date", "plan_instance_id")
    misplaced = list(usage.exclude(IN_ITS_PLAN).order_by("pk").values_list(*columns))
    if not misplaced:
        return {}
    metered = _metered({account_no for _, account_no, *_ in misplaced}, {service_no for _, _, service_no, *_ in misplaced})
    moves = {}
    for number, account_no, service_no, used_on, end, instance_no in misplaced:
        found = _plan_of(metered.get((account_no, service_no), ()), used_on, end)
        if found not in (None, instance_no):
            moves[number] = found
    return moves


def _plan_of(metered: Iterable[_Metered], day: date, ended: date | None) -> Any:
    """Return the plan instance that runs on the day. Of several, the one that begins right after the ended plan."""
    running = [one for one in metered if one.start <= day and (one.end is None or day <= one.end)]
    if len(running) > 1 and ended is not None:
        running = [one for one in running if one.start == ended + ONE_DAY]
    return running[0].plan_instance_no if len(running) == 1 else None


def _metered(account_nos: Iterable[int], service_nos: Iterable[int]) -> dict[tuple[int, int], list[_Metered]]:
    charges = PlanCharge.objects.filter(service__in=service_nos, line_type=ChargeType.USAGE)
    services: dict[int, list[int]] = defaultdict(list)
    instances = PlanInstance.objects.filter(account__in=account_nos, taken_off_on__isnull=True).order_by("pk")
    rows = list(instances.values_list("account_id", "plan_id", "pk", "start_date", "end_date"))
    for plan_no, service_no in charges.filter(plan__in={row[1] for row in rows}).values_list("plan_id", "service_id"):
        services[plan_no].append(service_no)
    metered: dict[tuple[int, int], list[_Metered]] = defaultdict(list)
    for account_no, plan_no, *dates in rows:
        for service_no in services[plan_no]:
            metered[account_no, service_no].append(_Metered._make(dates))
    return metered
