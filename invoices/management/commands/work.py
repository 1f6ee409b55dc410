"""manage.py work: does what is due in the background: schedules, billing runs, bulk decisions and collections, statements."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing_site.error_tracking import track_errors
from invoices.services.work.executor import give_way, work
from invoices.services.work.registry import STOPPING
from invoices.services.work.supervisor import supervise, when_asked_to_end
from invoices.services.work.workers import CELERY, START_BEAT, START_WORKER


def processes(text: str) -> int:
    """A number of processes, from 1 to 64."""
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise ArgumentTypeError(f"{text} is not a number from 1 to 64")
    return int(text)


class Command(BaseCommand):
    help = (
        "Does what is due in the background: schedules, billing runs, bulk decisions and collections, statements and PDFs. "
        "Ends after its batch when it gets SIGTERM or Ctrl+C, or when its terminal is closed. Any number may run, also "
        "on several machines."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--processes", type=processes, default=1, help="Number of worker processes. Default: 1.")
        parser.add_argument("--once", action="store_true", help="End when nothing is due any more.")
        parser.add_argument("--parent", type=int, help=SUPPRESS)
        parser.add_argument("--serve", metavar="PORT", help="Also serve the site for development, and end with it.")

    def handle(self, *args: Any, processes: int, once: bool, parent: int | None, serve: str | None, **options: Any) -> None:
        if settings.EXECUTOR == CELERY:
            raise CommandError(f"EXECUTOR is celery. Start these instead: {START_WORKER}, and once: {START_BEAT}")
        if processes == 1 and serve is None:
            track_errors()
            when_asked_to_end(STOPPING.set)
            if not once:
                give_way()
            batches = work(once=once, parent=parent)
            self.stdout.write(f"batches {batches:>10,}")
            return
        raise SystemExit(supervise(processes, once=once, serve=serve))
