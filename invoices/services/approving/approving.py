"""Approve pending documents whose accounts are locked. The stored lines are issued; nothing is calculated again."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from accounts import receipts
from accounts.kinds import CreditTo
from accounts.models import PlanInstance
from accounts.periods import InstanceDates, next_bill_date
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from billing_site.errors import BillingError, Detail, ErrorCode, listed, word
from invoices.document import Document
from invoices.fingerprints import changed_parts
from invoices.kinds import BILLING_KINDS, CYCLE_KINDS, InvoiceKind
from invoices.models import Invoice
from invoices.plan import billed_to_after, instance_after
from invoices.plan.facts import BillingState
from invoices.services.actions import why_rebills_are_not_issued
from invoices.services.approving.given_approvals import count_approvals
from invoices.services.billing.recording import AccountDates, move_dates
from invoices.services.correcting.unused_memos import credit_unused_days
from invoices.services.documents.approval_rules import check_four_eyes
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.orders_due import orders_billed, orders_due_on
from invoices.services.documents.outcomes import Recorded, Refused
from invoices.services.documents.versions import makers_of
from invoices.services.issuing.e_invoicing import e_invoice_styles
from invoices.services.issuing.issuing import Issuing, issue, pending_document
from invoices.services.money.ledger.freed_money import credit_to_of
from invoices.services.planning.adjusting import settle_adjusted
from invoices.services.planning.rule_matching import AUTOMATIC, Ruled, check_by_itself, check_role, roles_for, ruled_documents


def approve_locked(
    invoices: Sequence[Invoice], states: Mapping[int, BillingState], *, issuing: Issuing, seen: Mapping[int, str]
) -> list[Recorded | Refused]:
    """Approve the documents that may be approved, and return what was recorded of each. Must be called under the accounts'
    locks.

    Refused: approved by whoever generated or changed it (90002), not the document that was `seen` (90003), a rebill whose
    original can no longer be rebilled, one that cannot be a valid electronic invoice (90120), and what the client's approval
    rules do not allow (90250, 90253). These come last, the approved ones first, both in the order given. A document that needs
    more people stays pending, with `approvals_missing`.
    """
    contents = stored_contents([invoice.pk for invoice in invoices])
    ruled = ruled_documents(issuing.client, [invoice.pk for invoice in invoices])
    roles = roles_for(ruled, issuing.client, issuing.caller, issuing.today)
    blocked = why_rebills_are_not_issued(invoices, issuing.today)
    makers = makers_of(invoices)
    approved: list[Invoice] = []
    refused: list[Refused] = []
    for invoice in invoices:
        try:
            check_four_eyes(issuing.client, invoice, makers[invoice.pk], issuing.caller)
            _check_rule(ruled.get(invoice.pk), roles, issuing)
            _check_seen(invoice.pk, seen.get(invoice.pk), contents[invoice.pk])
            if invoice.pk in blocked:
                raise blocked[invoice.pk].error
            e_invoice_styles(issuing.client, {invoice.pk: contents[invoice.pk]})
            approved.append(invoice)
        except BillingError as error:
            refused.append(Refused(invoice.account_id, error, invoice.pk))
    counted = count_approvals(approved, contents, ruled, issuing)
    if approved:
        receipts.use(issuing.client, issuing.caller.receipt, invoice_no=approved[0].pk)
    given = [invoice for invoice in approved if counted[invoice.pk].missing]
    approved = [invoice for invoice in approved if not counted[invoice.pk].missing]
    settle_adjusted([invoice.pk for invoice in approved if invoice.version > 1])
    cycles = [invoice for invoice in approved if invoice.kind in CYCLE_KINDS]
    _move_dates([invoice for invoice in cycles if invoice.bills_again_id is None], states, contents)
    issue(
        [
            pending_document(invoice, contents[invoice.pk])._replace(approved_by_rule=counted[invoice.pk].event)
            for invoice in approved
        ],
        issuing,
    )
    orders_billed({invoice.account_id for invoice in approved if invoice.kind == InvoiceKind.ONE_OFF})
    credit_unused_days(issuing.client, [invoice.account_id for invoice in cycles], issuing.caller, issuing.posted_by)
    recorded = [Recorded(one.account_id, one.pk, _refunds(one, issuing)) for one in approved]
    waiting = [Recorded(one.account_id, one.pk, approvals_missing=counted[one.pk].missing) for one in given]
    return [*recorded, *waiting, *refused]


def _check_rule(ruled: Ruled | None, roles: Collection[str], issuing: Issuing) -> None:
    if issuing.caller.process == AUTOMATIC.process:
        check_by_itself(ruled, issuing.at)
    else:
        check_role(ruled, roles)


def _refunds(invoice: Invoice, issuing: Issuing) -> bool:
    refunds = credit_to_of(issuing.client, invoice.credit_to, CreditTo.OLDEST_OPEN_INVOICE).refunds
    return refunds and invoice.kind not in BILLING_KINDS


def _check_seen(invoice_no: int, seen: str | None, content: Document) -> None:
    if not seen:
        return
    moved = changed_parts(seen, content)
    if moved:
        raise BillingError(
            ErrorCode.DOCUMENT_MOVED,
            Detail("invoice {invoice_no}, moved: {parts}", invoice_no=invoice_no, parts=listed(map(word, moved))),
            field="fingerprint",
        )


def _move_dates(invoices: Sequence[Invoice], states: Mapping[int, BillingState], contents: Mapping[int, Document]) -> None:
    """Move the accounts and their plan instances past these invoices, from their dates as they are under the lock."""
    if not invoices:
        return
    instances: dict[int, dict[int, InstanceDates]] = defaultdict(dict)
    rows = PlanInstance.objects.filter(account__in=[invoice.account_id for invoice in invoices]).order_by("pk")
    for account_no, number, *dates in instances_with_dates(rows).values_list("account_id", "pk", *DATE_COLUMNS):
        instances[account_no][number] = InstanceDates._make(dates)
    ahead = {one.account_id: one.bill_date for one in invoices if one.kind == InvoiceKind.ADVANCE}
    orders_due = orders_due_on(ahead)
    moves = []
    for invoice in invoices:
        mine = instances[invoice.account_id]
        state = states[invoice.account_id]
        billed = {
            number: instance_after(mine[number], invoice.kind, one.end_date, state.arrears_due_from)
            for one in contents[invoice.pk].periods
            if (number := one.plan_instance_id) in mine
        }
        billed_to = billed_to_after(state, invoice.kind, invoice.bill_date)
        ordered = orders_due.get(invoice.account_id)
        due = next_bill_date({**mine, **billed}.values(), invoice.bill_day, *billed_to, ordered)
        moves.append(AccountDates(invoice.account_id, invoice.bill_day, due, billed_to, ordered, billed))
    move_dates(moves)
