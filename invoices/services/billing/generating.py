"""Generating invoices. A single call is a batch of one."""

from collections.abc import Collection, Mapping

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import record_acts, refusal
from billing_site.errors import BillingError, ErrorCode
from invoices.fingerprints import moved_parts
from invoices.kinds import InvoiceKind
from invoices.plan.facts import BillingRequest
from invoices.services.billing.recording import Recording, record_plans
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import Outcome, Planned, Refused
from invoices.services.documents.rights import check_may_collect, check_may_generate
from invoices.services.issuing.after_issue import settle_issued
from invoices.services.issuing.issuing import IssuePolicy
from invoices.services.planning.previewing import preview_invoices

ACT_REFUSED = "invoice.refused"


def generate_invoice(
    *,
    client: Client,
    account_no: int,
    request: BillingRequest,
    caller: Caller,
    collect: bool | None = None,
    seen: str = "",
) -> int | None:
    """Bills an account's oldest unbilled cycle and gives the invoice's number; None where there is nothing to bill.

    `seen` is the fingerprint of the preview that was looked at: what is no longer that document is refused (90003).
    What is due on an invoice that is issued at once is then collected, if `collect` or else the client's setting says so.
    Raises the refusal, with nothing written but its event. Who may not generate is refused (90009), and who asks for `collect`
    without the right to collect (90025).
    """
    check_may_generate(caller)
    if collect:
        check_may_collect(caller)
    (planned,) = preview_invoices(client=client, account_nos=[account_no], request=request)
    policy = IssuePolicy(client, collect)
    (outcome,) = record_plans(Recording(policy, caller, request), [_as_seen(client, planned, seen)])
    if outcome.error is not None:
        record_acts(client, caller, [refusal(ACT_REFUSED, outcome.error, account_no=account_no)])
        raise outcome.error
    if _settles(policy):
        settle_issued(client, [outcome], caller, request.today)
    return outcome.invoice_no


def _settles(policy: IssuePolicy) -> bool:
    """Whether anything is to be done after the commit for invoices of cycles that are issued at once."""
    return policy.collects(InvoiceKind.RECURRING) or policy.sends_statement(InvoiceKind.RECURRING)


def _as_seen(client: Client, planned: Planned | Refused, seen: str) -> Planned | Refused:
    """Recording writes the plan or nothing, so the plan is what is compared with the preview."""
    if not seen or isinstance(planned, Refused):
        return planned
    moved = moved_parts(seen, content_of(client, planned.plan))
    if not moved:
        return planned
    detail = f"invoice of account {planned.account_no}, moved: {', '.join(moved)}"
    return Refused(planned.account_no, BillingError(ErrorCode.DOCUMENT_MOVED, detail, field="fingerprint"))


def generate_invoices(
    *,
    client: Client,
    account_nos: Collection[int],
    request: BillingRequest,
    caller: Caller,
    run_outcomes: Mapping[int, int] | None = None,
) -> list[Outcome]:
    """Bills the oldest unbilled cycle of each account, with an outcome for each: a refusal harms no other account."""
    check_may_generate(caller)
    planned = preview_invoices(client=client, account_nos=account_nos, request=request)
    recording = Recording(IssuePolicy(client), caller, request, run_outcomes=run_outcomes or {})
    outcomes = record_plans(recording, planned)
    record_acts(
        client,
        caller,
        [refusal(ACT_REFUSED, one.error, account_no=one.account_no) for one in outcomes if one.error is not None],
    )
    if not _settles(recording.policy):
        return outcomes
    return settle_issued(client, outcomes, caller, request.today)
