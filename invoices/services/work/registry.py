"""The kinds of work that a worker does. Each is registered by the module that knows it, so that the worker names none."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from invoices.models import Worker


class KindOfWork(NamedTuple):
    """A kind of work that is rows in the database.

    `do_batch` claims the next batch, does it, and says whether there was one. It must be safe from several workers at once, and
    do again what a dead worker has claimed and not finished. What `can_wait` is done while nothing else is due, and at least
    once a minute."""

    name: str
    do_batch: Callable[[Worker], bool]
    can_wait: bool = False


STOPPING = threading.Event()
"""Set when this process must end. Work that takes long looks here between its batches."""


class Interrupted(Exception):
    """Work has ended early because the process must end. Another one continues it."""


class CannotGoOn(Exception):
    """A kind of work must rest for a while, for a reason in words that is not a mistake of the program."""


def check_stopping(*batch: object) -> None:
    """Raise Interrupted if this process must end. Called after each batch of work that takes long, with whatever it gave."""
    if STOPPING.is_set():
        raise Interrupted


_KINDS: dict[str, KindOfWork] = {}


def register(kind: KindOfWork) -> None:
    """Have every worker do this kind of work. A kind of the same name is replaced."""
    _KINDS[kind.name] = kind


def kind_named(name: str) -> KindOfWork | None:
    """The kind of work of this name, if this process knows it."""
    return _KINDS.get(name)


def kinds_of_work() -> tuple[KindOfWork, ...]:
    """The registered kinds, in the order in which they were registered."""
    return tuple(_KINDS.values())
