"""What was open as of a day, by age, exactly as the ledger has it.

What is open now is stored on each invoice. What has been paid or released since the day is added again, so a day in the near
past is as quick as today.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Account, Client
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import EntryKind
from invoices.models import Allocation, Invoice, LedgerEntry
from invoices.services.money.ledger.open_items import open_invoices
from invoices.services.money.receivables import Receivable, ages_of

LESS_THAN_ANY_AMOUNT = Decimal("0.00005")
"""SQLite calculates with doubles, so a difference of equal amounts is compared with this instead of zero."""


class OpenInvoice(NamedTuple):
    """An invoice with what was open on it as of a day."""

    invoice_no: int
    account_no: int
    due_date: date
    amount: Decimal


def receivables_as_of(client: Client, day: date, account_nos: Collection[int] | None = None) -> list[Receivable]:
    """Return what the client's accounts, or those named, owed as of a day: those with open invoices, in the order of their
    numbers. Three queries. The age of an amount is that of the day."""
    amounts: dict[int, list[tuple[date, Decimal]]] = defaultdict(list)
    for one in open_as_of(client, day, account_nos):
        amounts[one.account_no].append((one.due_date, one.amount))
    accounts = accounts_as_of(client, day)
    if account_nos is not None:
        accounts = accounts.filter(pk__in=account_nos)
    rows = accounts.order_by("pk").values_list("pk", "client_acct_id", "currency", "balance")
    return [
        Receivable(number, name, currency, ages_of(amounts[number], day), balance)
        for number, name, currency, balance in rows
        if number in amounts
    ]


def open_as_of(client: Client, day: date, account_nos: Collection[int] | None = None) -> list[OpenInvoice]:
    """Return the invoices of a client, or of the accounts named, that were open as of a day, in the order of their numbers.
    Two queries."""
    of = Q() if account_nos is None else Q(account__in=account_nos)
    found: dict[int, OpenInvoice] = {}
    still_open = open_invoices(Invoice.objects.filter(of, client=client, invoice_date__lte=day))
    for row in still_open.values_list("pk", "account_id", "due_date", "open_amount"):
        found[row[0]] = OpenInvoice._make(row)
    charges = LedgerEntry.objects.filter(of, account__client=client, kind=EntryKind.INVOICE, entry_date__lte=day)
    since = Allocation.objects.filter(day__gt=day, debit__in=charges).order_by()
    paid = since.values_list("debit__invoice", "debit__account", "debit__invoice__due_date").annotate(ExactSum("amount"))
    for number, account_no, due_date, amount in paid:
        left = found[number].amount if number in found else ZERO
        found[number] = OpenInvoice(number, account_no, due_date, left + amount)
    return [found[number] for number in sorted(found) if found[number].amount > ZERO]


def accounts_as_of(client: Client, day: date | None = None) -> QuerySet[Any]:
    """Select the client's accounts with `open` (invoices), `balance` and `unapplied` (payments and credits) as of a day, or
    now: unapplied is what is open less the balance."""
    issued = Q() if day is None else Q(invoice_date__lte=day)
    open_now = _sum_per_account(open_invoices(Invoice.objects.filter(issued)), "account", "open_amount")
    newest = LedgerEntry.objects.filter(account=OuterRef("pk")).order_by("-entry_no").values("balance_after")[:1]
    opened: Any = Coalesce(open_now, ZERO)
    balance: Any = Coalesce(Subquery(newest), ZERO)
    if day is not None:
        later = Allocation.objects.filter(day__gt=day, debit__kind=EntryKind.INVOICE, debit__entry_date__lte=day)
        opened += Coalesce(_sum_per_account(later, "debit__account", "amount"), ZERO)
        entries = LedgerEntry.objects.filter(entry_date__gt=day)
        balance -= Coalesce(_sum_per_account(entries, "account", "amount"), ZERO)
    accounts = Account.objects.filter(client=client)
    return accounts.annotate(open=opened, balance=balance).annotate(unapplied=F("open") - F("balance"))


def owing(accounts: QuerySet[Any]) -> QuerySet[Any]:
    """Select those of `accounts_as_of` that had open invoices."""
    return accounts.filter(open__gt=LESS_THAN_ANY_AMOUNT)


def _sum_per_account(rows: QuerySet[Any], account: str, amount: str) -> Subquery:
    of_account = rows.filter(**{account: OuterRef("pk")}).order_by().values(account)
    return Subquery(of_account.annotate(sum=ExactSum(amount)).values("sum"))
