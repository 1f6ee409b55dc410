"""Sums of the ledger by day: months are added up from days, not from every transaction.

Entries are summed once they are older than `SUMMED_AFTER`. By then, no open transaction can still add an entry with a lower
number. Newer entries are added at each reading, so the figures are always those of the ledger. An audit compares the two.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from accounts.models import Client
from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.models import DailySum, LedgerEntry, SummedLedger

SUMMED_AFTER = timedelta(minutes=10)
ENTRIES_AT_ONCE = 100_000


class Day(NamedTuple):
    """What is summed: the transactions of a client in a currency on a day. `kind` is what happened; a void counts as the kind
    that it voids."""

    client_no: int
    currency: str
    day: date
    kind: str


def sum_up_ledger(now: datetime) -> int:
    """Add entries that are old enough to the sums of their days, and return the number of the last entry that is in them.

    Each step is a transaction of its own, under the lock of the one row that says how far the sums reach: several processes
    may call this at once, and one that is killed leaves nothing half done.
    """
    while True:
        with transaction.atomic():
            SummedLedger.objects.get_or_create(pk=1)
            summed = SummedLedger.objects.select_for_update(no_key=True).get(pk=1)
            last = _newest_before(now - SUMMED_AFTER, summed.through)
            if last is None:
                return summed.through
            _add(daily_sums(LedgerEntry.objects.filter(pk__gt=summed.through, pk__lte=last)))
            summed.through = last
            summed.save()


def sum_up_when_due(now: datetime) -> bool:
    """Sum what is old enough, once the oldest entry that is not summed is twice as old. Return whether there was one."""
    oldest = LedgerEntry.objects.filter(pk__gt=_summed_through()).order_by("pk").values_list("created_at", flat=True).first()
    if oldest is None or oldest > now - 2 * SUMMED_AFTER:
        return False
    sum_up_ledger(now)
    return True


def _summed_through() -> int:
    return SummedLedger.objects.values_list("through", flat=True).first() or 0


@transaction.atomic
def forget_sums() -> None:
    """Delete the sums, so that the whole ledger is summed again."""
    SummedLedger.objects.select_for_update(no_key=True).filter(pk=1).first()
    DailySum.objects.all().delete()
    SummedLedger.objects.update(through=0)


def _newest_before(moment: datetime, after: int) -> int | None:
    """The last entry of the next step, if there is any."""
    old = LedgerEntry.objects.filter(pk__gt=after, created_at__lt=moment)
    newest = old.order_by("-pk").values_list("pk", flat=True).first()
    return None if newest is None else min(newest, after + ENTRIES_AT_ONCE)


def daily_sums(entries: QuerySet[LedgerEntry]) -> dict[Day, Decimal]:
    """Entries summed by day: one query."""
    kind = Coalesce("voids__kind", "kind")
    rows = entries.order_by().annotate(what=kind).values_list("account__client", "account__currency", "entry_date", "what")
    return {Day(*key): amount for *key, amount in rows.annotate(ExactSum("amount"))}


def _add(sums: dict[Day, Decimal]) -> None:
    days = DailySum.objects.filter(client__in={one.client_no for one in sums}, day__in={one.day for one in sums})
    before = stored_sums(days)
    rows = [
        DailySum(
            client_id=one.client_no, currency=one.currency, day=one.day, kind=one.kind, amount=amount + before.get(one, ZERO)
        )
        for one, amount in sums.items()
    ]
    DailySum.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["client", "day", "currency", "kind"],
        update_fields=["amount"],
    )


def stored_sums(days: QuerySet[DailySum]) -> dict[Day, Decimal]:
    """Sums as they are stored: one query."""
    rows = days.values_list("client_id", "currency", "day", "kind", "amount")
    return {Day(*row[:4]): row[4] for row in rows}


def sums_since(client: Client, first: date, kinds: Collection[str]) -> dict[Day, Decimal]:
    """The sums of a client's transactions of these kinds from a day on: three queries. Newer entries than the stored sums have
    are summed now."""
    newer = LedgerEntry.objects.filter(pk__gt=_summed_through(), account__client=client, entry_date__gte=first)
    sums: dict[Day, Decimal] = defaultdict(Decimal, daily_sums(newer))
    for key, amount in stored_sums(DailySum.objects.filter(client=client, day__gte=first)).items():
        sums[key] += amount
    return {key: amount for key, amount in sums.items() if key.kind in kinds}
