"""Deciding on what a billing run has left pending."""

from datetime import date
from typing import Any

from accounts.callers import Caller
from invoices.kinds import DecisionAct
from invoices.models import BillingRun
from invoices.services.approving.acts import DISCARD, decided_by_call
from invoices.services.approving.bulk import AT_ONCE
from invoices.services.approving.deciding import decide
from invoices.services.documents.outcomes import Outcome
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import check_may_approve
from invoices.services.runs.figures import pending_invoices_of_run
from invoices.services.runs.runs import check_not_running


def discard_pending_of_run(run: BillingRun, *, caller: Caller, today: date, limit: int | None = None) -> dict[int, Outcome]:
    """Discard the pending invoices of a run in parts, at most `limit`, and return one outcome for each, by and in the order of
    their numbers.

    Their accounts are due again. If the same call was interrupted before, its outcomes are among those returned. A page of many
    should start a bulk decision on `pending_invoices_of_run` instead. Refuses (90001) who may not approve, and (90111) a run
    that is running."""
    check_may_approve(caller)
    check_not_running(run)
    decided = decided_by_call(run.client, DISCARD, caller, today)
    pending = pending_invoices_of_run(run).order_by("pk").values_list("pk", flat=True)[:limit]
    numbers = sorted({*decided, *pending})
    by: dict[str, Any] = {"client": run.client, "caller": caller, "today": today}
    remarks = Remarks(reason=f"billing run {run.pk}")
    outcomes: dict[int, Outcome] = {}
    for at in range(0, len(numbers), AT_ONCE):
        part = numbers[at : at + AT_ONCE]
        outcomes |= decide(DecisionAct.DISCARD, invoice_nos=part, remarks=remarks, **by)
    return outcomes
