"""manage.py send_statements CLIENT_NO: send statements that an interrupted process left unsent."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.models import Client
from invoices.kinds import StatementStatus
from invoices.services.statements.statements import send_unsent


class Command(BaseCommand):
    help = "Sends requested statements that were not sent yet. Exits with 1 if one fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_no", type=int)

    def handle(self, *args: Any, client_no: int, **options: Any) -> None:
        try:
            client = Client.objects.get(pk=client_no)
        except Client.DoesNotExist:
            raise CommandError(f"Client {client_no} does not exist.") from None
        with tqdm(unit="statement", desc="Sending", leave=False, disable=None) as bar:
            sent = send_unsent(client=client, progress=lambda statement: bar.update())
        results = Counter(statement.status for statement in sent)
        self.stdout.write(f"sent   {results[StatementStatus.SENT]:>10,}")
        self.stdout.write(f"failed {results[StatementStatus.FAILED]:>10,}")
        for message, count in Counter(one.message for one in sent if one.status == StatementStatus.FAILED).items():
            self.stdout.write(f"  {count:,} x {message}")
        if results[StatementStatus.FAILED]:
            raise CommandError("Some statements were not sent. Send them again from their documents.")
