"""Rules that are checked by a query. The query returns only the rows that break the rule."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import Combinable

from accounts.models import Client
from invoices.audit.reports import AuditReport

ROWS_AT_ONCE = 2000


@dataclass(frozen=True, eq=False)
class Rule:
    """`broken` is the condition that no row may meet. `client` is the path to the row's client; `words` has column names in
    braces."""

    model: type[Model]
    client: str
    broken: Q | Combinable
    words: str
    checked: Q = Q()


class RuleAudit(NamedTuple):
    name: str
    rules: Sequence[Rule]


class Sql(NamedTuple):
    """A query as the database gets it."""

    text: str
    parameters: tuple[Any, ...]


class Search(NamedTuple):
    """The queries of a rule: the rows that it checks, and those that break it."""

    checked: Sql
    broken: Sql


def of_client(model: type[Model], path: str, client: Client | None) -> QuerySet[Any]:
    """Return the rows of a client, or all rows."""
    rows = model._default_manager.all()
    return rows if client is None else rows.filter(**{path: client})


def differ(one: str, other: str) -> Q:
    """Return the condition that two columns differ. It is false if the first one is empty."""
    return Q(**{f"{one}__isnull": False}) & ~Q(**{one: F(other)})


def prove(audits: Sequence[RuleAudit], client: Client | None) -> list[AuditReport]:
    """Report how many rows each audit checked, and describe the rows that break a rule.

    Two queries for all rules: the first counts the rows to check, and the second tests the rules that have any. Only if rows
    break a rule, a further query reads them.
    """
    client_no = None if client is None else client.pk
    searches = {rule: _search(rule, client_no) for audit in audits for rule in audit.rules}
    counts = _count({search.checked for search in searches.values()})
    found = _any_rows({search.broken for search in searches.values() if counts[search.checked]})
    reports = []
    for audit in audits:
        tables = {rule.model: counts[searches[rule].checked] for rule in audit.rules}
        broken = [rule for rule in audit.rules if searches[rule].broken in found]
        findings = [words for rule in broken for words in _described(rule, client_no)]
        reports.append(AuditReport(audit.name, sum(tables.values()), findings))
    return reports


@lru_cache(maxsize=1000)
def _search(rule: Rule, client_no: int | None) -> Search:
    """Return a rule's queries. They are the same at each run, and making them takes longer than small tables are searched."""
    checked = _checked(rule, client_no).order_by().values("pk")
    return Search(_sql(checked), _sql(checked.filter(rule.broken)))


def _sql(rows: QuerySet[Any]) -> Sql:
    text, parameters = rows.query.sql_with_params()
    return Sql(text, tuple(parameters))


def _checked(rule: Rule, client_no: int | None) -> QuerySet[Any]:
    rows = rule.model._default_manager.filter(rule.checked)
    return rows if client_no is None else rows.filter(**{rule.client: client_no})


def _count(queries: Collection[Sql]) -> dict[Sql, int]:
    return dict(_by_query("SELECT {place}, COUNT(*) FROM ({query}) AS checked", list(queries)))


def _any_rows(queries: Collection[Sql]) -> set[Sql]:
    """Return the queries that find a row."""
    return {query for query, _ in _by_query("SELECT {place}, 1 WHERE EXISTS ({query})", list(queries))}


def _by_query(words: str, queries: Sequence[Sql]) -> list[tuple[Sql, int]]:
    """Ask several queries at once, and return the rows of the answer with the query that each is about."""
    if not queries:
        return []
    text = " UNION ALL ".join(words.format(place=place, query=query.text) for place, query in enumerate(queries))
    with connection.cursor() as cursor:
        cursor.execute(text, [value for query in queries for value in query.parameters])
        return [(queries[place], value) for place, value in cursor.fetchall()]


def _described(rule: Rule, client_no: int | None) -> Iterator[str]:
    columns = [name for _, name, _, _ in Formatter().parse(rule.words) if name]
    for row in _checked(rule, client_no).filter(rule.broken).order_by("pk").values(*columns):
        yield rule.words.format(**row)
