"""Void issued documents. They keep their numbers and lines, and no longer count."""

from datetime import date
from typing import NamedTuple

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Account, Client
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import CHARGE_KINDS, CYCLE_KINDS, DataKind, InvoiceKind, InvoiceStatus
from invoices.models import Invoice, LedgerEntry
from invoices.plan.actions import Action
from invoices.services.actions import check_allowed
from invoices.services.documents.orders_due import orders_changed
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import account_of_invoice, money_act
from invoices.services.money.ledger.charging import apply_open_credits
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.money.ledger.voids import Voiding, void_entry, void_reason
from invoices.services.planning.holds import release_claims
from invoices.services.planning.out_of_date import note_of_account
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
) -> Voided:
    """Void an invoice or a credit memo (Aria's void_invoice).

    Payments of the invoice become unapplied credit. Its usage, orders, coupons and service credits are free for the next
    invoice. If it is the account's newest recurring or advance invoice, its period is due again. If it is older, the plan
    instances that it was the last to bill are due again; its other periods stay unbilled until they are billed again or waived
    (`services/planning/billing_again.py`). Voiding a credit memo makes its amount due again on its invoice.

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
        arguments = {"invoice_no": invoice_no, "reason_code": reason_code, "comments": comments}
        amount = abs(invoice.total_amount)
        require_second_person(
            GuardedRequest(GuardedAct.VOIDS, owner, amount, invoice.currency, arguments, invoice_no), client, caller
        )
        return void_locked(invoice, voiding, client=client, caller=caller, posted_by=posted_by)


def void_locked(invoice: Invoice, voiding: Voiding, *, client: Client, caller: Caller, posted_by: PostedBy) -> Voided:
    """Void a document under its account's lock. Refuses one that may not be voided (the codes of `Action.VOID`)."""
    reopens = check_allowed(Action.VOID, invoice.pk, posted_by.day).reopens
    entry = LedgerEntry.objects.get(invoice=invoice, kind__in=CHARGE_KINDS)
    void_no = void_entry(entry, voiding, posted_by)
    invoice.status, invoice.void_reason_code = InvoiceStatus.VOIDED, voiding.reason
    invoice.save(update_fields=["status", "void_reason_code"])
    release_claims([invoice.pk])
    if reopens:
        reopen(invoice)
    elif invoice.kind in CYCLE_KINDS:
        reopen_plans(invoice)
    if invoice.kind == InvoiceKind.CREDIT_MEMO:
        apply_open_credits([invoice.account_id], posted_by)
    account = Account.objects.get(pk=invoice.account_id)
    orders_changed(account)
    if invoice.kind in CYCLE_KINDS:
        note_of_account(DataKind.USAGE, account, f"Invoice {invoice}: voided, so what it billed can be billed again")
    after = {"status": "voided", "reason_code": voiding.reason.value, "comments": voiding.comments, "reopened": reopens}
    act = Act("invoice.voided", invoice.account_id, invoice.pk, before={"status": "approved"}, after=after)
    record_acts(client, caller, [act], posted_by.at)
    return Voided(invoice.pk, entry.pk, void_no)
