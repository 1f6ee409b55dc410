"""manage.py personal_data ACCT_NO: export or erase the personal data of a customer, or show what erasing would do."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.callers import Caller
from accounts.models import Account
from accounts.models.history import changing_as
from billing_site.errors import BillingError
from invoices.services.privacy.erasing import erase_person, preview_erasure
from invoices.services.privacy.exporting import export_person

CALLER = Caller(process="personal_data")


class Command(BaseCommand):
    help = "Shows what erasing a customer would do. With --export or --erase, exports or erases the customer's personal data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("acct_no", type=int)
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--export", metavar="FILE.zip", type=Path, help="Write everything that is stored to this file.")
        chosen.add_argument("--erase", metavar="REASON", help="Erase the customer. The reason is kept; it must name nobody.")

    @changing_as("personal_data")
    def handle(self, *args: Any, acct_no: int, export: Path | None, erase: str | None, **options: Any) -> None:
        account = Account.objects.select_related("client").filter(pk=acct_no).first()
        if account is None:
            raise CommandError(f"Account {acct_no} does not exist.")
        try:
            if export is not None:
                self._export(account, export)
            elif erase is not None:
                self._erase(account, erase)
            else:
                self._show(account)
        except BillingError as refusal:
            raise CommandError(refusal.message) from refusal

    def _export(self, account: Account, path: Path) -> None:
        with path.open("xb") as file:
            for part in export_person(client=account.client, account_no=account.pk, caller=CALLER):
                file.write(part)
        self.stdout.write(f"written to {path}")

    def _erase(self, account: Account, reason: str) -> None:
        today = clock.today(account.client)
        erasure = erase_person(client=account.client, account_no=account.pk, reason=reason, caller=CALLER, today=today)
        self.stdout.write(f"blanked {erasure.rows:>10,} rows")

    def _show(self, account: Account) -> None:
        preview = preview_erasure(client=account.client, account_no=account.pk, today=clock.today(account.client))
        for table, count in preview.rows.items():
            self.stdout.write(f"{table:<50}{count:>10,}")
        self.stdout.write(f"{'documents kept by law':<50}{preview.documents:>10,}")
        for obstacle in preview.obstacles:
            self.stdout.write(f"in the way: {obstacle.message}")
