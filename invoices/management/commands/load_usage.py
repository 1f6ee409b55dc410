"""manage.py load_usage FILE.csv --client CLIENT_NO: load usage records from a file."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.callers import Caller
from accounts.importing.reading import SeenIds, UnreadableFile
from accounts.models import Client
from invoices.api.serializers.usage_files import UsageLine, read_usage_file
from invoices.services.usage.loading import RECORDS_AT_ONCE, LoadResult, UsageResult, load_usage

REPEATED = "repeated"
CALLER = Caller(process="load_usage")


class Command(BaseCommand):
    help = (
        "Loads usage from a CSV file with the columns record_id, units, used_at, acct_no or client_acct_id, service or "
        "client_service_id, and if wanted plan_instance and description. Good rows are loaded, every bad row is reported. "
        "The same file can be loaded again: what is there already is not loaded twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.csv")
        parser.add_argument("--client", type=int, required=True, metavar="CLIENT_NO", help="Client that has the accounts.")
        parser.add_argument("--dry-run", action="store_true", help="Check the whole file and write nothing.")
        parser.add_argument("--decimal-comma", action="store_true", help="Units have a decimal comma: 1,5.")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(pk=options["client"]).first()
        if client is None:
            raise CommandError(f"Client {options['client']} does not exist.")
        try:
            with open(options["file"], "rb") as file:
                lines = read_usage_file(client, file, decimal_comma=options["decimal_comma"])
                counts = self._load(client, lines, options["dry_run"])
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        except UnreadableFile as error:
            raise CommandError(f"{options['file']}: {error}") from error
        self._show(counts, options["dry_run"])
        if counts[LoadResult.REFUSED]:
            raise CommandError(f"{counts[LoadResult.REFUSED]:,} of {counts.total():,} rows were refused.")

    def _load(self, client: Client, lines: Iterator[UsageLine], dry_run: bool) -> Counter[str]:
        """Load the file in chunks, and count the results of its rows."""
        counts: Counter[str] = Counter()
        with closing(SeenIds()) as seen:
            while chunk := list(islice(lines, RECORDS_AT_ONCE)):
                records = [line.record for line in chunk]
                now = clock.local_time(client)
                results = load_usage(client=client, records=records, now=now, caller=CALLER, dry_run=dry_run)
                for line, result in zip(chunk, results, strict=True):
                    self._report(line.number, result)
                    counts[_sort(line.number, result, seen) if dry_run else result.result] += 1
        return counts

    def _report(self, line: int, result: UsageResult) -> None:
        if result.error is None:
            return
        self.stderr.write(f"line {line}: {result.error.code.number} {_printable(result.error.message)}")
        named = (result.error.field or "").split(", ")
        for field, messages in result.messages.items():
            if field not in named:
                self.stderr.write(f"line {line}, {field}: {_printable(' '.join(messages))}")

    def _show(self, counts: Counter[str], dry_run: bool) -> None:
        rows = [
            ("rows read", counts.total()),
            ("records to load" if dry_run else "records loaded", counts[LoadResult.CREATED]),
            ("already loaded", counts[LoadResult.ALREADY_THERE]),
            ("refused", counts[LoadResult.REFUSED]),
        ]
        if counts[REPEATED]:
            rows.append(("repeated in the file", counts[REPEATED]))
        for label, count in rows:
            self.stdout.write(f"{label:<22}{count:>12,}")
        if dry_run:
            self.stdout.write("Dry run: nothing was written.")


def _sort(line: int, result: UsageResult, seen: SeenIds) -> str:
    """Return how a row of a dry run is counted. Nothing was stored, so ids of earlier chunks are not in the database."""
    if result.result is LoadResult.CREATED and result.record_id and seen.earlier_line(result.record_id, line):
        return REPEATED
    return result.result


def _printable(text: str) -> str:
    """Return a text on one line, without control characters of terminals."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
