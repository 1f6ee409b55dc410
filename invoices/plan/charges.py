"""PURE: the lines of charges: in advance, in arrears, usage, one-time charges and surcharges."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from accounts.kinds import ChargeType, RateModel
from accounts.periods import ONE_DAY, Period, began_last, charged_cycle, cycle_of, outside_pauses
from accounts.rates import Band, Rates, rates_on, shown_units
from accounts.unit_codes import PIECE
from billing_site.common.currencies import Currency
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.basis import Billed, ChargeBasis, ChargeTerms, CoverBasis, MinimumBasis
from invoices.calculation import HUNDRED, ONE, WHOLE, ZERO, Share, exact_share, line_amount, rounded, total
from invoices.kinds import LineType
from invoices.plan.drafts import Lines, UsageClaim
from invoices.plan.facts import (
    ChargeFacts,
    InstanceFacts,
    MinimumFacts,
    OrderFacts,
    ServiceFacts,
    Spent,
    SurchargeFacts,
    UsageTotal,
)
from invoices.plan.rating import counted, minimum_story, shown, single_rate, terms_of, usage_story

FREE = (Band(1, ZERO, None, ZERO),)


class Price(NamedTuple):
    """The price of a charge on a day. `list_rate` is the list price if a customer price replaces it."""

    rates: Rates
    list_rate: Decimal | None


def price_on(charge: ChargeFacts, currency: Currency, day: date) -> Price:
    """Return the customer price if there is one on that day, else the list price. Refuses a missing price (90011) and one with
    bands that do not begin at 0 (90010)."""
    own, listed = rates_on(day, currency.code, charge.own), rates_on(day, currency.code, charge.listed)
    rates = own or listed
    if rates is None:
        raise BillingError(
            ErrorCode.NO_RATE,
            Detail("{service} in {currency} on {day}", service=charge.service.name, currency=str(currency), day=day),
        )
    if not rates.bands or rates.bands[0].from_unit:
        raise BillingError(ErrorCode.RATE_TERMS, Detail("{service}: the bands do not begin at 0", service=charge.service.name))
    return Price(rates, single_rate(listed) if own and listed else None)


def add_advance(lines: Lines, instance: InstanceFacts, cycles: Sequence[Period], bill_day: int) -> None:
    """Add what is charged in advance for cycles, with activation fees if the plan instance was never billed."""
    first = cycles[0]
    if instance.dates.billed_through is None:
        for charge in _of_type(instance, ChargeType.ACTIVATION):
            day = Period(first.start, first.start, 1)
            price = price_on(charge, lines.currency, first.start)
            _add_rated(lines, instance, charge, day, price, terms_of(price.rates, lines.currency), instance.units)
    for cycle in cycles:
        for charge in _of_type(instance, ChargeType.RECURRING):
            _add_recurring(lines, instance, charge, begun_with(instance, charge, cycle, bill_day))


def add_arrears(lines: Lines, instance: InstanceFacts, cycles: Sequence[Period], bill_day: int) -> None:
    """Add what is charged in arrears for cycles that have ended."""
    for cycle in cycles:
        for charge in _of_type(instance, ChargeType.ARREARS):
            for period in ended_with(instance, charge.interval, [cycle], bill_day):
                _add_recurring(lines, instance, charge, period)


def begun_with(instance: InstanceFacts, charge: ChargeFacts, cycle: Period, bill_day: int) -> Period | None:
    """Return the period that a charge in advance covers from the first day of a cycle, or None.

    It is that cycle, or if the charge has a longer interval, the longer period that begins with the cycle. Where a cycle begins
    within its full cycle, because the plan was moved to a later end, the rest of the longer period is charged.
    """
    dates = instance.dates
    if charge.interval in (None, dates.interval):
        return cycle
    own = cycle_of(cycle.start, dates.cycles_from, bill_day, charge.interval).cut(instance.ends_on)
    first = max(own.start, dates.cycles_from, dates.charged_from)
    whole = cycle_of(cycle.start, dates.cycles_from, bill_day, dates.interval)
    is_rest = cycle.start > max(whole.start, dates.charged_from)
    return own._replace(start=cycle.start) if is_rest or cycle.start == first else None


def ended_with(
    instance: InstanceFacts, interval: int | None, cycles: Sequence[Period], bill_day: int, *, is_running: bool = False
) -> list[Period]:
    """Return the periods of so many months in arrears which end with one of these cycles, in order.

    They are these cycles, or if the interval is longer, the longer periods. With `is_running` the longer period that
    a cycle is in counts too, although it has not ended.
    """
    dates = instance.dates
    if interval in (None, dates.arrears_months):
        return list(cycles)
    periods: list[Period] = []
    for cycle in cycles:
        own = cycle_of(cycle.start, dates.start, bill_day, interval).cut(dates.end)
        own = own._replace(start=max(own.start, dates.cycles_from, dates.charged_from))
        if (own.end == cycle.end or is_running) and own not in periods:
            periods.append(own)
    return periods


def _add_recurring(lines: Lines, instance: InstanceFacts, charge: ChargeFacts, period: Period | None) -> None:
    """Add a recurring charge for the days of a period that are not paused."""
    for part in [] if period is None else outside_pauses(period, instance.pauses):
        _add_days(lines, instance, charge, part)


def _add_days(lines: Lines, instance: InstanceFacts, charge: ChargeFacts, cycle: Period) -> None:
    share = share_of(cycle)
    proration: dict[str, Any] = {
        "proration_factor": share.factor,
        "proration_text": "" if cycle.is_whole else f"{cycle.days} of {cycle.full_days} days",
        "period_total_days": share.total,
        "proration_remaining_days": share.remaining,
    }
    price = price_on(charge, lines.currency, cycle.start)
    terms = terms_of(price.rates, lines.currency, share=share, bounds_share=share)
    _add_rated(lines, instance, charge, cycle, price, terms, instance.units, **proration)


class CycleUnits(NamedTuple):
    cycle: Period
    units: Decimal


def add_usage(
    lines: Lines,
    instance: InstanceFacts,
    cycles: Sequence[Period],
    bill_day: int,
    ended: Callable[[int | None], date],
    *,
    is_running: bool = False,
) -> list[UsageClaim]:
    """Add usage of `cycles`, which are charged now, and late usage of earlier cycles.

    `ended` returns the last day whose usage is charged, for a charge's interval. A cycle with a minimum is charged even without
    usage. Usage of a trial costs nothing. Returns the usage that the lines bill, to be held. Usage of a service that the plan
    no longer charges is neither billed nor held.
    """
    claims = []
    for charge in _of_type(instance, ChargeType.USAGE):
        number, through = charge.service.service_no, ended(charge.interval)
        due = {cycle.end: cycle for cycle in ended_with(instance, charge.interval, cycles, bill_day, is_running=is_running)}
        usage = [one for one in instance.usage if one.service_no == number and one.day <= through]
        used = _by_cycle(instance, charge, usage, bill_day)
        billed = _billed_by_cycle(instance, charge, bill_day)
        add = partial(_add_cycles, lines, instance, charge, due, billed)
        if not lines.add_if_it_fits(_usage_too_large(instance, charge, usage), partial(add, used)):
            add({})
        elif usage:
            newest, records = max(one.last_record for one in usage), sum(one.records for one in usage)
            claims.append(UsageClaim(instance.plan_instance_no, number, through, newest, records))
    return claims


def _add_cycles(
    lines: Lines,
    instance: InstanceFacts,
    charge: ChargeFacts,
    due: Mapping[date, Period],
    billed: Mapping[date, Billed],
    used: Mapping[date, CycleUnits],
) -> bool:
    """Add the usage of a charge, cycle by cycle. Always returns True."""
    for end in sorted({*used, *due}):
        cycle = due.get(end) or used[end].cycle
        units = used[end].units if end in used else ZERO
        _add_usage_of(lines, instance, charge, cycle, units, None if end in due else billed[end])
    return True


def add_plan_minimum(lines: Lines, instance: InstanceFacts, cycles: Sequence[Period], bill_day: int) -> None:
    """Add what is missing up to the minimum of the plan, for its periods that end with one of these cycles.

    Charges of earlier documents count. Late usage of a period that was charged up to its minimum is taken off what was added.
    """
    terms = instance.minimum
    if terms is None:
        return
    due = ended_with(instance, terms.interval, cycles, bill_day)
    late = {charged_cycle(instance.dates, one.day, bill_day, terms.interval) for one in terms.added}
    for period in sorted({*due, *late}):
        basis = _minimum_basis(lines, instance, terms, period)
        counted_nos = [line.line_no for line in lines.drafts if basis.counts(line)]
        if period in due or counted_nos:
            _add_missing(lines, instance, terms, basis, counted_nos)


def _minimum_basis(lines: Lines, instance: InstanceFacts, terms: MinimumFacts, period: Period) -> MinimumBasis:
    def of_period(some: Iterable[Spent]) -> Decimal:
        return sum((one.amount for one in some if period.start <= one.day <= period.end), ZERO)

    parts = outside_pauses(period, instance.pauses)
    least = total(line_amount(terms.amount, ONE, share_of(part), lines.currency) for part in parts)
    place = instance.plan_instance_no, terms.service.service_no, period.start, period.end
    basis = MinimumBasis(*place, least, of_period(terms.spent), of_period(terms.added), ZERO)
    return basis._replace(charged=sum((line.amount for line in lines.drafts if basis.counts(line)), ZERO))


def _add_missing(
    lines: Lines, instance: InstanceFacts, terms: MinimumFacts, basis: MinimumBasis, counted_nos: Sequence[int]
) -> None:
    missing = basis.missing(basis.charged)
    columns: dict[str, Any] = {
        **_service_columns(terms.service),
        "plan_instance_id": instance.plan_instance_no,
        "plan_name": instance.plan_name,
        "po_num": instance.po_num,
        "period_start": basis.period_start,
        "period_end": basis.period_end,
        "explanation": minimum_story(basis, basis.charged, lines.currency),
    }
    text, line_no = f"{instance.plan_name}, minimum", None
    if missing > ZERO:
        line_no = lines.add(LineType.ARREARS.value, text, missing, **columns)
    elif missing:
        taken = [line_no for line_no in counted_nos if line_no in lines.left]
        line_no = lines.reduce(LineType.ARREARS.value, text, -missing, taken, **columns)
    lines.minimums.append(basis._replace(line_no=line_no))


def _usage_too_large(instance: InstanceFacts, charge: ChargeFacts, usage: Sequence[UsageTotal]) -> Detail:
    units, records = sum((one.units for one in usage), ZERO), sum(one.records for one in usage)
    return Detail(
        "{records} usage records of {service} under plan instance {instance}, {units} units in total; none is billed until the "
        "total fits on an invoice: correct or delete the wrong records, or correct the price",
        records=records,
        service=charge.service.name,
        instance=instance.plan_instance_no,
        units=shown_units(units),
    )


def _by_cycle(
    instance: InstanceFacts, charge: ChargeFacts, usage: Iterable[UsageTotal], bill_day: int
) -> dict[date, CycleUnits]:
    """Return the units of each cycle, by its last day."""
    units: dict[Period, Decimal] = defaultdict(Decimal)
    for one in usage:
        units[cycle_to_end(instance, one.day, bill_day, charge.interval)] += one.units
    return {cycle.end: CycleUnits(cycle, sum_) for cycle, sum_ in units.items()}


def _billed_by_cycle(instance: InstanceFacts, charge: ChargeFacts, bill_day: int) -> dict[date, Billed]:
    """Return what documents have charged for each cycle, by its last day."""
    billed: dict[date, Billed] = defaultdict(Billed)
    for one in instance.billed_usage:
        if one.service_no == charge.service.service_no:
            end = cycle_to_end(instance, one.day, bill_day, charge.interval).end
            before = billed[end]
            billed[end] = Billed(before.units + one.units, before.amount + one.amount, before.adjustment + one.adjustment)
    return billed


def cycle_to_end(instance: InstanceFacts, day: date, bill_day: int, interval: int | None = None) -> Period:
    """Return the cycle of a day, cut at the end of the plan instance. A later day belongs to its last cycle. `interval` is that
    of the charge; None: that of the plan instance's cycles in arrears."""
    return charged_cycle(instance.dates, day, bill_day, interval or instance.dates.arrears_months)


