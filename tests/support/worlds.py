"""Share rows between tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import transaction

T = TypeVar("T")


@contextmanager
def world_for_a_while(build: Callable[[], T]) -> Iterator[T]:
    """Yield what `build` returns, in a transaction that is rolled back at the end. Changes by a test are rolled back after
    it."""
    whole = transaction.atomic()
    # Lets services begin outermost transactions inside it, as Django's own tests do.
    whole._from_testcase = True
    with whole:
        yield build()
        transaction.set_rollback(True)
