"""How fast a billing run is, and how much time it still takes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from invoices.kinds import RunResult
from invoices.models import BillingRun

PARTS_LOOKED_AT = 20
"""The newest parts of a run from which its pace is computed: older ones may be of before a pause."""


class Pace(NamedTuple):
    """Accounts per second, and the seconds until none waits any more."""

    accounts_per_second: float
    seconds_left: int

    @property
    def rounded(self) -> Decimal:
        """The accounts per second as they are shown: in whole ones, unless they are few."""
        return round(Decimal(self.accounts_per_second), 0 if self.accounts_per_second >= 10 else 1)


def pace_of(run: BillingRun, counts: Mapping[RunResult, int], now: datetime) -> Pace | None:
    """Return the pace of a run with these results, or None as long as too little is done to know it."""
    left_out = counts.get(RunResult.IN_ANOTHER_RUN, 0)
    waiting = counts.get(RunResult.WAITING, 0)
    done = sum(counts.values()) - waiting - left_out
    if run.is_dry_run:
        seconds = (now - run.started_at).total_seconds()
        per_second = done / seconds if seconds > 0 else 0.0
    else:
        invoiced = counts.get(RunResult.INVOICED, 0)
        per_second = _invoices_per_second(run) * done / invoiced if invoiced else 0.0
    return Pace(per_second, round(waiting / per_second)) if per_second else None


def _invoices_per_second(run: BillingRun) -> float:
    """By the newest parts: the invoices after the first of them, in the time since it."""
    parts = list(run.parts.order_by("-pk").values_list("at", "invoices")[:PARTS_LOOKED_AT])
    if not parts:
        return 0.0
    seconds = (parts[0][0] - parts[-1][0]).total_seconds()
    return sum(invoices for _, invoices in parts[:-1]) / seconds if seconds > 0 else 0.0
