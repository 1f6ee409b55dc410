"""`python -m tests.soak`: tests that take too long for the suite, on SQLite and on PostgreSQL.

Collecting is killed a hundred times, rebilling two hundred times, and campaigns and adjustments of pending documents a hundred
and fifty times, half of them at random moments. Workers of billing runs are killed fifty times, and their PostgreSQL server is
restarted meanwhile; the same with workers of Celery, whose broker loses all messages. A drill of ten minutes loads a site,
sends it broken requests at all doors, kills its workers and moves its clock. The rules of rebills, credit memos and changes of
plans are tested on a thousand random invoices and sequences of acts. The API is called at the limits of its description, and
with every hostile value in every field.
"""

import os
import sys

from tests.__main__ import SQLITE, on_both

HOSTILE = ("tests/test_hostile_input.py", "tests/test_hostile_resources.py")
PROPERTIES = (
    "tests/rebills/test_rebill_properties.py",
    "tests/invoices/money/test_memo_properties.py",
    "tests/invoices/test_changes_over_time.py",
)
SOAKS = (
    ["-m", "tests.killing", "100", "random"],
    ["-m", "tests.killing_rebills", "200", "random"],
    ["-m", "tests.killing_campaigns", "150", "random"],
    ["-m", "tests.killing_runs", "50", "5000", "restart"],
    ["-m", "tests.killing_celery", "50", "5000", "restart"],
    ["-m", "pytest", "tests/test_drill.py"],
    ["-m", "pytest", *PROPERTIES, "tests/test_schema.py", *HOSTILE],
)


def main() -> int:
    os.environ |= {"SOAK_EXAMPLES": "1000", "DRILL_SECONDS": "600"}
    failed = [on_both(arguments, SQLITE if "pytest" in arguments else "sqlite:///unused.sqlite3") for arguments in SOAKS]
    return int(any(failed))


if __name__ == "__main__":
    sys.exit(main())
