"""Reads of an audit. Of a whole client, the SQL is made once for all clients: that takes longer than reading the few rows that
most clients have."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet

from accounts.models import Client
from billing_site.common.compiled_reads import compiled_read
from invoices.audit.scopes import Scope

Row = TypeVar("Row")

ROWS_AT_ONCE = 2000


class ScopeRead(Generic[Row]):
    """A function that returns the queryset of a scope, as a function that yields its rows, in their order."""

    def __init__(self, build: Callable[[Scope], QuerySet[Any, Row]]) -> None:
        self._build = build

        def of_client(client_no: int) -> QuerySet[Any, Row]:
            return build(Scope(Client(pk=client_no)))

        self._of_client = compiled_read(of_client)

    def __call__(self, scope: Scope) -> Iterator[Row]:
        """Yield the rows of a scope, so that few of them are in memory."""
        if scope.is_whole and scope.client is not None:
            return self._of_client.stream(ROWS_AT_ONCE, scope.client.pk)
        return self._build(scope).iterator(ROWS_AT_ONCE)

    def count(self, scope: Scope) -> int:
        """Return how many rows a scope has."""
        if scope.is_whole and scope.client is not None:
            return self._of_client.count(scope.client.pk)
        return self._build(scope).count()


def scope_read(build: Callable[[Scope], QuerySet[Any, Row]]) -> ScopeRead[Row]:
    """Turn a function that returns the queryset of a scope into a `ScopeRead`."""
    return ScopeRead(build)
