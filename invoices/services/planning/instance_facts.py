"""Read the plan instances of many accounts: dates, charges, prices and usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Exists, FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.kinds import ChargeType
from accounts.models import BillingPause, PlanCharge, PlanInstance, PlanMinimum, RateSchedule, Service
from accounts.periods import InstanceDates, Pause
from accounts.rates import Band, PerRecord, Rates, bands_of
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from billing_site.common.compiled_reads import compiled_read
from invoices.basis import BASIS_FIELDS, PLAN_MINIMUM, basis_of
from invoices.calculation import ZERO
from invoices.kinds import CYCLE_KINDS, EACH_CYCLE_TYPES, InvoiceKind, InvoiceStatus
from invoices.models import Invoice, InvoiceLine, LineBasis
from invoices.plan.charges import cycle_to_end
from invoices.plan.facts import BillingState, ChargeFacts, InstanceFacts, MinimumFacts, ServiceFacts, Spent, UsageTotal
from invoices.services.usage.usage_storage import ISSUED_REBILL, Limit, billed_usage, unbilled_usage

SERVICE_COLUMNS = (
    "service_id",
    "service__name",
    "service__gl_code",
    "service__tax_category",
    "service__tax_inclusive",
    "service__location_id",
    "service__unit_code",
    "service__price_units",
)
INSTANCE_COLUMNS = (
    "account_id",
    "pk",
    "plan_id",
    "plan__name",
    "units",
    "po_num",
    "has_prices",
    "has_pauses",
    "minimum",
    "minimum_service",
    "plan__billing_interval",
)
CHARGE_COLUMNS = ("plan_id", "pk", "line_type", "interval", "record_increment", "record_minimum")
RATE_COLUMNS = (
    "id",
    "currency",
    "model",
    "rate_per_unit",
    "minimum_amount",
    "maximum_amount",
    "valid_from",
    "valid_to",
    "band_edge",
    "tiers__from_unit",
    "tiers__rate_per_unit",
)

Prices = dict[int, tuple[Rates, ...]]


class UsageReading(NamedTuple):
    """Which usage is read: with this alternate bill day, and of all days or only up to the bill date."""

    alt_bill_day: int | None = None
    all_days: bool = False


def read_instances(
    states: Mapping[int, BillingState], replacing: Collection[int], reading: UsageReading
) -> dict[int, list[InstanceFacts]]:
    """Return the plan instances of accounts, by account.

    Two queries, one more if there are customer prices, one if billing was paused, three if plans have a
    minimum, and one or two if there is usage.
    """
    rows = instance_rows(sorted(states))
    charges = _charges(sorted(states))
    own = _own_prices([row[1] for row in rows if row[6]])
    instances: dict[int, list[InstanceFacts]] = defaultdict(list)
    pauses = _pauses(sorted({row[0] for row in rows if row[7]}))
    minimums = _minimums([row for row in rows if row[8] is not None], replacing)
    for account_no, number, plan_no, plan_name, units, po_num, _, _, _, _, _, *dates in rows:
        instances[account_no].append(
            InstanceFacts(
                number,
                InstanceDates._make(dates),
                plan_name,
                units,
                po_num,
                _at_own_prices(charges.get(plan_no, {}), own.get(number)),
                pauses=pauses.get(account_no, ()),
                minimum=minimums.get(number),
            )
        )
    return _with_usage(states, instances, replacing, reading)


def read_charges(account_nos: Collection[int]) -> dict[int, tuple[int, tuple[ChargeFacts, ...]]]:
    """Return the plan and the charges with their prices of each plan instance of these accounts. Two queries, one more if there
    are customer prices."""
    rows = list(instance_rows(sorted(account_nos)))
    charges = _charges(sorted(account_nos))
    own = _own_prices([number for _, number, _, _, _, _, has_prices, *_ in rows if has_prices])
    return {number: (plan_no, _at_own_prices(charges.get(plan_no, {}), own.get(number))) for _, number, plan_no, *_ in rows}


@compiled_read
def instance_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read the plan instances of accounts, without their charges."""
    minimums = PlanMinimum.objects.filter(plan=OuterRef("plan"), currency=OuterRef("account__currency")).order_by()
    first = PlanCharge.objects.filter(plan=OuterRef("plan")).order_by("pk")
    return (
        instances_with_dates(PlanInstance.objects.filter(account__in=account_nos))
        .order_by("account_id", "pk")
        .annotate(
            has_prices=Exists(RateSchedule.objects.filter(plan_instance=OuterRef("pk"))),
            has_pauses=Exists(BillingPause.objects.filter(account=OuterRef("account"))),
            minimum=Subquery(minimums.values("amount")),
            minimum_service=Coalesce(Subquery(minimums.values("service")), Subquery(first.values("service")[:1])),
        )
        .values_list(*INSTANCE_COLUMNS, *DATE_COLUMNS)
    )


