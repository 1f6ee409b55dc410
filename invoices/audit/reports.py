"""What an audit is, and what it reports."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar


class Subject(Protocol):
    """A document or an account that audits are shown, with the name that findings call it by."""

    @property
    def title(self) -> str: ...


S = TypeVar("S", bound=Subject)


class AuditReport(NamedTuple):
    """An audit's name in plain words, how many rows it checked, and what it found wrong: which document or account, and how."""

    name: str
    rows: int
    findings: list[str]


class Audit(NamedTuple, Generic[S]):
    """One invariant: `wrong` says in words how a subject breaks it, `rows` how many rows of the subject that has checked."""

    name: str
    wrong: Callable[[S], Iterator[str]]
    rows: Callable[[S], int] = lambda subject: 1


def audited(subjects: Iterable[S], audits: Sequence[Audit[S]]) -> list[AuditReport]:
    """Shows every subject to every audit, in one pass. Of the subjects nothing is kept but the findings."""
    rows = [0] * len(audits)
    findings: list[list[str]] = [[] for _ in audits]
    for subject in subjects:
        for place, audit in enumerate(audits):
            rows[place] += audit.rows(subject)
            findings[place].extend(f"{subject.title}: {words}" for words in audit.wrong(subject))
    return [AuditReport(audit.name, count, found) for audit, count, found in zip(audits, rows, findings, strict=True)]