def share_of(cycle: Period) -> Share:
    return Share(cycle.days, cycle.remaining_days, cycle.full_days)


def _add_usage_of(
    lines: Lines, instance: InstanceFacts, charge: ChargeFacts, cycle: Period, units: Decimal, billed: Billed | None
) -> None:
    if cycle.end < instance.dates.charged_from:
        _add_free_usage(lines, instance, charge, cycle, units)
        return
    price = price_on(charge, lines.currency, cycle.start)
    paused = [share_of(part) for part in outside_pauses(cycle, instance.pauses)]
    terms = terms_of(price.rates, lines.currency, bounds_share=share_of(cycle), minimum_shares=paused, before=billed)
    terms = terms._replace(per_record=charge.per_record.story if units else "")
    _add_rated(lines, instance, charge, cycle, price, terms, units, explanation=usage_story(terms, units))


def _add_free_usage(lines: Lines, instance: InstanceFacts, charge: ChargeFacts, trial: Period, units: Decimal) -> None:
    """Add the usage of a trial at a rate of 0, beside the list price of the first day that costs something."""
    rates = price_on(charge, lines.currency, instance.dates.charged_from).rates
    free = Rates(rates.schedule_no, rates.currency, RateModel.PER_UNIT.value, FREE)
    terms = terms_of(free, lines.currency)
    text = f"free in the trial until {instance.dates.charged_from - ONE_DAY}"
    _add_rated(lines, instance, charge, trial, Price(free, single_rate(rates)), terms, units, explanation=text)


