"""A worker of a campaign is killed in each of its stages: each document is rebilled whole and marked, or neither.
A process that adjusts a pending document is killed too: the document has all of its new version, or nothing.

How: tests/killing_campaigns.py.
"""

import os
import subprocess
import sys

from django.db import connection

KILLS = 26  # each point once


def test_campaigns_survive_being_killed_at_every_point(settings):
    url = "sqlite:///unused.sqlite3" if connection.vendor == "sqlite" else os.environ["DATABASE_URL"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.killing_campaigns", str(KILLS)],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.startswith(f"{connection.vendor}: {KILLS} killed in {KILLS} turns, "), run.stdout
