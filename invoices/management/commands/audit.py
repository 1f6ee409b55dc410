"""manage.py audit: check that stored documents, accounts and events keep their rules, and store the findings. With --changed,
only what has changed, and the rows that were sealed, since the last whole audit without findings.

Exits with 1 if there are findings.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Client
from invoices.audit import AuditReport, audit_changed, whole_only
from invoices.audit.kept import audit_and_keep, clean_until
from invoices.audit.reports import Progress, quiet


class Command(BaseCommand):
    help = (
        "Checks that the stored rows follow the rules of the documents, for one client or for all. "
        "Exits with 1 if there is a finding."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client", metavar="CLIENT_NO", type=int, help="Check only this client. Default: all clients.")
        parser.add_argument(
            "--changed",
            action="store_true",
            help="Check only what has changed or was sealed since the last whole audit without findings. Stores nothing.",
        )
        parser.add_argument(
            "--progress", action="store_true", help="Print to standard error how far it is: clients, documents and accounts."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        client = _client(options["client"])
        progress = self.stderr.write if options["progress"] else quiet
        if options["changed"]:
            reports = _audit_changed(client, progress)
        else:
            reports = audit_and_keep(client, "process:audit", progress)[1]
        for line in report_lines(reports):
            self.stdout.write(line)
        if options["changed"]:
            self.stdout.write("Only the whole audit tries these rules:")
            for rule in whole_only():
                self.stdout.write(f"    {rule}")
        if findings := sum(len(report.findings) for report in reports):
            raise CommandError(f"The audit has {findings:,} finding{'' if findings == 1 else 's'}.")


def _audit_changed(client: Client | None, progress: Progress) -> list[AuditReport]:
    since = clean_until(client)
    if since is None:
        raise CommandError("There is no whole audit without findings yet. Run the audit without --changed first.")
    return audit_changed(client, since, progress)


def _client(client_no: int | None) -> Client | None:
    if client_no is None:
        return None
    try:
        return Client.objects.get(pk=client_no)
    except Client.DoesNotExist:
        raise CommandError(f"Client {client_no} does not exist.") from None


def report_lines(reports: Sequence[AuditReport]) -> Iterator[str]:
    """Yield a line per audit with checked rows and findings, each finding below it, and the sums at the end."""
    for report in reports:
        yield _line(report.name, report.rows, len(report.findings))
        yield from (f"    {finding}" for finding in report.findings)
    rows, findings = (sum(counts) for counts in zip(*((one.rows, len(one.findings)) for one in reports), strict=True))
    yield _line(f"{len(reports)} audits", rows, findings)


def _line(name: str, rows: int, findings: int) -> str:
    return f"{name:<70}{rows:>12,} rows {findings:>7,} findings"
