"""manage.py runserver: the development server, and beside it a worker that does what is due in the background."""

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands import runserver
from django.core.management.base import CommandParser

from invoices.services.work.supervisor import worker_beside
from invoices.services.work.workers import CELERY


class Command(runserver.Command):
    help = (
        "Starts the development server, and beside it a worker as manage.py work does, so that billing runs, statements and "
        "PDFs are done. The worker ends with the server."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--no-worker", action="store_true", help="Start the server only.")

    def inner_run(self, *args: Any, no_worker: bool, **options: Any) -> None:
        if no_worker or settings.EXECUTOR == CELERY:
            super().inner_run(*args, **options)
            return
        with worker_beside():
            super().inner_run(*args, **options)
