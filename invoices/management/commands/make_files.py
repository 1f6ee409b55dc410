"""manage.py make_files [--client CLIENT_NO] [--limit COUNT]: makes the PDFs that are owed of issued documents."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from accounts.models import Client
from invoices.kinds import FileState
from invoices.models import DocumentFile
from invoices.services.printing.files import make_owed_files

AT_ONCE = 100


class Command(BaseCommand):
    help = "Makes the owed files of issued documents, and tries those that failed again. Exits with 1 if one fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client", type=int, metavar="CLIENT_NO", help="Only the files of this client.")
        parser.add_argument("--limit", type=int, help="Number of files to make at most. Default: all.")

    def handle(self, *args: Any, client: int | None, limit: int | None, **options: Any) -> None:
        one = None if client is None else Client.objects.filter(pk=client).first()
        if client is not None and one is None:
            raise CommandError(f"Client {client} does not exist.")
        made = failed = 0
        started = timezone.now()
        with tqdm(unit="file", desc="Making", leave=False, disable=None) as bar:
            while limit is None or made + failed < limit:
                most = AT_ONCE if limit is None else min(AT_ONCE, limit - made - failed)
                done = make_owed_files(one, limit=most, failed_before=started)
                made, failed = made + done.made, failed + done.failed
                bar.update(done.made + done.failed)
                if done.given_up or done.made + done.failed < most:
                    break
        self.stdout.write(f"made   {made:>10,}")
        self.stdout.write(f"failed {failed:>10,}")
        if failed:
            reasons = DocumentFile.objects.filter(state=FileState.FAILED).order_by("reason")
            for reason in reasons.values_list("reason", flat=True).distinct()[:10]:
                self.stdout.write(f"  {reason}")
            raise CommandError("Some files were not made. They stay owed and are tried again.")
