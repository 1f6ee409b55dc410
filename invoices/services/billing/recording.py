"""Record plans in one short transaction: lock the accounts, check that their facts have not changed, and write."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.event_types import PENDING
from accounts.kinds import EInvoiceFormat
from accounts.models import Account, Client, PlanInstance
from accounts.periods import InstanceDates
from accounts.trail import Act, record_acts, refusal
from billing_site.common.storage import insert_rows, reserve_ids, update_rows
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import CYCLE_KINDS, LEFT_OUT, NOTHING_BILLED, RunResult, SeriesKind
from invoices.models import Invoice, RunOutcome, RunPart
from invoices.plan import BilledTo, InvoicePlan, check_billable
from invoices.plan.facts import BillingRequest, BillingState
from invoices.services.billing.one_time_charges import with_stored_orders
from invoices.services.correcting.unused_memos import credit_unused_days
from invoices.services.documents.approval_rules import needs_approval
from invoices.services.documents.batches import in_halves
from invoices.services.documents.comparisons import record_comparisons
from invoices.services.documents.document_storage import Links, content_of, insert_documents
from invoices.services.documents.orders_due import orders_billed
from invoices.services.documents.outcomes import NothingToBill, Planned, Recorded, Refused, Written
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.tax_answers import record_tax_answers
from invoices.services.issuing.e_invoicing import check_new_e_invoice
from invoices.services.issuing.issuing import HowIssued, IssuePolicy, Issuing, ToIssue, issue
from invoices.services.money.ledger.charging import charge
from invoices.services.money.ledger.entries import AccountPosition, account_positions
from invoices.services.planning.facts import lock_states
from invoices.services.planning.holds import hold_claims
from invoices.services.undoing.discarding import discard_locked


class Recording(NamedTuple):
    """The policy, the caller and the request of recording.

    `replacing` has the pending invoice that each account's new one replaces, and `remarks` are put on the new one.
    `run_outcomes` are the outcomes of the billing run `run_no` that are not processed yet. Both are by account.
    """

    policy: IssuePolicy
    caller: Caller
    request: BillingRequest
    replacing: Mapping[int, int] = {}
    remarks: Remarks = Remarks()
    run_no: int | None = None
    run_outcomes: Mapping[int, int] = {}

    @property
    def client(self) -> Client:
        return self.policy.client


class AccountDates(NamedTuple):
    """The dates of an account after a cycle is billed, and those of its plan instances by number."""

    account_no: int
    bill_day: int
    next_bill_date: date | None
    billed_to: BilledTo
    orders_due: date | None
    instances: Mapping[int, InstanceDates]


def record_plans(recording: Recording, planned: Sequence[Planned | Refused]) -> list[Written]:
    """Write plans, and return what was recorded of each, in the order given. Refusals among them are passed through.

    Refused: the account is locked by another call or has changed since it was planned (3108), `check_billable` refuses
    it now, its pending invoice is no longer the one to replace (3013), and those of `in_halves`. Locks the accounts itself.
    """
    ready = [one for one in planned if isinstance(one, Planned)]
    written = in_halves(ready, partial(_write, recording), lambda one, error: Refused(one.account_no, error))
    by_account = {one.account_no: one for one in written}
    return [one if isinstance(one, Refused) else by_account[one.account_no] for one in planned]


def _write(recording: Recording, ready: Sequence[Planned]) -> list[Written]:
    account_nos = [one.account_no for one in ready]
    states = lock_states(account_nos, skip_locked=len(ready) > 1)
    positions = account_positions(account_nos)
    checked = _checked_again(recording, ready, states, positions)
    plans = [one.plan for one in checked if isinstance(one, Planned)]
    accounts_billed = [plan.account_no for plan in plans if plan.lines]
    numbers = dict(zip(accounts_billed, reserve_ids(Invoice, len(accounts_billed)), strict=True))
    if plans:
        receipts.use(recording.client, recording.caller.receipt, invoice_no=numbers.get(plans[0].account_no))
    if recording.request.one_off is not None:
        # After the receipt, which names the invoice: a retry of an interrupted call answers it, and orders nothing again.
        plans = [with_stored_orders(recording.client, recording.caller, plan) for plan in plans]
    billed = [plan for plan in plans if plan.lines]
    at = timezone.now()
    replaced = {
        recording.replacing[plan.account_no]: plan.account_no for plan in plans if plan.account_no in recording.replacing
    }
    replaced_by = {old_no: numbers[account_no] for old_no, account_no in replaced.items() if account_no in numbers}
    discard_locked(recording.client, replaced, recording.caller, at, replaced_by=replaced_by)
    pending_accounts = {plan.account_no for plan in billed if _needs_approval(recording, plan)}
    moving = [plan for plan in plans if plan.account_no not in pending_accounts and plan.moves_dates]
    move_dates([_dates_after(plan) for plan in moving])
    issuing = Issuing(recording.policy, recording.caller, recording.request.today, at, positions=positions)
    _insert(recording, billed, numbers, pending_accounts, issuing)
    hold_claims([(numbers[plan.account_no], plan.claims) for plan in billed])
    if recording.request.one_off is not None:
        orders_billed(account_nos)
    credit_unused_days(
        recording.client,
        [plan.account_no for plan in plans if plan.next_bill_date is None and _bills_last(plan, pending_accounts)],
        recording.caller,
        issuing.posted_by,
    )
    _record_nothing_billed(recording, plans, at)
    record_left_out(recording, plans, numbers, at)
    if recording.run_no is not None:
        _write_run_outcomes(recording, plans, numbers)
        _write_run_parts(recording.run_no, billed, at)
    return [one if isinstance(one, Refused) else _written(one.account_no, numbers) for one in checked]


def _bills_last(plan: InvoicePlan, pending_accounts: set[int]) -> bool:
    """Return whether the plan is issued now and bills a cycle, which may be the account's last."""
    return plan.account_no not in pending_accounts and plan.kind in CYCLE_KINDS


