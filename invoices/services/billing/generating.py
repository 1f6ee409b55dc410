"""Generate invoices, one or many."""

from collections.abc import Callable, Collection, Mapping, Sequence

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import record_acts, refusal
from billing_site.errors import BillingError, Detail, ErrorCode, listed, word
from invoices.fingerprints import changed_parts
from invoices.kinds import InvoiceKind
from invoices.plan.facts import BillingRequest
from invoices.services.billing.recording import Recording, record_plans
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import NothingToBill, Outcome, Planned, Refused, without_settling
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
    """Bill an account's oldest unbilled cycle, and return the invoice's number, or None if there is nothing to bill.

    `seen` is the fingerprint of the preview that the caller has seen; if the invoice would be another one, it is refused
    (90003). If the invoice is issued at once, its open amount is collected as `collect` or else the client's setting says.
    Refuses a caller who may not generate (90009) or, with `collect`, may not collect (90025), and an account that
    `check_billable` or the tax engine refuses. A refusal writes nothing but an event.
    """
    check_may_generate(caller)
    if collect:
        check_may_collect(caller)
    (planned,) = preview_invoices(client=client, account_nos=[account_no], request=request)
    policy = IssuePolicy(client, collect)
    (written,) = record_plans(Recording(policy, caller, request), [_as_seen(client, planned, seen)])
    if isinstance(written, Refused):
        record_acts(client, caller, [refusal(ACT_REFUSED, written.error, account_no=account_no)])
        raise written.error
    if isinstance(written, NothingToBill):
        return None
    if _settles(policy):
        settle_issued(client, [written], caller, request.today)
    return written.invoice_no


def _settles(policy: IssuePolicy) -> bool:
    """Return whether invoices of cycles that are issued at once are collected or sent."""
    return policy.collects(InvoiceKind.RECURRING) or policy.sends_statement(InvoiceKind.RECURRING)


def _as_seen(client: Client, planned: Planned | Refused, seen: str) -> Planned | Refused:
    """Compare a plan with the preview. Recording writes exactly the plan or nothing, so this is enough."""
    if not seen or isinstance(planned, Refused):
        return planned
    moved = changed_parts(seen, content_of(client, planned.plan))
    if not moved:
        return planned
    detail = Detail(
        "invoice of account {account_no}, moved: {parts}", account_no=planned.account_no, parts=listed(map(word, moved))
    )
    return Refused(planned.account_no, BillingError(ErrorCode.DOCUMENT_MOVED, detail, field="fingerprint"))


def generate_invoices(
    *,
    client: Client,
    account_nos: Collection[int],
    request: BillingRequest,
    caller: Caller,
    run_no: int | None = None,
    run_outcomes: Mapping[int, int] | None = None,
    inspect: Callable[[Sequence[Planned | Refused]], object] = lambda planned: None,
) -> list[Outcome]:
    """Bill the oldest unbilled cycle of each account, and return one outcome for each, ordered by account number.

    A refusal affects no other account. `run_outcomes` are the outcomes of these accounts in the billing run `run_no`. `inspect`
    gets the plans before anything is written: what it raises ends the call. Refuses a caller who may not generate (90009).
    """
    check_may_generate(caller)
    planned = preview_invoices(client=client, account_nos=account_nos, request=request)
    inspect(planned)
    recording = Recording(IssuePolicy(client), caller, request, run_no=run_no, run_outcomes=run_outcomes or {})
    written = record_plans(recording, planned)
    refusals = [refusal(ACT_REFUSED, one.error, account_no=one.account_no) for one in written if isinstance(one, Refused)]
    record_acts(client, caller, refusals)
    if not _settles(recording.policy):
        return without_settling(written)
    return settle_issued(client, written, caller, request.today)
