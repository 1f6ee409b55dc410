"""The approval queue: a client's pending documents, its tabs, and their totals."""

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet

from accounts.callers import Caller
from accounts.models import Client
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import InvoiceStatus
from invoices.models import BillingRun, Invoice
from invoices.services.planning.flags import is_flagged

RUNS_TO_CHOOSE = 10


class Tab(Enum):
    ALL = "all"
    FLAGGED = "flagged"
    CLEAN = "clean"
    MINE = "mine"


ADDED_UP = (Tab.ALL, Tab.FLAGGED, Tab.MINE)


class Sum(NamedTuple):
    """The number of documents in a currency, and their total."""

    currency: str
    documents: int
    total: Decimal


def pending_documents(client: Client) -> QuerySet[Invoice]:
    """Select the client's pending invoices and rebills."""
    return Invoice.objects.filter(client=client, status=InvoiceStatus.PENDING)


def tab_rules(client: Client, caller: Caller) -> dict[Tab, Q]:
    """Return the condition of each tab. `MINE` are the documents that the caller generated."""
    flagged = is_flagged(client)
    return {Tab.ALL: Q(), Tab.FLAGGED: flagged, Tab.CLEAN: ~flagged, Tab.MINE: Q(generated_by=caller.identity)}


def tab_sums(rows: QuerySet[Invoice], client: Client, caller: Caller) -> dict[Tab, list[Sum]]:
    """Return the totals of each tab, per currency. One query. `CLEAN` is the difference of `ALL` and `FLAGGED`."""
    rules = tab_rules(client, caller)
    counted: dict[str, Any] = {}
    for tab in ADDED_UP:
        rule = rules[tab] or None
        counted[f"{tab.value}_count"] = Count("pk", filter=rule)
        counted[f"{tab.value}_total"] = ExactSum("total_amount", filter=rule)
    sums: dict[Tab, list[Sum]] = {tab: [] for tab in Tab}
    added_up: Iterable[Any] = rows.order_by("currency").values("currency").annotate(**counted)
    for row in added_up:
        for tab in ADDED_UP:
            sums[tab].append(Sum(row["currency"], row[f"{tab.value}_count"], row[f"{tab.value}_total"] or ZERO))
        every, flagged = sums[Tab.ALL][-1], sums[Tab.FLAGGED][-1]
        sums[Tab.CLEAN].append(Sum(row["currency"], every.documents - flagged.documents, every.total - flagged.total))
    return sums


def sums_of(rows: QuerySet[Invoice]) -> list[Sum]:
    """Return the totals of documents, per currency."""
    found = rows.order_by("currency").values_list("currency").annotate(Count("pk"), ExactSum("total_amount"))
    return [Sum(currency, count, total) for currency, count, total in found]


def open_sums_of(rows: QuerySet[Invoice]) -> list[Sum]:
    """Return the open amounts of documents, per currency."""
    found = rows.order_by("currency").values_list("currency").annotate(Count("pk"), ExactSum("open_amount"))
    return [Sum(currency, count, total) for currency, count, total in found]


def newest_runs(client: Client) -> QuerySet[BillingRun]:
    """Return the newest runs, by which the queue can be filtered."""
    return BillingRun.objects.filter(client=client).order_by("-pk")[:RUNS_TO_CHOOSE]
