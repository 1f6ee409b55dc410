"""manage.py receivables CLIENT_NO: amounts due by age, per account and currency, with totals."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.models import Client
from billing_site.common.currencies import currency_of
from invoices.calculation import rounded
from invoices.services.money.receivables import Ages, Receivable, add_up_by_currency, receivables

HEADINGS = ("current", "1-30 days", "31-60 days", "61-90 days", "over 90", "total")


class Command(BaseCommand):
    help = "Shows open amounts by age: not yet due, and 1 to 30, 31 to 60, 61 to 90 and over 90 days after the due date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_no", type=int)
        parser.add_argument("--totals", action="store_true", help="Show only the totals per currency.")

    def handle(self, *args: Any, client_no: int, totals: bool, **options: Any) -> None:
        try:
            client = Client.objects.get(pk=client_no)
        except Client.DoesNotExist:
            raise CommandError(f"Client {client_no} does not exist.") from None
        today = clock.today(client)
        self.stdout.write(f"Open amounts on {today}")
        self.stdout.write(row_text("account", "", HEADINGS))
        rows = receivables(client, today)
        for currency, ages in sorted(add_up_by_currency(rows if totals else self.shown(rows)).items()):
            self.stdout.write(row_text("total", currency, amounts(ages, currency)))

    def shown(self, rows: Iterator[Receivable]) -> Iterator[Receivable]:
        for row in rows:
            self.stdout.write(row_text(f"{row.account_no} {row.client_acct_id}", row.currency, amounts(row.ages, row.currency)))
            yield row


def amounts(ages: Ages, currency: str) -> list[str]:
    return [_amount(amount, currency) for amount in (*ages, ages.total)]


def _amount(amount: Decimal, currency: str) -> str:
    return f"{rounded(amount, currency_of(currency)):,}"


def row_text(name: str, currency: str, cells: Sequence[str]) -> str:
    return f"{name:<24}{currency:<4}{''.join(f'{cell:>15}' for cell in cells)}".rstrip()
