"""The rows that belong to a person, by the list of personal columns."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

from accounts.models import Account, Contact, Event, PaymentMethod, Receipt
from invoices.services.privacy.columns import PERSONAL, Personal

SHOWN_IN_ADMIN = (Account, Contact, PaymentMethod)
"""Models whose rows the log of the admin names by their personal columns."""


def rows_of(label: str, account_no: int) -> QuerySet[Any]:
    """Return the rows of a model that belong to an account, by their numbers."""
    rows: QuerySet[Any] = apps.get_model(label)._default_manager.filter(**{PERSONAL[label].path: account_no})
    return rows.order_by("pk")


def versions_of_rows(label: str, account_no: int) -> QuerySet[Any] | None:
    """Return the versions of rows of an account that the history keeps, removed rows too. None: the model has no history."""
    history = getattr(apps.get_model(label), "history", None)
    if history is None:
        return None
    path = PERSONAL[label].path
    found: QuerySet[Any] = history.model.objects.filter(**{"id" if path == "pk" else path: account_no}).order_by("pk")
    return found


def tables_of(account_no: int) -> Iterator[tuple[str, Personal, QuerySet[Any]]]:
    """Yield each table with personal data, its columns, and the rows of an account in it: models, then their versions."""
    for label, personal in PERSONAL.items():
        yield label, personal, rows_of(label, account_no)
    for label, personal in PERSONAL.items():
        versions = versions_of_rows(label, account_no)
        if versions is not None:
            yield f"{label} (versions)", personal, versions


def receipts_of(account_no: int) -> QuerySet[Receipt]:
    """Return the receipts of calls that are about an account."""
    calls = Event.objects.filter(account=account_no).exclude(call_token="").values("call_token")
    return Receipt.objects.filter(token__in=calls).exclude(token="")


def log_entries_of(account_no: int) -> Iterator[QuerySet[LogEntry]]:
    """Yield the entries of the admin's log that name rows of an account, for each model. Removed rows are found by history."""
    for model in SHOWN_IN_ADMIN:
        versions = versions_of_rows(model._meta.label_lower, account_no)
        numbers = {*rows_of(model._meta.label_lower, account_no).values_list("pk", flat=True)}
        numbers |= set(versions.values_list("id", flat=True)) if versions is not None else set()
        kind = ContentType.objects.get_for_model(model)
        yield LogEntry.objects.filter(content_type=kind, object_id__in=map(str, sorted(numbers)))


def columns_held(model: type[Model], personal: Personal) -> list[str]:
    """Return the personal columns that a table has. The versions of a table leave out its secrets."""
    held = {field.name for field in model._meta.concrete_fields}
    return [name for name in personal.columns if name in held]
