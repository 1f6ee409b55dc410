"""The part of the bench that is about rebills: how many a second, and how soon a preview is there."""

import statistics
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import connection
from django.db.models import Q

from accounts.callers import Caller
from accounts.models import Account, Client, Contact, Event, Plan, PlanCharge, PlanInstance, Service
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from invoices.models import Allocation, DocumentFile, Invoice, InvoiceLine, LedgerEntry, TaxDetail
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.documents.outcomes import Settled
from rebills.services.previewing import preview_rebills
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import PlannedRebill, RebillRequest, RequestedLine, SettledRebill
from tests.support.bare_rows import queries, taken_out, timed

CALLER = Caller(process="bench")
START = date(2026, 1, 1)
TODAY = date(2026, 1, 15)
BATCH = 100
ROUNDS = 7
SINGLES = 100
PREVIEWS = 50
MANY_LINES = 200


def measure_rebills(client: Client, invoice_nos: Sequence[int]) -> None:
    """`invoice_nos` are issued invoices of five lines and one tax: BATCH x (ROUNDS + 1) + SINGLES + 2 of them."""
    take = iter(invoice_nos)

    def some(count: int) -> list[int]:
        return [next(take) for _ in range(count)]

    rebill(client, some(BATCH))  # warm
    ours, floors = [], []
    for _ in range(ROUNDS):
        batch = some(BATCH)
        ours.append(timed(lambda batch=batch: rebill(client, batch)))
        floors.append(timed(taken_out(written_for(batch), [InvoiceLine, TaxDetail])))
    singles = some(SINGLES)
    one_by_one = SINGLES / timed(lambda: [rebill(client, [number]) for number in singles])
    few, many = next(take), an_invoice_of(client, MANY_LINES)
    latencies = {
        number: [timed(lambda number=number: preview(client, number)) for _ in range(PREVIEWS)] for number in (few, many)
    }
    counted = [queries(lambda number=number: rebill(client, [number])) for number in (few, many)]
    ratio = statistics.median(floor / mine for mine, floor in zip(ours, floors, strict=True))
    print(f"{connection.vendor}: rebills of 5 lines and one tax, one rate changed, medians of {ROUNDS} batches")
    print(f"  batches of {BATCH}    {BATCH / statistics.median(ours):>9,.0f} rebills/s")
    print(f"  floor, bare rows  {BATCH / statistics.median(floors):>9,.0f} rebills/s: memo and rebill, ledger and trail")
    print(f"  ratio to floor    {ratio:>9.2f}")
    print(f"  one by one        {one_by_one:>9,.0f} rebills/s")
    print(f"  preview           {told(latencies[few])} with 5 lines, {told(latencies[many])} with {MANY_LINES} (aim: 100)")
    print(f"  queries           {counted[0]} for a rebill of 5 lines, {counted[1]} for one of {MANY_LINES}")


def told(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms"


def request(number: int) -> RebillRequest:
    return RebillRequest(number, 1, (RequestedLine(1, rate_per_unit=Decimal("8.99")),), carries_unlisted=True)


def rebill(client: Client, numbers: Sequence[int]) -> None:
    outcomes = rebill_invoices(client=client, requests=[request(number) for number in numbers], caller=CALLER, today=TODAY)
    assert all(isinstance(outcome, SettledRebill) for outcome in outcomes), outcomes[0]


def preview(client: Client, number: int) -> None:
    (outcome,) = preview_rebills(client=client, requests=[request(number)], today=TODAY)
    assert isinstance(outcome, PlannedRebill), outcome


def written_for(originals: Sequence[int]) -> list:
    documents = Invoice.objects.filter(corrects__in=originals)
    numbers = list(documents.values_list("pk", flat=True))
    entries = LedgerEntry.objects.filter(invoice__in=numbers)
    return [
        documents,
        InvoiceLine.objects.filter(invoice__in=numbers),
        TaxDetail.objects.filter(invoice__in=numbers),
        DocumentFile.objects.filter(invoice__in=numbers),
        entries,
        Allocation.objects.filter(Q(credit__in=entries.values("pk")) | Q(debit__in=entries.values("pk"))),
        Event.objects.filter(Q(invoice_no__in=numbers) | Q(invoice_no__in=originals, act="invoice.rebilled")),
    ]


def an_invoice_of(client: Client, lines: int) -> int:
    plan = Plan.objects.create(client=client, client_plan_id=f"lines-{lines}", name=f"Plan of {lines} lines")
    for number in range(lines):
        service = Service.objects.create(client=client, client_service_id=f"l{number}", name=f"Line {number}", gl_code="4000")
        add_price(PlanCharge.objects.create(plan=plan, service=service), RateTerms("usd", Decimal("1.99")), caller=CALLER)
    account = Account.objects.create(client=client, client_acct_id="lines", currency="usd", bill_day=1, next_bill_date=START)
    Contact.objects.create(account=account, contact_no=1, name="Customer", city="Fresno", region="CA", country="US")
    PlanInstance.objects.create(account=account, plan=plan, start_date=START)
    (outcome,) = generate_invoices(client=client, account_nos=[account.pk], request=BillingRequest(TODAY), caller=CALLER)
    assert isinstance(outcome, Settled), outcome
    return outcome.invoice_no
