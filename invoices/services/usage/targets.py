"""Find the account, service and plan instance of usage records. Rows are read once for a whole batch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from accounts.kinds import ChargeType
from accounts.models import Account, Client, PlanCharge, PlanInstance, Service
from accounts.rates import PerRecord
from accounts.services.named_rows import names_differ
from billing_site.errors import BillingError, Detail, ErrorCode


class UsageRecord(NamedTuple):
    """A usage record as a client sends it: units of a service that an account used at a time.

    The account and the service are given by number or by the client's own id. The plan instance is needed only if several plan
    instances charge for the service.
    """

    record_id: str
    units: Decimal
    used_at: datetime
    acct_no: int | None = None
    client_acct_id: str = ""
    service: int | None = None
    client_service_id: str = ""
    plan_instance: int | None = None
    description: str = ""


class Named(NamedTuple):
    """The client's rows of one kind, by number and by the client's own id. Rows of another client are not included."""

    number_field: str
    id_field: str
    unknown: ErrorCode
    numbers: frozenset[int]
    numbers_by_id: Mapping[str, int]

    def find(self, number: int | None, client_id: str) -> int:
        """Return the number of the row that a record names. If it gives both, they must be of the same row.

        Refuses a missing name (1010), an unknown one, and two names of different rows (1016).
        """
        if number is not None and number not in self.numbers:
            raise self._refusal(self.unknown, self.number_field, Detail("{number} does not exist", number=number))
        if not client_id:
            if number is None:
                raise BillingError(ErrorCode.MISSING_PARAMETER, field=self.number_field)
            return number
        found = self.numbers_by_id.get(client_id)
        if found is None:
            raise self._refusal(self.unknown, self.id_field, Detail("{client_id} does not exist", client_id=client_id))
        if number not in (None, found):
            raise names_differ(self.id_field, client_id, self.number_field, number)
        return found

    def _refusal(self, code: ErrorCode, field: str, why: Detail) -> BillingError:
        return BillingError(code, Detail("{field} {why}", field=field, why=why), field=field)


class Metered(NamedTuple):
    """A plan instance that charges for the usage of a service, with its first and last day.

    `will_be_billed` is false if no cycle of its account is due any more. `per_record` is how its records are rounded.
    """

    plan_instance_no: int
    start: date
    end: date | None
    will_be_billed: bool
    per_record: PerRecord = PerRecord()

    def runs_on(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day <= self.end)


class Targets(NamedTuple):
    """The rows that the records of a batch can name."""

    accounts: Named
    services: Named
    plan_instances: frozenset[tuple[int, int]]
    metered: Mapping[tuple[int, int], Sequence[Metered]]

    def plan_instance_no(self, record: UsageRecord, account_no: int, service_no: int, used_on: date) -> int:
        """Return the plan instance of the account that charges for the service's usage on a day.

        Refuses an unknown plan instance (1016), a day on which several charge and none is given (1016), and usage that no plan
        charges for on that day or that would never be billed (90012).
        """
        requested = record.plan_instance
        if requested is not None and (account_no, requested) not in self.plan_instances:
            raise _wrong_plan_instance(
                Detail("account {account_no} has no plan instance {instance}", account_no=account_no, instance=requested)
            )
        metered = [one for one in self.metered.get((account_no, service_no), ()) if requested in (None, one.plan_instance_no)]
        if not metered:
            why = (
                Detail(
                    "no plan of account {account_no} charges for the usage of service {service_no}",
                    account_no=account_no,
                    service_no=service_no,
                )
                if requested is None
                else Detail(
                    "plan instance {instance} does not charge for the usage of service {service_no}",
                    instance=requested,
                    service_no=service_no,
                )
            )
            field = "client_service_id" if record.service is None else "service"
            raise BillingError(ErrorCode.USAGE_NOT_CHARGED, why, field=field)
        if not any(one.will_be_billed for one in metered):
            why = Detail("all plans of account {account_no} have ended and are fully billed", account_no=account_no)
            raise BillingError(ErrorCode.USAGE_NOT_CHARGED, why, field="acct_no" if record.acct_no else "client_acct_id")
        running = [one.plan_instance_no for one in metered if one.runs_on(used_on)]
        if not running:
            raise BillingError(ErrorCode.USAGE_NOT_CHARGED, _why_not_on(used_on, metered), field="used_at")
        if len(running) > 1:
            numbers = ", ".join(map(str, running))
            raise _wrong_plan_instance(
                Detail(
                    "several plan instances charge for it on {used_on} ({numbers}); give one of them",
                    used_on=used_on,
                    numbers=numbers,
                )
            )
        return running[0]

    def charged_units(self, account_no: int, service_no: int, plan_instance_no: int | None, units: Decimal) -> Decimal | None:
        """Return the units that a record counts as under its plan instance, or None if its plan does not round them."""
        for one in self.metered.get((account_no, service_no), ()):
            if one.plan_instance_no == plan_instance_no:
                return one.per_record.charged(units)
        return None


def _wrong_plan_instance(why: Detail) -> BillingError:
    return BillingError(ErrorCode.INVALID_INPUT, Detail("plan_instance: {why}", why=why), field="plan_instance")


def _why_not_on(day: date, metered: Sequence[Metered]) -> Detail:
    first = min(one.start for one in metered)
    ends = [one.end for one in metered if one.end is not None]
    if day < first:
        return Detail("{day} is before the first day of the plan, {first}", day=day, first=first)
    if len(ends) == len(metered) and max(ends) < day:
        return Detail("{day} is after the last day of the plan, {last}", day=day, last=max(ends))
    return Detail("{day} is between two plans: one ended on {last}", day=day, last=max(end for end in ends if end < day))


WILL_BE_BILLED = ExpressionWrapper(
    Q(account__last_bill_date=None) | Q(account__next_bill_date__isnull=False), output_field=BooleanField()
)
"""False if all plans are billed to their ends. Usage of such an account would never be billed."""


def read_targets(client: Client, records: Sequence[UsageRecord]) -> Targets:
    """Read the rows that these records name. Four queries."""
    accounts = _named(
        Account.objects.filter(client=client),
        "client_acct_id",
        ("acct_no", ErrorCode.ACCOUNT_NOT_FOUND),
        {(record.acct_no, record.client_acct_id) for record in records},
    )
    services = _named(
        Service.objects.filter(client=client),
        "client_service_id",
        ("service", ErrorCode.INVALID_INPUT),
        {(record.service, record.client_service_id) for record in records},
    )
    instances = list(
        PlanInstance.objects.filter(account__in=accounts.numbers, taken_off_on=None)
        .order_by("pk")
        .annotate(will_be_billed=WILL_BE_BILLED)
        .values_list("account_id", "pk", "plan_id", "start_date", "end_date", "will_be_billed")
    )
    charged: dict[int, list[tuple[int, PerRecord]]] = defaultdict(list)
    for plan_no, service_no, *rounding in PlanCharge.objects.filter(
        plan__in={plan_no for _, _, plan_no, *_ in instances}, service__in=services.numbers, line_type=ChargeType.USAGE
    ).values_list("plan_id", "service_id", "record_increment", "record_minimum"):
        charged[plan_no].append((service_no, PerRecord._make(rounding)))
    metered: dict[tuple[int, int], list[Metered]] = defaultdict(list)
    for account_no, number, plan_no, start, end, will_be_billed in instances:
        for service_no, per_record in charged.get(plan_no, ()):
            metered[account_no, service_no].append(Metered(number, start, end, will_be_billed, per_record))
    return Targets(accounts, services, frozenset((account_no, number) for account_no, number, *_ in instances), metered)


def _named(
    rows: QuerySet[Any], id_field: str, number: tuple[str, ErrorCode], requested: Iterable[tuple[int | None, str]]
) -> Named:
    requested = list(requested)
    numbers = {one for one, _ in requested if one is not None}
    client_ids = {one for _, one in requested if one}
    found = rows.filter(Q(pk__in=numbers) | Q(**{f"{id_field}__in": client_ids})).values_list(id_field, "pk")
    by_id = dict(found.order_by())
    number_field, unknown = number
    return Named(number_field, id_field, unknown, frozenset(by_id.values()), by_id)