def _minimums(rows: Sequence[Sequence[Any]], replacing: Collection[int]) -> dict[int, MinimumFacts]:
    """Return the minimums of plan instances, with what issued documents have charged, by plan instance."""
    if not rows:
        return {}
    services = {
        row[0]: ServiceFacts._make(row)
        for row in Service.objects.filter(pk__in={row[9] for row in rows}).values_list(
            *(column.removeprefix("service__") for column in ("pk", *SERVICE_COLUMNS[1:]))
        )
    }
    spent, added = spent_of([row[1] for row in rows], replacing)
    return {
        number: MinimumFacts(amount, services[service], interval, tuple(spent[number]), tuple(added[number]))
        for _, number, *_, amount, service, interval in (row[:11] for row in rows)
        if service is not None
    }


def spent_of(
    instance_nos: Collection[int], replacing: Collection[int]
) -> tuple[dict[int, list[Spent]], dict[int, list[Spent]]]:
    """Return what issued documents have charged for the periods of plan instances: without lines that add up to a minimum, and
    by such lines. Of a rebilled document the rebill counts; credit memos do not, because what they credit was charged."""
    documents = (
        Invoice.objects.filter(status=InvoiceStatus.APPROVED, kind__in=[*CYCLE_KINDS, InvoiceKind.REBILL])
        .filter(account__in=PlanInstance.objects.filter(pk__in=instance_nos).values("account"))
        .exclude(pk__in=replacing)
        .exclude(Exists(Invoice.objects.filter(ISSUED_REBILL, corrects=OuterRef("pk"))))
    )
    spent: dict[int, list[Spent]] = defaultdict(list)
    added: dict[int, list[Spent]] = defaultdict(list)
    kept = LineBasis.objects.filter(invoice__in=documents, plan_instance__in=instance_nos, terms__has_key=PLAN_MINIMUM)
    adding: dict[tuple[int, int], int] = {}
    for invoice_no, *row in kept.values_list("invoice_id", *BASIS_FIELDS):
        (one,) = basis_of([row]).minimums
        if one.line_no is not None:
            adding[invoice_no, one.line_no] = one.plan_instance_no
    lines = InvoiceLine.objects.filter(
        invoice__in=documents, plan_instance__in=instance_nos, line_type__in=EACH_CYCLE_TYPES, period_start__isnull=False
    )
    columns = ("invoice_id", "line_no", "plan_instance_id", "period_start", "amount")
    for invoice_no, line_no, number, day, amount in lines.order_by("pk").values_list(*columns):
        if number is not None and day is not None:
            (added if (invoice_no, line_no) in adding else spent)[number].append(Spent(day, amount))
    return spent, added


def _pauses(account_nos: Collection[int]) -> dict[int, tuple[Pause, ...]]:
    """Return the pauses of billing of accounts, in order."""
    if not account_nos:
        return {}
    pauses: dict[int, list[Pause]] = defaultdict(list)
    rows = BillingPause.objects.filter(account__in=account_nos).order_by("first_day", "pk")
    for account_no, first, last in rows.values_list("account_id", "first_day", "last_day"):
        pauses[account_no].append((first, last))
    return {account_no: tuple(mine) for account_no, mine in pauses.items()}


