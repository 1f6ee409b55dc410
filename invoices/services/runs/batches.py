"""One batch of a billing run: claim accounts, bill or plan them, write the result of each.

A batch is claimed under the lock of its run, so that workers take different accounts. Who is billed twice by a worker that was
taken for dead is refused the second time, as by any other act."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import BigIntegerField, QuerySet, Subquery, Value
from django.db.models.functions import Cast

from accounts.callers import Caller
from accounts.models import Account
from billing_site.common.storage import update_rows
from invoices.kinds import RunMode, RunResult, RunState
from invoices.models import BillingRun, RunOutcome, Worker
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.documents.comparisons import compare_documents
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import Planned, Refused
from invoices.services.planning.flags import flags_of_plan
from invoices.services.planning.previewing import preview_invoices
from invoices.services.runs.due_accounts import waiting_elsewhere
from invoices.services.runs.limits import check_plans
from invoices.services.work.claims import free_rows, is_claimed, lock_claimed, release_rows

Claimed = Mapping[int, int]
"""Accounts of a run with their outcomes, in the order of the account numbers."""


@transaction.atomic
def claim_accounts(run: BillingRun, worker: Worker, size: int) -> dict[int, int]:
    """Claim the next accounts of a run that no other live worker has claimed, at most `size`. None unless it is running."""
    locked = BillingRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.state != RunState.RUNNING:
        return {}
    claimed = dict(free_rows(_waiting(run).order_by("account_id").values_list("account_id", "pk"), size))
    RunOutcome.objects.filter(pk__in=claimed.values()).update(claimed_by=worker.pk)
    return claimed


def _waiting(run: BillingRun) -> QuerySet[RunOutcome]:
    return run.outcomes.filter(result=RunResult.WAITING)


def is_at_work(run: BillingRun) -> bool:
    """Whether a live worker has claimed accounts of the run that it has not settled yet."""
    return is_claimed(_waiting(run))


def release(run: BillingRun, worker: Worker) -> None:
    """Give back what the worker has claimed of the run and not settled."""
    release_rows(_waiting(run), worker)


def request_of(run: BillingRun) -> BillingRequest:
    """How the invoices of a run are generated."""
    return request_in(RunMode(run.mode), run.bill_date)


def request_in(mode: RunMode, day: date) -> BillingRequest:
    """How invoices are generated in a mode on a day."""
    return BillingRequest(day, advance=mode == RunMode.ADVANCE, force_pending=mode == RunMode.ALL_PENDING)


def settle_batch(run: BillingRun, claimed: Claimed, worker: Worker, caller: Caller) -> None:
    """Bill the claimed accounts, or plan them in a dry run, and write the result of each.

    Raises LimitExceeded where an invoice would be above the run's limit for one: then nothing is written."""
    if run.is_dry_run:
        _write_plans(run, claimed, worker)
        return
    outcomes = generate_invoices(
        client=run.client,
        account_nos=claimed,
        request=request_of(run),
        caller=caller,
        run_no=run.pk,
        run_outcomes=claimed,
        inspect=partial(check_plans, run),
    )
    write_refusals(claimed, worker, [one for one in outcomes if isinstance(one, Refused)])


def write_refusals(claimed: Claimed, worker: Worker, refused: Sequence[Refused]) -> None:
    """Say why accounts were refused, unless another worker has taken them over or billed them meanwhile."""
    rows = [
        (
            claimed[one.account_no],
            RunResult.REFUSED.value,
            one.error.code.number,
            one.error.message,
            one.error.stored,
        )
        for one in refused
        if one.account_no is not None
    ]
    _write(worker, ("result", "error_code", "message", "detail"), rows)


def _write(worker: Worker, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    with transaction.atomic():
        waiting = RunOutcome.objects.filter(pk__in=[key for key, *_ in rows], result=RunResult.WAITING)
        mine = lock_claimed(waiting, worker)
        update_rows(RunOutcome, columns, [row for row in rows if row[0] in mine])


FIGURES = ("result", "currency", "net_amount", "tax_amount", "total_amount", "previous_total", "flags")


def _write_plans(run: BillingRun, claimed: Claimed, worker: Worker) -> None:
    """The outcomes of a dry run: the figures of each invoice beside the account's last one."""
    planned = preview_invoices(client=run.client, account_nos=claimed, request=request_of(run))
    check_plans(run, planned)
    write_refusals(claimed, worker, [one for one in planned if isinstance(one, Refused)])
    plans = [one.plan for one in planned if isinstance(one, Planned)]
    billed = {plan.account_no: plan for plan in plans if plan.lines}
    compared = compare_documents({number: content_of(run.client, plan) for number, plan in billed.items()})
    rows: list[tuple[Any, ...]] = []
    for plan in plans:
        if plan.account_no not in billed:
            rows.append((claimed[plan.account_no], RunResult.NOTHING_TO_BILL.value, "", None, None, None, None, ""))
            continue
        beside = compared[plan.account_no]
        previous = plan.total_amount - beside.change_amount if beside.change_amount is not None else None
        flags = ",".join(flag.value for flag in flags_of_plan(run.client, plan, beside))
        amounts = (plan.net_amount, plan.tax_amount, plan.total_amount)
        rows.append(
            (claimed[plan.account_no], RunResult.BILLABLE.value, plan.facts.state.currency.code, *amounts, previous, flags)
        )
    _write(worker, FIGURES, rows)


def insert_outcomes(run: BillingRun, due: QuerySet[Account]) -> int:
    """Write an outcome for each account that is due, in one statement, and return how many.

    An account that waits in another active run is left out, and its outcome names that run."""
    # A subquery for each account, and no join: statistics of the database do not know yet how many accounts wait, and a join
    # that is planned for a few takes minutes for many.
    elsewhere = Subquery(waiting_elsewhere().values("run")[:1])
    nowhere = Cast(Value(None), BigIntegerField())
    rows = due.order_by("pk").annotate(elsewhere=nowhere if run.is_dry_run else elsewhere).values("id", "elsewhere")
    chosen, parameters = rows.query.sql_with_params()
    table = RunOutcome._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (run_id, account_id, result, error_code, message, is_dry_run, other_run_id) "
            f"SELECT %s, due.id, CASE WHEN due.elsewhere IS NULL THEN %s ELSE %s END, 0, '', %s, due.elsewhere "
            f"FROM ({chosen}) AS due ORDER BY due.id",
            [run.pk, RunResult.WAITING.value, RunResult.IN_ANOTHER_RUN.value, run.is_dry_run, *parameters],
        )
        return int(cursor.rowcount)
