"""The benchmark of billing runs, on PostgreSQL: what a worker adds to the bare loop, and how several processes scale.

The bare loop generates the invoices of as many accounts in the same batches, without a run. Batches of both are measured in
turn, because a busy machine changes from minute to minute. Single API calls beside the runs of two clients: bench_neighbours.
"""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial

import django
from django.db import connection, connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from accounts.models import Account, Client  # noqa: E402
from invoices.kinds import RunResult, RunState  # noqa: E402
from invoices.models import BillingRun  # noqa: E402
from invoices.services.runs.figures import count_results  # noqa: E402
from invoices.services.runs.filters import AccountFilter  # noqa: E402
from invoices.services.runs.runs import ACCOUNTS_AT_ONCE, start_run, work_on_run  # noqa: E402
from invoices.services.runs.work import RUNS  # noqa: E402
from invoices.services.work import executor, registry  # noqa: E402
from invoices.services.work.workers import working  # noqa: E402
from tests.bench import CALLER, TODAY, analyze, generate, make_world, scratch_database  # noqa: E402
from tests.support.bare_rows import timed  # noqa: E402

ROUNDS = 3
PAIRS = 12
"""Batches of the bare loop and of a run that are measured in turn."""
BATCHES = 3
"""Batches of a measured run for each process."""
PROCESSES = (1, 2, 4)


def measure_runs() -> None:
    executor.IDLE_SECONDS = 0.02
    registry._KINDS = {RUNS.name: RUNS}  # PDFs and the sums of days wait until the runs are done
    client = make_world((ROUNDS * sum(PROCESSES) * BATCHES + 2 * PAIRS + 1) * ACCOUNTS_AT_ONCE)
    take = _taker(iter(Account.objects.order_by("pk").values_list("pk", flat=True)))
    generate(client, next(take))  # warm
    print(f"{connection.vendor}: billing runs, batches of {ACCOUNTS_AT_ONCE}", flush=True)
    measure_overhead(client, take)
    rounds = [[_by_processes(client, take, count) for count in PROCESSES] for _ in range(ROUNDS)]
    print(f"  worker processes, medians of {ROUNDS} rounds (aim: 1.7 times with two, four no slower than two)")
    for place, processes in enumerate(PROCESSES):
        rate = statistics.median(rates[place] for rates in rounds)
        ratio = statistics.median(rates[place] / rates[0] for rates in rounds)
        print(f"  {processes} processes       {rate:>9,.0f} invoices/s, {ratio:.2f} times one")
    print(f"  load of the machine {os.getloadavg()[0]:.1f}, cores {os.cpu_count()}")


def measure_overhead(client: Client, take: Iterator[list[int]]) -> None:
    """What a batch of a run costs beside one of the bare loop."""
    run = _started(client, [number for _ in range(PAIRS) for number in next(take)])
    pairs = []
    with working("bench") as worker:
        for batch in [next(take) for _ in range(PAIRS)]:
            of_loop = timed(lambda batch=batch: generate(client, batch))
            of_run = timed(partial(work_on_run, run, worker=worker, caller=CALLER, size=ACCOUNTS_AT_ONCE))
            pairs.append((of_loop, of_run))
    bare, ours = (ACCOUNTS_AT_ONCE / statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    added = statistics.median(by_run / by_loop for by_loop, by_run in pairs) - 1
    print(f"  bare loop         {bare:>9,.0f} invoices/s")
    print(
        f"  a run             {ours:>9,.0f} invoices/s, {added:+.1%} time, median of {PAIRS} pairs (aim: +5 % at most)",
        flush=True,
    )


def _taker(numbers: Iterator[int]) -> Iterator[list[int]]:
    while True:
        yield [next(numbers) for _ in range(ACCOUNTS_AT_ONCE)]


def _started(client: Client, numbers: Sequence[int]) -> BillingRun:
    run = start_run(client=client, today=TODAY, caller=CALLER, chosen=AccountFilter(accounts=tuple(numbers)))
    analyze()
    return run


def _by_processes(client: Client, take: Iterator[list[int]], processes: int) -> float:
    """Invoices per second of worker processes that are started before, from the first batch to the end of the run."""
    some = [number for _ in range(BATCHES * processes) for number in next(take)]
    ready = [_forked_worker() for _ in range(processes)]
    time.sleep(1)
    begin = time.perf_counter()
    run = start_run(client=client, today=TODAY, caller=CALLER, chosen=AccountFilter(accounts=tuple(some)))
    while BillingRun.objects.get(pk=run.pk).state != RunState.FINISHED:
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    for child in ready:
        os.kill(child, 9)
        os.waitpid(child, 0)
    _check(run, len(some))
    return len(some) / seconds


def _forked_worker() -> int:
    connections.close_all()
    child = os.fork()
    if child == 0:
        executor.work()
        os._exit(0)
    return child


def _check(run: BillingRun, expected: int) -> None:
    counted = count_results(run)
    assert counted == {RunResult.INVOICED: expected}, counted


if __name__ == "__main__":
    with scratch_database():
        measure_runs()
