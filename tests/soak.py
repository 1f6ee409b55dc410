"""`python -m tests.soak`: what takes too long for the suite.

Collecting is killed a hundred times on each database, half of them at random moments.
"""

import os
import subprocess
import sys

from tests.__main__ import postgresql

KILLS = 100


def soak(url: str) -> int:
    command = [sys.executable, "-m", "tests.killing", str(KILLS), "random"]
    return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=False).returncode


def main() -> int:
    failed = soak("sqlite:///unused.sqlite3")
    with postgresql() as url:
        return failed | soak(url)


if __name__ == "__main__":
    sys.exit(main())
