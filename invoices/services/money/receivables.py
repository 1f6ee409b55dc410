"""What is due, by age: per account, and in total per currency."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from django.db.models import QuerySet

from accounts.models import Account, Client
from invoices.calculation import ZERO
from invoices.models import Invoice
from invoices.services.money.ledger.entries import account_positions
from invoices.services.money.ledger.open_items import open_invoices

ACCOUNTS_AT_ONCE = 500
DAYS = (30, 60, 90)


class Ages(NamedTuple):
    """Open amounts that are not yet due (`current`), or 1 to 30, 31 to 60, 61 to 90 and more than 90 days overdue."""

    current: Decimal = ZERO
    days_30: Decimal = ZERO
    days_60: Decimal = ZERO
    days_90: Decimal = ZERO
    over_90: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return sum(self, ZERO)

    def plus(self, other: "Ages") -> "Ages":
        return Ages(*(mine + yours for mine, yours in zip(self, other, strict=True)))


class Receivable(NamedTuple):
    """What one account owes, by age. `unapplied` is the unused part of its payments and credits: open amounts less balance."""

    account_no: int
    client_acct_id: str
    currency: str
    ages: Ages
    balance: Decimal

    @property
    def unapplied(self) -> Decimal:
        return self.ages.total - self.balance


def accounts_with_open_invoices(client: Client) -> QuerySet[Account]:
    """Select the client's accounts that have open invoices."""
    owing = open_invoices(Invoice.objects.filter(client=client)).values("account")
    return Account.objects.filter(client=client, pk__in=owing).order_by("pk")


def receivables_of(accounts: Collection[Account], today: date) -> list[Receivable]:
    """Return the receivables of these accounts, in the order given. Two queries."""
    numbers = [account.pk for account in accounts]
    positions = account_positions(numbers)
    due = (
        open_invoices(Invoice.objects.filter(account__in=numbers))
        .order_by("account_id", "pk")
        .values_list("account_id", "due_date", "open_amount")
    )
    ages = {
        account_no: ages_of(((due_date, amount) for _, due_date, amount in rows), today)
        for account_no, rows in groupby(due, key=lambda row: row[0])
    }
    return [
        Receivable(one.pk, one.client_acct_id, one.currency, ages.get(one.pk, Ages()), positions[one.pk].balance)
        for one in accounts
    ]


def receivables(client: Client, today: date) -> Iterator[Receivable]:
    """Yield the receivables of all accounts with open invoices, in the order of their numbers. Reads 500 accounts at a time."""
    accounts = accounts_with_open_invoices(client)
    last = 0
    while chunk := list(accounts.filter(pk__gt=last)[:ACCOUNTS_AT_ONCE]):
        yield from receivables_of(chunk, today)
        last = chunk[-1].pk


def add_up_by_currency(rows: Iterator[Receivable]) -> dict[str, Ages]:
    totals: dict[str, Ages] = {}
    for row in rows:
        totals[row.currency] = totals.get(row.currency, Ages()).plus(row.ages)
    return totals


def ages_of(due: Iterable[tuple[date, Decimal]], today: date) -> Ages:
    """Add up open amounts with their due dates by age."""
    sums = [ZERO] * len(Ages._fields)
    for due_date, amount in due:
        sums[_place(due_date, today)] += amount
    return Ages(*sums)


def _place(due_date: date, today: date) -> int:
    """Return the index of the age. On its due date an invoice is still current."""
    overdue = (today - due_date).days
    return 0 if overdue <= 0 else 1 + sum(overdue > days for days in DAYS)
