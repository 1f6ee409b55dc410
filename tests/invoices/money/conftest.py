"""Money in tests: a sandbox with books of its own for each test, and accounts that pay by its tokens."""

import pytest


@pytest.fixture(autouse=True)
def sandbox_books(settings, tmp_path):
    settings.SANDBOX_GATEWAY_FILE = str(tmp_path / "sandbox.sqlite3")
    return settings.SANDBOX_GATEWAY_FILE