def _written(account_no: int, numbers: Mapping[int, int]) -> Written:
    return Recorded(account_no, numbers[account_no]) if account_no in numbers else NothingToBill(account_no)


def _checked_again(
    recording: Recording, ready: Sequence[Planned], states: Mapping[int, BillingState], positions: Mapping[int, AccountPosition]
) -> list[Planned | Refused]:
    """Return the batch with a refusal for each account that another call locks or that has changed since it was planned."""
    checked: list[Planned | Refused] = []
    for one in ready:
        number = one.account_no
        try:
            check_unchanged(recording, one.plan, states.get(number), positions[number].pending_invoice_no)
            _check_e_invoice(recording, one.plan)
            checked.append(one)
        except BillingError as error:
            checked.append(Refused(number, error))
    return checked


def check_unchanged(
    recording: Recording, plan: InvoicePlan, state: BillingState | None, pending_invoice_no: int | None
) -> None:
    """Refuse (3108, 3013, and what `check_billable` refuses) an account that is locked by another call or has changed since it
    was planned. Under the accounts' locks."""
    if state is None:
        raise BillingError(ErrorCode.IN_PROGRESS)
    replaced = recording.replacing.get(plan.account_no)
    if replaced is not None:
        if replaced != pending_invoice_no:
            raise BillingError(ErrorCode.REGENERATION_FAILED, Detail("invoice {invoice_no}", invoice_no=replaced))
        pending_invoice_no = None
    check_billable(plan.facts._replace(state=state, pending_invoice_no=pending_invoice_no), recording.request)
    if state != plan.facts.state:
        raise BillingError(ErrorCode.IN_PROGRESS)


def _check_e_invoice(recording: Recording, plan: InvoicePlan) -> None:
    """Refuse (90120) a document that is issued now and cannot be a valid electronic invoice. A pending one can be completed."""
    if recording.client.e_invoice != EInvoiceFormat.NONE and plan.lines and not _needs_approval(recording, plan):
        check_new_e_invoice(recording.client, content_of(recording.client, plan))


def _needs_approval(recording: Recording, plan: InvoicePlan) -> bool:
    return needs_approval(recording.client, plan, forced=recording.request.force_pending)


def _dates_after(plan: InvoicePlan) -> AccountDates:
    return AccountDates(
        plan.account_no,
        plan.bill_day,
        plan.next_bill_date,
        plan.billed_to,
        plan.orders_due,
        plan.instances_after,
    )


def move_dates(accounts: Sequence[AccountDates]) -> None:
    """Move accounts and their plan instances past the billed cycle. Two statements. Under the accounts' locks."""
    update_rows(
        Account,
        ("bill_day", "next_bill_date", "last_bill_date", "arrears_due_from", "orders_due"),
        [(one.account_no, one.bill_day, one.next_bill_date, *one.billed_to, one.orders_due) for one in accounts],
    )
    update_rows(
        PlanInstance,
        ("billed_through", "ahead_since"),
        [(number, one.billed_through, one.ahead_since) for dates in accounts for number, one in dates.instances.items()],
    )


