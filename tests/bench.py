"""Speed as a ratio to a floor that is measured in the same run, on the database of DATABASE_URL. Run it with `make bench`.

Of generating and rebilling, the floor is the same rows written with no logic at all (bare_rows). Of rating usage, it is a bare
GROUP BY over the same records. Of collecting: see bench_money. Always on PostgreSQL: calls over HTTP (bench_http), the approval
queue (bench_queue), campaigns (bench_campaigns), growth (bench_growth), billing runs by workers (bench_runs), and calls beside
runs (bench_neighbours).
"""

import os
import statistics
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal

import django
from django.db import connection
from django.db.models import QuerySet

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from accounts.callers import Caller  # noqa: E402
from accounts.kinds import ChargeType  # noqa: E402
from accounts.models import Account, Client, Contact, Event, Plan, PlanCharge, PlanInstance, Service  # noqa: E402
from accounts.periods import ONE_DAY, arrears_due  # noqa: E402
from accounts.rates import RateTerms, TierTerms  # noqa: E402
from accounts.services.prices import add_price  # noqa: E402
from billing_site.common.currencies import currency_of  # noqa: E402
from billing_site.common.storage import insert_rows  # noqa: E402
from invoices.models import (  # noqa: E402
    BilledPeriod,
    DocumentFile,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    NumberSeries,
    TaxDetail,
    TaxRate,
    Usage,
)
from invoices.plan.charges import add_usage  # noqa: E402
from invoices.plan.drafts import Lines  # noqa: E402
from invoices.plan.facts import BillingRequest  # noqa: E402
from invoices.services.billing.generating import generate_invoices  # noqa: E402
from invoices.services.documents.outcomes import Planned, Settled  # noqa: E402
from invoices.services.planning.facts import read_facts  # noqa: E402
from invoices.services.planning.instance_facts import UsageReading, read_instances  # noqa: E402
from invoices.services.planning.previewing import preview_invoices  # noqa: E402
from tests.__main__ import postgresql, started  # noqa: E402
from tests.bench_money import measure_money  # noqa: E402
from tests.bench_rebills import measure_rebills  # noqa: E402
from tests.support.bare_rows import queries, taken_out, timed  # noqa: E402

START = date(2026, 1, 1)
TODAY = date(2026, 1, 15)
NEXT = date(2026, 2, 1)
LINES = 5
BATCH = 500
BATCHES = 8
SINGLES = 200
RECORDS = 500_000
METERED = 1_000
CALLER = Caller(process="bench")
WRITTEN = (InvoiceLine, TaxDetail, BilledPeriod, LedgerEntry, DocumentFile)


def make_world(accounts: int) -> Client:
    """A client whose accounts each take five plans of one charge, taxed at one rate."""
    client = Client.objects.create(name="Bench", country="US", region="CA")
    TaxRate.objects.create(
        client=client, name="Sales tax", country="US", region="CA", percent=Decimal("7.25"), valid_from=START
    )
    NumberSeries.objects.create(client=client, kind="invoice", prefix="INV-")
    plans = []
    for number in range(LINES):
        service = Service.objects.create(
            client=client, client_service_id=f"s{number}", name=f"Service {number}", gl_code="4000"
        )
        plan = Plan.objects.create(client=client, client_plan_id=f"p{number}", name=f"Plan {number}")
        add_price(PlanCharge.objects.create(plan=plan, service=service), RateTerms("usd", Decimal("9.99")), caller=CALLER)
        plans.append(plan)
    rows = Account.objects.bulk_create(
        [
            Account(client=client, client_acct_id=f"A{n}", currency="usd", bill_day=1, next_bill_date=START)
            for n in range(accounts)
        ],
        batch_size=2000,
    )
    Contact.objects.bulk_create(
        [Contact(account=row, contact_no=1, name="Customer", city="Fresno", region="CA", country="US") for row in rows],
        batch_size=2000,
    )
    PlanInstance.objects.bulk_create(
        [PlanInstance(account=row, plan=plan, start_date=START) for row in rows for plan in plans], batch_size=2000
    )
    analyze()
    return client


def analyze() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def generate(client: Client, account_nos: Sequence[int], day: date = TODAY) -> None:
    outcomes = generate_invoices(client=client, account_nos=account_nos, request=BillingRequest(day), caller=CALLER)
    assert all(isinstance(outcome, Settled) for outcome in outcomes), outcomes[0]


def floor_of(account_nos: Sequence[int]) -> float:
    """Takes out all that a batch has written, and writes the same rows again with no logic."""
    invoices = list(Invoice.objects.filter(account__in=account_nos).values_list("pk", flat=True))
    return timed(taken_out(written_for(invoices), (*WRITTEN, Event)))


def written_for(invoices: Sequence[int]) -> list[QuerySet]:
    return [
        Invoice.objects.filter(pk__in=invoices),
        *(model._default_manager.filter(invoice__in=invoices) for model in WRITTEN),
        Event.objects.filter(invoice_no__in=invoices),
    ]