def _add_rated(
    lines: Lines,
    instance: InstanceFacts,
    charge: ChargeFacts,
    period: Period,
    price: Price,
    terms: ChargeTerms,
    units: Decimal,
    *,
    explanation: str = "",
    **proration: Any,
) -> None:
    """Add one line for each part of a charge, and one that adjusts it to its minimum or maximum."""
    is_usage = charge.line_type == ChargeType.USAGE
    try:
        amounts = counted(terms, units, lines.currency, is_usage=is_usage)
    except BillingError as error:
        if error.code is not ErrorCode.AMOUNT_TOO_LARGE:
            raise
        raise BillingError(
            error.code, Detail("{service} {detail}", service=charge.service.name, detail=error.detail)
        ) from error
    rates, name = price.rates, charge.service.name
    columns: dict[str, Any] = {
        **_service_columns(charge.service),
        "plan_instance_id": instance.plan_instance_no,
        "plan_name": instance.plan_name,
        "po_num": instance.po_num,
        "rate_schedule_no": rates.schedule_no,
        "period_start": period.start,
        "period_end": period.end,
    }
    added = [
        lines.add(
            charge.line_type,
            name,
            part.amount,
            units=part.units,
            rate_per_unit=part.band.rate,
            **unit_columns(charge.service),
            list_rate_per_unit=price.list_rate,
            explanation=explanation,
            **(_tier_columns(part.band) if rates.is_banded else {}),
            **proration,
            **columns,
        )
        for part in amounts.parts
    ]
    text, change = f"{name}, {amounts.bound}", amounts.adjustment
    bound_line_no = None
    if change > 0:
        bound_line_no = lines.add(charge.line_type, text, change, explanation=amounts.reason, **columns)
    elif change:
        bound_line_no = lines.reduce(charge.line_type, text, -change, added, explanation=amounts.reason, **columns)
    if is_usage or rates.is_banded or terms.minimum is not None or terms.maximum is not None:
        # Other lines show everything that they were calculated from.
        billed = Billed(units, total(part.amount for part in amounts.parts), change)
        identity = instance.plan_instance_no, charge.service.service_no, charge.line_type, period.start, period.end
        lines.charges.append(ChargeBasis(*identity, terms, billed, tuple(added), bound_line_no))


