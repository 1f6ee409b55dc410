"""Which rows an audit reads: those of all clients, of one, or only of the accounts in which something has changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

from django.db.models import Model, Q, QuerySet

from accounts.models import Account, Client, Event, PlanInstance, Receipt
from invoices.models import (
    Allocation,
    CollectionAttempt,
    DocumentFile,
    Invoice,
    LedgerEntry,
    Refund,
    RequestedAct,
    RunOutcome,
    Statement,
)

ACCOUNTS_AT_ONCE = 200
"""SQLite takes a limited number of values in a statement, and one statement has all rules."""


@dataclass(frozen=True)
class Scope:
    """The rows of one client or, without a client, of all. With `since`, only those that a change since then may have made
    wrong. With `accounts`, only rows of these accounts."""

    client: Client | None = None
    since: datetime | None = None
    accounts: tuple[int, ...] | None = None

    @property
    def client_no(self) -> int | None:
        return None if self.client is None else self.client.pk

    @property
    def is_whole(self) -> bool:
        return self.since is None and self.accounts is None

    def parts(self) -> "list[Scope]":
        """Return scopes of a few accounts each, which together have the accounts that have changed since the moment."""
        assert self.since is not None
        changed = changed_accounts(self.client, self.since)
        starts = range(0, max(len(changed), 1), ACCOUNTS_AT_ONCE)
        return [replace(self, accounts=tuple(changed[at : at + ACCOUNTS_AT_ONCE])) for at in starts]


NO_ACCOUNT = (0,)
"""No account has this number. Django refuses to write a query with an empty list."""


def of_client(model: type[Model], path: str, scope: Scope) -> QuerySet[Any]:
    """Return the rows of a model in the scope. `path` leads to their client."""
    return model._default_manager.filter(within(model, path, scope))


def within(model: type[Model], path: str, scope: Scope) -> Q:
    """Return the condition that a row of the model is in the scope."""
    found = Q() if scope.client is None else Q(**{path: scope.client_no})
    if scope.accounts is not None and (account := account_path(model, path)):
        return found & Q(**{f"{account}__in": scope.accounts or NO_ACCOUNT})
    if scope.since is not None and model in WRITTEN:
        return found & _since(WRITTEN[model], scope.since)
    return found


@cache
def account_path(model: type[Model], path: str) -> str | None:
    """Return the path from a row to its account, given the path to its client. None: rows of this kind are of no account."""
    *owners, _client = path.split("__")
    owner: Any = model
    for name in owners:
        owner = owner._meta.get_field(name).related_model
    if owner is Account:
        return "__".join(owners) or "pk"
    has_account = any(field.name == "account" for field in owner._meta.concrete_fields)
    return "__".join([*owners, "account"]) if has_account else None


WRITTEN: Mapping[type[Model], Sequence[str]] = {
    Receipt: ("created_at",),
    RequestedAct: ("requested_at", "decided_at"),
    RunOutcome: ("run__started_at", "run__finished_at"),
    DocumentFile: ("made_at",),
}
"""Rows that name no account, or are checked one by one, with the columns that say when they were written or changed."""

CHANGING: Sequence[tuple[type[Model], str, str, Sequence[str]]] = (
    (Event, "client", "account", ("at",)),
    (Invoice, "client", "account", ("generated_at", "approved_at")),
    (LedgerEntry, "account__client", "account", ("created_at",)),
    (Allocation, "credit__account__client", "credit__account", ("created_at",)),
    (CollectionAttempt, "invoice__client", "invoice__account", ("requested_at", "started_at", "settled_at")),
    (Refund, "payment__account__client", "payment__account", ("asked_at", "settled_at")),
    (Statement, "invoice__client", "invoice__account", ("requested_at", "settled_at")),
)
"""What shows that something of an account has changed: a kind of row, the paths to its client and account, and its times."""

VERSIONS: Sequence[tuple[Any, str, str]] = ((Account, "client", "id"), (PlanInstance, "account__client", "account"))
"""What has versions, with the paths from a version to the client and account."""


def changed_accounts(client: Client | None, since: datetime) -> list[int]:
    """Return the numbers of the accounts in which something has changed since a moment, in their order."""
    found = set(chain.from_iterable(_changed(client, since)))
    found.discard(None)
    return sorted(found)


def _changed(client: Client | None, since: datetime) -> Iterator[QuerySet[Any]]:
    for model, path, account, times in CHANGING:
        rows = model._default_manager.filter(_since(times, since), within(model, path, Scope(client)))
        yield rows.order_by().values_list(account, flat=True).distinct()
    for model, path, account in VERSIONS:
        versions = of_client(model.history.model, path, Scope(client)).filter(history_date__gte=since)
        yield versions.order_by().values_list(account, flat=True).distinct()


def _since(columns: Sequence[str], moment: datetime) -> Q:
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__gte": moment})
    return found
