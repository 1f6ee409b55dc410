"""The part of the bench that is about money: collections through the sandbox, and the balance of long accounts."""

import statistics
import tempfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Account, Client, Event, PaymentMethod
from invoices.gateways import gateway_named
from invoices.gateways.protocol import ChargeRequest
from invoices.kinds import EntryKind
from invoices.models import Allocation, CollectionAttempt, Invoice, LedgerEntry, Payment
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.money.ledger.entries import Draft, PostedBy, account_balance, post
from tests.support.bare_rows import queries, taken_out, timed

CALLER = Caller(process="bench")
TODAY = date(2026, 1, 15)
BATCH = 1_000
ROUNDS = 3
WRITTEN = (LedgerEntry, Payment, CollectionAttempt, Allocation, Event)


def measure_money(client: Client, invoice_nos: Sequence[int]) -> None:
    """`invoice_nos` are issued invoices of as many accounts, at least 1,000 for each round and 101 more."""
    with tempfile.TemporaryDirectory() as folder:
        settings.SANDBOX_GATEWAY_FILE = str(Path(folder) / "sandbox.sqlite3")
        measure_collecting(client, list(invoice_nos))
    measure_balances(client)


def measure_collecting(client: Client, numbers: list[int]) -> None:
    accounts = Invoice.objects.filter(pk__in=numbers).values_list("account_id", flat=True)
    PaymentMethod.objects.bulk_create(
        [PaymentMethod(account_id=number, type="card", token="sandbox_approved") for number in accounts], batch_size=2000
    )

    def collect(some: Sequence[int]) -> None:
        outcomes = collect_invoices(client=client, invoice_nos=some, caller=CALLER, today=TODAY)
        assert all(outcome.attempt and outcome.error is None for outcome in outcomes), outcomes[0]

    single, numbers = numbers[:1], numbers[1:]
    hundred, numbers = numbers[:100], numbers[100:]
    counted = [queries(lambda some=some: collect(some)) for some in (single, hundred)]
    ours, floors = [], []
    for place in range(ROUNDS):
        batch = numbers[place * BATCH : (place + 1) * BATCH]
        ours.append(timed(lambda batch=batch: collect(batch)))
        floors.append(floor_of(batch, f"floor-{place}"))
    ratio = statistics.median(floor / mine for mine, floor in zip(ours, floors, strict=True))
    print(f"{connection.vendor}: collecting through the sandbox, medians of {ROUNDS} batches of {BATCH:,} invoices")
    print(f"  collected         {BATCH / statistics.median(ours):>9,.0f} invoices/s")
    print(f"  floor             {BATCH / statistics.median(floors):>9,.0f} invoices/s: the sandbox's charges and bare rows")
    print(f"  ratio to floor    {ratio:>9.2f}")
    print(f"  queries           {counted[0]} for 1 invoice, {counted[1] / 100:.2f} an invoice for 100")


def floor_of(batch: Sequence[int], prefix: str) -> float:
    """The lower bound: the same charges requested from the sandbox under other keys, and the same rows written without any
    logic."""
    entries = LedgerEntry.objects.filter(payment__attempt__invoice__in=batch)
    chosen = {
        CollectionAttempt: CollectionAttempt.objects.filter(invoice__in=batch),
        LedgerEntry: entries,
        Payment: Payment.objects.filter(attempt__invoice__in=batch),
        Allocation: Allocation.objects.filter(credit__in=entries),
        Event: Event.objects.filter(invoice_no__in=batch, act="collection.collected"),
    }
    requests = [
        ChargeRequest(f"{prefix}-{number}", amount, currency, token, 0, number)
        for number, amount, currency, token in chosen[CollectionAttempt].values_list(
            "invoice_id", "amount", "currency", "token"
        )
    ]
    write = taken_out([chosen[model] for model in WRITTEN])
    gateway = gateway_named("sandbox")

    def work() -> None:
        for request in requests:
            gateway.charge(request)
        write()

    return timed(work)


def measure_balances(client: Client) -> None:
    """The floor of an account with 10,000 transactions is one with 10."""
    accounts = []
    for count in (10, 10_000):
        account = Account.objects.create(client=client, client_acct_id=f"ledger-{count}", currency="usd")
        stamp = PostedBy(TODAY, timezone.now(), CALLER.identity)
        post([Draft(account.pk, EntryKind.REFUND, Decimal("0.01"))] * count, stamp)
        accounts.append(account)
    few, many = (
        statistics.median(timed(lambda account=account: account_balance(account)) for _ in range(500)) for account in accounts
    )
    assert [account_balance(account) for account in accounts] == [Decimal("0.10"), Decimal("100.00")]
    print(f"  balance of 10     {few * 1e6:>9,.0f} µs")
    print(f"  balance of 10,000 {many * 1e6:>9,.0f} µs, ratio {many / few:.2f} (aim: at most 3)")
