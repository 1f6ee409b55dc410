"""Run a command: `manage.py` in a checkout, and `billing-back-office` of an installed wheel."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import Error

from billing_site.common.storage import is_away, is_lacking_tables, is_lock_failure, is_not_writable

DEMO = {
    "DATABASE_URL": "sqlite:///demo.sqlite3",
    "SANDBOX_GATEWAY_FILE": "demo_gateway.sqlite3",
    "DOCUMENTS_FOLDER": "demo_documents",
    "VIRTUAL_CLOCK": "1",
}
"""What the demonstration uses unless the environment says otherwise: files in the current folder."""


TRACEBACK = "--traceback"


def run(arguments: list[str]) -> None:
    """Run a command. If the database cannot do it now, say why and what to do, and exit with 1. With --traceback, or for
    anything else, the error is raised."""
    try:
        execute_from_command_line(arguments)
    except Error as error:
        words = trouble_of(error)
        if words is None or TRACEBACK in arguments:
            raise
        sys.exit(f"{words} (--traceback shows the error.)")


def trouble_of(error: Error) -> str | None:
    """Return in words why the database could not do what a command asked for, None if the command itself is wrong."""
    if is_lock_failure(error):
        return "Another process is writing to the database, such as migrate. Wait until it has ended, then run this again."
    if is_lacking_tables(error):
        return "The database does not have the tables of this release. Run migrate (make serve does too), then run this again."
    if is_not_writable(error):
        return "The database can be read but not written. Check its disk and its rights, then run this again."
    if is_away(error):
        return "The database cannot be reached. Check DATABASE_URL and whether its server runs, then run this again."
    return None


def main() -> None:
    """Run a command. `demo` makes its database before, so that one command is enough to see what the product does."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
    if sys.argv[1:] == ["demo"]:
        for name, value in DEMO.items():
            os.environ.setdefault(name, value)
        run([sys.argv[0], "migrate", "--verbosity", "0"])
    run(sys.argv)


if __name__ == "__main__":
    main()
