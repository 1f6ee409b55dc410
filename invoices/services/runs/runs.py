"""Billing runs: planned, started, worked off in batches, paused, cancelled, retried. A run is rows, so any process continues
with it: `manage.py work`, a command, or an open page."""

import time
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery, TextChoices
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client
from billing_site.common.languages import in_english
from billing_site.errors import BillingError, Detail, ErrorCode, listed, stored_detail, word
from invoices.kinds import ACTIVE_RUNS, ENDED_RUNS, RUN_TRANSITIONS, RunMode, RunResult, RunState
from invoices.models import BillingRun, RunOutcome, Worker
from invoices.services.documents.rights import check_may_generate
from invoices.services.runs.batches import claim_accounts, insert_outcomes, is_at_work, release, settle_batch
from invoices.services.runs.due_accounts import due_accounts
from invoices.services.runs.filters import MOST_NAMED, NO_FILTER, AccountFilter
from invoices.services.runs.left_out import left_out
from invoices.services.runs.limits import LIMITS, Exceeded, LimitExceeded, exceeded_limit
from invoices.services.work.machines import Machine
from invoices.services.work.workers import beat, working

WORK = "billing runs"
"""The name of runs as a kind of work."""

ACCOUNTS_AT_ONCE = 500
ACCOUNTS_OF_A_PAGE = 100

WAIT_SECONDS = 1.0
"""So long a command waits before it asks again whether other workers have settled the last accounts of its run."""

TRANSIENT = (ErrorCode.IN_PROGRESS, ErrorCode.UNEXPECTED, ErrorCode.TAXATION_FAILED)
"""Refusals by what was in the way at that moment, not by a rule."""


@transaction.atomic
def plan_run(
    *,
    client: Client,
    today: date,
    caller: Caller,
    chosen: AccountFilter = NO_FILTER,
    mode: RunMode = RunMode.AS_CONFIGURED,
    is_dry_run: bool = False,
    compared_with: BillingRun | None = None,
    limits: Mapping[str, Decimal | int | None] | None = None,
) -> BillingRun:
    """Write a planned run with an outcome for each account that the filter finds. Nothing is billed before `begin_run`.

    Accounts that wait in another active run are listed, and left out. A dry run leaves none out, and takes none from others.
    `limits` are values for the columns in LIMITS; without them the run gets its client's. The caller's receipt is used up.
    Refuses (90009) who may not generate, (1016) a filter with a day after today unless in advance, a limit below 0, or
    a `compared_with` that is not a finished dry run of the client, and (90112) a filter that finds no account.
    """
    check_may_generate(caller)
    _check_day(chosen, mode, today)
    _check_compared(client, compared_with, is_dry_run)
    Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    run = BillingRun.objects.create(
        client=client,
        state=RunState.PLANNED,
        mode=mode,
        is_dry_run=is_dry_run,
        filter=chosen.stored(),
        compared_with=compared_with,
        bill_date=today,
        started_by=caller.identity,
        **_limits(client, limits),
    )
    receipts.use(client, caller.receipt, row_no=run.pk)
    found = insert_outcomes(run, due_accounts(client, today, chosen, mode))
    if not found and chosen != NO_FILTER:
        raise _nobody_found(client, today, chosen, mode)
    return run


def _nobody_found(client: Client, today: date, chosen: AccountFilter, mode: RunMode) -> BillingError:
    """The refusal of a filter that finds no account. It names the first accounts that the filter lists."""
    first = left_out(client, today, chosen, mode).first[:MOST_NAMED]
    if not first:
        return BillingError(ErrorCode.NO_ACCOUNTS_FOUND, field="filter")
    named = [
        Detail("{account}: next bill date {day}", account=one.client_acct_id, day=one.next_bill_date)
        if one.next_bill_date
        else Detail("{account}: nothing to bill", account=one.client_acct_id)
        for one in first
    ]
    return BillingError(ErrorCode.NO_ACCOUNTS_FOUND, listed(named), field="filter")


def _check_day(chosen: AccountFilter, mode: RunMode, today: date) -> None:
    if chosen.due_until is None:
        return
    if mode == RunMode.ADVANCE and chosen.due_until <= today:
        detail = Detail(
            "due_until: {due_until} must be after today, because the run bills in advance", due_until=chosen.due_until
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="due_until")
    if mode != RunMode.ADVANCE and chosen.due_until > today:
        detail = Detail(
            "due_until: {due_until} is after today. Only a run in advance bills later cycles", due_until=chosen.due_until
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="due_until")


def _check_compared(client: Client, compared_with: BillingRun | None, is_dry_run: bool) -> None:
    if compared_with is None:
        return
    wanted = compared_with.is_dry_run and compared_with.client_id == client.pk and compared_with.state == RunState.FINISHED
    if is_dry_run or not wanted:
        detail = Detail("compared_with: run {compared_with} is not a finished dry run", compared_with=compared_with.pk)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="compared_with")


