"""Which work this thread does in the background, for reports about it: names of kinds and numbers, nothing personal."""

from collections.abc import Mapping
from contextvars import ContextVar

_NOTHING: Mapping[str, str] = {}
work_now: ContextVar[Mapping[str, str]] = ContextVar("work", default=_NOTHING)


def begin_work(kind: str) -> None:
    """Note that a batch of a kind of work begins. What was noted of the batch before is forgotten."""
    work_now.set({"work": kind})


def note_work(**numbers: int | str) -> None:
    """Note of what the batch does, such as the number of its billing run and of its client. It holds until the next batch, so
    that an error which ends the batch is reported with it."""
    work_now.set({**work_now.get(), **{name: str(number) for name, number in numbers.items()}})
