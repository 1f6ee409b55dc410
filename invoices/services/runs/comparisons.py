"""The earlier runs that a billing run is compared with: its dry run, and the last run like it."""

from typing import NamedTuple

from invoices.kinds import RunState
from invoices.models import BillingRun
from invoices.services.runs.figures import RunDifference, difference
from invoices.services.runs.limits import last_finished_run


class Comparison(NamedTuple):
    """How a run differs from an earlier one."""

    earlier: BillingRun
    difference: RunDifference


def comparisons_of(run: BillingRun) -> list[Comparison]:
    """Compare a run with its dry run and with the last finished run of the same mode and filter, as far as there are any.

    A cancelled run is not compared: it billed only a part of its accounts.
    """
    if run.state == RunState.CANCELLED:
        return []
    last = last_finished_run(run)
    return [Comparison(one, difference(run, one)) for one in (run.compared_with, last) if one is not None]
