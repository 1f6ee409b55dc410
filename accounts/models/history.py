"""History of master data: each version of a row, when it was written, and by whom."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.signals import pre_save
from django.utils import timezone
from simple_history.models import HistoricalRecords

EXISTED_BEFORE = "state before the first recorded change"

process_now: ContextVar[str] = ContextVar("process_now", default="")


@contextmanager
def changing_as(process: str) -> Iterator[None]:
    """Record changes inside this block as made by the command of this name."""
    token = process_now.set(process)
    try:
        yield
    finally:
        process_now.reset(token)


def changed_by() -> str | None:
    """Return the key or command that makes the current change, named as in documents and events. Staff are recorded as
    users."""
    call = getattr(getattr(HistoricalRecords.context, "request", None), "call_record", None)
    if call is not None and call.key_no is not None:
        return f"key:{call.key_no}"
    return f"process:{process_now.get()}" if process_now.get() else None


def change_many(rows: QuerySet[Any], **values: Any) -> None:
    """Set the same values in many rows, with a history version of each, in a constant number of queries."""
    history = rows.model.history
    changed = list(rows)
    known = set(history.filter(id__in=[row.pk for row in changed]).values_list("id", flat=True))
    _keep_current_version(rows.model, [row for row in changed if row.pk not in known])
    rows.update(**values)
    for row in changed:
        for name, value in values.items():
            setattr(row, name, value)
    history.bulk_history_create(changed, update=True, default_change_reason=changed_by())


def _keep_current_version(model: Any, rows: Iterable[Any]) -> None:
    version = model.history.model
    model.history.bulk_create(
        version(
            history_date=timezone.now(),
            history_type="~",
            history_change_reason=EXISTED_BEFORE,
            **{field.attname: getattr(row, field.attname) for field in version.tracked_fields},
        )
        for row in rows
    )


class MasterDataHistory(HistoricalRecords):  # type: ignore[misc]
    """Records a version for each change by staff, keys and commands.

    `not_kept` are secrets and columns that billing changes by itself. If only these are written, no version is recorded. Rows
    created in bulk have no version at first; the first change records the old values too.
    """

    def __init__(self, *, not_kept: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(excluded_fields=list(not_kept), **options)

    def finalize(self, sender: Any, **signal: Any) -> None:
        super().finalize(sender, **signal)
        if sender is self.cls:
            pre_save.connect(self.pre_save, sender=sender, weak=False)

    def pre_save(self, instance: Any, raw: bool = False, update_fields: Any = None, **signal: Any) -> None:
        if raw or instance._state.adding or not self._keeps(instance, update_fields):
            return
        if not type(instance).history.filter(id=instance.pk).exists():
            _keep_current_version(type(instance), type(instance)._default_manager.filter(pk=instance.pk))

    def post_save(self, instance: Any, created: bool, using: str | None = None, **signal: Any) -> None:
        if created or self._keeps(instance, signal.get("update_fields")):
            super().post_save(instance, created, using=using, **signal)

    def _keeps(self, instance: Model, written: Any) -> bool:
        return written is None or any(field.name in written for field in self.fields_included(instance))

    def m2m_changed(self, instance: Any, action: str, attr: str, pk_set: Any, reverse: bool, **signal: Any) -> None:
        """If the relation changed from the other side, record a version of each row that was added or removed."""
        rows = self.cls._default_manager.filter(pk__in=pk_set or ()) if reverse else [instance]
        for row in rows:
            super().m2m_changed(row, action, attr, pk_set, False, **signal)

    def get_change_reason_for_object(self, instance: Any, history_type: str, using: str | None) -> str | None:
        reason: str | None = super().get_change_reason_for_object(instance, history_type, using)
        return reason or changed_by()
