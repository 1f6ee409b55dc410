import pytest
from django.db import connection

from tests.support.audits.planting import findings
from tests.support.audits.world import build_world
from tests.support.worlds import world_for_a_while


def build_clean_world():
    numbers = build_world()
    assert findings() == {}
    return numbers


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker):
    """The world, made once for the tests of a module."""
    with django_db_blocker.unblock(), world_for_a_while(build_clean_world) as numbers:
        yield numbers


@pytest.fixture
def world(built, db):
    """The numbers of the world's rows. What a test does to them is undone after it."""
    return built


@pytest.fixture(autouse=True)
def damaging(unguarded):
    """These tests damage rows, and expect that the audit finds it."""


@pytest.fixture
def without_checks():
    """Puts CHECK constraints of a table aside until the end of the test."""

    def put_aside(table, constraint):
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            else:
                cursor.execute("PRAGMA ignore_check_constraints = 1")

    yield put_aside
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = 0")
