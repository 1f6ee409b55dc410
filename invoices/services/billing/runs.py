"""Billing runs: bill all due accounts of a client, in chunks. An interrupted run can be resumed."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import BILLABLE_STATUSES
from accounts.models import Account, Client
from billing_site.common.storage import ExactSum, update_rows
from billing_site.errors import ErrorCode
from invoices.calculation import ZERO, rounded
from invoices.kinds import CYCLE_KINDS, LASTING_FLAGS, Flag, InvoiceStatus, RunResult, VoidReason
from invoices.models import BillingRun, Invoice, RunOutcome
from invoices.plan import InvoicePlan
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.documents.outcomes import Outcome, Planned, Refused
from invoices.services.documents.rights import check_may_generate
from invoices.services.planning.previewing import preview_invoices

ACCOUNTS_AT_ONCE = 500
ACCOUNTS_OF_A_PAGE = 100
HOLD = timedelta(seconds=60)
"""After this time without progress, other processes take over a run. If the first process is still alive, both work on it: no
account is billed twice, but one process gets refusals for accounts that the other locks."""


AMOUNTS = ("net_amount", "tax_amount", "total_amount")


class RefusalCount(NamedTuple):
    """The number of accounts of a run that were refused for one reason."""

    error_code: int
    message: str
    accounts: int


class CurrencyTotals(NamedTuple):
    """The number and totals of a run's invoices in one currency."""

    currency: str
    invoices: int
    net_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


@transaction.atomic
def open_run(*, client: Client, today: date, caller: Caller) -> tuple[BillingRun, bool]:
    """Return the client's unfinished run and False, or start a new run and return it and True.

    Locks the client's row, so that two calls start only one run. Refuses a caller who may not generate (90009).
    """
    check_may_generate(caller)
    Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    run = unfinished_run(client)
    return (run, False) if run is not None else (start_run(client=client, today=today, caller=caller), True)


@transaction.atomic
def start_run(*, client: Client, today: date, caller: Caller) -> BillingRun:
    """Start a run over all due accounts. Each gets an outcome that is not processed yet.

    Refuses a caller who may not generate (90009).
    """
    check_may_generate(caller)
    run = BillingRun.objects.create(client=client, bill_date=today, started_by=caller.identity)
    due = due_accounts(client, today).order_by("pk")
    with connection.cursor() as cursor:
        chosen, parameters = due.values("id").query.sql_with_params()
        cursor.execute(
            f"INSERT INTO {RunOutcome._meta.db_table} (run_id, account_id, result, error_code, message) "
            f"SELECT %s, due.id, %s, 0, '' FROM ({chosen}) AS due ORDER BY due.id",
            [run.pk, RunResult.WAITING.value, *parameters],
        )
    return run


def due_accounts(client: Client, today: date) -> QuerySet[Account]:
    """Select the accounts whose next bill date is today or earlier."""
    return Account.objects.filter(~Exists(_uncollectable()), client=client, next_bill_date__lte=today)


class DueAccounts(NamedTuple):
    """The number of due accounts, each counted once: `ready` to be billed, with a `pending` invoice that must be decided on
    first, and `not_billed`: test accounts and accounts in a status that is not billed."""

    ready: int
    pending: int
    not_billed: int

    @property
    def blocked(self) -> int:
        return self.pending + self.not_billed

    @property
    def all(self) -> int:
        return self.ready + self.blocked


def count_due(client: Client, today: date) -> DueAccounts:
    """Count the accounts that a run would take. Every page that shows this number uses this function. One query."""
    is_billed = Q(is_test=False, status__in=BILLABLE_STATUSES)
    is_pending = Exists(Invoice.objects.filter(account=OuterRef("pk"), status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS))
    rows = due_accounts(client, today).annotate(is_pending=is_pending)
    return DueAccounts(
        **rows.aggregate(
            ready=Count("pk", filter=is_billed & Q(is_pending=False)),
            pending=Count("pk", filter=is_billed & Q(is_pending=True)),
            not_billed=Count("pk", filter=~is_billed),
        )
    )


