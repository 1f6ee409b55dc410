"""The types of audits and of their reports."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar


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


def audited(subjects: Iterable[S], audits: Sequence[Audit[S]]) -> list[AuditReport]:
    """Pass each subject to each audit, and return one report per audit in the same order. Only findings are kept in memory."""
    rows = [0] * len(audits)
    findings: list[list[str]] = [[] for _ in audits]
    for subject in subjects:
        for place, audit in enumerate(audits):
            rows[place] += audit.rows(subject)
            findings[place].extend(f"{subject.title}: {words}" for words in audit.wrong(subject))
    return [AuditReport(audit.name, count, found) for audit, count, found in zip(audits, rows, findings, strict=True)]
