"""Change list prices for all customers from a day on: who pays more or less, how much a period, and the dated prices."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet

from accounts.callers import Caller
from accounts.kinds import ChargeType
from accounts.models import Account, Client, Plan, PlanCharge, PlanInstance, RateSchedule
from accounts.rates import Rates, RateTerms, rates_of, rates_on
from accounts.rights import check_may_change
from accounts.services.prices import add_price, terms_of
from billing_site.common.currencies import currency_of, rounded_to
from billing_site.common.keyset_pages import Order, in_chunks
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.plan.rating import counted
from invoices.plan.rating import terms_of as charge_terms
from invoices.services.money.ledger.acts import check_seen, seen_as

MOST_PRICES = 500
"""Maximum number of list prices, and of customers' own prices, that one change can have."""
ROWS_AT_ONCE = 500
HUNDRED = Decimal(100)


class PriceChange(NamedTuple):
    """What is asked: another rate, or a change of all rates by a percentage, rounded to so many decimals.

    `prices` are the numbers of list prices. With `own_prices` the customers' own prices of these charges change too, rounded to
    as many decimals as they have already, if these are more.
    """

    prices: tuple[int, ...]
    first_day: date
    percent: Decimal | None = None
    rate: Decimal | None = None
    decimals: int = 2
    own_prices: bool = False


class Repriced(NamedTuple):
    """A list price before and after the change. `before_amount` and `after_amount` are what all its customers pay for a period,
    None if that depends on usage. `own` is the number of customers who have an own price in its place."""

    charge: PlanCharge
    before: Rates
    after: Rates
    customers: int
    before_amount: Decimal | None
    after_amount: Decimal | None
    own: int
    replaced_on: date | None


class OfCurrency(NamedTuple):
    """The sums of one currency and one length of periods in months. 0 months: charged once."""

    currency: str
    months: int
    customers: int
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


class OwnChange(NamedTuple):
    """A customer's own price before and after the change."""

    price: RateSchedule
    before: Rates
    after: Rates


class PriceChangePreview(NamedTuple):
    """What a change does. `own` is the number of customers with own prices, and `own_changes` are those that change."""

    rows: Sequence[Repriced]
    totals: Sequence[OfCurrency]
    own: int
    own_changes: Sequence[OwnChange]
    seen: str


class Hit(NamedTuple):
    """A customer whose price changes, or stays because it is the customer's own.

    Amounts are for a period before tax, None if they depend on usage.
    """

    account_no: int
    client_acct_id: str
    plan: str
    service: str
    units: Decimal
    currency: str
    before: Decimal | None
    after: Decimal | None
    rates_before: Rates
    rates_after: Rates
    has_own_price: bool

    @property
    def price_before(self) -> str:
        return _in_one_line(self.rates_before)

    @property
    def price_after(self) -> str:
        return _in_one_line(self.rates_after)


def _in_one_line(rates: Rates) -> str:
    """Return the rate, or of bands where each begins and its rate."""
    if not rates.is_banded:
        return f"{rates.bands[0].rate.normalize():f}"
    return "; ".join(f"{band.from_unit.normalize():f} {band.rate.normalize():f}" for band in rates.bands)


def preview_price_change(client: Client, asked: PriceChange, today: date) -> PriceChangePreview:
    """Return what a price change would do, reading no table as a whole: units are counted in groups by the database.

    The number of queries is constant. Refuses (90212) both a percentage and a price or none, a day before today, prices that do
    not apply on it, a price that begins on it already, one that rounding would make 0, and too many own prices.
    """
    prices = _prices(client, asked, today)
    rows = _repriced(prices, asked)
    own = _own_changes(prices, asked) if asked.own_prices else []
    return PriceChangePreview(rows, _totals(rows), sum(row.own for row in rows), own, seen_as(asked, _facts_of(rows, own)))


@transaction.atomic
def change_prices(client: Client, asked: PriceChange, *, seen: str, caller: Caller, today: date) -> list[RateSchedule]:
    """Add a price from the day on for each list price, and for own prices if they are chosen, and return them.

    The earlier prices stay, and apply to periods that begin before the day. Refuses (90009) a caller who may not add prices,
    (90003) what was not seen, and what `preview_price_change` refuses.
    """
    check_may_change(caller, "add", "accounts.rateschedule")
    _lock(client, asked, today)
    preview = preview_price_change(client, asked, today)
    check_seen(seen, asked, _facts_of(preview.rows, preview.own_changes))
    own = [one.price for one in preview.own_changes]
    added = [add_price(price.charge, new_terms(price, asked), price.plan_instance, caller=caller) for price in own]
    stored = {price.pk: price for price in _prices(client, asked, today)}
    listed = [stored[row.before.schedule_no] for row in preview.rows]
    return [*added, *(add_price(price.charge, new_terms(price, asked), caller=caller) for price in listed)]


