"""The history of master data in words: who changed what, when, from which value to which."""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.history import EXISTED_BEFORE
from accounts.staff import names_of
from billing_site.common.numbers import short_number


class ChangedColumn(NamedTuple):
    name: str
    before: str
    after: str


class RowChange(NamedTuple):
    """A version of a row: what it is, what was done with it, and the columns that changed."""

    at: datetime
    who: str
    what: str
    done: str
    columns: Sequence[ChangedColumn]


def changes_of(histories: Iterable[QuerySet[Any]], count: int) -> list[RowChange]:
    """Return the newest changes of rows, the newest first: at most `count`. `histories` are versions of rows of one model each.

    The versions before the shown ones are read too, so two queries for each history. Versions that only keep the state before
    the first change are not changes.
    """
    read = [versions_of(history, count) for history in histories]
    newest = heapq.merge(*read, key=lambda pair: (pair[0].history_date, pair[0].history_id), reverse=True)
    chosen = list(islice(newest, count))
    people, related = people_of(version for version, _ in chosen), _related_rows(chosen)
    return [_change(version, before, people, related) for version, before in chosen]


def _related_rows(versions: Iterable[tuple[Any, Any]]) -> dict[tuple[Any, str], list[str]]:
    """Return the names of the rows chosen for each version, by version and relation. One query for each relation, and none for
    models without one."""
    found: dict[tuple[Any, str], list[str]] = {}
    by_model: dict[Any, list[Any]] = {}
    for pair in versions:
        for version in pair:
            if version is not None and version._history_m2m_fields:
                by_model.setdefault(type(version), []).append(version)
    for model, rows in by_model.items():
        for field in model._history_m2m_fields:
            chosen = getattr(rows[0], field.name).model.objects.filter(history__in=rows)
            target = field.m2m_reverse_field_name()
            for one in chosen.select_related(target).order_by(target):
                found.setdefault((one.history_id, field.name), []).append(str(getattr(one, target)))
    return found


def versions_of(history: QuerySet[Any], count: int) -> list[tuple[Any, Any]]:
    """Return the newest versions of rows of one model with those before them, at most `count`, the newest first. Two queries.

    Versions that only keep the state before the first change are left out.
    """
    same_row = history.model.objects.filter(id=OuterRef("id"))
    earlier = Q(history_date__lt=OuterRef("history_date")) | Q(
        history_date=OuterRef("history_date"), history_id__lt=OuterRef("history_id")
    )
    before = Subquery(same_row.filter(earlier).order_by(*NEWEST).values("history_id")[:1])
    rows = history.exclude(history_change_reason=EXISTED_BEFORE)
    versions = list(rows.annotate(before=before).order_by(*NEWEST)[:count])
    known = history.model.objects.in_bulk([version.before for version in versions if version.before is not None])
    return [(version, known.get(version.before)) for version in versions]


NAMES = {"rateschedule": _("Price"), "plancharge": _("Charge"), "apikey": _("API key"), "numberseries": _("Number series")}
"""What pages call rows of these models."""
NEWEST = ("-history_date", "-history_id")


def people_of(versions: Iterable[Any]) -> dict[str, str]:
    """Return the names of who made versions, by `author_of` each."""
    return names_of({author_of(version) for version in versions} - {""})


def author_of(version: Any) -> str:
    """Return who made a version, named as in documents and events, "" if unknown."""
    if version.history_user_id is not None:
        return f"staff:{version.history_user_id}"
    return version.history_change_reason or ""


def _change(version: Any, before: Any, people: dict[str, str], related: dict[tuple[Any, str], list[str]]) -> RowChange:
    who = people.get(author_of(version), "")
    model = version.instance_type
    done = {"+": gettext("added"), "-": gettext("removed")}.get(version.history_type, gettext("changed"))
    is_change = version.history_type == "~" and before is not None
    columns = [*_columns(version, before), *_related_columns(version, before, related)] if is_change else []
    named = NAMES.get(model._meta.model_name) or model._meta.verbose_name
    return RowChange(version.history_date, who, f"{capfirst(str(named))} {version.instance}", done, columns)


def _columns(version: Any, before: Any) -> list[ChangedColumn]:
    pairs = ((field, getattr(before, field.attname), getattr(version, field.attname)) for field in version.tracked_fields)
    return [
        ChangedColumn(capfirst(_label(version, field.name)), _said(before, field, old), _said(version, field, new))
        for field, old, new in pairs
        if old != new
    ]


def _related_columns(version: Any, before: Any, related: dict[tuple[Any, str], list[str]]) -> list[ChangedColumn]:
    pairs = [
        (field.name, *(", ".join(related.get((one.history_id, field.name), [])) for one in (before, version)))
        for field in version._history_m2m_fields
    ]
    return [ChangedColumn(capfirst(_label(version, name)), old or "–", new or "–") for name, old, new in pairs if old != new]


def _label(version: Any, name: str) -> str:
    try:
        return str(version.instance_type._meta.get_field(name).verbose_name)
    except FieldDoesNotExist:
        return name


def _said(version: Any, field: Any, value: Any) -> str:
    """Return the value of a column in words."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if value in (None, ""):
        return "–"
    if isinstance(value, Decimal):
        return short_number(value)
    display = getattr(version, f"get_{field.name}_display", None)
    return str(display()) if display is not None else str(value)