@compiled_read
def charge_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read the charges of the plans of accounts, one row for each list price and tier."""
    plans = PlanInstance.objects.filter(account__in=account_nos).values("plan")
    return (
        PlanCharge.objects.filter(plan__in=plans)
        .annotate(
            listed=FilteredRelation("rates", condition=Q(rates__plan_instance=None)),
            interval=Coalesce("billing_interval", "plan__billing_interval"),
        )
        .order_by("plan_id", "pk", "listed__id", "listed__tiers__from_unit")
        .values_list(*CHARGE_COLUMNS, *SERVICE_COLUMNS, *(f"listed__{column}" for column in RATE_COLUMNS))
    )


def _charges(account_nos: Collection[int]) -> dict[int, dict[int, ChargeFacts]]:
    """Return the charges of the plans of accounts, by plan and charge. Charges without a list price are included, because
    they may have customer prices."""
    head = len(CHARGE_COLUMNS) + len(SERVICE_COLUMNS)
    priced: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in charge_rows(account_nos):
        priced[row[:head]].append(row[head:])
    charges: dict[int, dict[int, ChargeFacts]] = defaultdict(dict)
    for (plan_no, charge_no, line_type, interval, increment, least, *service), prices in priced.items():
        charges[plan_no][charge_no] = ChargeFacts(
            line_type,
            ServiceFacts._make(service),
            _rates(prices),
            interval=interval,
            per_record=PerRecord(increment, least),
            charge_no=charge_no,
        )
    return charges


def _own_prices(instance_nos: Collection[int]) -> dict[int, Prices]:
    """Return the customer prices of plan instances, by instance and charge."""
    if not instance_nos:
        return {}
    rows = (
        RateSchedule.objects.filter(plan_instance__in=instance_nos)
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
    """Return prices from rows that repeat a price for each of its bands."""
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
            edge,
        )
        for (number, currency, model, rate, minimum, maximum, valid_from, valid_to, edge), bands in tiers.items()
        if number is not None
    )


def _at_own_prices(charges: Mapping[int, ChargeFacts], own: Prices | None) -> tuple[ChargeFacts, ...]:
    if not own:
        return tuple(charges.values())
    return tuple(charge._replace(own=own.get(charge_no, ())) for charge_no, charge in charges.items())


class Metered(NamedTuple):
    """A plan instance that charges for usage, and the bill day that its cycles are counted by."""

    instance: InstanceFacts
    state: BillingState
    bill_day: int | None

    def in_one_cycle(self, first: date, last: date) -> bool:
        if self.bill_day is None:
            return False
        return cycle_to_end(self.instance, first, self.bill_day) == cycle_to_end(self.instance, last, self.bill_day)

    @property
    def has_ended(self) -> bool:
        """Return whether the plan ends before the bill date of the account's next cycle."""
        end, bill_date = self.instance.dates.end, self.state.next_bill_date
        return end is not None and bill_date is not None and end < bill_date

    def late_from(self, usage: Iterable[UsageTotal]) -> date | None:
        """Return the first day of the billed cycles to which this late usage belongs, or None if none of it is late."""
        if self.bill_day is None or self.state.arrears_due_from is None:
            return None
        usage, bill_day, charged_to = list(usage), self.bill_day, self.state.arrears_due_from
        intervals = {one.interval for one in self.instance.charges if one.line_type == ChargeType.USAGE}
        cycles = [cycle_to_end(self.instance, total.day, bill_day, interval) for interval in intervals for total in usage]
        return min((cycle.start for cycle in cycles if cycle.end < charged_to), default=None)


def _with_usage(
    states: Mapping[int, BillingState],
    instances: dict[int, list[InstanceFacts]],
    replacing: Collection[int],
    reading: UsageReading,
) -> dict[int, list[InstanceFacts]]:
    """Add unbilled usage to plan instances that charge for usage, and for late usage what its cycles have billed."""
    metered = {
        one.plan_instance_no: Metered(one, states[account_no], reading.alt_bill_day or states[account_no].bill_day)
        for account_no, mine in instances.items()
        for one in mine
        if any(charge.line_type == ChargeType.USAGE for charge in one.charges)
    }
    if not metered:
        return instances
    usage = unbilled_usage(
        metered,
        replacing,
        None if reading.all_days else _limit(metered),
        lambda number, first, last: metered[number].in_one_cycle(first, last),
    )
    late = {number: day for number, days in usage.items() if (day := metered[number].late_from(days)) is not None}
    billed = billed_usage(late, replacing) if late else {}
    return {
        account_no: [
            one._replace(
                usage=tuple(usage.get(one.plan_instance_no, ())),
                billed_usage=tuple(billed.get(one.plan_instance_no, ())),
            )
            for one in mine
        ]
        for account_no, mine in instances.items()
    }


def _limit(metered: Mapping[int, Metered]) -> Limit | None:
    """Return the latest bill date of the batch as the limit of usage to read."""
    bill_dates = [one.state.next_bill_date for one in metered.values() if one.state.next_bill_date is not None]
    return Limit(max(bill_dates), [number for number, one in metered.items() if one.has_ended]) if bill_dates else None
