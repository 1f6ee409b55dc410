"""`python -m tests.killing KILLS [random]`: collecting is killed at each of its points, and goes on where it was.

A warm parent forks a victim that collects (or approves, or refunds) and dies by SIGKILL at a point, or at a random moment.
Then `manage.py collect --resume` is run, and our books are compared with those that the sandbox keeps in its own file: no debt
charged twice, none lost. The points are wrapped in the victim only: the product knows nothing of them. Works on a database of
its own, made on the server of DATABASE_URL (or in a file), which is dropped afterwards.
"""

import contextlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

FOLDER = tempfile.TemporaryDirectory()
os.environ["SANDBOX_GATEWAY_FILE"] = str(Path(FOLDER.name) / "sandbox.sqlite3")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402

from accounts.callers import Caller  # noqa: E402
from accounts.models import PaymentMethod  # noqa: E402
from invoices.audit import run_audits  # noqa: E402
from invoices.gateways import sandbox  # noqa: E402
from invoices.kinds import AttemptStatus, InvoiceStatus, ReasonType, RefundStatus  # noqa: E402
from invoices.models import CollectionAttempt, Invoice, Payment, ReasonCode, Refund  # noqa: E402
from invoices.plan.facts import BillingRequest  # noqa: E402
from invoices.services.approving.acts import approve_invoices  # noqa: E402
from invoices.services.billing.generating import generate_invoice  # noqa: E402
from invoices.services.collecting import collecting  # noqa: E402
from invoices.services.collecting.collecting import collect_invoices  # noqa: E402
from invoices.services.money.ledger import refunds  # noqa: E402
from invoices.services.money.ledger.acts import Why  # noqa: E402
from invoices.services.money.ledger.open_items import charges_of  # noqa: E402
from tests.support.billing import JAN_10  # noqa: E402
from tests.support.factories import ClientFactory, a_plan, an_account  # noqa: E402

CALLER = Caller(process="test")
INVOICES = 3


