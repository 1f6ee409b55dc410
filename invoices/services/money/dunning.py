"""End dunning when an account has nothing overdue any more.

Dunning begins when a collection fails (`collecting/recording.py`), or by hand. Each act that can reduce a debt calls
`end_dunning` in its transaction: payments, credits, memos, voids, rebills, write-offs and disputes.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.callers import Caller
from accounts.kinds import AccountStatus
from accounts.models import Account, Client, Event
from accounts.models.history import change_many, changing_as
from accounts.trail import Act, record_acts
from billing_site.common.compiled_reads import compiled_read
from invoices.kinds import AttemptStatus
from invoices.models import CollectionAttempt, Invoice
from invoices.services.money.ledger.open_items import open_invoices

DUNNING, DUNNING_ENDED = "account.dunning", "account.dunning_ended"

DUNNING_FROM = frozenset(
    {
        AccountStatus.ACTIVE,
        AccountStatus.CANCELLATION_PENDING,
        AccountStatus.TERMINATION_PENDING,
        AccountStatus.ACTIVE_DUNNING_PENDING,
        AccountStatus.REINSTATED_FORWARD_BILL,
        AccountStatus.REINSTATED_BACK_BILL,
    }
)
"""Accounts in other states are already in dunning, or beyond it."""

IN_DUNNING = frozenset(status for status in AccountStatus if "DUNNING" in status.name)
"""Active and suspended accounts in dunning."""


def end_dunning(client: Client, caller: Caller, account_nos: Collection[int], today: date) -> None:
    """Take accounts that have nothing overdue out of dunning, and write an event for each.

    An account gets back the status from before the failed collection, or becomes active. An invoice is overdue if its due date
    is past, or if it or an invoice that it replaces could not be collected. Must be called under the accounts' locks. One query
    if none of them is in dunning.
    """
    statuses = dict(dunning_rows(client.pk, sorted(set(account_nos))))
    if not statuses:
        return
    ended = sorted(statuses.keys() - _overdue(statuses, today))
    earlier = _earlier(ended)
    accounts: dict[int, list[int]] = defaultdict(list)
    for account_no in ended:
        accounts[earlier.get(account_no, AccountStatus.ACTIVE.value)].append(account_no)
    for status, numbers in accounts.items():
        with changing_as(caller.process):
            change_many(Account.objects.filter(pk__in=numbers), status=status)
        acts = [Act(DUNNING_ENDED, number, before={"status": statuses[number]}, after={"status": status}) for number in numbers]
        record_acts(client, caller, acts)


@compiled_read
def dunning_rows(client_no: int, account_nos: Collection[int]) -> QuerySet[Any, tuple[int, int]]:
    """Read the accounts in dunning among these, with their statuses."""
    rows = Account.objects.filter(client=client_no, pk__in=account_nos, status__in=IN_DUNNING).order_by("pk")
    return rows.values_list("pk", "status")


def _overdue(account_nos: Collection[int], today: date) -> set[int]:
    root = OuterRef("root")
    declined = CollectionAttempt.objects.filter(Q(invoice=root) | Q(invoice__chain_root=root), status=AttemptStatus.DECLINED)
    opened = open_invoices(Invoice.objects.filter(account__in=account_nos))
    opened = opened.annotate(root=Coalesce(F("chain_root_id"), F("pk")))
    overdue = opened.filter(Q(due_date__lt=today) | Exists(declined))
    return set(overdue.order_by().values_list("account_id", flat=True))


def _earlier(account_nos: Collection[int]) -> Mapping[int, int]:
    """Return the status of each account before a failed collection put it into dunning, from the newest event."""
    events = Event.objects.filter(account__in=account_nos, act=DUNNING).order_by("pk")
    before = {number: seen.get("status") for number, seen in events.values_list("account_id", "before")}
    kept = DUNNING_FROM - IN_DUNNING
    return {number: status for number, status in before.items() if number is not None and status in kept}
