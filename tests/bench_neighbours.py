"""`python -m tests.bench_neighbours`: single API calls of two clients over HTTP, alone and while both clients' runs go on.

On PostgreSQL, with a server of two processes and one worker, as `make serve` starts it. Each client calls one after the other:
it generates invoices and reads them. The aim is that a call takes at most twice its time alone.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from accounts.models import Account, Client  # noqa: E402
from invoices.kinds import RunState  # noqa: E402
from invoices.models import BillingRun  # noqa: E402
from invoices.services.runs.filters import AccountFilter  # noqa: E402
from invoices.services.runs.runs import start_run  # noqa: E402
from tests.bench import CALLER, TODAY, analyze, make_world, scratch_database  # noqa: E402
from tests.bench_http import Call, Site, served  # noqa: E402

CLIENTS, CALLS, WARM = 2, 100, 10
ACCOUNTS_OF_RUN = 8_000


class Caller:
    """A client that calls for as many invoices as it has accounts left."""

    def __init__(self, port: int, client: Client) -> None:
        self.site, self.client = Site(port, client), client
        self.numbers = list(Account.objects.filter(client=client).order_by("pk").values_list("pk", flat=True))

    def take(self, count: int) -> list[int]:
        taken, self.numbers = self.numbers[:count], self.numbers[count:]
        return taken

    def calls(self, count: int) -> tuple[list[float], list[float]]:
        """The seconds of generating invoices, and those of reading each."""
        generated, read = [], []
        for number in self.take(count):
            seconds, answer = self.site.answer(self.site.method_call("gen_invoice", acct_no=number))
            generated.append(seconds)
            read.append(self.site.answer(Call(f"/api/v1/invoices/{answer['invoice_no']}/"))[0])
        return generated, read


def measure_neighbours() -> None:
    clients = [make_world(ACCOUNTS_OF_RUN + 2 * CALLS + WARM) for _ in range(CLIENTS)]
    with tempfile.TemporaryDirectory() as folder, served(folder) as port:
        callers = [Caller(port, client) for client in clients]
        for caller in callers:
            caller.calls(WARM)
        analyze()
        alone = _together(callers)
        runs = [_start(caller) for caller in callers]
        worker = _worker()
        try:
            while not any(run.parts.exists() for run in runs):
                time.sleep(0.2)
            beside = _together(callers)
            ran_on = [BillingRun.objects.get(pk=run.pk).state == RunState.RUNNING for run in runs]
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    load = os.getloadavg()[0]
    print(f"{connection.vendor}: calls of {CLIENTS} clients while both clients' runs go on, load of the machine {load:.1f}")
    assert all(ran_on), "a run was finished before the calls: give it more accounts"
    for name, one, other in zip(("gen_invoice", "one invoice"), alone, beside, strict=True):
        for part, at in (("p50", 49), ("p95", 94)):
            before, after = (statistics.quantiles(seconds, n=100)[at] for seconds in (one, other))
            print(f"  {name:<12} {part} {before * 1000:>7.0f} ms alone {after * 1000:>7.0f} ms, {after / before:.1f} times")


def _together(callers: Sequence[Caller]) -> tuple[list[float], list[float]]:
    with ThreadPoolExecutor(len(callers)) as pool:
        found = list(pool.map(lambda caller: caller.calls(CALLS), callers))
    return [one for generated, _ in found for one in generated], [one for _, read in found for one in read]


def _start(caller: Caller) -> BillingRun:
    chosen = AccountFilter(accounts=tuple(caller.take(ACCOUNTS_OF_RUN)))
    return start_run(client=caller.client, today=TODAY, caller=CALLER, chosen=chosen)


def _worker() -> "subprocess.Popen[bytes]":
    """A worker on this process's database."""
    code = (
        "import os, sys; from django.conf import settings; import django; "
        "settings.DATABASES['default']['NAME'] = os.environ['BENCH_DATABASE']; django.setup(); "
        "from django.core.management import call_command; call_command('work')"
    )
    env = {**os.environ, "BENCH_DATABASE": connection.settings_dict["NAME"]}
    return subprocess.Popen([sys.executable, "-c", code], env=env)


if __name__ == "__main__":
    with scratch_database():
        measure_neighbours()
