"""Generating invoices. A single call is a batch of one."""

from collections.abc import Collection, Mapping

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Account, Client
from accounts.trail import record_acts, refusal
from billing_site.errors import BillingError
from invoices.kinds import InvoiceKind
from invoices.plan.facts import BillingRequest
from invoices.services.issuing import collects
from invoices.services.outcomes import Outcome
from invoices.services.planning import preview_invoices
from invoices.services.recording import Recording, record_plans
from invoices.services.settling import settle_issued

ACT_REFUSED = "invoice.refused"


def generate_invoice(
    *,
    client: Client,
    account_no: int,
    request: BillingRequest,
    caller: Caller,
    claim: receipts.Claim | None = None,
    collect: bool | None = None,
) -> int | None:
    """Bills an account's oldest unbilled cycle and gives the invoice's number; None where there is nothing to bill.

    What is due on an invoice that is issued at once is then collected, if `collect` or else the client's setting says so.
    Raises the refusal, with nothing written but its event. A call repeated under its receipt gives its first answer.
    """
    try:
        return _generate_once(client, account_no, request, caller, claim, collects(client, InvoiceKind.RECURRING, collect))
    except BillingError as error:
        # A used receipt is refused before the account is read, so the number may be another client's or nobody's.
        known = Account.objects.filter(client=client, pk=account_no).exists()
        record_acts(client, caller, [refusal(ACT_REFUSED, error, account_no=account_no if known else None)])
        if claim and client.never_allow_used_receipt_id:
            receipts.use_up(client, claim)
        raise


def _generate_once(
    client: Client, account_no: int, request: BillingRequest, caller: Caller, claim: receipts.Claim | None, collect: bool
) -> int | None:
    if claim and (receipt := receipts.earlier_use(client, claim)):
        return receipt.invoice_no
    planned = preview_invoices(client=client, account_nos=[account_no], request=request)
    (outcome,) = record_plans(Recording(client, caller, request, claim, collect=collect), planned)
    if outcome.error is None:
        if collect or client.statement_on_issue:
            settle_issued(client, [outcome], caller, request.today)
        return outcome.invoice_no
    # An equal call at the same time may have got there first: then its answer is this call's answer.
    if claim and (receipt := receipts.earlier_use(client, claim)):
        return receipt.invoice_no
    raise outcome.error


def generate_invoices(
    *,
    client: Client,
    account_nos: Collection[int],
    request: BillingRequest,
    caller: Caller,
    run_outcomes: Mapping[int, int] | None = None,
) -> list[Outcome]:
    """Bills the oldest unbilled cycle of each account, with an outcome for each: a refusal harms no other account."""
    planned = preview_invoices(client=client, account_nos=account_nos, request=request)
    recording = Recording(client, caller, request, run_outcomes=run_outcomes or {}, collect=client.collect_on_approval)
    outcomes = record_plans(recording, planned)
    record_acts(
        client,
        caller,
        [refusal(ACT_REFUSED, one.error, account_no=one.account_no) for one in outcomes if one.error is not None],
    )
    if not (recording.collect or client.statement_on_issue):
        return outcomes
    return settle_issued(client, outcomes, caller, request.today)
