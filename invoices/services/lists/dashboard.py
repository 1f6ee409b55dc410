"""What needs a person now, and what was invoiced, collected and credited in each month.

Each part takes one or two queries, whatever the number of documents.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, Subquery, Value, When
from django.utils import timezone

from accounts.kinds import SettingsChangeState
from accounts.models import Client, Event
from billing_site.common.storage import ExactSum
from billing_site.errors import ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import PAYMENT_KINDS, REFUND_KINDS, ActState, EntryKind, InvoiceKind, RunResult
from invoices.models import BillingRun, Invoice, RunOutcome, Schedule, WebhookEndpoint
from invoices.services.approving.queue import Sum, pending_documents
from invoices.services.lists.failures import failed_attempts, missing_files, statement_failed
from invoices.services.money.daily_sums import sums_since
from invoices.services.money.ledger.open_items import open_invoices
from invoices.services.money.receivables import DAYS
from invoices.services.runs.due_accounts import DueAccounts, count_due
from invoices.services.work.schedules import troubled_schedules

TAX_FAILURE_DAYS = 7
MONTHS = 12


class Period(NamedTuple):
    """An interval of days. None is an open end."""

    first: date | None
    last: date | None

    def holds(self, column: str) -> Q:
        limits = {f"{column}__gte": self.first, f"{column}__lte": self.last}
        return Q(**{name: day for name, day in limits.items() if day is not None})


class Aged(NamedTuple):
    """Sums of what is `least` to `most` days old. `most` is None for the oldest group."""

    period: Period
    least: int
    most: int | None
    sums: list[Sum]


class OpenRun(NamedTuple):
    """A run that is not finished, or the newest run if it has refusals.

    `waiting` accounts are not processed yet; `refused` accounts are still due.
    """

    run: BillingRun
    waiting: int
    refused: int


class Attention(NamedTuple):
    """What needs a person now. Amounts are totals of pending documents, and open amounts of the others."""

    pending: list[Aged]
    rebills: list[Sum]
    failed_collections: list[Sum]
    failed_statements: int
    missing_files: int
    runs: list[OpenRun]
    due_accounts: DueAccounts
    tax_failures: int
    overdue: list[Aged]
    settings_changes: int
    requested_acts: int
    schedules: list[Schedule]
    dead_webhooks: int


PENDING_AGES = ((0, 1), (2, 7), (8, None))
OVERDUE_AGES = tuple(zip((1, *(days + 1 for days in DAYS)), (*DAYS, None), strict=True))


def attention(client: Client, today: date) -> Attention:
    pending, rebills = _pending(client, today)
    overdue, failed_collections = _open(client, today)
    return Attention(
        pending,
        rebills,
        failed_collections,
        statement_failed(Invoice.objects.filter(client=client)).count(),
        missing_files().filter(invoice__client=client).count(),
        _runs(client),
        count_due(client, today),
        _tax_failures(client),
        overdue,
        client.settings_changes.filter(state=SettingsChangeState.PROPOSED).count(),
        client.requested_acts.filter(state=ActState.PENDING).count(),
        troubled_schedules(client),
        WebhookEndpoint.objects.filter(client=client, is_on=False).exclude(off_because="").count(),
    )


def _ages(today: date, bounds: Iterable[tuple[int, int | None]]) -> list[Aged]:
    return [
        Aged(
            Period(None if most is None else today - timedelta(days=most), today - timedelta(days=least) if least else None),
            least,
            most,
            [],
        )
        for least, most in bounds
    ]


def _age_of(ages: list[Aged], column: str) -> Case:
    """Return the age group of a row, by its index."""
    whens = [When(one.period.holds(column), then=Value(str(place))) for place, one in enumerate(ages)]
    return Case(*whens, output_field=CharField())


REBILL = "rebill"
DUE = ExactSum("open_amount")


def _pending(client: Client, today: date) -> tuple[list[Aged], list[Sum]]:
    """Return pending invoices by age, counted from their generation, and pending rebills."""
    ages = _ages(today, PENDING_AGES)
    rebills: list[Sum] = []
    group = Case(When(kind=InvoiceKind.REBILL, then=Value(REBILL)), default=_age_of(ages, "tax_date"))
    rows = pending_documents(client).order_by("currency").annotate(group=group).values_list("group", "currency")
    for group_name, *found in rows.annotate(Count("pk"), ExactSum("total_amount")):
        (rebills if group_name == REBILL else ages[int(group_name)].sums).append(Sum(*found))
    return [one for one in ages if one.sums], rebills


def _runs(client: Client) -> list[OpenRun]:
    """Return unfinished runs, and the newest run if accounts that it refused are still due. Older runs are superseded by it."""
    rows = BillingRun.objects.filter(client=client, is_dry_run=False)
    newest = Subquery(rows.order_by("-pk").values("pk")[:1])
    runs = list(rows.filter(Q(finished_at=None) | Q(pk=newest)).order_by("-pk"))
    still_due = Q(result=RunResult.REFUSED, account__next_bill_date__lte=F("run__bill_date"), account__is_test=False)
    counts = {
        run_no: (waiting, refused)
        for run_no, waiting, refused in RunOutcome.objects.filter(
            run__in=runs, result__in=[RunResult.WAITING, RunResult.REFUSED]
        )
        .order_by()
        .values_list("run_id")
        .annotate(waiting=Count("pk", filter=Q(result=RunResult.WAITING)), still_due=Count("pk", filter=still_due))
    }
    found_runs = [OpenRun(run, *counts.get(run.pk, (0, 0))) for run in runs]
    return [one for one in found_runs if one.run.finished_at is None or one.refused]


def _tax_failures(client: Client) -> int:
    since = timezone.now() - timedelta(days=TAX_FAILURE_DAYS)
    return Event.objects.filter(client=client, error_code=ErrorCode.TAXATION_FAILED.number, at__gte=since).count()


def _open(client: Client, today: date) -> tuple[list[Aged], list[Sum]]:
    """Return open amounts of overdue invoices by age, and of invoices whose collection failed. Only open invoices are read."""
    ages = _ages(today, OVERDUE_AGES)
    failed = Exists(failed_attempts().filter(invoice=OuterRef("pk")))
    opened = open_invoices(Invoice.objects.filter(client=client))
    rows = (
        opened.order_by("currency")
        .annotate(age=_age_of(ages, "due_date"), failed=failed)
        .values_list("currency", "age", "failed")
    )
    not_collected: dict[str, Sum] = {}
    late: dict[tuple[str, str], Sum] = {}
    for currency, age, has_failed, *found in rows.annotate(count=Count("pk"), due=DUE):
        if has_failed:
            not_collected[currency] = _plus(not_collected.get(currency), Sum(currency, *found))
        if age is not None:
            late[currency, age] = _plus(late.get((currency, age)), Sum(currency, *found))
    for (_currency, age), one in late.items():
        ages[int(age)].sums.append(one)
    return [one for one in ages if one.sums], list(not_collected.values())


def _plus(one: Sum | None, other: Sum) -> Sum:
    return other if one is None else Sum(one.currency, one.documents + other.documents, one.total + other.total)


class Flow(Enum):
    """What is added up for each month. A void counts negatively on its own day."""

    INVOICED = "invoiced"
    COLLECTED = "collected"
    CREDITED = "credited"


FLOWS = {
    EntryKind.INVOICE: (Flow.INVOICED, 1),
    **dict.fromkeys((*PAYMENT_KINDS, *REFUND_KINDS), (Flow.COLLECTED, -1)),
    EntryKind.CREDIT_MEMO: (Flow.CREDITED, -1),
    EntryKind.CASH_CREDIT: (Flow.CREDITED, -1),
}
"""The group of each kind of entry, and its sign there. Collected is payments less refunds."""


class Month(NamedTuple):
    first: date
    invoiced: Decimal = ZERO
    collected: Decimal = ZERO
    credited: Decimal = ZERO


def months(client: Client, today: date) -> dict[str, list[Month]]:
    """Return the last twelve months up to the current one, for each currency that has entries. The oldest month is first."""
    days = [_months_before(today, count) for count in reversed(range(MONTHS))]
    sums: dict[tuple[str, date, Flow], Decimal] = defaultdict(lambda: ZERO)
    for one, amount in sums_since(client, days[0], FLOWS).items():
        flow, sign = FLOWS[EntryKind(one.kind)]
        sums[one.currency, one.day.replace(day=1), flow] += sign * amount
    currencies = sorted({currency for currency, *_ in sums})
    return {currency: [Month(day, *(sums[currency, day, flow] for flow in Flow)) for day in days] for currency in currencies}


def _months_before(day: date, count: int) -> date:
    """Return the first day of the month `count` months before."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)
