"""The architecture holds: imports go one way, migrations match the models, and all errors are in one table."""

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from billing_site.errors import ErrorCode

ROOT = Path(__file__).resolve().parent.parent


def test_imports_go_one_way():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


JOINED = (
    ("accounts", "0001_tables"),
    ("accounts", "0002_names_in_parts"),
    ("invoices", "0001_tables"),
    ("rebills", "0001_tables"),
    ("rebills", "0002_reasons_and_roles"),
)
"""Each made of several migrations of before the first release."""


def test_migrations_match_the_models(db):
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_every_error_has_its_own_number_and_a_message_clients_can_split():
    assert len({row.number for row in ErrorCode}) == len(ErrorCode)
    assert all("|" not in row.message for row in ErrorCode)
    assert all(row.number > 90000 or row.number < 30000 for row in ErrorCode)


def test_requirements_are_pinned_by_hash_and_name_no_place():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert not re.search(r"https?://|file:", text)
        for requirement in re.findall(r"^[a-zA-Z0-9].*(?:\n    .*)*", text, re.M):
            assert "==" in requirement and "--hash=sha256:" in requirement, requirement


def test_a_database_that_has_the_joined_migrations_is_up_to_date(db):
    recorder = MigrationRecorder(connection)
    for app, name in JOINED:
        recorder.record_unapplied(app, name)
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


OF_A_SESSION = (
    r"pg_(try_)?advisory_(?!xact)",
    r"\b(UN)?LISTEN\b",
    r"\bNOTIFY\b",
    r"[\"']SET (?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)",
    r"set_config\([^)]*, false\)",
    r"\bPREPARE \w+ AS\b",
    r"\bTEMP(ORARY)? TABLE\b",
    r"\bWITH HOLD\b",
    r"prepare_threshold",
)
"""What belongs to a connection for longer than a transaction, which PgBouncer in transaction mode does not keep."""


WITHOUT_PGBOUNCER = ("statement_limits.py",)
"""What is done only where the settings say that there is no PgBouncer."""


def test_nothing_belongs_to_a_connection_for_longer_than_a_transaction():
    found = [
        (str(path.relative_to(ROOT)), hit.group())
        for app in ("billing_site", "accounts", "invoices", "rebills")
        for path in (ROOT / app).rglob("*.py")
        if path.name not in WITHOUT_PGBOUNCER
        for pattern in OF_A_SESSION
        for hit in re.finditer(pattern, path.read_text())
    ]
    assert found == []
    examples = (
        "pg_advisory_lock(1)",
        "LISTEN work",
        "'SET lock_timeout = 1'",
        "CREATE TEMP TABLE x",
        "set_config('a', 'b', false)",
    )
    assert all(any(re.search(pattern, text) for pattern in OF_A_SESSION) for text in examples)


def test_no_test_module_is_imported_by_another():
    borrowed = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in (ROOT / "tests").rglob("*.py")
        for line in path.read_text().splitlines()
        if re.match(r"(from|import) tests(\.\w+)*\.test_", line)
    ]
    assert borrowed == []
