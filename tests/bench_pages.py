"""The part of the bench that is about pages of the back office, on PostgreSQL: lists in each of their orders, the search, the
approval queue and the dashboard, with 1,000,000 invoices and 100,000 pending ones. Each is to take under 300 ms in the server.

The documents are narrow copies, as in `bench_growth`; each pending one has an account, a contact and a comparison of its own.
BENCH_INVOICES and BENCH_PENDING say how many there are.
"""

import os
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from django.test import Client as Browser  # noqa: E402
from django.urls import resolve  # noqa: E402

from accounts.models import Account, Client, Contact  # noqa: E402
from invoices.models import Comparison, Invoice  # noqa: E402
from invoices.plan.facts import BillingRequest  # noqa: E402
from invoices.services.billing.generating import generate_invoices  # noqa: E402
from invoices.services.money.daily_sums import sum_up_ledger  # noqa: E402
from tests.bench import CALLER, TODAY, analyze, generate, make_world, scratch_database  # noqa: E402
from tests.bench_growth import grow  # noqa: E402
from tests.bench_queue import copied, let_wait, signed_in  # noqa: E402
from tests.support.bare_rows import timed  # noqa: E402

MANY = int(os.environ.get("BENCH_INVOICES", "1000000"))
PENDING = int(os.environ.get("BENCH_PENDING", "100000"))
BILLED, OPEN, BATCH, ROUNDS, AIM = 2_500, 500, 500, 5, 300.0

SEARCHES = ("INV-0000", "A17", "Customer", "cust", "10.71", "PO 4711", "W5000", "nothing like it")
FILTERS = (
    "/invoices/?state=overdue",
    "/invoices/?state=open&ordering=-amount_due",
    "/invoices/?open=true",
    "/invoices/?kind=rebill",
    "/invoices/?kind=credit_memo",
    "/invoices/?currency=usd&ordering=-bill_date",
    "/invoices/?search=W5000",
    "/invoices/?search=W",
    "/invoices/?search=u",
    "/invoices/?search=INV-00001",
    "/invoices/?total_amount_min=100000",
    "/accounts/?search=W5000",
    "/accounts/?owes=yes",
    "/accounts/?due=yes",
    "/accounts/?waits=yes",
    "/invoices/pending/?tab=flagged",
    "/invoices/pending/?tab=clean",
    "/invoices/pending/?tab=mine",
    "/invoices/pending/?ordering=-total",
    "/invoices/pending/?search=W5000",
)


def build() -> Client:
    """The first document is the pending one that the others are copies of."""
    client = make_world(BILLED)
    first, *numbers = Account.objects.order_by("pk").values_list("pk", flat=True)
    request = BillingRequest(TODAY, force_pending=True)
    generate_invoices(client=client, account_nos=[first], request=request, caller=CALLER)
    let_wait(PENDING - 1)
    let_compare()
    for at in range(0, len(numbers), BATCH):
        generate(client, numbers[at : at + BATCH])
    issued = Invoice.objects.filter(number__isnull=False).order_by("pk").values_list("pk", flat=True)
    Invoice.objects.filter(number__isnull=False).exclude(pk__in=list(issued[:OPEN])).update(open_amount=0)
    grow(MANY - PENDING)
    sum_up_ledger(datetime.now(UTC) + timedelta(days=1))
    analyze()
    return client


def let_compare() -> None:
    """Give each copy of the first document a comparison, and its account a contact, unless they have one."""
    first = Invoice.objects.earliest("pk")
    with connection.cursor() as cursor:
        source = "FROM {0} old, {1} new WHERE old.invoice_id = %s AND new.id > %s AND NOT EXISTS"
        source += " (SELECT 1 FROM {0} mine WHERE mine.invoice_id = new.id)"
        changed = {"invoice_id": "new.id", "change_amount": "new.id %% 7", "change_percent": "new.id %% 40", "new_lines": "0"}
        statement = copied(Comparison, changed, source, keeps_key=True)
        tables = (Comparison._meta.db_table, Invoice._meta.db_table)
        cursor.execute(statement.format(*tables), [first.pk, first.pk])
        source = "FROM {0} old, {1} new WHERE old.account_id = %s AND new.client_acct_id LIKE 'W%%'"
        statement = copied(Contact, {"account_id": "new.id", "name": "'Customer ' || new.client_acct_id"}, source)
        cursor.execute(statement.format(Contact._meta.db_table, Account._meta.db_table), [first.account_id])


def addresses() -> list[str]:
    """Each list in each of its orders, then what is filtered and searched."""
    found = ["/", "/invoices/pending/"]
    for address in ("/invoices/", "/accounts/", "/rebills/", "/billing-runs/", "/rebills/campaigns/"):
        page = resolve(address).func.view_class
        orders = [column.name for column in page.columns if column.order]
        found += [address, *(f"{address}?ordering={sign}{name}" for name in orders for sign in ("", "-"))]
    return [*found, *FILTERS, *(f"/search/?q={text}" for text in SEARCHES), "/reports/", "/reports/receivables/"]


class Taken(NamedTuple):
    """Milliseconds of the clock, and of the processor in this process and in the database's. Other work on the machine
    lengthens only the clock."""

    clock: float
    cpu: float


def milliseconds(browser: Browser, address: str) -> Taken:
    answer = browser.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    rounds = []
    for _ in range(ROUNDS):
        cpu = cpu_seconds()
        clock = timed(lambda: browser.get(address))
        rounds.append(Taken(clock * 1000, (cpu_seconds() - cpu) * 1000))
    return Taken(*(statistics.median(values) for values in zip(*rounds, strict=True)))


def cpu_seconds() -> float:
    """The processor's time of this process, and of its process of PostgreSQL if that is on this machine."""
    pid = connection.connection.info.backend_pid
    stat = Path(f"/proc/{pid}/stat")
    ticks = stat.read_text().rpartition(")")[2].split()[11:13] if stat.exists() else ("0", "0")
    return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def last_page_of(browser: Browser, address: str) -> str:
    """The address of a page far behind the first: the cursor of its tenth page."""
    for _ in range(10):
        pages = browser.get(address).context["pages"]
        if pages.next is None:
            break
        address = f"{address.partition('?')[0]}?cursor={pages.next}"
    return address


def measure_pages() -> None:
    build()
    browser = signed_in()
    print(f"{connection.vendor}: {Invoice.objects.count():,} invoices, {PENDING:,} pending, medians of {ROUNDS} rounds")
    slow = []
    for address in [*addresses(), last_page_of(browser, "/invoices/")]:
        taken = milliseconds(browser, address)
        print(f"  {address[:70]:<72}{taken.clock:>9,.0f} ms{taken.cpu:>9,.0f} ms of the processor")
        if taken.clock > AIM:
            slow.append(address)
    print(f"  over {AIM:.0f} ms: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    with scratch_database():
        measure_pages()
