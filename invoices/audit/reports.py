"""The types of audits and of their reports."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, NamedTuple, Protocol, TypeVar

from django.db import connection, transaction


class Subject(Protocol):
    """A document or account that is audited. Findings begin with its title."""

    @property
    def title(self) -> str: ...


S = TypeVar("S", bound=Subject)


class AuditReport(NamedTuple):
    """The name of an audit, the number of rows that it checked, and a text for each violation."""

    name: str
    rows: int
    findings: list[str]


class Audit(NamedTuple, Generic[S]):
    """One rule. `wrong` yields a text for each violation by a subject; `rows` counts the rows of the subject."""

    name: str
    wrong: Callable[[S], Iterator[str]]
    rows: Callable[[S], int] = lambda subject: 1


class Unreadable(NamedTuple):
    """A document or account that could not be read, and why."""

    title: str
    error: Exception


Progress = Callable[[str], None]
"""Is given a line of text after each part of an audit that takes long."""


def quiet(line: str) -> None:
    """Report no progress."""


SUBJECTS_BETWEEN_LINES = 10_000


def words_of(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def failed(error: Exception) -> str:
    """Return the finding of a rule that could not be tried. What it would have found is not known."""
    return f"the rule could not be tried: {words_of(error)}"


@contextmanager
def alone() -> Iterator[None]:
    """Let a query that fails inside end only this block, and not the transaction of the other audits."""
    if not connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        yield


OBJECTS_BEFORE_GARBAGE = 200_000


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Look for garbage seldom inside. What audits read has no cycles, and looking through it took a fifth of their time."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], OBJECTS_BEFORE_GARBAGE), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def tried(audit: Callable[[], Iterable[AuditReport]], name: str) -> list[AuditReport]:
    """Return the reports of an audit. If it fails, that is a finding, and the other audits go on."""
    try:
        with alone():
            return list(audit())
    except Exception as error:
        return [AuditReport(name, 0, [failed(error)])]


def audited(
    name: str, subjects: Iterable[S | Unreadable], audits: Sequence[Audit[S]], progress: Progress = quiet
) -> list[AuditReport]:
    """Pass each subject to each audit, and return a report of what could be read, by this name, and then one per audit in the
    same order. Only findings are kept in memory. A rule that fails for a subject is a finding, and all others go on."""
    rows = [0] * len(audits)
    findings: list[list[str]] = [[] for _ in audits]
    unreadable: list[str] = []
    count = 0
    try:
        with alone():
            for subject in subjects:
                count += 1
                if isinstance(subject, Unreadable):
                    unreadable.append(f"{subject.title}: cannot be read: {words_of(subject.error)}")
                    continue
                for place, audit in enumerate(audits):
                    try:
                        rows[place] += audit.rows(subject)
                        findings[place].extend([f"{subject.title}: {words}" for words in audit.wrong(subject)])
                    except Exception as error:
                        findings[place].append(f"{_title(subject, count)}: {failed(error)}")
                if not count % SUBJECTS_BETWEEN_LINES:
                    progress(f"{count:,} {name}")
    except Exception as error:
        unreadable.append(f"after {count:,} {name}, the next one cannot be read: {words_of(error)}")
    reports = [AuditReport(audit.name, number, found) for audit, number, found in zip(audits, rows, findings, strict=True)]
    return [AuditReport(f"All {name} can be read", count, unreadable), *reports]


def _title(subject: Subject, count: int) -> str:
    try:
        return subject.title
    except Exception:
        return f"number {count:,} of those that were read"


def merged(reports: Iterable[AuditReport]) -> list[AuditReport]:
    """Add up the reports of one name, in the order in which the names appear."""
    sums: dict[str, AuditReport] = {}
    for report in reports:
        before = sums.get(report.name, AuditReport(report.name, 0, []))
        sums[report.name] = AuditReport(report.name, before.rows + report.rows, [*before.findings, *report.findings])
    return list(sums.values())
