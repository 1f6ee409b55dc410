"""Approving pending invoices whose accounts are locked: the stored lines are issued, never newly computed ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client, PlanInstance
from accounts.periods import InstanceDates, next_bill_date
from accounts.services import DATE_COLUMNS, instances_with_dates
from accounts.storage import update_rows
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, ErrorCode
from invoices.fingerprints import TERM_FIELDS, Content, fingerprint, moved_parts
from invoices.kinds import InvoiceStatus, SeriesKind
from invoices.models import Invoice
from invoices.plan import billed_to_after
from invoices.plan.facts import BillingState
from invoices.services.approval_rules import check_four_eyes
from invoices.services.collecting.starting import charge_and_request
from invoices.services.discarding import Remarks
from invoices.services.ledger.charging import Issued
from invoices.services.ledger.entries import Stamp, standings
from invoices.services.numbers import take_numbers
from invoices.services.outcomes import Outcome
from invoices.services.recording import AccountDates, move_dates
from invoices.services.rows import issue, stored_contents

ISSUE_FIELDS = ("invoice_date", "due_date", "series", "number", "document_number")


def approve_locked(
    invoices: Sequence[Invoice],
    states: Mapping[int, BillingState],
    *,
    client: Client,
    caller: Caller,
    today: date,
    seen: Mapping[int, str],
    remarks: Remarks,
    collect: bool,
) -> list[Outcome]:
    """Approves what may be approved, in the order given, and says why the rest may not. The accounts owe them from now on."""
    contents = stored_contents([invoice.pk for invoice in invoices])
    approved, refused = [], []
    for invoice in invoices:
        try:
            check_four_eyes(client, invoice.total_amount, invoice.generated_by, caller)
            _check_seen(invoice.pk, seen.get(invoice.pk), contents[invoice.pk])
            approved.append(invoice)
        except BillingError as error:
            refused.append(Outcome(invoice.account_id, invoice.pk, error=error))
    _move_dates(approved, states, contents)
    charge_and_request(
        [Issued(invoice.account_id, invoice.pk, invoice.total_amount, invoice.currency) for invoice in approved],
        Stamp(today, timezone.now(), caller.identity),
        standings([invoice.account_id for invoice in approved]),
        collect=collect,
    )
    _issue(approved, contents, client=client, caller=caller, today=today, remarks=remarks)
    return [*(Outcome(invoice.account_id, invoice.pk) for invoice in approved), *refused]


def _check_seen(invoice_no: int, seen: str | None, content: Content) -> None:
    if not seen:
        return
    moved = moved_parts(seen, content)
    if moved:
        raise BillingError(ErrorCode.DOCUMENT_MOVED, f"invoice {invoice_no}, moved: {', '.join(moved)}", field="fingerprint")


def _move_dates(invoices: Sequence[Invoice], states: Mapping[int, BillingState], contents: Mapping[int, Content]) -> None:
    """Moves the accounts to where these invoices leave them, from their plan instances as they are now, under the lock."""
    instances: dict[int, dict[int, InstanceDates]] = defaultdict(dict)
    rows = PlanInstance.objects.filter(account__in=[invoice.account_id for invoice in invoices]).order_by("pk")
    for account_no, number, *dates in instances_with_dates(rows).values_list("account_id", "pk", *DATE_COLUMNS):
        instances[account_no][number] = InstanceDates._make(dates)
    moves = []
    for invoice in invoices:
        mine = instances[invoice.account_id]
        billed_through = [(number, end) for number, _, end in contents[invoice.pk].periods]
        for number, end in billed_through:
            mine[number] = mine[number]._replace(billed_through=end)
        billed_to = billed_to_after(states[invoice.account_id], invoice.kind, invoice.bill_date)
        due = next_bill_date(mine.values(), invoice.bill_day, *billed_to)
        moves.append(AccountDates(invoice.account_id, invoice.bill_day, due, billed_to, billed_through))
    move_dates(moves)


def _issue(
    invoices: Sequence[Invoice],
    contents: Mapping[int, Content],
    *,
    client: Client,
    caller: Caller,
    today: date,
    remarks: Remarks,
) -> None:
    at = timezone.now()
    prefix, numbers = take_numbers(client, SeriesKind.INVOICE, len(invoices))
    noted = remarks.columns()
    rows, acts = [], []
    for invoice, number in zip(invoices, numbers, strict=True):
        issued = issue(number, prefix, today, invoice.payment_terms_days)
        given: dict[str, Any] = {**issued._asdict(), "series": SeriesKind.INVOICE.value}
        content = _with_terms(contents[invoice.pk], given)
        standing = (InvoiceStatus.APPROVED.value, fingerprint(content), caller.identity, at, *noted.values())
        rows.append((invoice.pk, *(given[name] for name in ISSUE_FIELDS), *standing))
        after = {"status": "approved", "document_number": issued.document_number, "total_amount": str(invoice.total_amount)}
        acts.append(
            Act(
                "invoice.approved",
                invoice.account_id,
                invoice.pk,
                before={"status": "pending"},
                after={**after, "reason": remarks.reason},
            )
        )
    update_rows(Invoice, (*ISSUE_FIELDS, "status", "fingerprint", "approved_by", "approved_at", *noted), rows)
    record_acts(client, caller, acts, at)


def _with_terms(content: Content, given: Mapping[str, Any]) -> Content:
    terms = {**dict(zip(TERM_FIELDS, content.terms, strict=True)), **given}
    return content._replace(terms=tuple(terms[name] for name in TERM_FIELDS))
