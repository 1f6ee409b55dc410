"""Speed as a ratio to a floor that is measured in the same run, on the database of DATABASE_URL. Run it with `make bench`.

The floor is the same rows written by COPY (PostgreSQL) or executemany (SQLite), with no logic at all.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import django
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from accounts.callers import Caller  # noqa: E402
from accounts.models import Account, Client, Contact, Event, Plan, PlanCharge, PlanInstance, Service  # noqa: E402
from accounts.rates import RateTerms  # noqa: E402
from accounts.services import add_price  # noqa: E402
from invoices.models import BilledPeriod, Invoice, InvoiceLine, NumberSeries, TaxDetail, TaxRate  # noqa: E402
from invoices.plan.facts import BillingRequest  # noqa: E402
from invoices.services.generating import generate_invoices  # noqa: E402

START = date(2026, 1, 1)
TODAY = date(2026, 1, 15)
LINES = 5
BATCH = 500
BATCHES = 8
SINGLES = 200
CALLER = Caller(process="bench")
WRITTEN = (Invoice, InvoiceLine, TaxDetail, BilledPeriod, Event)


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
        add_price(PlanCharge.objects.create(plan=plan, service=service), RateTerms("usd", Decimal("9.99")))
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
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return client


def timed(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def generate(client: Client, account_nos: Sequence[int]) -> None:
    outcomes = generate_invoices(client=client, account_nos=account_nos, request=BillingRequest(TODAY), caller=CALLER)
    assert all(outcome.invoice_no for outcome in outcomes), outcomes[0]


def floor_of(account_nos: Sequence[int]) -> float:
    """Takes out all that a batch has written, and writes the same rows again with no logic."""
    invoices = list(Invoice.objects.filter(account__in=account_nos).values_list("pk", flat=True))
    kept = []
    for model in WRITTEN:
        column = {Invoice: "pk", Event: "invoice_no"}.get(model, "invoice")
        chosen = model._default_manager.filter(**{f"{column}__in": invoices})
        fields = [field for field in model._meta.concrete_fields if model is Invoice or not field.primary_key]
        kept.append((model, fields, list(chosen.order_by("pk").values_list(*(field.attname for field in fields)))))
    for model, _, _ in reversed(kept):
        column = {Invoice: "pk", Event: "invoice_no"}.get(model, "invoice")
        model._default_manager.filter(**{f"{column}__in": invoices})._raw_delete("default")
    prepared = [
        (
            model,
            fields,
            [[field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)] for row in rows],
        )
        for model, fields, rows in kept
    ]

    def write() -> None:
        with transaction.atomic():
            for model, fields, rows in prepared:
                write_bare(model, fields, rows)

    return timed(write)


def write_bare(model: type[models.Model], fields: Sequence[models.Field], rows: Sequence[Sequence[Any]]) -> None:
    names = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({places})", rows)


def queries(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def main() -> None:
    connection.creation.create_test_db(verbosity=0)
    try:
        measure()
    finally:
        connection.creation.destroy_test_db(verbosity=0)


def measure() -> None:
    client = make_world(BATCH * (BATCHES + 1) + SINGLES + 210 + 1)
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
