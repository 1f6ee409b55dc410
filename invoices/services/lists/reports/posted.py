"""Documents by the day on which they were posted. A void takes its document back on the day of the void."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from django.db.models import QuerySet

from accounts.models import Client
from invoices.kinds import CHARGE_KINDS, EntryKind
from invoices.models import LedgerEntry


class Posted(NamedTuple):
    """Entries that posted documents (`sign` 1), or entries that voided documents (`sign` -1)."""

    sign: int
    entries: QuerySet[LedgerEntry]


def posted(client: Client, first: date, last: date) -> Iterator[Posted]:
    """Yield the documents of a client that were posted from `first` to `last`, then those that were voided in these days.

    A document that was issued and voided in the same days is in both, so its figures sum to zero.
    """
    entries = LedgerEntry.objects.filter(account__client=client, entry_date__range=(first, last))
    yield Posted(1, entries.filter(kind__in=CHARGE_KINDS))
    yield Posted(-1, entries.filter(kind=EntryKind.VOID, voids__kind__in=CHARGE_KINDS))
