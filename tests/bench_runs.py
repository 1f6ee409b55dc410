"""The benchmark of billing runs, on PostgreSQL: what a worker adds to the bare loop, and how several processes scale.

The bare loop generates the invoices of as many accounts in the same batches, without a run. What a worker adds is also measured
within one run, as the share of its time that is not spent on generating: a busy machine disturbs that less than a comparison of
two runs. Single API calls beside the runs of two clients: bench_neighbours.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import django
from django.db import connection, connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from accounts.models import Account, Client  # noqa: E402
from invoices.kinds import RunResult, RunState  # noqa: E402
from invoices.models import BillingRun  # noqa: E402
from invoices.services.billing import recording  # noqa: E402
from invoices.services.runs import runs  # noqa: E402
from invoices.services.runs.figures import count_results  # noqa: E402
from invoices.services.runs.filters import AccountFilter  # noqa: E402
from invoices.services.runs.runs import ACCOUNTS_AT_ONCE, start_run  # noqa: E402
from invoices.services.runs.work import RUNS  # noqa: E402
from invoices.services.work import executor, registry  # noqa: E402
from tests.bench import CALLER, TODAY, analyze, generate, make_world, scratch_database  # noqa: E402
from tests.support.bare_rows import timed  # noqa: E402

ROUNDS = 3
OF_RUNS = ((runs, "claim_accounts"), (runs, "exceeded_limit"), (runs, "beat"), (recording, "_write_run_outcomes"))
"""What a worker does that the bare loop does not."""
BATCHES = 3
"""Batches of a measured run for each process."""
PROCESSES = (1, 2, 4)


def measure_runs() -> None:
    executor.IDLE_SECONDS = 0.02
    registry._KINDS = {RUNS.name: RUNS}  # PDFs and the sums of days wait until the runs are done
    per_round = 2 + sum(PROCESSES)
    client = make_world((ROUNDS * per_round * BATCHES + 1) * ACCOUNTS_AT_ONCE)
    numbers = iter(Account.objects.order_by("pk").values_list("pk", flat=True))
    take = _taker(numbers)
    generate(client, next(take))  # warm
    rounds = [_round(client, take) for _ in range(ROUNDS)]
    bare, alone, added, *many = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    overhead = statistics.median(one[0] / one[1] for one in rounds) - 1
    print(f"{connection.vendor}: billing runs, batches of {ACCOUNTS_AT_ONCE}, medians of {ROUNDS} rounds", flush=True)
    print(f"  load of the machine before {os.getloadavg()[0]:.1f}, cores {os.cpu_count()}")
    print(f"  bare loop         {bare:>9,.0f} invoices/s")
    print(f"  by a worker       {alone:>9,.0f} invoices/s, {overhead:+.0%} time")
    print(f"  added by the run  {added:>9.1%} of the time of generating (aim: 5 % at most)")
    for processes, rate, position in zip(PROCESSES[1:], many[1:], range(4, 9), strict=False):
        ratio = statistics.median(one[position] / one[3] for one in rounds)
        print(f"  {processes} processes       {rate:>9,.0f} invoices/s, {ratio:.2f} times one")


def _taker(numbers: Iterator[int]) -> Iterator[list[int]]:
    while True:
        yield [next(numbers) for _ in range(ACCOUNTS_AT_ONCE)]


def _round(client: Client, take: Iterator[list[int]]) -> list[float]:
    """Invoices per second of the bare loop, of a worker in this process, and of one, two and four processes."""
    batches = [next(take) for _ in range(BATCHES)]
    bare = timed(lambda: [generate(client, batch) for batch in batches])
    some = [number for _ in range(BATCHES) for number in next(take)]
    run = _started(client, some)
    with _watched() as spent:
        alone = timed(lambda: executor.work(once=True))
    _check(run, len(some))
    size = BATCHES * ACCOUNTS_AT_ONCE
    added = sum(spent) / (alone - sum(spent))
    return [size / bare, size / alone, added, *(_by_processes(client, take, count) for count in PROCESSES)]


@contextmanager
def _watched() -> Iterator[list[float]]:
    """Gives the seconds that each call of OF_RUNS takes."""
    spent: list[float] = []
    real = {(module, name): getattr(module, name) for module, name in OF_RUNS}

    def watch(function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent.append(time.perf_counter() - begin)

        return watched

    for (module, name), function in real.items():
        setattr(module, name, watch(function))
    try:
        yield spent
    finally:
        for (module, name), function in real.items():
            setattr(module, name, function)


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
