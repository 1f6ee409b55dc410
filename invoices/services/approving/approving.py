"""Approve pending documents whose accounts are locked. The stored lines are issued; nothing is calculated again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from accounts import receipts
from accounts.models import PlanInstance
from accounts.periods import InstanceDates, next_bill_date
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from billing_site.errors import BillingError, Detail, ErrorCode, listed, word
from invoices.document import Document
from invoices.fingerprints import changed_parts
from invoices.kinds import CYCLE_KINDS, InvoiceKind
from invoices.models import Invoice
from invoices.plan import billed_to_after, instance_after
from invoices.plan.facts import BillingState
from invoices.services.actions import why_rebills_are_not_issued
from invoices.services.billing.recording import AccountDates, move_dates
from invoices.services.correcting.unused_memos import credit_unused_days
from invoices.services.documents.approval_rules import check_four_eyes, people_who_generated
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.orders_due import orders_due_on
from invoices.services.documents.outcomes import Recorded, Refused
from invoices.services.issuing.issuing import Issuing, issue, pending_document


def approve_locked(
    invoices: Sequence[Invoice], states: Mapping[int, BillingState], *, issuing: Issuing, seen: Mapping[int, str]
) -> list[Recorded | Refused]:
    """Approve the documents that may be approved, and return what was recorded of each. Must be called under the accounts'
    locks.

    Refused: approved by whoever generated it (90002), not the document that was `seen` (90003), and a rebill whose
    original can no longer be rebilled. These come last, the approved ones first, both in the order given.
    """
    contents = stored_contents([invoice.pk for invoice in invoices])
    blocked = why_rebills_are_not_issued(invoices, issuing.today)
    people = people_who_generated(invoices)
    approved: list[Invoice] = []
    refused: list[Refused] = []
    for invoice in invoices:
        try:
            check_four_eyes(issuing.client, invoice, people, issuing.caller)
            _check_seen(invoice.pk, seen.get(invoice.pk), contents[invoice.pk])
            if invoice.pk in blocked:
                raise blocked[invoice.pk].error
            approved.append(invoice)
        except BillingError as error:
            refused.append(Refused(invoice.account_id, error, invoice.pk))
    if approved:
        receipts.use(issuing.client, issuing.caller.receipt, invoice_no=approved[0].pk)
    cycles = [invoice for invoice in approved if invoice.kind in CYCLE_KINDS]
    _move_dates([invoice for invoice in cycles if invoice.bills_again_id is None], states, contents)
    issue([pending_document(invoice, contents[invoice.pk]) for invoice in approved], issuing)
    credit_unused_days(issuing.client, [invoice.account_id for invoice in cycles], issuing.caller, issuing.posted_by)
    return [*(Recorded(invoice.account_id, invoice.pk) for invoice in approved), *refused]


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