def _tier_columns(band: Band) -> dict[str, Any]:
    return {"tier_no": band.tier_no, "tier_from": band.from_unit, "tier_to": band.to_unit}


def add_orders(lines: Lines, orders: Sequence[OrderFacts]) -> list[int]:
    """Add one-time charges, those below zero last, and return the numbers of those that are billed.

    A charge below zero reduces lines of its tax category. If these are too small, `add_returns` may bill it.
    """
    return _added(lines, sorted(orders, key=lambda one: one.rate < ZERO), _add_order)


def add_returns(lines: Lines, orders: Iterable[OrderFacts]) -> list[int]:
    """Add charges below zero that reduce no other line, each taxed itself, and return the numbers of those that are billed.

    It must be called last, because coupons and credits leave less. The tax on them is at most as high as they are. So they are
    at most half of what is left, and the invoice is never below zero.
    """
    return _added(lines, (one for one in orders if one.rate < ZERO), _add_return)


def _added(lines: Lines, orders: Iterable[OrderFacts], add: Callable[[Lines, OrderFacts], int | None]) -> list[int]:
    return [
        order.order_no
        for order in orders
        if lines.add_if_it_fits(Detail("order {order_no}", order_no=order.order_no), partial(add, lines, order)) is not None
    ]


def _add_return(lines: Lines, order: OrderFacts) -> int | None:
    amount = line_amount(order.rate, order.units, WHOLE, lines.currency)
    charged = total(one for one in lines.left.values() if one > ZERO)
    returned = total(-one for one in lines.left.values() if one < ZERO)
    if 2 * (returned - amount) > charged:
        return None
    columns = _order_columns(order)
    return lines.add(LineType.ORDER.value, columns.pop("description"), amount, is_return=True, **columns)