def _lock(client: Client, asked: PriceChange, today: date) -> None:
    """Lock the accounts whose own prices change, by number, then the plans.

    An own price that is added meanwhile is read after the locks, and is not what was seen.
    """
    own = _own_changes(_prices(client, asked, today), asked) if asked.own_prices else []
    accounts = {one.price.plan_instance.account_id for one in own if one.price.plan_instance is not None}
    list(Account.objects.select_for_update(no_key=True).filter(pk__in=accounts).order_by("pk").values_list("pk"))
    plans = Plan.objects.filter(client=client, charges__rates__in=asked.prices)
    list(Plan.objects.select_for_update(no_key=True).filter(pk__in=plans).order_by("pk").values_list("pk"))


def _facts_of(rows: Sequence[Repriced], own: Sequence[OwnChange]) -> list[object]:
    listed = [
        (one.charge.pk, one.before, one.after, one.customers, one.before_amount, one.own, one.replaced_on) for one in rows
    ]
    return [listed, [(one.price.pk, one.before, one.after) for one in own]]


def new_terms(price: RateSchedule, asked: PriceChange) -> RateTerms:
    """Return the terms of a price after the change. It ends when the earlier one would have ended."""
    terms = terms_of(price)
    if asked.rate is not None:
        if terms.rate_per_unit is None:
            raise _wrong("rate", Detail("a price with bands changes by a percentage, or on its own page"))
        return terms._replace(rate_per_unit=asked.rate, valid_from=asked.first_day)
    factor = 1 + (asked.percent or ZERO) / HUNDRED
    own = () if price.plan_instance_id is None else _amounts_in(terms)
    places = max(asked.decimals, decimals_of(own))

    def changed(amount: Decimal | None, places: int) -> Decimal | None:
        new = None if amount is None else rounded_to(amount * factor, places)
        if amount and factor and not new:
            shown = f"{amount.normalize():f}"
            raise _wrong(
                "decimals", Detail("{price}: {rate} would become 0; give more decimals", price=_named(price), rate=shown)
            )
        return new

    return terms._replace(
        rate_per_unit=changed(terms.rate_per_unit, places),
        tiers=tuple(one._replace(rate_per_unit=changed(one.rate_per_unit, places) or ZERO) for one in terms.tiers),
        minimum_amount=changed(terms.minimum_amount, min(places, 4)),
        maximum_amount=changed(terms.maximum_amount, min(places, 4)),
        valid_from=asked.first_day,
    )


def decimals_of(amounts: Iterable[Decimal]) -> int:
    """Return the largest number of decimals that one of the amounts has, zeros at the end aside."""
    return max((-int(Decimal(f"{amount.normalize():f}").as_tuple().exponent) for amount in amounts), default=0)


def _amounts_in(terms: RateTerms) -> list[Decimal]:
    amounts = [terms.rate_per_unit, terms.minimum_amount, terms.maximum_amount, *(tier.rate_per_unit for tier in terms.tiers)]
    return [amount for amount in amounts if amount is not None]


def _named(price: RateSchedule) -> str:
    """Return the plan and the service of a price, and whose own price it is."""
    owner = [] if price.plan_instance is None else [price.plan_instance.account.client_acct_id]
    return ", ".join([price.charge.plan.name, price.charge.service.name, *owner])


def hits(client: Client, asked: PriceChange, today: date) -> Iterator[Hit]:
    """Yield each customer whose price changes, or who has an own price in place of it, price by price, in chunks."""
    prices = _prices(client, asked, today)
    had = {key for key, counted_ in _counted(prices, asked.first_day).items() if counted_.listed or counted_.own}
    for price in prices:
        if (price.charge_id, price.currency) not in had:
            continue
        before, after = rates_of(terms_of(price)), rates_of(new_terms(price, asked))
        instances = _instances(asked.first_day).filter(plan=price.charge.plan_id, account__currency=price.currency)
        for chunk in in_chunks(instances.select_related("account", "plan"), Order(), ROWS_AT_ONCE):
            own = _own_of(chunk, price, asked.first_day)
            yield from (_hit(instance, price.charge, before, after, own.get(instance.pk), asked) for instance in chunk)


