"""The benchmark of the approval queue, on PostgreSQL: its first page with 100,000 pending documents, and approving 500 of them
at once as the browser does.

The lower bound of the page is to count and add up the same documents and read the first 50, without any logic or page.
"""

import os
import statistics

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.test import Client as Browser  # noqa: E402

from accounts.callers import Caller  # noqa: E402
from accounts.models import Account, Client  # noqa: E402
from invoices.models import Comparison, Decision, Invoice  # noqa: E402
from invoices.plan.facts import BillingRequest  # noqa: E402
from invoices.services.billing.generating import generate_invoices  # noqa: E402
from tests.bench import TODAY, analyze, make_world, scratch_database  # noqa: E402
from tests.support.bare_rows import timed  # noqa: E402

WAITING, APPROVED_AT_ONCE, ROUNDS = 100_000, 500, 9


def measure_queue() -> None:
    client = make_world(APPROVED_AT_ONCE)
    numbers = list(Account.objects.values_list("pk", flat=True))
    request = BillingRequest(TODAY, force_pending=True)
    generate_invoices(client=client, account_nos=numbers, request=request, caller=Caller(process="bench"))
    let_wait(WAITING - APPROVED_AT_ONCE)
    analyze()
    browser = signed_in()
    page = statistics.median(timed(lambda: browser.get("/invoices/pending/")) for _ in range(ROUNDS))
    floor = statistics.median(timed(lambda: read_bare(client)) for _ in range(ROUNDS))
    print(f"{connection.vendor}: approval queue with {Invoice.objects.filter(status='pending').count():,} documents")
    print(f"  first page        {page * 1000:>9,.0f} ms        (aim: under 300 ms)")
    print(f"  floor, bare rows  {floor * 1000:>9,.0f} ms")
    seconds = timed(lambda: approve(browser, numbers))
    decision = Decision.objects.get()
    done = decision.outcomes.filter(result="done").count()
    print(f"  approving {done} at once, asked and told in parts {seconds:>6.1f} s (aim: 5 s)")


def signed_in() -> Browser:
    settings.ALLOWED_HOSTS = ["testserver"]
    user = get_user_model().objects.create(username="bench", is_staff=True, is_superuser=True)
    browser = Browser()
    browser.force_login(user)
    assert browser.get("/invoices/pending/").status_code == 200
    return browser


def read_bare(client: Client) -> None:
    waiting = Invoice.objects.filter(client=client, status="pending")
    list(waiting.order_by("currency").values_list("currency").annotate(Count("pk"), Sum("total_amount")))
    list(waiting.order_by("pk").values()[:50])


def approve(browser: Browser, account_nos: list[int]) -> None:
    numbers = Invoice.objects.filter(account__in=account_nos, status="pending").values_list("pk", flat=True)
    form = {"act": "approve", "invoice_no": list(numbers), "confirmed": "yes", "once": "b" * 32}
    address = browser.post("/invoices/pending/decide/", form).headers["Location"]
    while b"hx-trigger" in browser.get(address).content:
        browser.post(address)


def let_wait(count: int) -> None:
    """So many accounts more, each with a copy of the first document and of what it is compared with."""
    accounts, invoices, comparisons = (model._meta.db_table for model in (Account, Invoice, Comparison))
    with connection.cursor() as cursor:
        first = copied(Account, {"client_acct_id": "'W' || n"}, "FROM {0} old, generate_series(1, %s) n WHERE old.id = %s")
        cursor.execute(first.format(accounts), [count, Account.objects.earliest("pk").pk])
        second = copied(
            Invoice, {"account_id": "new.id"}, "FROM {0} old, {1} new WHERE old.id = %s AND new.client_acct_id LIKE 'W%%'"
        )
        cursor.execute(second.format(invoices, accounts), [Invoice.objects.earliest("pk").pk])
        third = copied(
            Comparison,
            {"invoice_id": "new.id", "change_amount": "new.id %% 7", "change_percent": "new.id %% 40", "new_lines": "0"},
            "FROM {0} old, {1} new WHERE old.invoice_id = %s AND new.id > %s",
            keeps_key=True,
        )
        last = Invoice.objects.filter(account__client_acct_id__startswith="A").latest("pk").pk
        cursor.execute(third.format(comparisons, invoices), [Invoice.objects.earliest("pk").pk, last])


def copied(model: type, changed: dict[str, str], source: str, *, keeps_key: bool = False) -> str:
    columns = [field.column for field in model._meta.concrete_fields if keeps_key or not field.primary_key]
    values = ", ".join(changed.get(column, f"old.{column}") for column in columns)
    return f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {values} {source}"


if __name__ == "__main__":
    with scratch_database():
        measure_queue()
