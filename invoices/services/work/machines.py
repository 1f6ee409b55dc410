"""Rows that are in states: which changes of state are allowed, made under the lock of the row, and recorded as events."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import transaction
from django.db.models import Model, TextChoices

from accounts.callers import Caller
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError
from invoices.services.work.waking import wake

Row = TypeVar("Row", bound=Model)
States = Mapping[Any, Collection[Any]]


def _nothing_more(row: Any, to: TextChoices) -> Mapping[str, Any]:
    return {}


class Machine(NamedTuple, Generic[Row]):
    """The states of a model with the columns `client` and `state`.

    `name` begins the names of its events. `refused` makes the refusal of a change that `transitions` does not allow. In the
    states `woken` workers are told that there is `work`. `said` returns what the event says beside the row's number, its
    state and the reason.
    """

    model: type[Row]
    states: type[TextChoices]
    transitions: States
    name: str
    refused: Callable[[Row], BillingError]
    woken: Collection[TextChoices]
    work: str
    said: Callable[[Row, TextChoices], Mapping[str, Any]] = _nothing_more

    def locked(self, row: Row) -> Row:
        """Lock the row until the end of the transaction, and return it as it is now."""
        rows: Any = self.model._default_manager
        found: Row = rows.select_for_update(no_key=True).get(pk=row.pk)
        return found

    @transaction.atomic
    def move(
        self, row: Row, to: TextChoices, *, only: Iterable[TextChoices] = (), caller: Caller | None = None, **columns: Any
    ) -> Row:
        """Change the state and other columns, in the database and in the given row, and return it.

        With `caller` an event says who did it. Refuses what the transitions do not allow, and a state that is not in `only`.
        """
        locked: Any = self.locked(row)
        before = self.states(locked.state)
        if to not in self.transitions[before] or (only and before not in only):
            raise self.refused(locked)
        self.model._default_manager.filter(pk=row.pk).update(state=to, **columns)
        if caller is not None:
            after = {self.name: row.pk, "state": to.value, "reason": columns.get("stop_reason", ""), **self.said(row, to)}
            act = Act(f"{self.name}.{to.value}", before={"state": before.value}, after=after, row_no=row.pk)
            record_acts(locked.client, caller, [act])
        row.refresh_from_db()
        if to in self.woken:
            wake(self.work)
        return row