def _limits(client: Client, limits: Mapping[str, Decimal | int | None] | None) -> dict[str, Any]:
    if limits is None:
        return {name: getattr(client, name) for name in LIMITS}
    for name, value in limits.items():
        if name not in LIMITS or (value is not None and value < 0):
            raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: must be a limit of 0 or more", name=name), field=name)
    return dict(limits)


@transaction.atomic
def start_run(*, client: Client, today: date, caller: Caller, **options: Any) -> BillingRun:
    """Plan a run and begin it. Takes the options of `plan_run`, and refuses as it does."""
    run = plan_run(client=client, today=today, caller=caller, **options)
    return begin_run(run, caller=caller)


@transaction.atomic
def open_run(*, client: Client, today: date, caller: Caller) -> tuple[BillingRun, bool]:
    """The run over all accounts that are due which is to be worked on, and whether it is a new one: one that is not finished
    goes on before another begins. One that a person has paused or a limit has stopped is returned as it is."""
    check_may_generate(caller)
    Client.objects.select_for_update(no_key=True).get(pk=client.pk)
    run = unfinished_run(client)
    if run is None:
        return start_run(client=client, today=today, caller=caller), True
    return (begin_run(run, caller=caller) if run.state == RunState.PLANNED else run), False


def unfinished_run(client: Client) -> BillingRun | None:
    """The client's oldest active run over all accounts that are due, if there is one."""
    return active_runs(client).filter(filter={}, mode=RunMode.AS_CONFIGURED).order_by("pk").first()


def active_runs(client: Client) -> QuerySet[BillingRun]:
    """The client's runs that have not ended. Dry runs are not among them."""
    return BillingRun.objects.filter(client=client, is_dry_run=False, state__in=ACTIVE_RUNS)


def begin_run(run: BillingRun, *, caller: Caller) -> BillingRun:
    """Let workers bill the accounts of a planned run. One without accounts is finished at once."""
    check_may_generate(caller)
    begun = _move(run, RunState.RUNNING, only=(RunState.PLANNED,))
    _finish_if_done(begun)
    return begun


def pause_run(run: BillingRun, *, caller: Caller) -> BillingRun:
    """Let no worker begin another batch of a running run, until `resume_run`. Refuses (90111) in other states."""
    check_may_generate(caller)
    return _move(run, RunState.PAUSED, caller=caller)


@transaction.atomic
def resume_run(run: BillingRun, *, caller: Caller) -> BillingRun:
    """Go on with a run that is paused, or that a limit has stopped: then without that limit. Else refuses (90111)."""
    check_may_generate(caller)
    columns: dict[str, Any] = {"stop_reason": "", "stop_detail": "", "stopped_by": ""}
    if run.stopped_by in LIMITS:
        columns[run.stopped_by] = None
    return _move(run, RunState.RUNNING, only=(RunState.PAUSED, RunState.STOPPED), caller=caller, **columns)


@transaction.atomic
def cancel_run(run: BillingRun, *, caller: Caller) -> BillingRun:
    """Bill no further account of a run: batches that have begun are settled, what still waits is not billed.

    Invoices that the run has made stay; `discard_pending_of_run` discards those that are pending. Refuses (90111) a run that
    has ended."""
    check_may_generate(caller)
    if BillingRun.objects.get(pk=run.pk).state == RunState.PLANNED:
        return _end_cancelled(_locked(run), caller)
    cancelling = _move(run, RunState.CANCELLING, caller=caller)
    return cancelling if is_at_work(run) else _end_cancelled(cancelling, WORKER)


def _end_cancelled(run: BillingRun, caller: Caller) -> BillingRun:
    run.outcomes.filter(result=RunResult.WAITING).update(result=RunResult.CANCELLED)
    return _move(run, RunState.CANCELLED, caller=caller, finished_at=timezone.now())


@transaction.atomic
def retry_run(run: BillingRun, *, caller: Caller, only_failed: bool = False) -> int:
    """Let the refused accounts of a finished run wait again, and return how many those are; 0 changes nothing.

    With `only_failed` only those that something was in the way of (3108, 1001, 90004), not those that a rule has refused.
    Accounts that wait in another active run stay refused. Refuses (90111) a run that is not finished."""
    check_may_generate(caller)
    locked = _locked(run)
    if locked.state != RunState.FINISHED:
        raise _wrong_state(locked)
    refused = run.outcomes.filter(result=RunResult.REFUSED)
    if only_failed:
        refused = refused.filter(error_code__in=[code.number for code in TRANSIENT])
    if not run.is_dry_run:
        # A subquery for each account, as in `insert_outcomes`.
        elsewhere = RunOutcome.objects.filter(account=OuterRef("account"), result=RunResult.WAITING, is_dry_run=False)
        refused = refused.alias(elsewhere=Subquery(elsewhere.values("run")[:1])).filter(elsewhere=None)
    count = refused.update(result=RunResult.WAITING, error_code=0, message="", detail="", claimed_by=None)
    if count:
        _move(run, RunState.RUNNING, caller=caller, finished_at=None)
    return count


