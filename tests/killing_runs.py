"""`python -m tests.killing_runs KILLS ACCOUNTS`: workers of billing runs are killed at random moments, and others go on.

Three workers bill a run of a client while a second run of the same client begins, and one of another client. Workers are
killed by SIGKILL and replaced. Nobody tells the others: the lease of the dead one ends. At the end each account has
one invoice of its cycle, the numbers have no hole, the totals of the runs are those of the invoices, and the audit finds
nothing. On a database of its own, as tests/killing.py.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from tests import killing  # sets Django up

from django.db import connections  # noqa: E402 isort: skip
from django.db.models import Count, Sum  # noqa: E402 isort: skip

from accounts.callers import Caller  # noqa: E402
from invoices.audit import run_audits  # noqa: E402
from invoices.kinds import RunResult, RunState  # noqa: E402
from invoices.models import BillingRun, Invoice, RunPart, Worker  # noqa: E402
from invoices.services.runs import work as run_work  # noqa: E402
from invoices.services.runs.figures import count_results, run_totals  # noqa: E402
from invoices.services.runs.filters import AccountFilter  # noqa: E402
from invoices.services.runs.runs import start_run  # noqa: E402
from invoices.services.work import executor, workers  # noqa: E402
from tests.support.billing import JAN_10  # noqa: E402
from tests.support.factories import ClientFactory, a_plan, an_account  # noqa: E402

CALLER = Caller(process="test")
WORKERS = 3


def hurry() -> None:
    """Small batches, and leases that end soon."""
    run_work.ACCOUNTS_AT_ONCE = 10
    workers.LEASE = timedelta(seconds=2)
    executor.BEAT_SECONDS = 0.3
    executor.IDLE_SECONDS = 0.1


def fork(work: Callable[[], object]) -> int:
    connections.close_all()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def main(kills: int, accounts: int) -> None:
    with killing.database(migrated=False):
        hurry()
        acme, umbra = ClientFactory(), ClientFactory()
        numbers = []
        for client in (acme, umbra):
            plan = a_plan(client)
            numbers += [an_account(client, plan).pk for _ in range(accounts)]
        start_run(client=acme, today=JAN_10, caller=CALLER, chosen=AccountFilter(accounts=tuple(numbers[: accounts // 2])))
        running = [fork(executor.work) for _ in range(WORKERS)]
        second = start_run(client=acme, today=JAN_10, caller=CALLER)
        start_run(client=umbra, today=JAN_10, caller=CALLER)
        killed = 0
        while killed < kills:
            time.sleep(random.uniform(0.05, 0.4))
            victim = running.pop(random.randrange(WORKERS))
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            killed += 1
            running.append(fork(executor.work))
        wait_until_finished()
        for child in running:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        check(numbers, second)
        seen = Worker.objects.count()
        print(f"{connections['default'].vendor}: {killed} killed, {len(numbers)} accounts, {seen} dead workers, 0 findings")


def wait_until_finished() -> None:
    end = time.monotonic() + 120
    while BillingRun.objects.exclude(state=RunState.FINISHED).exists():
        assert time.monotonic() < end, [(run.pk, run.state, count_results(run)) for run in BillingRun.objects.all()]
        time.sleep(0.2)


def check(numbers: list[int], second: BillingRun) -> None:
    invoices = Invoice.objects.order_by().values_list("account").annotate(Count("pk"))
    assert dict(invoices) == dict.fromkeys(numbers, 1)
    for client_no in Invoice.objects.order_by().values_list("client", flat=True).distinct():
        given = sorted(Invoice.objects.filter(client=client_no).values_list("number", flat=True))
        assert given == list(range(1, len(given) + 1)), given
    for run in BillingRun.objects.all():
        (total,) = run_totals(run)
        counts = count_results(run)
        assert set(counts) <= {RunResult.INVOICED, RunResult.IN_ANOTHER_RUN}, counts
        assert (total.invoices, total.total_amount) == (counts[RunResult.INVOICED], counts[RunResult.INVOICED] * Decimal(30))
        parts = RunPart.objects.filter(run=run).aggregate(Sum("invoices"), Sum("total_amount"))
        assert parts == {"invoices__sum": total.invoices, "total_amount__sum": total.total_amount}, parts
    left_out = second.outcomes.filter(result=RunResult.IN_ANOTHER_RUN)
    assert set(left_out.values_list("other_run", flat=True)) <= {second.pk - 1}
    found = [finding for report in run_audits() for finding in report.findings]
    assert found == [], found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
