"""What pages show of the catalogue: plans with the prices of their charges, and what units cost at them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Prefetch, Q, QuerySet

from accounts.kinds import ChargeType
from accounts.models import Client, Plan, PlanCharge, PlanInstance, RateSchedule, Service
from accounts.rates import Rates, rates_of, rates_on
from accounts.services.prices import terms_of
from billing_site.common.currencies import Currency, currency_of
from invoices.basis import MinimumBasis
from invoices.calculation import ONE, WHOLE, ZERO, line_amount, total
from invoices.kinds import EACH_CYCLE_TYPES
from invoices.plan.rating import RatedCharge, counted
from invoices.plan.rating import terms_of as charge_terms


class PricedCharge(NamedTuple):
    """A charge of a plan with its list prices: those of today by currency, those that begin later, and those that ended or were
    replaced."""

    charge: PlanCharge
    now: Sequence[Rates]
    later: Sequence[Rates]
    earlier: Sequence[Rates]

    @property
    def months(self) -> int | None:
        """The months that one charge covers. None for a charge that is made once."""
        if self.charge.line_type == ChargeType.ACTIVATION:
            return None
        return self.charge.billing_interval or self.charge.plan.billing_interval


class PlanRow(NamedTuple):
    plan: Plan
    charges: Sequence[PricedCharge]
    customers: int


def plans_found(client: Client, words: str) -> QuerySet[Plan]:
    """Return the client's plans whose name or id contains the words, or that have a charge for such a service."""
    rows = Plan.objects.filter(client=client)
    for word in words.split():
        services = PlanCharge.objects.filter(service__in=services_found(client, word)).values("plan")
        rows = rows.filter(Q(name__icontains=word) | Q(client_plan_id__icontains=word) | Q(pk__in=services))
    return rows


def services_found(client: Client, words: str) -> QuerySet[Service]:
    """Return the client's services whose name, id or GL code contains each word."""
    rows = Service.objects.filter(client=client)
    for word in words.split():
        named = Q(name__icontains=word) | Q(client_service_id__icontains=word) | Q(gl_code__istartswith=word)
        rows = rows.filter(named)
    return rows


def plan_rows(plans: Collection[Plan], today: date) -> list[PlanRow]:
    """Return the plans with their charges and numbers of running plan instances, in their order, by three queries."""
    by_plan: dict[int, list[PricedCharge]] = defaultdict(list)
    for charge in priced_charges(PlanCharge.objects.filter(plan__in=plans), today):
        by_plan[charge.charge.plan_id].append(charge)
    running = Q(end_date=None) | Q(end_date__gte=today)
    counts = PlanInstance.objects.filter(running, plan__in=plans, taken_off_on=None).values("plan").order_by()
    customers = dict(counts.annotate(count=Count("pk")).values_list("plan", "count"))
    return [PlanRow(plan, by_plan[plan.pk], customers.get(plan.pk, 0)) for plan in plans]


def priced_charges(charges: QuerySet[PlanCharge], today: date) -> list[PricedCharge]:
    """Return charges with their list prices, by three queries."""
    listed = Prefetch("rates", RateSchedule.objects.filter(plan_instance=None).prefetch_related("tiers"), "list_rates")
    rows = charges.select_related("plan", "service").order_by("pk").prefetch_related(listed)
    return [_priced(charge, [rates_of_row(price) for price in charge.list_rates], today) for charge in rows]


def rates_of_row(price: RateSchedule) -> Rates:
    """Return a stored price as a value. Its bands must be read already, or are read now."""
    return rates_of(terms_of(price), price.pk)


def _priced(charge: PlanCharge, prices: Sequence[Rates], today: date) -> PricedCharge:
    currencies = sorted({one.currency for one in prices})
    now = [price for currency in currencies if (price := rates_on(today, currency, prices)) is not None]
    later = [one for one in prices if one.valid_from > today]
    return PricedCharge(charge, now, later, [one for one in prices if one not in now and one not in later])


class CalculatedLine(NamedTuple):
    """What one charge costs. `rated` is None if the charge has no price on the day."""

    charge: PlanCharge
    units: Decimal
    rates: Rates | None
    rated: RatedCharge | None


class Calculation(NamedTuple):
    """What a whole period of a plan costs before tax. `minimum` is what is added up to the plan's minimum."""

    currency: str
    lines: Sequence[CalculatedLine]
    minimum: Decimal

    @property
    def total(self) -> Decimal:
        return total([*(line.rated.amount for line in self.lines if line.rated is not None), self.minimum])


def currencies_of(charges: Iterable[PricedCharge]) -> list[str]:
    """Return the currencies of the list prices of charges, in order."""
    return sorted({price.currency for one in charges for price in (*one.now, *one.later, *one.earlier)})


def calculate(
    plan: Plan, charges: Iterable[PricedCharge], *, units: Decimal, used: Decimal, currency: str, day: date
) -> Calculation:
    """Return what a whole period that begins on a day costs at list prices: `units` of the plan, and `used` units of each
    service that is charged by usage. Refuses too many units (90008)."""
    lines = [calculated(one, used if is_usage(one.charge) else units, currency, day) for one in charges]
    each_cycle = [line for line in lines if line.rated is not None and line.charge.line_type in EACH_CYCLE_TYPES]
    charged = total(line.rated.amount for line in each_cycle if line.rated is not None)
    minimum = plan.minimums.filter(currency=currency).first()
    least = ZERO if minimum is None else line_amount(minimum.amount, ONE, WHOLE, currency_of(currency))
    basis = MinimumBasis(0, 0, day, day, least, ZERO, ZERO, ZERO)
    return Calculation(currency, lines, ZERO if minimum is None else basis.missing(charged))


def is_usage(charge: PlanCharge) -> bool:
    return charge.line_type == ChargeType.USAGE


def calculated(one: PricedCharge, units: Decimal, currency: str, day: date) -> CalculatedLine:
    """Return what units of one charge cost in a whole period that begins on a day, at its list price."""
    rates = rates_on(day, currency, (*one.now, *one.later, *one.earlier))
    rated = None if rates is None else cost(rates, units, currency_of(currency), is_usage=is_usage(one.charge))
    return CalculatedLine(one.charge, units, rates, rated)


def cost(rates: Rates, units: Decimal, currency: Currency, *, is_usage: bool) -> RatedCharge:
    """Return what units cost in a whole period at a price, as an invoice would charge it."""
    return counted(charge_terms(rates, currency), units, currency, is_usage=is_usage)
