"""manage.py sum_ledger: add new ledger entries to the daily sums."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from invoices.services.money.daily_sums import forget_sums, sum_up_ledger


class Command(BaseCommand):
    help = "Adds transactions that are older than ten minutes to the daily sums, from which the dashboard adds up months."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--again", action="store_true", help="Delete the sums and add up the whole ledger again.")

    def handle(self, *args: Any, again: bool, **options: Any) -> None:
        if again:
            forget_sums()
        through = sum_up_ledger(timezone.now())
        self.stdout.write(f"The daily sums reach up to transaction {through}.")