def _uncollectable() -> QuerySet[Invoice]:
    """Select the invoice of an account's due cycle that was voided because it could not be collected. A person must look at it
    first."""
    return Invoice.objects.filter(
        account=OuterRef("pk"),
        bill_date=OuterRef("next_bill_date"),
        status=InvoiceStatus.VOIDED,
        void_reason_code=VoidReason.COLLECTION_FAILED,
    )


def continue_run(run: BillingRun, *, caller: Caller, progress: Callable[[int], object] = lambda accounts: None) -> None:
    """Bill the remaining accounts of the run. `progress` gets the number of accounts of each chunk. Refuses a caller who may
    not generate (90009)."""
    check_may_generate(caller)
    for waiting in _waiting(run, ACCOUNTS_AT_ONCE):
        _hold(run)
        _bill(run, waiting, caller)
        progress(len(waiting))
    _finish(run)


def continue_run_for(run: BillingRun, *, caller: Caller, seconds: float) -> None:
    """Bill remaining accounts of the run for this number of seconds, at least one small chunk.

    Does nothing if another process works on the run. Refuses a caller who may not generate (90009).
    """
    check_may_generate(caller)
    if not _hold(run, unless_held=True):
        return
    end = time.monotonic() + seconds
    try:
        for waiting in _waiting(run, ACCOUNTS_OF_A_PAGE):
            _hold(run)
            _bill(run, waiting, caller)
            if time.monotonic() >= end:
                break
    finally:
        BillingRun.objects.filter(pk=run.pk).update(held_until=None)
    if not run.outcomes.filter(result=RunResult.WAITING).exists():
        _finish(run)


def _hold(run: BillingRun, *, unless_held: bool = False) -> bool:
    """Mark the run as being worked on by this process. With `unless_held`, return False if another process works on it."""
    now = timezone.now()
    rows = BillingRun.objects.filter(pk=run.pk, finished_at=None)
    if unless_held:
        rows = rows.filter(Q(held_until=None) | Q(held_until__lt=now))
    return bool(rows.update(held_until=now + HOLD))


def _finish(run: BillingRun) -> None:
    BillingRun.objects.filter(pk=run.pk, finished_at=None).update(finished_at=timezone.now(), held_until=None)


def _bill(run: BillingRun, waiting: dict[int, int], caller: Caller) -> None:
    request = BillingRequest(run.bill_date)
    outcomes = generate_invoices(client=run.client, account_nos=waiting, request=request, caller=caller, run_outcomes=waiting)
    _write_refusals(waiting, [outcome for outcome in outcomes if outcome.error is not None])


def next_due_day(client: Client) -> date | None:
    """Return the earliest next bill date of the client's accounts, or None."""
    first: date | None = Account.objects.filter(client=client).aggregate(day=Min("next_bill_date"))["day"]
    return first


def pending_of_run(run: BillingRun) -> int:
    """Return the number of the run's invoices that are pending."""
    return run.outcomes.filter(result=RunResult.INVOICED, invoice__status=InvoiceStatus.PENDING).count()


class RunPreview(NamedTuple):
    """What a run would do now. Totals and refusals are of the first accounts only (`looked_at`)."""

    due: DueAccounts
    looked_at: int
    nothing_to_bill: int
    totals: list[CurrencyTotals]
    refused: list[RefusalCount]


def preview_run(*, client: Client, today: date, sample: int) -> RunPreview:
    """Preview a run by planning its first `sample` accounts. Writes nothing."""
    chosen = list(due_accounts(client, today).order_by("pk").values_list("pk", flat=True)[:sample])
    planned = preview_invoices(client=client, account_nos=chosen, request=BillingRequest(today))
    plans = [one.plan for one in planned if isinstance(one, Planned)]
    billed: dict[str, list[InvoicePlan]] = defaultdict(list)
    for plan in plans:
        if plan.lines:
            billed[plan.facts.state.currency].append(plan)
    refusals = Counter(one.error.code.number for one in planned if isinstance(one, Refused))
    return RunPreview(
        due=count_due(client, today),
        looked_at=len(chosen),
        nothing_to_bill=sum(not plan.lines for plan in plans),
        totals=[_planned_totals(currency, billed[currency]) for currency in sorted(billed)],
        refused=[RefusalCount(code, _message(code), count) for code, count in sorted(refusals.items())],
    )


