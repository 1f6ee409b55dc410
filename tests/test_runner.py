"""`make test` that is ended by a signal leaves nothing behind: neither its four runs nor its PostgreSQL."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.migrated import turn_to_migrate
from tests.support.once import ONCE

ROOT = Path(__file__).resolve().parent.parent
RUN = "import os, time; open(os.environ['PIDS'] + '/' + str(os.getpid()), 'w').close(); time.sleep(600)"
SUITE = f"from tests.__main__ import end_by_signals, suite; end_by_signals(); suite(['-c', {RUN!r}], migrated=False)"


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def waited_for(what, seconds=60):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.1)
    return what()


@pytest.fixture
def folder():
    """For the server's files. Where root starts it, another user runs it, who must get there."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_suite_that_is_ended_ends_its_runs_and_its_server(tmp_path, folder, ended_by):
    pids = tmp_path / "pids"
    pids.mkdir()
    environment = {**os.environ, "PIDS": str(pids), "TMPDIR": str(folder)}
    environment.pop("TEST_DATABASE_URL", None)
    suite = subprocess.Popen([sys.executable, "-c", SUITE], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    assert waited_for(lambda: len(list(pids.iterdir())) == 4)
    (server,) = folder.glob("*/postmaster.pid")
    processes = [int(path.name) for path in pids.iterdir()] + [int(server.read_text().split()[0])]
    assert all(map(is_alive, processes))
    suite.send_signal(ended_by)
    suite.wait(60)
    assert waited_for(lambda: not any(map(is_alive, processes)))


def test_each_file_that_runs_on_one_database_is_there_and_named_once():
    named = [name for names in ONCE.values() for name in names]
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []
    assert len(named) == len(set(named))


def test_of_runs_that_start_at_once_one_migrates_and_the_others_wait_for_it(tmp_path):
    kept = tmp_path / "kept.sqlite3"
    mine = turn_to_migrate(kept)
    with ThreadPoolExecutor() as threads:
        other = threads.submit(turn_to_migrate, kept)
        time.sleep(0.2)
        assert not other.done()
        kept.touch()
        mine.close()
        assert other.result(timeout=60) is None
    assert turn_to_migrate(kept) is None


def test_a_run_migrates_after_one_that_failed_to(tmp_path):
    kept = tmp_path / "kept.sqlite3"
    turn_to_migrate(kept).close()
    assert turn_to_migrate(kept) is not None
