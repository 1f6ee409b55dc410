"""Deciding on what a billing run has left pending."""

from datetime import date

from accounts.callers import Caller
from invoices.kinds import DecisionAct
from invoices.models import BillingRun
from invoices.services.approving.deciding import decide
from invoices.services.approving.decisions import AT_ONCE
from invoices.services.documents.outcomes import Outcome
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import check_may_approve
from invoices.services.runs.figures import pending_invoices_of_run


def discard_pending_of_run(run: BillingRun, *, caller: Caller, today: date) -> list[Outcome]:
    """Discard the pending invoices of a run in parts, and return one outcome for each, in the order of their numbers.

    Their accounts are due again. A page of many should start a bulk decision on `pending_invoices_of_run` instead. Refuses
    (90001) who may not approve."""
    check_may_approve(caller)
    numbers = list(pending_invoices_of_run(run).order_by("pk").values_list("pk", flat=True))
    remarks = Remarks(reason=f"billing run {run.pk}")
    outcomes: list[Outcome] = []
    for at in range(0, len(numbers), AT_ONCE):
        part = numbers[at : at + AT_ONCE]
        decided = decide(DecisionAct.DISCARD, client=run.client, invoice_nos=part, caller=caller, today=today, remarks=remarks)
        outcomes += decided.values()
    return outcomes
