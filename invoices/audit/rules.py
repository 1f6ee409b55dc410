"""Rules that are checked by a query. The query returns only the rows that break the rule."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from string import Formatter
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import Combinable

from accounts.models import Client
from invoices.audit.reports import AuditReport, alone, tried
from invoices.audit.scopes import Scope, account_path, within


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


def differ(one: str, other: str) -> Q:
    """Return the condition that two columns differ. It is false if the first one is empty."""
    return Q(**{f"{one}__isnull": False}) & ~Q(**{one: F(other)})


def prove(audits: Sequence[RuleAudit], scope: Scope) -> list[AuditReport]:
    """Report how many rows each audit checked, and describe the rows that break a rule.

    Two queries for all rules: the first counts the rows to check, and the second tests the rules that have any. Only if rows
    break a rule, a further query reads them. If a query fails, each audit is tried by itself, and a failure is its finding.

    In a scope with accounts only the rules of rows that have an account are tried, and with a moment alone only the others.
    """
    audits = [RuleAudit(audit.name, [rule for rule in audit.rules if _is_tried(rule, scope)]) for audit in audits]
    try:
        with alone():
            return _prove(audits, scope)
    except Exception:
        return [report for audit in audits for report in tried(partial(_prove, [audit], scope), audit.name)]


def _is_tried(rule: Rule, scope: Scope) -> bool:
    return scope.is_whole or (account_path(rule.model, rule.client) is None) == (scope.accounts is None)


def _prove(audits: Sequence[RuleAudit], scope: Scope) -> list[AuditReport]:
    searches = {rule: _search(rule, scope) for audit in audits for rule in audit.rules}
    counts = _count({search.checked for search in searches.values()})
    found = _any_rows({search.broken for search in searches.values() if counts[search.checked]})
    reports = []
    for audit in audits:
        tables = {rule.model: counts[searches[rule].checked] for rule in audit.rules}
        broken = [rule for rule in audit.rules if searches[rule].broken in found]
        findings = [words for rule in broken for words in _described(rule, scope)]
        reports.append(AuditReport(audit.name, sum(tables.values()), findings))
    return reports


def _search(rule: Rule, scope: Scope) -> Search:
    if not scope.is_whole:
        return _made_search(rule, scope)
    search = _kept_search(rule, Scope(scope.client and ANY_CLIENT))
    return Search(*(Sql(sql.text, tuple(_of_client(scope.client_no, sql.parameters))) for sql in search))


def _made_search(rule: Rule, scope: Scope) -> Search:
    checked = _checked(rule, scope).order_by().values("pk")
    return Search(_sql(checked), _sql(checked.filter(rule.broken)))


_kept_search = lru_cache(maxsize=1000)(_made_search)
"""The queries of a whole client are the same for each, and making them takes longer than small tables are searched."""

ANY_CLIENT = Client(pk=2**53 - 1)
"""Stands for the client in the queries that are kept. No rule has this number as a value of its own."""


def _of_client(client_no: int | None, parameters: Iterable[Any]) -> Iterator[Any]:
    return (client_no if value == ANY_CLIENT.pk else value for value in parameters)


def _sql(rows: QuerySet[Any]) -> Sql:
    text, parameters = rows.query.sql_with_params()
    return Sql(text, tuple(parameters))


def _checked(rule: Rule, scope: Scope) -> QuerySet[Any]:
    rows = rule.model._default_manager.filter(rule.checked)
    return rows.filter(within(rule.model, rule.client, scope))


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


def _described(rule: Rule, scope: Scope) -> Iterator[str]:
    columns = [name for _, name, _, _ in Formatter().parse(rule.words) if name]
    for row in _checked(rule, scope).filter(rule.broken).order_by("pk").values(*columns):
        yield rule.words.format(**row)
