"""Master data is as its newest version says: nobody has changed or deleted a row without a version of it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models

from accounts.models import Account, Client
from invoices.audit.reports import AuditReport
from invoices.audit.scopes import Scope

NAME = "Master data is as its newest version says"
MOST_FINDINGS = 1000
"""So many rows of a model are described at most."""

SET_BY_BILLING: dict[type[models.Model], frozenset[str]] = {
    Account: frozenset({"bill_day"}),
    Client: frozenset({"closed_through"}),
}
"""Columns that versions have, and that billing or closing a period sets without one."""


def versions(scope: Scope) -> AuditReport:
    """Compare each row that has versions with the newest of them. Rows that were imported in bulk have none, until they are
    changed."""
    count, findings = 0, []
    for model in compared_models():
        known, wrong = _of_model(model, scope.client)
        count += known
        findings.extend(wrong)
    return AuditReport(NAME, count, findings)


@cache
def compared_models() -> list[Any]:
    """Return the models whose rows have versions."""
    labels = ("accounts", "invoices", "rebills")
    return [
        model
        for label in labels
        for model in apps.get_app_config(label).get_models()
        if hasattr(getattr(model, "history", None), "model")
    ]


def _of_model(model: Any, client: Client | None) -> tuple[int, list[str]]:
    """Return how many rows of a model have versions, and what is wrong with them."""
    version = model.history.model
    columns = _kept(model)
    table, key, older = (connection.ops.quote_name(name) for name in (model._meta.db_table, "id", version._meta.db_table))
    different = " OR ".join(f"one.{name} IS DISTINCT FROM v.{name}" for name in map(connection.ops.quote_name, columns))
    newest = f"NOT EXISTS (SELECT 1 FROM {older} AS later WHERE later.{key} = v.{key} AND later.history_id > v.history_id)"
    with connection.cursor() as cursor:
        where, parameters = _of_client(model, client, "one")
        rows = f"FROM {older} AS v JOIN {table} AS one ON one.{key} = v.{key} WHERE {newest} AND {where}"
        cursor.execute(f"SELECT COUNT(*) {rows}", parameters)
        (known,) = cursor.fetchone()
        wrong = f"(v.history_type = '-' OR {different})"
        cursor.execute(f"SELECT v.{key} {rows} AND {wrong} ORDER BY v.{key} LIMIT {MOST_FINDINGS}", parameters)
        changed = [number for (number,) in cursor.fetchall()]
        where, parameters = _of_client(model, client, "v")
        cursor.execute(
            f"SELECT v.{key} FROM {older} AS v WHERE v.history_type <> '-' AND {newest} AND {where} "
            f"AND NOT EXISTS (SELECT 1 FROM {table} AS one WHERE one.{key} = v.{key}) ORDER BY v.{key} LIMIT {MOST_FINDINGS}",
            parameters,
        )
        deleted = [number for (number,) in cursor.fetchall()]
    name = str(model._meta.model_name)
    return known, [
        *_described(model, name, columns, changed),
        *(f"{name} {number}: was deleted, but its newest version does not say so" for number in deleted),
    ]


def _described(model: Any, name: str, columns: list[str], changed: list[int]) -> Iterator[str]:
    for number in changed:
        row = model._default_manager.filter(pk=number).first()
        version = model.history.filter(id=number).order_by("-history_id").first()
        if version.history_type == "-":
            yield f"{name} {number}: is there, but its newest version says that it was deleted"
            continue
        fields = [field for field in model._meta.concrete_fields if field.column in columns]
        different = [field.name for field in fields if getattr(row, field.attname) != getattr(version, field.attname)]
        yield f"{name} {number}: differs from its newest version in {', '.join(different) or 'the form of a value'}"


def _kept(model: Any) -> list[str]:
    """Return the columns that versions have and billing does not set by itself."""
    tracked = {field.attname for field in model.history.model.tracked_fields}
    fields = [field for field in model._meta.concrete_fields if field.attname in tracked and not field.primary_key]
    return [str(field.column) for field in fields if field.name not in SET_BY_BILLING.get(model, ())]


def _of_client(model: Any, client: Client | None, alias: str) -> tuple[str, list[Any]]:
    """Return the condition that a row or version, by its alias, is of a client."""
    if client is None:
        return "1 = 1", []
    if model is Client:
        return f"{alias}.id = %s", [client.pk]
    link = _link(model)
    column = f"{alias}.{connection.ops.quote_name(link.column)}"
    if link.related_model is Client:
        return f"{column} = %s", [client.pk]
    inner, parameters = _of_client(link.related_model, client, "owner")
    table = connection.ops.quote_name(link.related_model._meta.db_table)
    return f"{column} IN (SELECT owner.id FROM {table} AS owner WHERE {inner})", parameters


def _link(model: Any) -> Any:
    """Return the foreign key that leads to the client, on the shortest way."""
    links = {field.name: field for field in model._meta.concrete_fields if field.is_relation}
    return next(links[name] for name in ("client", "account", "plan", "charge", "schedule") if name in links)
