"""A collecting process is killed at each of its points: every debt is charged once, and the gateway's records agree.

How: tests/killing.py.
"""

import os
import subprocess
import sys

from django.db import connection

KILLS = 28  # each point once


def test_collecting_survives_being_killed_at_every_point(settings):
    url = "sqlite:///unused.sqlite3" if connection.vendor == "sqlite" else os.environ["DATABASE_URL"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(KILLS)],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.startswith(f"{connection.vendor}: {KILLS} killed in {KILLS} turns, "), run.stdout
