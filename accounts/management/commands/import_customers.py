"""manage.py import_customers FILE.csv --client CLIENT_NO: import the customers of a telephone and internet company."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.importing.customers import Fault, ImportRefused, ImportSummary, import_customers
from accounts.models import Client
from accounts.models.history import changing_as


class Command(BaseCommand):
    help = (
        "Opens an account for every customer in a CSV file who has none yet: all of them, or none and a report of every bad "
        "row. For a very large file keep DEBUG off: with it Django remembers every query."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.csv")
        parser.add_argument("--client", type=int, required=True, metavar="CLIENT_NO", help="Client that gets the customers.")
        parser.add_argument("--dry-run", action="store_true", help="Check the whole file and write nothing.")
        parser.add_argument("--decimal-comma", action="store_true", help="Amounts have a decimal comma: 29,85.")
        parser.add_argument(
            "--left-as-billable",
            action="store_true",
            help="Give customers who have left active accounts instead of cancelled ones.",
        )

    @changing_as("import_customers")
    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(pk=options["client"]).first()
        if client is None:
            raise CommandError(f"Client {options['client']} does not exist.")
        try:
            with open(options["file"], "rb") as file:
                summary = import_customers(
                    client,
                    file,
                    report=self._report,
                    dry_run=options["dry_run"],
                    left_as_billable=options["left_as_billable"],
                    decimal_comma=options["decimal_comma"],
                )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        except ImportRefused as error:
            raise CommandError(f"{options['file']}: {error}") from error
        self._show(summary, options["dry_run"])

    def _report(self, fault: Fault) -> None:
        self.stderr.write(str(fault))

    def _show(self, summary: ImportSummary, dry_run: bool) -> None:
        rows: list[tuple[str, object]] = [
            ("customers read", f"{summary.customers:,}"),
            ("accounts to create" if dry_run else "accounts created", f"{summary.created:,}"),
            ("already imported", f"{summary.already_there:,}"),
            ("plan instances", f"{summary.plan_instances:,}"),
            ("customer prices", f"{summary.own_prices:,}"),
            ("sum of MonthlyCharges", f"{summary.monthly_amount:,.2f}"),
        ]
        for label, figure in rows:
            self.stdout.write(f"{label:<22}{figure:>12}")
        if dry_run:
            self.stdout.write("Dry run: nothing was written.")
