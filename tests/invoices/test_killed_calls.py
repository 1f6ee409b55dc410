"""A process that answers a call under a receipt is killed: the same call gets the answer, and nothing is charged twice.

How: tests/killing_calls.py.
"""

import os
import subprocess
import sys

from django.db import connection


def test_a_call_whose_process_is_killed_is_answered_by_the_next_one(settings):
    url = "sqlite:///unused.sqlite3" if connection.vendor == "sqlite" else os.environ["DATABASE_URL"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.killing_calls"],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout == f"{connection.vendor}: 5 points of 3 calls, each charged once, 0 findings\n"