def work_on_run(run: BillingRun, *, worker: Worker, caller: Caller, size: int = ACCOUNTS_AT_ONCE) -> int:
    """Settle the next batch of a run, and return how many accounts that were: 0 when none is left to this worker.

    The run is stopped where a limit is exceeded, and where the caller may not generate any more. After any other error the
    worker must end (`forget`), which gives back what it has claimed."""
    beat(worker)
    claimed = claim_accounts(run, worker, size)
    if not claimed:
        _end_if_done(run)
        return 0
    try:
        settle_batch(run, claimed, worker, caller)
    except LimitExceeded as limit:
        release(run, worker)
        stop_run(run, limit.exceeded)
        return 0
    except BillingError as error:
        release(run, worker)
        stop_run(run, Exceeded("", error.as_detail))
        return 0
    exceeded = exceeded_limit(run)
    if exceeded is not None:
        stop_run(run, exceeded)
    return len(claimed)


def continue_run(run: BillingRun, *, caller: Caller, progress: Callable[[int], object] = lambda accounts: None) -> None:
    """Bill the accounts of the run that still wait. `progress` gets the number of accounts of each batch.

    Returns when the run has ended, is paused or stopped. The accounts that another worker has claimed are waited for."""
    check_may_generate(caller)
    with working("run") as worker:
        while True:
            settled = work_on_run(run, worker=worker, caller=caller, size=ACCOUNTS_AT_ONCE)
            if settled:
                progress(settled)
                continue
            run.refresh_from_db()
            if run.state != RunState.RUNNING:
                return
            time.sleep(WAIT_SECONDS)


def continue_run_for(run: BillingRun, *, caller: Caller, seconds: float) -> None:
    """Bill accounts of the run that still wait, for about `seconds`: at least one small batch."""
    check_may_generate(caller)
    end = time.monotonic() + seconds
    with working("page") as worker:
        while work_on_run(run, worker=worker, caller=caller, size=ACCOUNTS_OF_A_PAGE) and time.monotonic() < end:
            pass
    _end_if_done(run)


def _end_if_done(run: BillingRun) -> None:
    """Finish a run that has no account left, or end one that is being cancelled once no worker bills for it."""
    with transaction.atomic():
        locked = _locked(run)
        if locked.state == RunState.RUNNING:
            _finish_if_done(locked)
        elif locked.state == RunState.CANCELLING and not is_at_work(run):
            _end_cancelled(locked, WORKER)


def _finish_if_done(run: BillingRun) -> None:
    if not run.outcomes.filter(result=RunResult.WAITING).exists():
        _move(run, RunState.FINISHED, caller=WORKER, finished_at=timezone.now())


def stop_run(run: BillingRun, exceeded: Exceeded) -> None:
    """Stop a running run. One that has ended or was cancelled meanwhile stays as it is."""
    with transaction.atomic():
        if _locked(run).state == RunState.RUNNING:
            reason, detail = exceeded.reason[:300], stored_detail(exceeded.reason)
            _move(run, RunState.STOPPED, caller=WORKER, stop_reason=reason, stop_detail=detail, stopped_by=exceeded.limit)


WORKER = Caller(process="run")
"""Who is on record for stopping and ending a run."""


def _wrong_state(run: BillingRun) -> BillingError:
    return BillingError(
        ErrorCode.RUN_STATE,
        Detail("run {run} is {state}", run=run.pk, state=word(in_english(RunState(run.state).label).lower())),
        field="state",
    )


def _said(run: BillingRun, to: TextChoices) -> dict[str, Any]:
    """Return what the event of an ended run says: whether it was a dry run, and the number of accounts of each result."""
    if to not in ENDED_RUNS:
        return {}
    counts = run.outcomes.order_by("result").values_list("result").annotate(Count("pk"))
    return {"is_dry_run": run.is_dry_run, "outcomes": dict(counts)}


RUN_STATES = Machine(
    BillingRun, RunState, RUN_TRANSITIONS, "run", _wrong_state, (RunState.RUNNING, RunState.CANCELLING), WORK, _said
)
_move, _locked = RUN_STATES.move, RUN_STATES.locked


def check_not_running(run: BillingRun) -> None:
    """Refuse (90111) a run whose accounts are being billed, or that is being cancelled."""
    if run.state in (RunState.RUNNING, RunState.CANCELLING):
        raise _wrong_state(run)


def has_ended(run: BillingRun) -> bool:
    """Whether a run is finished or cancelled."""
    return run.state in ENDED_RUNS