def die(*args: Any, **options: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(module: Any, name: str, nth: int = 1) -> Callable[[], None]:
    """Dies when a function is called for the nth time, before it does anything."""
    return lambda: _wrap(module, name, nth, after=False)


def after(module: Any, name: str, nth: int = 1) -> Callable[[], None]:
    """Dies when a function has done its work for the nth time: where that is within a transaction, before the commit."""
    return lambda: _wrap(module, name, nth, after=True)


def _wrap(module: Any, name: str, nth: int, *, after: bool) -> None:
    real, calls = getattr(module, name), Counter[str]()

    def wrapped(*args: Any, **options: Any) -> Any:
        calls[name] += 1
        if calls[name] == nth and not after:
            die()
        result = real(*args, **options)
        if calls[name] == nth:
            die()
        return result

    setattr(module, name, wrapped)


COLLECT_POINTS = {
    "nothing is begun": before(collecting, "start"),
    "begun, not committed": after(collecting, "start"),
    "begun, the gateway not asked": before(collecting, "ask_to_charge"),
    "the gateway is asked": before(sandbox, "_enter_charge"),
    "the gateway has booked, not committed": after(sandbox, "_enter_charge"),
    "the gateway has charged, the answer is lost": after(sandbox.SandboxGateway, "charge"),
    "one of several is charged": before(collecting, "ask_to_charge", 2),
    "the last is charged": after(collecting, "ask_to_charge", INVOICES),
    "answered, nothing recorded": before(collecting, "record"),
    "recorded, not committed": after(collecting, "record"),
    "recorded": after(collecting, "_settle_some"),
}
APPROVE_POINTS = {"approved with a request": before(collecting, "settle"), **COLLECT_POINTS}
REFUND_POINTS = {
    "a refund, not committed": after(refunds, "enter_refund"),
    "a refund that was not asked": before(refunds, "settle_refund"),
    "a refund that the gateway has made": after(sandbox.SandboxGateway, "refund"),
    "a refund that was answered": before(refunds, "record_refund"),
    "a refund that is recorded": after(refunds, "record_refund"),
}
POINTS = [
    *(("collect", name, point) for name, point in COLLECT_POINTS.items()),
    *(("approve", name, point) for name, point in APPROVE_POINTS.items()),
    *(("refund", name, point) for name, point in REFUND_POINTS.items()),
]


class World:
    def __init__(self) -> None:
        self.client = ClientFactory()
        self.plan = a_plan(self.client)

    def bill(self, *, pending: bool) -> list[int]:
        """Generate new invoices of paying accounts, in one batch."""
        numbers = []
        for _ in range(INVOICES):
            account = an_account(self.client, self.plan)
            PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
            request = BillingRequest(JAN_10, force_pending=pending)
            number = generate_invoice(client=self.client, account_no=account.pk, request=request, caller=CALLER)
            assert number is not None
            numbers.append(number)
        return numbers

    def by(self) -> dict[str, Any]:
        return {"client": self.client, "caller": CALLER, "today": JAN_10}

    def prepare(self, act: str) -> tuple[list[int], Callable[[], object]]:
        """The invoices, and what the victim does with them."""
        numbers = self.bill(pending=act == "approve")
        if act == "approve":
            return numbers, lambda: approve_invoices(invoice_nos=numbers, collect=True, **self.by())
        if act == "refund":
            collect_invoices(invoice_nos=numbers, **self.by())
            payment = Payment.objects.filter(attempt__invoice=numbers[0]).get()
            return numbers, lambda: refunds.refund_payment(
                transaction_id=payment.pk, amount=Decimal(10), why=Why(1), **self.by()
            )
        return numbers, lambda: collect_invoices(invoice_nos=numbers, **self.by())

    def check(self, act: str, numbers: list[int]) -> None:
        """Resume and compare the records. Then collect what was never requested, once."""
        call_command("collect", self.client.pk, "--resume", stdout=StringIO(), stderr=StringIO())
        compare_books()
        if act == "refund":
            return
        approve_invoices(
            invoice_nos=list(Invoice.objects.filter(pk__in=numbers, status=InvoiceStatus.PENDING).values_list("pk", flat=True)),
            collect=True,
            **self.by(),
        )
        collect_invoices(invoice_nos=numbers, **self.by())
        compare_books()
        assert [charge.due for charge in charges_of(numbers).values()] == [0] * INVOICES
        made = CollectionAttempt.objects.filter(invoice__in=numbers, status=AttemptStatus.COLLECTED)
        assert sorted(made.values_list("invoice_id", flat=True)) == sorted(numbers)


def compare_books() -> None:
    """Key by key, to the cent: what the sandbox has charged and refunded is what we have."""
    with contextlib.closing(sqlite3.connect(settings.SANDBOX_GATEWAY_FILE)) as own:
        charged = {key: Decimal(amount) for key, amount in own.execute("SELECT key, amount FROM charges WHERE result = 'done'")}
        refunded = {key: Decimal(amount) for key, amount in own.execute("SELECT key, amount FROM refunds")}
    attempts = CollectionAttempt.objects.filter(status=AttemptStatus.COLLECTED)
    assert charged == {key: -amount for key, amount in attempts.values_list("idempotency_key", "payment__entry__amount")}
    done = Refund.objects.filter(status=RefundStatus.DONE)
    assert refunded == dict(done.values_list("idempotency_key", "entry__amount"))


def kill_at(point: Callable[[], None], act: Callable[[], object]) -> bool:
    """Forks the victim. Says whether it was killed: at some points it may be done before."""
    connections.close_all()
    victim = os.fork()
    if victim == 0:
        point()
        act()
        os._exit(0)
    _, status = os.waitpid(victim, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def kill_sometime(seconds: float, act: Callable[[], object]) -> bool:
    """Kills the victim from outside, wherever it is by then."""
    connections.close_all()
    victim = os.fork()
    if victim == 0:
        act()
        os._exit(0)
    time.sleep(seconds)
    os.kill(victim, signal.SIGKILL)
    _, status = os.waitpid(victim, 0)
    return os.WIFSIGNALED(status)


@contextlib.contextmanager
def database() -> Iterator[None]:
    """A database of its own; in a file where it is SQLite, so that a forked process sees it.

    Its tables are made from the models, in a fraction of the time of the migrations. Of the rows that migrations write, it has
    one common reason of each type.
    """
    is_sqlite = connection.vendor == "sqlite"
    name = str(Path(FOLDER.name) / "killed.sqlite3") if is_sqlite else f"killed_{os.getpid()}"
    connection.settings_dict["TEST"] = {**connection.settings_dict["TEST"], "NAME": name, "MIGRATE": False}
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    ReasonCode.objects.bulk_create(ReasonCode(type=type, code=1, name="As agreed") for type in ReasonType)
    try:
        yield
    finally:
        connections.close_all()
        connection.creation.destroy_test_db(name, verbosity=0)


def main(kills: int, at_random: bool) -> None:
    killed = turns = 0
    with database():
        world = World()
        world.prepare("refund")  # warm, and the sandbox has books
        while killed < kills:
            act, name, point = POINTS[turns % len(POINTS)]
            turns += 1
            numbers, work = world.prepare(act)
            if at_random and turns % 2:
                killed += kill_sometime(random.uniform(0, 0.12), work)
            else:
                assert kill_at(point, work), f"{act}: {name}: was not killed"
                killed += 1
            try:
                world.check(act, numbers)
            except AssertionError as error:
                raise AssertionError(f"{act}: {name}: {error}") from error
        found = [finding for report in run_audits() for finding in report.findings]
        assert found == [], found
        charged = CollectionAttempt.objects.filter(status=AttemptStatus.COLLECTED).count()
        print(f"{connection.vendor}: {killed} killed in {turns} turns, {charged} charges, both books agree, 0 findings")


if __name__ == "__main__":
    main(int(sys.argv[1]), "random" in sys.argv[2:])
