"""Void issued documents. They keep their numbers and lines, and no longer count."""

from datetime import date
from typing import NamedTuple

from accounts.callers import Caller
from accounts.event_types import MEMO_VOIDED
from accounts.kinds import CreditTo, GuardedAct
from accounts.models import Account, Client
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import CHARGE_KINDS, CYCLE_KINDS, AllocationKind, DataKind, InvoiceKind, InvoiceStatus
from invoices.models import Invoice, LedgerEntry
from invoices.plan.actions import Action
from invoices.plan.allocating import OpenItem
from invoices.services.actions import check_allowed
from invoices.services.documents.orders_due import orders_changed
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import account_of_invoice, money_act
from invoices.services.money.ledger.applying import held_credits
from invoices.services.money.ledger.entries import PostedBy, allocate
from invoices.services.money.ledger.freed_money import (
    Freed,
    ask_refunds,
    check_may_refund,
    credit_to_of,
    place_freed,
    refundable,
)
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.money.ledger.undoing import later_credits
from invoices.services.money.ledger.voids import Voiding, void_entry, void_reason
from invoices.services.planning.holds import release_claims
from invoices.services.planning.out_of_date import note_of_account
from invoices.services.undoing.money_back import money_back_of_memo
from invoices.services.undoing.reopen_cycle import reopen, reopen_plans


class Voided(NamedTuple):
    """The transaction of a document, and the transaction that voids it."""

    invoice_no: int
    invoice_transaction_id: int
    void_transaction_id: int


def void_invoice(
    *,
    client: Client,
    invoice_no: int,
    caller: Caller,
    today: date,
    reason_code: int,
    comments: str = "",
    account_no: int | None = None,
    credit_to: str = "",
) -> Voided:
    """Void an invoice or a credit memo (Aria's void_invoice).

    Payments of the invoice go where `credit_to` says, else the client's setting; else they become unapplied credit. Its usage,
    orders, coupons and service credits are free for the next invoice. If it is the account's newest recurring or advance
    invoice, its period is due again. If it is older, the plan instances that it was the last to bill are due again; its other
    periods stay unbilled until they are billed again or waived (`services/planning/billing_again.py`). Voiding a credit memo
    makes its amount due again on its invoice, and payments that the memo freed pay it again.

    Refuses a caller who may not correct (90026), an unknown reason (3024), an invoice that is not of `account_no` (3004), and
    one that may not be voided (the codes of `Action.VOID`). May need a second person (90073).
    """
    voiding = Voiding(void_reason(reason_code), comments)
    owner = account_of_invoice(client, invoice_no)
    if account_no not in (None, owner):
        raise BillingError(
            ErrorCode.INVOICE_NOT_FOUND,
            Detail("invoice {invoice_no} of account {account_no}", invoice_no=invoice_no, account_no=account_no),
            field="invoice_no",
        )
    with money_act(client, owner, caller, today, invoice_no=invoice_no) as posted_by:
        check_may_correct(caller)
        check_allowed(Action.VOID, invoice_no, today)
        invoice = Invoice.objects.get(pk=invoice_no)
        arguments = {"invoice_no": invoice_no, "reason_code": reason_code, "comments": comments, "credit_to": credit_to}
        amount = abs(invoice.total_amount)
        require_second_person(
            GuardedRequest(GuardedAct.VOIDS, owner, amount, invoice.currency, arguments, invoice_no), client, caller
        )
        voided = void_locked(invoice, voiding, client=client, caller=caller, posted_by=posted_by, credit_to=credit_to)
    ask_refunds(client, [invoice_no], caller, today)
    return voided


def void_locked(
    invoice: Invoice, voiding: Voiding, *, client: Client, caller: Caller, posted_by: PostedBy, credit_to: str = ""
) -> Voided:
    """Void a document under its account's lock. Refuses one that may not be voided (the codes of `Action.VOID`)."""
    reopens = check_allowed(Action.VOID, invoice.pk, posted_by.day).reopens
    entry = LedgerEntry.objects.get(invoice=invoice, kind__in=CHARGE_KINDS)
    freed = _freed(invoice, entry, voiding, credit_to_of(client, credit_to, CreditTo.KEEP_AS_CREDIT))
    if freed.credit_to.refunds:
        check_may_refund(client, caller, sum(refundable(freed.parts).values(), ZERO))
    is_memo = invoice.kind == InvoiceKind.CREDIT_MEMO
    void_no = void_entry(entry, voiding, posted_by)
    invoice.status, invoice.void_reason_code = InvoiceStatus.VOIDED, voiding.reason
    invoice.save(update_fields=["status", "void_reason_code"])
    release_claims([invoice.pk], voided=True)
    if reopens:
        reopen(invoice)
    elif invoice.kind in CYCLE_KINDS:
        reopen_plans(invoice)
    if is_memo:
        back = money_back_of_memo(invoice, entry)
        allocate(back.released, posted_by, AllocationKind.RELEASED)
        allocate(back.applied, posted_by)
        allocate(later_credits(entry), posted_by)
    else:
        place_freed([freed], client=client, caller=caller, posted_by=posted_by)
    account = Account.objects.get(pk=invoice.account_id)
    orders_changed(account)
    if invoice.kind in CYCLE_KINDS:
        note_of_account(DataKind.USAGE, account, f"Invoice {invoice}: voided, so what it billed can be billed again")
    after = {
        "status": "voided",
        "reason_code": voiding.reason.value,
        "comments": voiding.comments,
        "reopened": reopens,
        "kind": invoice.kind,
    }
    public = MEMO_VOIDED if invoice.kind == InvoiceKind.CREDIT_MEMO else None
    act = Act("invoice.voided", invoice.account_id, invoice.pk, before={"status": "approved"}, after=after, type=public)
    record_acts(client, caller, [act], posted_by.at)
    return Voided(invoice.pk, entry.pk, void_no)


def _freed(invoice: Invoice, entry: LedgerEntry, voiding: Voiding, credit_to: CreditTo) -> Freed:
    parts = tuple(OpenItem(*part) for part in held_credits([entry.pk]).get(entry.pk, []))
    return Freed(invoice.account_id, invoice.pk, parts, credit_to, voiding.comments)
