"""Who changed what of a customer, when, before and after: read from the history of its rows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from accounts.models import Account, BillingPause, Contact, PaymentMethod, Plan, PlanCharge, PlanInstance, RateSchedule
from invoices.services.lists.histories import author_of, people_of, versions_of

OF_ACCOUNT: Mapping[Any, str] = {
    Account: "id",
    Contact: "account_id",
    PaymentMethod: "account_id",
    PlanInstance: "account_id",
    BillingPause: "account_id",
    RateSchedule: "plan_instance__account_id",
}
"""The models whose rows belong to a customer, with the column that has the account's number."""
NOT_SHOWN = ("id", "client", "account", "plan_instance", "created_at", "replaces")
NAMING = ("client_acct_id", "name", "label", "first_day", "type")
"""Columns that name a row, the first that it has."""
VERBS = {"+": "added", "~": "changed", "-": "removed"}


class Change(NamedTuple):
    """One column that a change has set. A value of a choice is its label, and that of a row its name."""

    name: str
    before: Any
    after: Any


class RowChange(NamedTuple):
    """One change of a row: `verb` is added, changed or removed. `by` is the person, key or command, "" if unknown."""

    at: datetime
    by: str
    verb: str
    model_name: str
    row: str
    changes: tuple[Change, ...]


class Changes(NamedTuple):
    """Changes, newest first. There are earlier ones before the moment `more`, if it is set."""

    rows: list[RowChange]
    more: datetime | None


def changes_of_account(account_no: int, *, before: datetime | None, most: int) -> Changes:
    """Return the newest changes of an account and its rows that were made before a moment.

    The number of queries is constant. A version that only notes what was there before the first change is no change.
    """
    read = [versions_of(_versions(model, column, account_no, before), most + 1) for model, column in OF_ACCOUNT.items()]
    versions = sorted(chain(*read), key=lambda pair: (pair[0].history_date, pair[0].history_id), reverse=True)
    shown = versions[:most]
    if len(versions) > most:
        # What was written at one moment is on one page.
        last = versions[most][0].history_date
        shown = [pair for pair in shown if pair[0].history_date > last] or shown
    people, rows = people_of(one for one, _earlier in shown), _Names([one for one, _earlier in shown])
    found = [_change(one, earlier, people.get(author_of(one), ""), rows) for one, earlier in shown]
    return Changes(found, shown[-1][0].history_date if len(versions) > len(shown) else None)


def _versions(model: Any, column: str, account_no: int, before: datetime | None) -> QuerySet[Any]:
    """Return the versions of an account's rows of one model that were made before a moment."""
    made = Q() if before is None else Q(history_date__lt=before)
    rows: QuerySet[Any] = model.history.model.objects.filter(made, **{column: account_no})
    return rows


class _Names:
    """The names of the plans and charges that versions refer to. Two queries."""

    def __init__(self, versions: Sequence[Any]) -> None:
        self.plans = dict(Plan.objects.filter(pk__in=_numbers(versions, "plan_id")).values_list("pk", "name"))
        charges = PlanCharge.objects.filter(pk__in=_numbers(versions, "charge_id"))
        self.charges = dict(charges.values_list("pk", "service__name"))

    def of(self, version: Any) -> str:
        """Return what a version of a row is called."""
        if version.instance_type is PlanInstance:
            return self.plans.get(version.plan_id, "")
        if version.instance_type is RateSchedule:
            return self.charges.get(version.charge_id, "")
        return next((str(text) for name in NAMING if (text := getattr(version, name, ""))), "")

    def value(self, field: Any, version: Any) -> Any:
        """Return the value of a column as it is shown."""
        if field.name == "plan":
            return self.plans.get(version.plan_id, "")
        if field.name == "charge":
            return self.charges.get(version.charge_id, "")
        return shown_value(field, getattr(version, field.attname))


def shown_value(field: Any, value: Any) -> Any:
    """Return the value of a column as it is shown: the label of a choice, else the value."""
    return dict(field.flatchoices).get(value, value) if field.choices else value


def _numbers(versions: Sequence[Any], column: str) -> set[int]:
    return {number for one in versions if (number := getattr(one, column, None)) is not None}


def _change(version: Any, earlier: Any, by: str, names: _Names) -> RowChange:
    model = version.instance_type
    verb = VERBS[version.history_type]
    changes = () if version.history_type == "-" else tuple(_changes(version, earlier, names))
    return RowChange(version.history_date, by, verb, str(model._meta.verbose_name), names.of(version), changes)


def _changes(version: Any, earlier: Any, names: _Names) -> Iterator[Change]:
    """Yield the columns in which a version differs from the one before. Of a first version: those that are not empty."""
    for field in version.tracked_fields:
        if field.name in NOT_SHOWN:
            continue
        before, after = None if earlier is None else names.value(field, earlier), names.value(field, version)
        if before != after and not (earlier is None and after in ("", None, False)):
            yield Change(str(field.verbose_name), before, after)
