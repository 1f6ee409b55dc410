import pytest

from tests.invoices.audit.conftest import build_clean_world
from tests.support.worlds import world_for_a_while


@pytest.fixture(scope="package")
def built(django_db_setup, django_db_blocker):
    """The world, made once for the tests of this folder: each undoes what it does to it."""
    with django_db_blocker.unblock(), world_for_a_while(build_clean_world) as numbers:
        yield numbers