def _add_order(lines: Lines, order: OrderFacts) -> int | None:
    amount = line_amount(order.rate, order.units, WHOLE, lines.currency)
    columns = _order_columns(order)
    description = columns.pop("description")
    if amount < ZERO:
        return lines.give_back(LineType.ORDER.value, description, -amount, **columns)
    return lines.add(LineType.ORDER.value, description, amount, **columns)


def _order_columns(order: OrderFacts) -> dict[str, Any]:
    name = order.client_order_id or (order.order_no if order.order_no > 0 else "")
    return {
        "description": order.description or order.service.name,
        **_service_columns(order.service),
        "units": order.units,
        "rate_per_unit": order.rate,
        **unit_columns(order.service),
        "order_no": order.order_no,
        "explanation": f"order {name} of {order.charge_date}" if name else f"order of {order.charge_date}",
        "po_num": order.po_num,
        **order.references._asdict(),
    }


def add_surcharges(lines: Lines, surcharges: Iterable[SurchargeFacts], bill_date: date) -> None:
    """Add surcharges that are valid on the bill date, on the charges of their services, but not on other surcharges.

    If several have the same name, service and currency, the one that began last is charged.
    """
    valid = began_last((one for one in surcharges if _is_valid(one, lines.currency, bill_date)), SurchargeFacts.same)
    bases = [(one, lines.charging_for(one.service_nos)) for one in valid]
    for surcharge, line_nos in bases:
        base = total(lines.left[line_no] for line_no in line_nos)
        columns = _service_columns(surcharge.service)
        if surcharge.amount is not None and base:
            amount = rounded(surcharge.amount, lines.currency)
            lines.add(LineType.SURCHARGE.value, surcharge.name, amount, explanation="once an invoice", **columns)
        elif surcharge.percent is not None:
            amount = rounded(exact_share(base, surcharge.percent, HUNDRED), lines.currency)
            if amount:
                line_no = lines.add(
                    LineType.SURCHARGE.value,
                    surcharge.name,
                    amount,
                    percent=surcharge.percent,
                    base_amount=base,
                    explanation=percent_of(surcharge.percent, base, lines.currency),
                    **columns,
                )
                lines.covers.append(CoverBasis(line_no, tuple(sorted(surcharge.service_nos))))


def _is_valid(surcharge: SurchargeFacts, currency: Currency, bill_date: date) -> bool:
    begun = surcharge.valid_from <= bill_date
    ended = surcharge.valid_to is not None and surcharge.valid_to < bill_date
    return begun and not ended and surcharge.currency in ("", currency.code)


def percent_of(percent: Decimal, base: Decimal, currency: Currency) -> str:
    return f"{percent.normalize():f} % of {shown(base, currency)}"


def _of_type(instance: InstanceFacts, charge_type: ChargeType) -> list[ChargeFacts]:
    return [charge for charge in instance.charges if charge.line_type == charge_type]


def unit_columns(service: ServiceFacts) -> dict[str, Any]:
    """Return what a line keeps of how the units of its service are named."""
    return {
        "unit_code": "" if service.unit_code == PIECE else service.unit_code,
        "price_units": None if service.price_units == ONE else service.price_units,
    }


def _service_columns(service: ServiceFacts) -> dict[str, Any]:
    return {
        "service_id": service.service_no,
        "gl_code": service.gl_code,
        "tax_category": service.tax_category,
        "is_gross": service.tax_inclusive,
        "bill_from_location_id": service.location_no,
        "ship_from_location_id": service.location_no,
    }
