"""Rows that many tests share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import transaction

T = TypeVar("T")


@contextmanager
def world_for_a_while(build: Callable[[], T]) -> Iterator[T]:
    """What `build` returns, made in a transaction that is rolled back in the end. What a test does to it is undone after it."""
    whole = transaction.atomic()
    # Lets services begin the transactions inside it that are to be outermost, as Django's own tests do.
    whole._from_testcase = True
    with whole:
        yield build()
        transaction.set_rollback(True)