def _insert(
    recording: Recording,
    billed: Sequence[InvoicePlan],
    numbers: Mapping[int, int],
    pending_accounts: set[int],
    issuing: Issuing,
) -> None:
    """Write the documents that need approval as pending, and issue the others."""
    client, caller, request = recording.client, recording.caller, recording.request
    links = Links(bills_again_id=request.again_for)
    documents = []
    for plan in billed:
        number, is_pending = numbers[plan.account_no], plan.account_no in pending_accounts
        documents.append(ToIssue(number, content_of(client, plan), links, acts=(_generated(plan, number, is_pending),)))
    pending = [one for one in documents if one.account_no in pending_accounts]
    issue([one for one in documents if one.account_no not in pending_accounts], issuing)
    if pending:
        contents = [(one.invoice_no, one.content) for one in pending]
        insert_documents(
            contents,
            generated_by=caller.identity,
            at=issuing.at,
            today=request.today,
            remarks=recording.remarks,
            links={one.invoice_no: links for one in pending},
        )
        record_comparisons(contents, {numbers[plan.account_no]: plan.facts.read_at for plan in billed})
        record_acts(client, caller, [act for one in pending for act in one.acts], issuing.at)
    record_tax_answers((numbers[plan.account_no], plan.tax_answer) for plan in billed)


def _generated(plan: InvoicePlan, invoice_no: int, is_pending: bool) -> Act:
    after = {
        "status": "pending" if is_pending else "approved",
        "total_amount": str(plan.total_amount),
        "currency": plan.facts.state.currency.code,
    }
    return Act("invoice.generated", plan.account_no, invoice_no, after=after, type=PENDING if is_pending else None)


def _charge(documents: Sequence[ToIssue], issuing: Issuing) -> Mapping[int, Decimal]:
    """Open credits of the accounts pay the documents, except those that restore voided ones: their payments are moved back."""
    charged = [one.charged for one in documents]
    positions = account_positions([one.account_no for one in charged]) if issuing.positions is None else issuing.positions
    positions |= {
        one.account_no: positions[one.account_no]._replace(has_credits=False)
        for one in documents
        if one.restored_due_date is not None
    }
    return charge(charged, issuing.posted_by, positions)


CYCLES = HowIssued(SeriesKind.INVOICE, _charge, collects=attrgetter("collect_on_approval"), has_statement=True)
"""How documents that bill a cycle or one-time charges are issued."""


def record_left_out(recording: Recording, plans: Sequence[InvoicePlan], numbers: Mapping[int, int], at: datetime) -> None:
    """Write an event for each charge that is too large to be billed (90050)."""
    refusals = [(plan, BillingError(ErrorCode.LEFT_OUT, what)) for plan in plans for what in plan.left_out]
    record_acts(
        recording.client,
        recording.caller,
        [refusal(LEFT_OUT, why, account_no=plan.account_no, invoice_no=numbers.get(plan.account_no)) for plan, why in refusals],
        at,
    )


def _record_nothing_billed(recording: Recording, plans: Sequence[InvoicePlan], at: datetime) -> None:
    """Write an event for each account with nothing to bill, whose dates move on without a document."""
    record_acts(
        recording.client,
        recording.caller,
        [
            Act(NOTHING_BILLED, plan.account_no, after={"bill_date": str(plan.bill_date), "kind": plan.kind.value})
            for plan in plans
            if not plan.lines
        ],
        at,
    )


def _write_run_outcomes(recording: Recording, plans: Sequence[InvoicePlan], numbers: Mapping[int, int]) -> None:
    update_rows(
        RunOutcome,
        ("result", "invoice_id", "error_code", "message"),
        [
            (
                recording.run_outcomes[plan.account_no],
                RunResult.INVOICED.value if plan.account_no in numbers else RunResult.NOTHING_TO_BILL.value,
                numbers.get(plan.account_no),
                0,
                "",
            )
            for plan in plans
            if plan.account_no in recording.run_outcomes
        ],
    )


def _write_run_parts(run_no: int, billed: Sequence[InvoicePlan], at: datetime) -> None:
    by_currency: dict[str, list[Decimal]] = defaultdict(list)
    for plan in billed:
        by_currency[plan.facts.state.currency.code].append(plan.total_amount)
    rows = [(run_no, at, currency, len(totals), sum(totals, ZERO)) for currency, totals in sorted(by_currency.items())]
    insert_rows(RunPart, ("run_id", "at", "currency", "invoices", "total_amount"), rows)
