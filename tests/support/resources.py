"""A caller of the resources of accounts and the catalogue."""

import pytest

from tests.support.accounts_api import with_key


@pytest.fixture
def api(acme):
    return with_key(acme)
