"""manage.py seal: seal all new rows, and store the newest seal of each client outside the database.

Exits with 1 if one cannot be stored.
"""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Client
from invoices.services.sealing.heads import CannotStore, store_head
from invoices.services.sealing.sealing import seal_all


class Command(BaseCommand):
    help = "Seals new events, transactions, allocations and payments, and stores the newest seals outside the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait",
            metavar="SECONDS",
            type=int,
            default=10,
            help="How long to wait for open transactions, so that their rows are sealed too. Default: 10.",
        )

    def handle(self, *args: Any, wait: int, **options: Any) -> None:
        rows = seal_all(timedelta(seconds=wait))
        self.stdout.write(f"{rows:,} rows are sealed now.")
        failed = []
        for client in Client.objects.order_by("pk"):
            try:
                if head := store_head(client):
                    self.stdout.write(f"Client {client.pk}: seal {head.seal_no} is stored as {head.name}.")
            except CannotStore as error:
                failed.append(f"Client {client.pk}: seal not stored: {error}")
        if failed:
            raise CommandError("\n".join(failed))