def _hit(
    instance: PlanInstance, charge: PlanCharge, before: Rates, after: Rates, own: RateSchedule | None, asked: PriceChange
) -> Hit:
    if own is not None:
        before = rates_of(terms_of(own))
        after = rates_of(new_terms(own, asked)) if asked.own_prices else before
    amounts = None if _is_usage(charge) else (_amount(before, instance.units), _amount(after, instance.units))
    account = instance.account
    return Hit(
        account.pk,
        account.client_acct_id,
        instance.plan.name,
        charge.service.name,
        instance.units,
        before.currency,
        amounts and amounts[0],
        amounts and amounts[1],
        before,
        after,
        own is not None,
    )


def _own_of(instances: Sequence[PlanInstance], price: RateSchedule, day: date) -> dict[int, RateSchedule]:
    """Return the own price that applies on the day, by plan instance."""
    own = _own_prices([price], day).filter(plan_instance__in=instances)
    return {row.plan_instance_id: row for row in own if row.plan_instance_id is not None}


def _prices(client: Client, asked: PriceChange, today: date) -> list[RateSchedule]:
    """Return the list prices to change. Each must be the one that applies on the first day."""
    if (asked.percent is None) == (asked.rate is None):
        raise _wrong("percent", Detail("give a percentage or a new price, not both"))
    if asked.first_day < today:
        raise _wrong("first_day", Detail("the first day must be {today} or later", today=today))
    if len(asked.prices) > MOST_PRICES:
        raise _wrong("prices", Detail("choose at most {most} prices", most=MOST_PRICES))
    rows = RateSchedule.objects.filter(pk__in=asked.prices, plan_instance=None, charge__plan__client=client)
    rows = rows.select_related("charge__plan", "charge__service").prefetch_related("tiers").order_by("pk")
    found = list(rows)
    if not found or len(found) < len(set(asked.prices)):
        raise _wrong("prices", Detail("choose one of the listed prices"))
    of_charge = _list_prices([price.charge_id for price in found])
    for price in found:
        _check_applies(price, of_charge[price.charge_id], asked.first_day)
    return found


def _list_prices(charge_nos: Sequence[int]) -> Mapping[int, list[Rates]]:
    known: dict[int, list[Rates]] = defaultdict(list)
    rows = RateSchedule.objects.filter(charge__in=charge_nos, plan_instance=None).prefetch_related("tiers")
    for row in rows:
        known[row.charge_id].append(rates_of(terms_of(row), row.pk))
    return known


def _check_applies(price: RateSchedule, known: Sequence[Rates], day: date) -> None:
    if any(one.valid_from == day and one.currency == price.currency for one in known):
        raise _begins_already(price)
    applies = rates_on(day, price.currency, known)
    if applies is None or applies.schedule_no != price.pk:
        raise _wrong("prices", Detail("another price of {price} applies on this day; choose that one", price=_named(price)))


class Counted(NamedTuple):
    """The customers of a list price: how many of them have so many units at it, and how many have an own price."""

    listed: list[tuple[Decimal, int]]
    own: int = 0


def _repriced(prices: Sequence[RateSchedule], asked: PriceChange) -> list[Repriced]:
    counted_, replaced = _counted(prices, asked.first_day), _replaced_on(prices, asked.first_day)
    rows = []
    for price in prices:
        key = (price.charge_id, price.currency)
        before, after, of_price = rates_of(terms_of(price), price.pk), rates_of(new_terms(price, asked)), counted_[key]
        customers = sum(count for _units, count in of_price.listed)
        amounts = _sums(of_price.listed, price.charge, before, after)
        rows.append(Repriced(price.charge, before, after, customers, *amounts, own=of_price.own, replaced_on=replaced.get(key)))
    return rows


def _counted(prices: Sequence[RateSchedule], day: date) -> Mapping[tuple[int, str], Counted]:
    """Return the customers of each list price, by charge and currency. One query."""
    own = _own_on(day).filter(charge=OuterRef("charge"), plan_instance=OuterRef("pk"), currency=OuterRef("account__currency"))
    rows = _instances(day).annotate(charge=F("plan__charges"), has_own=Exists(own))
    rows = rows.filter(charge__in=[price.charge_id for price in prices])
    groups = rows.values_list("charge", "account__currency", "has_own", "units").annotate(count=Count("pk"))
    found: dict[tuple[int, str], Counted] = defaultdict(lambda: Counted([]))
    for charge, currency, has_own, units, count in groups.order_by("charge", "account__currency", "units").iterator():
        key = (charge, currency)
        if has_own:
            found[key] = found[key]._replace(own=found[key].own + count)
        else:
            found[key].listed.append((units, count))
    return found