def make_usage(client: Client) -> list[int]:
    """Accounts whose plan charges for calls in three bands, each with the same number of calls in the cycle of January."""
    service = Service.objects.create(client=client, client_service_id="calls", name="Calls", gl_code="4200")
    plan = Plan.objects.create(client=client, client_plan_id="calls", name="Calls")
    charge = PlanCharge.objects.create(plan=plan, service=service, line_type=ChargeType.USAGE)
    tiers = tuple(TierTerms(Decimal(start), Decimal(rate)) for start, rate in ((0, "0.10"), (100, "0.05"), (1000, "0.01")))
    add_price(charge, RateTerms("usd", model="tiered", tiers=tiers), caller=CALLER)
    dates = {"bill_day": 1, "next_bill_date": NEXT, "last_bill_date": START, "arrears_due_from": START}
    accounts = Account.objects.bulk_create(
        [Account(client=client, client_acct_id=f"U{n}", currency="usd", **dates) for n in range(METERED)], batch_size=2000
    )
    instances = PlanInstance.objects.bulk_create(
        [PlanInstance(account=row, plan=plan, start_date=START, billed_through=NEXT - ONE_DAY) for row in accounts],
        batch_size=2000,
    )
    fields = ("client_id", "record_id", "account_id", "plan_instance_id", "service_id", "units", "used_at", "used_on")
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    insert_rows(
        Usage,
        (*fields, "description", "loaded_at"),
        (
            (
                client.pk,
                f"{instance.pk}-{n}",
                instance.account_id,
                instance.pk,
                service.pk,
                Decimal(n % 7 + 1) / 4,
                at,
                at.date(),
            )
            + ("", noon)
            for n in range(RECORDS // METERED)
            for at in [noon + n % 31 * ONE_DAY]
            for instance in instances
        ),
    )
    analyze()
    return [account.pk for account in accounts]


def measure_usage(client: Client) -> None:
    """Rated: from stored records to usage lines. Previewed: the whole invoices that they are on. Billed: these recorded too."""
    numbers = make_usage(client)
    bare = f"SELECT plan_instance_id, sum(units) FROM {Usage._meta.db_table} WHERE invoice_id IS NULL GROUP BY plan_instance_id"
    states = {number: facts.state for number, facts in read_facts(client, numbers).accounts.items()}

    def group() -> None:
        with connection.cursor() as cursor:
            cursor.execute(bare)
            cursor.fetchall()

    def rate() -> None:
        for instances in read_instances(states, (), UsageReading()).values():
            lines = Lines(currency_of("usd"))
            for instance in instances:
                due = list(arrears_due(instance.dates, NEXT, 1, START))
                add_usage(lines, instance, due, 1, lambda _: NEXT - ONE_DAY)
            assert lines.drafts

    def preview() -> None:
        planned = preview_invoices(client=client, account_nos=numbers, request=BillingRequest(NEXT))
        assert all(isinstance(one, Planned) and one.plan.lines for one in planned), planned[0]

    preview()  # warm
    rounds = [(timed(rate), timed(preview), timed(group)) for _ in range(7)]
    tracemalloc.start()
    preview()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    billed = timed(lambda: [generate(client, numbers[at : at + BATCH], NEXT) for at in range(0, METERED, BATCH)])
    rated, previewed, floor = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"{connection.vendor}: {RECORDS:,} usage records of {METERED:,} accounts, medians of {len(rounds)} rounds")
    print(f"  rated             {RECORDS / rated:>9,.0f} records/s, ratio to floor {floor / rated:.2f} (aim: 0.33)")
    print(f"  previewed         {RECORDS / previewed:>9,.0f} records/s, ratio to floor {floor / previewed:.2f}")
    print(f"  floor, GROUP BY   {RECORDS / floor:>9,.0f} records/s")
    print(f"  billed and held   {RECORDS / billed:>9,.0f} records/s")
    print(f"  memory at most    {most / 2**20:>9,.1f} MiB")


@contextmanager
def scratch_database() -> Iterator[None]:
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def main() -> None:
    with scratch_database():
        client = make_world(BATCH * (BATCHES + 1) + SINGLES + 210 + 1)
        measure(client)
        issued = Invoice.objects.order_by("pk").values_list("pk", flat=True)
        measure_money(client, issued[: 3 * 1_000 + 101])
        measure_rebills(client, issued[3 * 1_000 + 101 : 3 * 1_000 + 101 + 902])
        measure_usage(client)
    url = os.environ.get("DATABASE_URL") if connection.vendor == "postgresql" else None
    with nullcontext(url) if url else postgresql() as served:
        for part in (
            "tests.bench_http",
            "tests.bench_queue",
            "tests.bench_campaigns",
            "tests.bench_growth",
            "tests.bench_pages",
            "tests.bench_runs",
            "tests.bench_neighbours",
            "tests.bench_files",
        ):
            with started(served, ["-m", part]) as run:
                run.wait()


def measure(client: Client) -> None:
    numbers = list(Account.objects.order_by("pk").values_list("pk", flat=True))
    take = iter(range(0, len(numbers)))

    def some(count: int) -> list[int]:
        return [numbers[next(take)] for _ in range(count)]

    generate(client, some(BATCH))  # warm
    ours, floor = [], []
    for _ in range(BATCHES):
        batch = some(BATCH)
        ours.append(BATCH / timed(lambda batch=batch: generate(client, batch)))
        floor.append(BATCH / floor_of(batch))
    singles = some(SINGLES)
    one_by_one = SINGLES / timed(lambda: [generate(client, [number]) for number in singles])
    counted = {size: queries(lambda size=size: generate(client, some(size))) for size in (1, 10, 200)}
    ratio = statistics.median(mine / bare for mine, bare in zip(ours, floor, strict=True))
    print(f"{connection.vendor}: {LINES} lines and one tax an invoice, medians of {BATCHES} batches")
    print(f"  batches of {BATCH}    {statistics.median(ours):>9,.0f} invoices/s")
    print(f"  floor, bare rows  {statistics.median(floor):>9,.0f} invoices/s")
    print(f"  ratio to floor    {ratio:>9.2f}  (aim: 0.33)")
    print(f"  one by one        {one_by_one:>9,.0f} invoices/s")
    print(f"  queries           {counted[1]} for 1 account (aim: 25 at most), {counted[10]} for 10, {counted[200]} for 200")


if __name__ == "__main__":
    main()