def _planned_totals(currency: str, plans: Sequence[InvoicePlan]) -> CurrencyTotals:
    return CurrencyTotals(
        currency,
        len(plans),
        *(sum((getattr(plan, name) for plan in plans), ZERO) for name in AMOUNTS),
    )


def unfinished_run(client: Client) -> BillingRun | None:
    """Return the client's oldest unfinished run, or None."""
    return BillingRun.objects.filter(client=client, finished_at=None).order_by("pk").first()


def count_results(run: BillingRun) -> dict[RunResult, int]:
    return count_results_of([run])[run.pk]


def count_results_of(runs: Sequence[BillingRun]) -> dict[int, dict[RunResult, int]]:
    """Return the number of accounts per result, for each run. One query."""
    counts: dict[int, dict[RunResult, int]] = {run.pk: {} for run in runs}
    rows = RunOutcome.objects.filter(run__in=runs).order_by().values_list("run_id", "result").annotate(Count("pk"))
    for run_no, result, count in rows:
        counts[run_no][RunResult(result)] = count
    return counts


def count_refusals(run: BillingRun) -> list[RefusalCount]:
    """Return the number of refused accounts of a run per reason, without the details of the messages."""
    rows = run.outcomes.filter(result=RunResult.REFUSED).order_by("error_code").values_list("error_code").annotate(Count("pk"))
    return [RefusalCount(code, _message(code), count) for code, count in rows]


def count_flags(run: BillingRun) -> dict[Flag, int]:
    """Return how many invoices of a run lack an address or a tax rate. One query."""
    counted: Mapping[str, int] = run.outcomes.aggregate(
        no_address=Count("pk", filter=Q(invoice__tax_answer__no_address=True)),
        no_rate=Count("pk", filter=Q(invoice__tax_answer__no_rate=True)),
    )
    return {flag: counted[flag.value] for flag in LASTING_FLAGS}


def run_totals(run: BillingRun) -> list[CurrencyTotals]:
    """Return the totals of the run's invoices, per currency."""
    rows = (
        run.outcomes.filter(result=RunResult.INVOICED)
        .order_by("invoice__currency")
        .values_list("invoice__currency")
        .annotate(Count("pk"), *(ExactSum(f"invoice__{name}") for name in AMOUNTS))
    )
    return [
        CurrencyTotals(currency, count, *(rounded(amount or ZERO, currency) for amount in amounts))
        for currency, count, *amounts in rows
    ]


def _message(error_code: int) -> str:
    return next(row.message for row in ErrorCode if row.number == error_code)


def _waiting(run: BillingRun, size: int) -> Iterator[dict[int, int]]:
    """Yield chunks of the accounts that are not processed yet, with their outcomes, ordered by account number."""
    last = 0
    while True:
        rows = run.outcomes.filter(result=RunResult.WAITING, account__gt=last).order_by("account_id")
        waiting = dict(rows.values_list("account_id", "pk")[:size])
        if not waiting:
            return
        yield waiting
        last = max(waiting)


def _write_refusals(waiting: dict[int, int], refused: Sequence[Outcome]) -> None:
    """Store refusals, unless another process that works on the same run has billed the account meanwhile."""
    with transaction.atomic():
        still = set(
            RunOutcome.objects.select_for_update(no_key=True)
            .filter(pk__in=waiting.values(), result=RunResult.WAITING)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        update_rows(
            RunOutcome,
            ("result", "error_code", "message"),
            [
                (waiting[outcome.account_no], RunResult.REFUSED.value, outcome.error.code.number, outcome.error.message)
                for outcome in refused
                if outcome.account_no is not None and outcome.error and waiting[outcome.account_no] in still
            ],
        )
