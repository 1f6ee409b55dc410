"""The part of the bench that is about growth: what the pages and reads of every day take at a million invoices, against few.

The documents are narrow: copies of billed ones on earlier days, with their entries in the ledger and without lines, nearly all
of them paid. What is open, and what is shown, is the same at both sizes. On PostgreSQL, in this process; the figures are CPU
time of this process and time of the clock, medians of ROUNDS. BENCH_INVOICES says how many there are in the end (1,000,000).

At the end, the audit of documents with all their rows, against generating them.
"""

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from django.test import Client as Browser  # noqa: E402

from accounts.models import Account, Client, PaymentMethod  # noqa: E402
from invoices.audit import run_audits  # noqa: E402
from invoices.models import Invoice, LedgerEntry  # noqa: E402
from invoices.services.collecting.collecting import collectable_invoices  # noqa: E402
from invoices.services.money.daily_sums import sum_up_ledger  # noqa: E402
from tests.bench import analyze, generate, make_world, scratch_database  # noqa: E402
from tests.bench_http import copy_rows  # noqa: E402
from tests.bench_queue import signed_in  # noqa: E402
from tests.support.bare_rows import timed  # noqa: E402

BILLED, OPEN, ROUNDS, BATCH = 2_500, 500, 7, 500
FEW, MANY = 10_000, int(os.environ.get("BENCH_INVOICES", "1000000"))
AIM = 2.0


class Taken(NamedTuple):
    """Seconds of the processor in this process, and of the clock."""

    cpu: float
    wall: float


def measure_growth() -> None:
    client = make_world(BILLED)
    numbers = list(Account.objects.order_by("pk").values_list("pk", flat=True))
    generating = timed(lambda: [generate(client, numbers[at : at + BATCH]) for at in range(0, BILLED, BATCH)])
    analyze()
    auditing = timed(audit)
    pay_all_but(OPEN)
    PaymentMethod.objects.bulk_create([PaymentMethod(account_id=number, type="credit_card", token="t") for number in numbers])
    browser = signed_in()
    few, many = (grown(client, browser, size) for size in (FEW, MANY))
    print(f"{connection.vendor}: {FEW:,} invoices and {MANY:,}, {OPEN} of them open, medians of {ROUNDS} rounds")
    print(f"  {'':<34}{'CPU ms':>16}{'clock ms':>20}   ratio of the clock (aim: {AIM:.0f} at most)")
    for name, taken in few.items():
        cpu, wall = (" then ".join(f"{one:,.1f}" for one in pair) for pair in zip(*_in_ms(taken, many[name]), strict=True))
        print(f"  {name:<34}{cpu:>16}{wall:>20}   {many[name].wall / taken.wall:.2f}")
    print(f"  audit of {BILLED:,} new invoices / generating them: {auditing / generating:.2f} (aim: 0.30)")


def _in_ms(*taken: Taken) -> list[tuple[float, float]]:
    return [(one.cpu * 1000, one.wall * 1000) for one in taken]


def audit() -> None:
    assert not [finding for report in run_audits() for finding in report.findings]


def grown(client: Client, browser: Browser, size: int) -> dict[str, Taken]:
    """Copy documents until there are `size` of them, and measure what is used every day."""
    grow(size)
    sum_up_ledger(datetime.now(UTC) + timedelta(days=1))
    analyze()
    works: dict[str, Callable[[], Any]] = {
        "dashboard": lambda: page(browser, "/"),
        "list of invoices": lambda: page(browser, "/invoices/"),
        "those that are overdue": lambda: page(browser, "/invoices/?overdue=true"),
        "receivables": lambda: page(browser, "/api/v1/receivables/"),
        "receivables in total": lambda: page(browser, "/api/v1/receivables/totals/"),
        "an account": lambda: page(browser, f"/accounts/{Account.objects.earliest('pk').pk}/"),
        "finding what is to be collected": lambda: list(
            collectable_invoices(Invoice.objects.filter(client=client)).order_by("due_date", "pk").values_list("pk")[:BATCH]
        ),
    }
    return {name: median(work) for name, work in works.items()}


def page(browser: Browser, address: str) -> None:
    answer = browser.get(address)
    assert answer.status_code == 200, (address, answer.status_code)


def median(work: Callable[[], Any]) -> Taken:
    work()  # warm
    rounds = []
    for _ in range(ROUNDS):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        rounds.append(Taken(time.process_time() - cpu, time.perf_counter() - wall))
    return Taken(*(statistics.median(values) for values in zip(*rounds, strict=True)))


def pay_all_but(count: int) -> None:
    """Leave `count` invoices open. Nothing that is measured after this reads what paid the others."""
    opened = Invoice.objects.order_by("pk").values_list("pk", flat=True)[:count]
    Invoice.objects.exclude(pk__in=list(opened)).update(open_amount=0)


def grow(size: int) -> None:
    """Copy the billed invoices to earlier days, paid, each with its entry in the ledger."""
    billed = list(Invoice.objects.filter(number__lt=STEP).order_by("pk").values_list("pk", flat=True))
    first = Invoice.objects.count() // len(billed)
    last = size // len(billed) - 1
    moved = {column: f"old.{column} - day" for column in ("bill_date", "due_date", "invoice_date")}
    copy_rows(
        Invoice,
        f"FROM {Invoice._meta.db_table} old, generate_series({first}, {last}) day WHERE old.id = ANY(%s) ORDER BY day, old.id",
        {
            **moved,
            "open_amount": "0",
            "number": f"old.number + day * {STEP}::bigint",
            "document_number": "'G-' || day || '-' || old.number",
        },
        billed,
    )
    copy_rows(
        LedgerEntry,
        f"FROM {LedgerEntry._meta.db_table} old JOIN {Invoice._meta.db_table} new USING (account_id)"
        f" WHERE old.invoice_id = ANY(%s) AND old.kind = 'invoice' AND new.number > {first * STEP}",
        {
            "invoice_id": "new.id",
            "entry_no": f"old.entry_no + new.number / {STEP} + 10",
            "entry_date": "new.invoice_date",
        },
        billed,
    )


STEP = 1_000_000
"""Numbers of copies are further apart than this."""


if __name__ == "__main__":
    with scratch_database():
        measure_growth()
