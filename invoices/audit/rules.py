"""Rules that the database proves by itself: it gives only the rows that break them."""

from collections.abc import Iterator, Sequence
from string import Formatter
from typing import Any, NamedTuple

from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import Combinable

from accounts.models import Client
from invoices.audit.reports import AuditReport

ROWS_AT_ONCE = 2000


class Rule(NamedTuple):
    """What no row of a table may be. `client` is the path to the client it belongs to; `words` name its columns in braces."""

    model: type[Model]
    client: str
    broken: Q | Combinable
    words: str
    checked: Q = Q()


class RuleAudit(NamedTuple):
    name: str
    rules: Sequence[Rule]


Counts = dict[tuple[type[Model], str, Q], int]
"""How many rows of a client there are to check, of what a run of the audits has counted already."""


def of_client(model: type[Model], path: str, client: Client | None) -> QuerySet[Any]:
    """The rows of a client, or all."""
    rows = model._default_manager.all()
    return rows if client is None else rows.filter(**{path: client})


def differ(one: str, other: str) -> Q:
    """Two columns that should be equal are not; where the first is empty there is nothing to compare."""
    return Q(**{f"{one}__isnull": False}) & ~Q(**{one: F(other)})


def proven(audit: RuleAudit, client: Client | None, counts: Counts) -> AuditReport:
    """Describes the rows that break a rule. A table's rows are counted once, however many of the rules speak of them; where
    there are none, no rule is asked for."""
    tables: dict[type[Model], int] = {}
    findings: list[str] = []
    for rule in audit.rules:
        checked = of_client(rule.model, rule.client, client).filter(rule.checked)
        which = rule.model, rule.client, rule.checked
        if which not in counts:
            counts[which] = checked.count()
        tables[rule.model] = counts[which]
        if counts[which]:
            findings.extend(_described(checked.filter(rule.broken), rule.words))
    return AuditReport(audit.name, sum(tables.values()), findings)


def _described(broken: QuerySet[Any], words: str) -> Iterator[str]:
    columns = [name for _, name, _, _ in Formatter().parse(words) if name]
    for row in broken.order_by("pk").values(*columns):
        yield words.format(**row)
