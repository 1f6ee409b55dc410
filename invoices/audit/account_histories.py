"""Read accounts for the audits: their dates, plan instances, live documents and what these bill."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account, Event, PlanInstance
from accounts.periods import InstanceDates
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from invoices.audit.reads import scope_read
from invoices.audit.reports import Unreadable
from invoices.audit.scopes import Scope, of_client
from invoices.kinds import ADVANCE_TYPES, CYCLE_KINDS, LIVE_STATUSES, NOTHING_BILLED, InvoiceKind, InvoiceStatus, LineType
from invoices.models import BilledPeriod, Invoice, InvoiceLine, OneTimeCharge
from invoices.services.documents.orders_due import NOT_ISSUED
from invoices.services.planning.billing_again import ADDS_TO_NO_MINIMUM


class LiveDocument(NamedTuple):
    """A pending or approved document of a cycle.

    A document that bills periods of a voided invoice again is not included, because it moves no date.
    """

    invoice_no: int
    kind: str
    status: str
    bill_date: date
    bill_day: int


class LivePeriod(NamedTuple):
    """Days of a plan instance that a live document bills, with the bill date of the cycle."""

    plan_instance_no: int
    start: date
    end: date
    invoice_no: int
    status: str
    bill_date: date
    bills_again: int | None = None

    @property
    def is_approved(self) -> bool:
        return self.status == InvoiceStatus.APPROVED


class ArrearsCycle(NamedTuple):
    """Days of a plan instance for which a live document charges a service in arrears."""

    plan_instance_no: int
    service_no: int
    start: date
    end: date
    invoice_no: int


class VoidedDays(NamedTuple):
    """What a voided document billed of a plan instance. Removed plans are left out.

    Without a service it is a billed period. With a service it is a cycle in arrears or, without days, an activation fee.
    """

    invoice_no: int
    plan_instance_no: int
    service_no: int | None = None
    start: date | None = None
    end: date | None = None
    is_settled: bool = False
    """True if a person waived it, or if nothing was charged for it in advance."""


class NothingBilled(NamedTuple):
    """A cycle in which nothing was billed. The account's dates moved on without a document."""

    kind: str
    bill_date: date


class AccountHistory(NamedTuple):
    """One account. `periods` are ordered by plan instance and day, `arrears` by plan instance, service and day.

    `orders` are the dates of one-time charges that no issued invoice holds. `activations` are the plan instances and services
    whose activation fee is on a live document.
    """

    account_no: int
    client_acct_id: str
    bill_day: int | None
    next_bill_date: date | None
    last_bill_date: date | None
    arrears_due_from: date | None
    orders_due: date | None
    instances: dict[int, InstanceDates]
    documents: list[LiveDocument]
    periods: list[LivePeriod]
    arrears: list[ArrearsCycle]
    nothing_billed: list[NothingBilled]
    orders: list[date]
    activations: set[tuple[int, int]]
    voided: list[VoidedDays]

    @property
    def title(self) -> str:
        return f"account {self.account_no} ({self.client_acct_id})"

    @property
    def newest_approved(self) -> LiveDocument | None:
        approved = [document for document in self.documents if document.status == InvoiceStatus.APPROVED]
        return max(approved, key=lambda document: document.bill_date, default=None)


def account_histories(scope: Scope) -> Iterator[AccountHistory | Unreadable]:
    """Yield all accounts in the order of their numbers. Uses ten queries in total and keeps one account in memory.
    One that cannot be read ends nothing."""
    accounts = _accounts(scope)
    voided = (_voided_periods(scope), _voided_lines(scope))
    reads = (_instances, _documents, _periods, _arrears, _events_of_nothing_billed, _orders, _activations)
    mine = [_Dealt(rows) for rows in (*(read(scope) for read in reads), *voided)]
    for account_no, client_acct_id, bill_day, next_bill_date, last_bill_date, arrears_due_from, orders_due in accounts:
        own_instances, own_documents, own_periods, own_arrears, own_events, own_orders, own_activations, *own_voided = (
            rows.of(account_no) for rows in mine
        )
        try:
            history = AccountHistory(
                account_no,
                client_acct_id,
                bill_day,
                next_bill_date,
                last_bill_date,
                arrears_due_from,
                orders_due,
                {number: InstanceDates(*dates) for number, *dates in own_instances},
                [LiveDocument._make(row) for row in own_documents],
                [LivePeriod._make(row) for row in own_periods],
                [ArrearsCycle._make(row) for row in own_arrears],
                [_nothing_billed(after) for (after,) in own_events],
                [day for (day,) in own_orders],
                {(number, service_no) for number, service_no in own_activations},
                [VoidedDays(*row) for rows in own_voided for row in rows],
            )
        except Exception as error:
            yield Unreadable(f"account {account_no} ({client_acct_id})", error)
        else:
            yield history


@scope_read
def _accounts(scope: Scope) -> QuerySet[Any, Any]:
    rows = of_client(Account, "client", scope).order_by("pk")
    return rows.values_list(
        "pk", "client_acct_id", "bill_day", "next_bill_date", "last_bill_date", "arrears_due_from", "orders_due"
    )


@scope_read
def _instances(scope: Scope) -> QuerySet[Any, Any]:
    rows = instances_with_dates(of_client(PlanInstance, "account__client", scope)).order_by("account_id", "pk")
    return rows.values_list("account_id", "pk", *DATE_COLUMNS)


