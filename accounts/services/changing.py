"""Change and remove rows of master data. Issued documents keep what they have stored; the history keeps each version."""

import hashlib
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import DO_NOTHING, ForeignObjectRel, Model

from accounts.callers import Caller
from accounts.rights import check_may_change
from accounts.services.accounts import lock_row
from billing_site.errors import BillingError, Detail, ErrorCode

Row = TypeVar("Row", bound=Model)

FIXED: Mapping[str, tuple[str, ...]] = {
    # Once billing has begun, the bill day moves only with the account's first invoice (alt_bill_day).
    "accounts.account": ("client", "currency", "bill_day"),
    "accounts.contact": ("account",),
    "accounts.paymentmethod": ("account",),
    "accounts.service": ("client",),
    "accounts.servicelocation": ("client",),
    "accounts.plan": ("client",),
    "invoices.taxrate": ("client",),
    "invoices.surcharge": ("client",),
    "invoices.coupon": ("client",),
}
"""The columns of each model that are set when a row is created and never change."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "accounts.plan": ("charges", "minimums"),
    "accounts.plancharge": ("rates",),
    "invoices.coupon": ("Coupon_services+",),
    "invoices.surcharge": ("Surcharge_services+",),
}
"""Rows that belong to a row and are removed with it, by the name of their relation."""


def planned_values(row: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that differ from the row's, as they would be stored. Writes nothing.

    Its model validates the row as a whole. Refuses (90161) another value of a column that never changes.
    """
    planned = copy(row)
    for name, value in values.items():
        if value != getattr(row, name) and name in FIXED.get(row._meta.label_lower, ()):
            raise BillingError(ErrorCode.NEVER_CHANGES, name, field=name)
        setattr(planned, name, value)
    if any(getattr(planned, name) != getattr(row, name) for name in values):
        planned.full_clean()
    return {name: getattr(planned, name) for name in values if getattr(planned, name) != getattr(row, name)}


def add_row(row: Row, *, caller: Caller) -> Row:
    """Store a new row of master data, after its model validated it as a whole, as the admin does.

    Refuses (90009) a caller who may not add such rows.
    """
    check_may_change(caller, "add", row._meta.label_lower)
    row.full_clean()
    row.save()
    return row


@transaction.atomic
def change_row(row: Model, values: Mapping[str, Any], *, caller: Caller) -> list[str]:
    """Write the values that differ from those of the row, and return their names.

    The row must be locked. Its model validates it as a whole. Refuses (90009) a caller who may not change such rows, and
    (90161) another value of a column that never changes.
    """
    check_may_change(caller, "change", row._meta.label_lower)
    changed = planned_values(row, values)
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.save(update_fields=list(changed))
    return list(changed)


def version_of_row(row: Any) -> str:
    """Return a text that differs if one of the columns differs that the history keeps."""
    kept = {field.attname: str(getattr(row, field.attname)) for field in type(row).history.model.tracked_fields}
    return hashlib.sha256(str(sorted(kept.items())).encode()).hexdigest()[:32]


@transaction.atomic
def change_version(
    row: Any, values: Mapping[str, Any], *, version: str, caller: Caller, change: Callable[..., Any] = change_row
) -> None:
    """Lock a row and change it by `change`, if it is still the version that was seen. Refuses (90162) another version."""
    check_version(row, version)
    change(type(row)._default_manager.get(pk=row.pk), values, caller=caller)


def check_version(row: Any, version: str) -> None:
    """Lock a row until the end of the transaction. Refuses (90162) one that is not the version that was seen."""
    lock_row(row)
    found = type(row)._default_manager.filter(pk=row.pk).first()
    if found is None or version_of_row(found) != version:
        raise BillingError(ErrorCode.CHANGED_SINCE)


@transaction.atomic
def remove_row(row: Model, *, caller: Caller) -> None:
    """Remove a row that nothing refers to, with its parts.

    Refuses (90009) a caller who may not remove such rows, and (90163) one that others refer to; the message says which.
    """
    check_may_change(caller, "delete", row._meta.label_lower)
    check_unused(row)
    row.delete()


def check_unused(row: Model) -> None:
    """Refuse (90163) a row that another row refers to, parts of the row aside. Versions of the history do not count."""
    parts = PARTS.get(row._meta.label_lower, ())
    for relation in row._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or relation.on_delete is DO_NOTHING:
            continue
        model: Any = relation.related_model
        users = model._default_manager.filter(**{relation.field.name: row.pk})
        if relation.get_accessor_name() in parts:
            for part in users:
                check_unused(part)
        elif users.exists():
            named, by = row._meta.model_name, model._meta.model_name
            detail = Detail("{row} {number} is used by a {users}", row=str(named), number=row.pk, users=str(by))
            raise BillingError(ErrorCode.ROW_IS_USED, detail)
