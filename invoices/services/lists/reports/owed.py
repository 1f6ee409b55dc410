"""Whom we owe: accounts with payments and credits that pay nothing yet."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.models import Client
from invoices.calculation import ZERO
from invoices.services.lists.reports.ageing import LESS_THAN_ANY_AMOUNT, accounts_as_of


def accounts_with_credit(client: Client, day: date | None = None) -> QuerySet[Any]:
    """Select the client's accounts with unapplied payments or credits as of a day, or now, each with `unapplied`, `open` and
    `balance`. Service credits are not money and do not count."""
    return accounts_as_of(client, day).filter(unapplied__gt=LESS_THAN_ANY_AMOUNT)


class Owed(NamedTuple):
    """What is owed to customers in one currency, and to how many accounts."""

    currency: str
    accounts: int
    unapplied: Decimal


def unapplied_by_currency(accounts: QuerySet[Any]) -> list[Owed]:
    """Return the totals of accounts of `accounts_with_credit`, by currency. One query."""
    sums: dict[str, Owed] = {}
    for currency, amount in accounts.order_by().values_list("currency", "unapplied").iterator():
        so_far = sums.get(currency, Owed(currency, 0, ZERO))
        sums[currency] = Owed(currency, so_far.accounts + 1, so_far.unapplied + amount)
    return [sums[currency] for currency in sorted(sums)]