def _sums(
    groups: Sequence[tuple[Decimal, int]], charge: PlanCharge, before: Rates, after: Rates
) -> tuple[Decimal | None, Decimal | None]:
    if _is_usage(charge):
        return None, None
    sums = [ZERO, ZERO]
    for units, count in groups:
        sums[0] += _amount(before, units) * count
        sums[1] += _amount(after, units) * count
    return sums[0], sums[1]


def _is_usage(charge: PlanCharge) -> bool:
    return charge.line_type == ChargeType.USAGE


def _amount(rates: Rates, units: Decimal) -> Decimal:
    currency = currency_of(rates.currency)
    return counted(charge_terms(rates, currency), units, currency, is_usage=False).amount


def _replaced_on(prices: Sequence[RateSchedule], day: date) -> dict[tuple[int, str], date]:
    """Return the day from which a later list price, which is stored already, applies in place of each new one."""
    charges = [price.charge_id for price in prices]
    later = RateSchedule.objects.filter(charge__in=charges, plan_instance=None, valid_from__gt=day).order_by()
    first = later.values_list("charge", "currency").annotate(first=Min("valid_from"))
    return {(charge, currency): begins for charge, currency, begins in first}


def _instances(day: date) -> QuerySet[PlanInstance]:
    """Return the plan instances that have not ended before the day."""
    going_on = Q(end_date=None) | Q(end_date__gte=day)
    return PlanInstance.objects.filter(going_on, taken_off_on=None)


def _own_on(day: date) -> QuerySet[RateSchedule]:
    """Return the own prices that are valid on the day."""
    valid = Q(valid_to=None) | Q(valid_to__gte=day)
    return RateSchedule.objects.filter(valid, plan_instance__isnull=False, valid_from__lte=day)


def _own_prices(prices: Sequence[RateSchedule], day: date) -> QuerySet[RateSchedule]:
    """Return the own prices that apply on the day in place of the list prices: of the valid ones, those that began last."""
    charges: dict[str, list[int]] = defaultdict(list)
    for price in prices:
        charges[price.currency].append(price.charge_id)
    of_prices = Q()
    for currency, numbers in charges.items():
        of_prices |= Q(currency=currency, charge__in=numbers)
    same = {name: OuterRef(name) for name in ("charge", "plan_instance", "currency")}
    newer = _own_on(day).filter(**same, valid_from__gt=OuterRef("valid_from"))
    rows = _own_on(day).filter(of_prices, ~Exists(newer), plan_instance__in=_instances(day))
    of_currency = rows.filter(plan_instance__account__currency=F("currency"), plan_instance__plan=F("charge__plan"))
    return of_currency.select_related("charge__plan", "charge__service", "plan_instance__account").prefetch_related("tiers")


def _own_changes(prices: Sequence[RateSchedule], asked: PriceChange) -> list[OwnChange]:
    """Return what becomes of the own prices that apply on the first day.

    Refuses (90212) too many for one change, and one that begins on this day already.
    """
    rows = list(_own_prices(prices, asked.first_day).order_by("plan_instance__account", "pk")[: MOST_PRICES + 1])
    if len(rows) > MOST_PRICES:
        detail = Detail("there are more than {most} own prices of customers; choose fewer list prices", most=MOST_PRICES)
        raise _wrong("own_prices", detail)
    for row in rows:
        if row.valid_from == asked.first_day:
            raise _begins_already(row)
    return [OwnChange(row, rates_of(terms_of(row), row.pk), rates_of(new_terms(row, asked))) for row in rows]


def _begins_already(price: RateSchedule) -> BillingError:
    return _wrong("first_day", Detail("{price} has a price from this day already; correct that one", price=_named(price)))


def _totals(rows: Sequence[Repriced]) -> list[OfCurrency]:
    found: dict[tuple[str, int], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    for row in rows:
        if row.before_amount is None or row.after_amount is None:
            continue
        months = (
            0
            if row.charge.line_type == ChargeType.ACTIVATION
            else row.charge.billing_interval or row.charge.plan.billing_interval
        )
        sums = found[row.before.currency, months]
        for place, value in enumerate((Decimal(row.customers), row.before_amount, row.after_amount)):
            sums[place] += value
    return [OfCurrency(currency, months, int(sums[0]), sums[1], sums[2]) for (currency, months), sums in sorted(found.items())]


def _wrong(field: str, detail: Detail) -> BillingError:
    return BillingError(ErrorCode.NOT_TO_BE_REPRICED, detail, field=field)
