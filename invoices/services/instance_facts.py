"""Reading the plan instances of many accounts: their dates, what their plans charge at which prices, and their usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import FilteredRelation, Q

from accounts.kinds import ChargeType
from accounts.models import PlanCharge, PlanInstance, RateSchedule
from accounts.periods import InstanceDates
from accounts.rates import Band, Rates, bands_of
from accounts.services import DATE_COLUMNS, instances_with_dates
from invoices.calculation import ZERO
from invoices.plan.charges import cycle_to_end
from invoices.plan.facts import BillingState, ChargeFacts, InstanceFacts, ServiceFacts, UsageTotal
from invoices.services.usage_rows import billed_usage, unbilled_usage

SERVICE_COLUMNS = (
    "service_id",
    "service__name",
    "service__gl_code",
    "service__tax_category",
    "service__tax_inclusive",
    "service__location_id",
)
RATE_COLUMNS = (
    "id",
    "currency",
    "model",
    "rate_per_unit",
    "minimum_amount",
    "maximum_amount",
    "valid_from",
    "valid_to",
    "tiers__from_unit",
    "tiers__rate_per_unit",
)

Prices = dict[int, tuple[Rates, ...]]


def read_instances(
    states: Mapping[int, BillingState], replacing: Collection[int], *, all_usage: bool
) -> dict[int, list[InstanceFacts]]:
    """The plan instances of accounts, by account: three queries, and for accounts that are charged by usage one or two more."""
    rows = list(
        instances_with_dates(PlanInstance.objects.filter(account__in=states))
        .order_by("account_id", "pk")
        .values_list("account_id", "pk", "plan_id", "plan__name", "units", "po_num", *DATE_COLUMNS)
    )
    charges = _charges({plan_no for _, _, plan_no, *_ in rows})
    own = _own_prices(states)
    instances: dict[int, list[InstanceFacts]] = defaultdict(list)
    for account_no, number, plan_no, plan_name, units, po_num, *dates in rows:
        instances[account_no].append(
            InstanceFacts(
                number,
                InstanceDates._make(dates),
                plan_name,
                units,
                po_num,
                _at_own_prices(charges.get(plan_no, {}), own.get(number)),
            )
        )
    return _with_usage(states, instances, replacing, all_usage)


def _charges(plan_nos: Collection[int]) -> dict[int, dict[int, ChargeFacts]]:
    """What plans charge, by plan and charge. A charge that has no list price is there too: it may have own prices."""
    rows = (
        PlanCharge.objects.filter(plan__in=plan_nos)
        .annotate(listed=FilteredRelation("rates", condition=Q(rates__plan_instance=None)))
        .order_by("plan_id", "pk", "listed__id", "listed__tiers__from_unit")
        .values_list("plan_id", "pk", "line_type", *SERVICE_COLUMNS, *(f"listed__{column}" for column in RATE_COLUMNS))
    )
    head = 3 + len(SERVICE_COLUMNS)
    priced: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        priced[row[:head]].append(row[head:])
    charges: dict[int, dict[int, ChargeFacts]] = defaultdict(dict)
    for (plan_no, charge_no, line_type, *service), prices in priced.items():
        charges[plan_no][charge_no] = ChargeFacts(line_type, ServiceFacts._make(service), _rates(prices))
    return charges


def _own_prices(account_nos: Iterable[int]) -> dict[int, Prices]:
    """The own prices of plan instances, by plan instance and charge."""
    rows = (
        RateSchedule.objects.filter(plan_instance__account__in=account_nos)
        .order_by("plan_instance_id", "charge_id", "pk", "tiers__from_unit")
        .values_list("plan_instance_id", "charge_id", *RATE_COLUMNS)
    )
    priced: dict[tuple[int, int], list[tuple[Any, ...]]] = defaultdict(list)
    for instance_no, charge_no, *price in rows:
        priced[instance_no, charge_no].append(tuple(price))
    own: dict[int, Prices] = defaultdict(dict)
    for (instance_no, charge_no), prices in priced.items():
        own[instance_no][charge_no] = _rates(prices)
    return own


def _rates(rows: Iterable[tuple[Any, ...]]) -> tuple[Rates, ...]:
    """Prices from rows that repeat a schedule for each of its bands."""
    tiers: dict[tuple[Any, ...], list[tuple[Any, Any]]] = defaultdict(list)
    for *schedule, from_unit, rate in rows:
        tiers[tuple(schedule)].append((from_unit, rate))
    return tuple(
        Rates(
            number,
            currency,
            model,
            (Band(1, ZERO, None, rate),) if rate is not None else bands_of(one for one in bands if one[0] is not None),
            minimum,
            maximum,
            valid_from,
            valid_to,
        )
        for (number, currency, model, rate, minimum, maximum, valid_from, valid_to), bands in tiers.items()
        if number is not None
    )


def _at_own_prices(charges: Mapping[int, ChargeFacts], own: Prices | None) -> tuple[ChargeFacts, ...]:
    if not own:
        return tuple(charges.values())
    return tuple(charge._replace(own=own.get(charge_no, ())) for charge_no, charge in charges.items())


def _with_usage(
    states: Mapping[int, BillingState],
    instances: dict[int, list[InstanceFacts]],
    replacing: Collection[int],
    all_usage: bool,
) -> dict[int, list[InstanceFacts]]:
    """Plan instances that are charged by usage, with the usage that waits; and of cycles that are billed already, what was."""
    metered = {
        one.plan_instance_no: (one, states[account_no])
        for account_no, mine in instances.items()
        for one in mine
        if _is_metered(one)
    }
    if not metered:
        return instances

    def in_one_cycle(instance_no: int, first: date, last: date) -> bool:
        instance, state = metered[instance_no]
        if state.bill_day is None:
            return False
        return cycle_to_end(instance, first, state.bill_day) == cycle_to_end(instance, last, state.bill_day)

    bill_dates = [state.next_bill_date for state in states.values() if state.next_bill_date is not None]
    usage = unbilled_usage(metered, replacing, None if all_usage else max(bill_dates, default=None), in_one_cycle)
    late = {
        number: span
        for number, (instance, state) in metered.items()
        if (span := _late_span(instance, usage.get(number, ()), state)) is not None
    }
    billed = billed_usage(late, replacing) if late else {}
    return {
        account_no: [
            one._replace(
                usage=tuple(usage.get(one.plan_instance_no, ())),
                billed_usage=tuple(billed.get(one.plan_instance_no, ())),
            )
            if one.plan_instance_no in usage
            else one
            for one in mine
        ]
        for account_no, mine in instances.items()
    }


def _is_metered(instance: InstanceFacts) -> bool:
    return any(charge.line_type == ChargeType.USAGE for charge in instance.charges)


def _late_span(instance: InstanceFacts, usage: Sequence[UsageTotal], state: BillingState) -> tuple[date, date] | None:
    """The first and last day of the cycles that late usage belongs to."""
    if state.arrears_due_from is None or state.bill_day is None:
        return None
    cycles = [cycle_to_end(instance, total.day, state.bill_day) for total in usage]
    late = [cycle for cycle in cycles if cycle.end < state.arrears_due_from]
    return (min(cycle.start for cycle in late), max(cycle.end for cycle in late)) if late else None
