"""The transactions behind a month of the dashboard: what was invoiced, collected or credited."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Client
from invoices.kinds import EntryKind
from invoices.models import LedgerEntry
from invoices.services.lists.dashboard import FLOWS, Flow

KINDS = {flow: tuple(kind for kind, (of, _sign) in FLOWS.items() if of is flow) for flow in Flow}


def transactions_of(client: Client, flow: Flow | None, first: date, last: date) -> QuerySet[Any]:
    """Select the transactions of a client from `first` to `last`: all, or those that are added up as this flow, with voids of
    them. The sum of their amounts, with the flow's sign, is the figure of the period."""
    rows = LedgerEntry.objects.filter(account__client=client, entry_date__range=(first, last))
    if flow is None:
        return rows
    return rows.filter(Q(kind__in=KINDS[flow]) | Q(voids__kind__in=KINDS[flow]))


def amount_in_flow(entry: LedgerEntry) -> Decimal:
    """Return what a transaction adds to its flow: a payment adds to what was collected, a refund takes from it."""
    kind = EntryKind(entry.voids.kind if entry.voids is not None else entry.kind)
    sign = FLOWS[kind][1] if kind in FLOWS else 1
    return sign * entry.amount