@scope_read
def _documents(scope: Scope) -> QuerySet[Any, Any]:
    cycles = of_client(Invoice, "account__client", scope).filter(
        status__in=LIVE_STATUSES, kind__in=CYCLE_KINDS, bills_again=None
    )
    return cycles.order_by("account_id", "pk").values_list("account_id", "pk", "kind", "status", "bill_date", "bill_day")


@scope_read
def _periods(scope: Scope) -> QuerySet[Any, Any]:
    live = of_client(BilledPeriod, "plan_instance__account__client", scope).filter(invoice__status__in=LIVE_STATUSES)
    return live.order_by("plan_instance__account_id", "plan_instance_id", "start_date", "end_date").values_list(
        "plan_instance__account_id",
        "plan_instance_id",
        "start_date",
        "end_date",
        "invoice_id",
        "invoice__status",
        "invoice__bill_date",
        "invoice__bills_again",
    )


@scope_read
def _arrears(scope: Scope) -> QuerySet[Any, Any]:
    """A cycle that is priced over several bands has several lines."""
    lines = of_client(InvoiceLine, "invoice__account__client", scope).filter(
        ADDS_TO_NO_MINIMUM,
        line_type=LineType.ARREARS,
        invoice__status__in=LIVE_STATUSES,
        invoice__kind__in=CYCLE_KINDS,
        plan_instance__isnull=False,
        period_start__isnull=False,
        period_end__isnull=False,
    )
    columns = ("invoice__account_id", "plan_instance_id", "service_id", "period_start", "period_end", "invoice_id")
    return lines.order_by(*columns).distinct().values_list(*columns)


@scope_read
def _events_of_nothing_billed(scope: Scope) -> QuerySet[Any, Any]:
    events = of_client(Event, "account__client", scope).filter(act=NOTHING_BILLED)
    return events.order_by("account_id", "pk").values_list("account_id", "after")


@scope_read
def _orders(scope: Scope) -> QuerySet[Any, Any]:
    open_orders = of_client(OneTimeCharge, "account__client", scope).filter(NOT_ISSUED)
    return open_orders.order_by("account_id", "pk").values_list("account_id", "charge_date")


@scope_read
def _activations(scope: Scope) -> QuerySet[Any, Any]:
    lines = of_client(InvoiceLine, "invoice__account__client", scope).filter(
        line_type=LineType.ACTIVATION,
        invoice__status__in=LIVE_STATUSES,
        invoice__kind__in=CYCLE_KINDS,
        plan_instance__isnull=False,
        service__isnull=False,
    )
    return lines.order_by("invoice__account_id", "pk").values_list("invoice__account_id", "plan_instance_id", "service_id")


VOIDED = {
    "invoice__status": InvoiceStatus.VOIDED,
    "invoice__kind__in": CYCLE_KINDS,
    "plan_instance__taken_off_on": None,
}


def _voided_periods(scope: Scope) -> Iterator[tuple[Any, ...]]:
    for account_no, invoice_no, number, start, end, waived_at, is_charged in _periods_of_voided(scope):
        yield account_no, invoice_no, number, None, start, end, waived_at is not None or not is_charged


@scope_read
def _periods_of_voided(scope: Scope) -> Any:
    charged = InvoiceLine.objects.filter(
        invoice=OuterRef("invoice"),
        plan_instance=OuterRef("plan_instance"),
        line_type__in=ADVANCE_TYPES,
    )
    rows = of_client(BilledPeriod, "plan_instance__account__client", scope).filter(**VOIDED)
    return (
        rows.annotate(is_charged=Exists(charged))
        .order_by("plan_instance__account_id", "pk")
        .values_list(
            "plan_instance__account_id",
            "invoice_id",
            "plan_instance_id",
            "start_date",
            "end_date",
            "invoice__waived_at",
            "is_charged",
        )
    )


def _voided_lines(scope: Scope) -> Iterator[tuple[Any, ...]]:
    """Yield lines in arrears with their days, and activation fees without days."""
    for account_no, line_type, *row in _lines_of_voided(scope):
        yield (account_no, *row) if line_type == LineType.ARREARS else (account_no, *row[:3], None, None)


@scope_read
def _lines_of_voided(scope: Scope) -> QuerySet[Any, Any]:
    rows = of_client(InvoiceLine, "invoice__account__client", scope).filter(
        Q(line_type=LineType.ACTIVATION) | ADDS_TO_NO_MINIMUM,
        line_type__in=[LineType.ARREARS, LineType.ACTIVATION],
        plan_instance__isnull=False,
        service__isnull=False,
        invoice__waived_at=None,
        **VOIDED,
    )
    columns = ("invoice__account_id", "line_type", "invoice_id", "plan_instance_id", "service_id", "period_start", "period_end")
    return rows.order_by("invoice__account_id", "pk").values_list(*columns)


def _nothing_billed(after: dict[str, Any]) -> NothingBilled:
    """Events written before `kind` existed are all of recurring cycles."""
    return NothingBilled(after.get("kind", InvoiceKind.RECURRING), date.fromisoformat(after["bill_date"]))


class _Dealt:
    """Splits rows that are sorted by account (their first value) into the rows of one account after another."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self.groups = groupby(rows, itemgetter(0))
        self.next = next(self.groups, None)

    def of(self, account_no: int) -> list[tuple[Any, ...]]:
        if self.next is None or self.next[0] != account_no:
            return []
        rows = [row[1:] for row in self.next[1]]
        self.next = next(self.groups, None)
        return rows
