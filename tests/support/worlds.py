"""Share rows between tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import connection, transaction

T = TypeVar("T")


@contextmanager
def world_for_a_while(build: Callable[[], T]) -> Iterator[T]:
    """Yield what `build` returns, in a transaction that is rolled back at the end. Changes by a test are rolled back after
    it.

    Foreign keys are checked at once, not at the end of each test: on PostgreSQL a test that is rolled back leaves them to be
    checked again by the next one. Only with statistics of the new rows does it look them up by an index."""
    whole = transaction.atomic()
    # Lets services begin outermost transactions inside it, as Django's own tests do.
    whole._from_testcase = True
    with whole:
        built = build()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Of our tables only: shared catalogs would stay locked, and runs beside this one wait for them in vain.
                tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
                cursor.execute(f"ANALYZE {', '.join(sorted(tables))}")
        connection.check_constraints()
        yield built
        transaction.set_rollback(True)
