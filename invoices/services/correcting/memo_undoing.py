"""Undo a credit memo: a reversal with a number of its own offsets it, and its invoice and payments are as before the memo.

The memo keeps its number and is voided. The reversal has exactly the opposite lines and taxes. A memo that was issued with a
rebill is undone together with that rebill.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from accounts import receipts
from accounts.callers import Caller
from accounts.event_types import MEMO_VOIDED, NOT_PUBLIC
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.storage import reserve_ids
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, amount_text
from invoices.kinds import CHARGE_KINDS, AllocationKind, InvoiceStatus, ReasonType, SeriesKind, VoidReason
from invoices.models import Invoice, LedgerEntry
from invoices.plan.actions import Action
from invoices.plan.allocating import Taken
from invoices.plan.money_back import MoneyBack
from invoices.services.actions import check_allowed
from invoices.services.correcting.memo_documents import reversal_of
from invoices.services.documents.account_acts import billing_changed_of
from invoices.services.documents.approval_rules import four_eyes_apply
from invoices.services.documents.document_storage import Links, stored_contents
from invoices.services.documents.rights import check_may_correct
from invoices.services.issuing.issuing import HowIssued, IssuePolicy, Issuing, ToIssue, issue
from invoices.services.money.ledger.acts import Why, account_of_invoice, check_reason, money_act, seen_as
from invoices.services.money.ledger.entries import account_positions, allocate
from invoices.services.money.ledger.open_items import OpenAfter, charges_of, open_after
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.money.ledger.undoing import later_credits
from invoices.services.money.ledger.voids import Voiding, void_entries
from invoices.services.undoing.money_back import check_not_refunded, money_back_of_memo

REASON = VoidReason.CREATED_IN_ERROR
"""The void reason of documents that are undone. The person's own reason is on the reversals."""
MEMO_UNDONE = "invoice.memo_undone"
VOID_INSTEAD = Detail("void the memo instead: its invoice is open again, and the money stays refunded")


class UndoMemoPlan(NamedTuple):
    """What undoing a credit memo would do. Amounts are in the currency of the memo.

    `due` has the memo's invoice first, then other invoices whose open amounts change. `later`: what became free since the
    memo, and pays the oldest open invoices. `seen` binds the act to the preview.
    """

    memo: Invoice
    invoice: Invoice
    due: tuple[OpenAfter, ...]
    money: MoneyBack
    later: tuple[Taken, ...]
    balance_before: Decimal
    balance_after: Decimal

    @property
    def seen(self) -> str:
        money = [[tuple(one) for one in part] for part in (*self.money, self.later)]
        due = [(one.invoice.pk, one.before, one.after) for one in self.due]
        return seen_as(self.memo.pk, money, due, self.balance_before)


class UndoneMemo(NamedTuple):
    """An undone memo and the reversal that offsets it."""

    memo: Invoice
    reversal: Invoice


def preview_undo_memo(*, client: Client, memo_no: int, today: date) -> UndoMemoPlan:
    """Return what undoing a credit memo would do. Writes nothing. Refuses what `undo_memo` refuses, except rights and
    reasons."""
    account_of_invoice(client, memo_no)
    return _plan(memo_no, today)


def undo_memo(*, client: Client, memo_no: int, caller: Caller, today: date, why: Why, seen: str = "") -> UndoneMemo:
    """Undo an issued credit memo. What it credited is open on its invoice again, and payments that it freed pay it again.

    `why` has a reason of credit memos, and is on the reversal. `seen` binds the act to its preview. Refuses a caller who may
    not correct (90026), an unknown document (3004), one that is no issued credit memo or was issued with a rebill (90170), one
    of a closed period (90173), one whose freed money was refunded since (90171), a wrong reason (3024), and a preview that no
    longer holds (90003). May need a second person (90073), as voids of the client do.
    """
    account_no = account_of_invoice(client, memo_no)
    with money_act(client, account_no, caller, today, invoice_no=memo_no) as posted_by:
        check_may_correct(caller)
        plan = _plan(memo_no, today)
        check_reason(client, ReasonType.CREDIT_MEMO, why)
        if seen and seen != plan.seen:
            detail = Detail("undo of {document}", document=plan.memo.document_number)
            raise BillingError(ErrorCode.DOCUMENT_MOVED, detail, field="fingerprint")
        require_second_person(_requested(plan, why), client, caller)
        receipts.use(client, caller.receipt, invoice_no=memo_no)
        _record(plan, why, Issuing(IssuePolicy(client), caller, posted_by.day, posted_by.at))
        return undone_memo(memo_no)


def undo_memo_requested(arguments: Mapping[str, Any], by: Mapping[str, Any]) -> int:
    """Undo a memo as a request says that a second person has approved. Returns the transaction that voids the memo."""
    why = Why(arguments["reason_code"], arguments["comments"])
    undone = undo_memo(memo_no=arguments["undone_memo_no"], why=why, **by)
    return LedgerEntry.objects.get(voids__invoice=undone.memo).pk


def undo_memo_needs_approval(client: Client, plan: UndoMemoPlan) -> bool:
    """Return whether a second person must approve the undo, as a void of this amount."""
    return four_eyes_apply(client, GuardedAct.VOIDS, -plan.memo.total_amount)


def undone_memo(memo_no: int) -> UndoneMemo:
    """Return an undone memo as it is stored."""
    reversal = Invoice.objects.select_related("corrects").get(corrects=memo_no)
    assert reversal.corrects is not None
    return UndoneMemo(reversal.corrects, reversal)


def _requested(plan: UndoMemoPlan, why: Why) -> GuardedRequest:
    memo = plan.memo
    arguments = {"undone_memo_no": memo.pk, **why._asdict()}
    return GuardedRequest(GuardedAct.VOIDS, memo.account_id, -memo.total_amount, memo.currency, arguments, memo.pk)


def _plan(memo_no: int, today: date) -> UndoMemoPlan:
    check_allowed(Action.UNDO_MEMO, memo_no, today)
    memo = Invoice.objects.select_related("corrects").get(pk=memo_no)
    invoice = memo.corrects
    assert invoice is not None
    entry = LedgerEntry.objects.get(invoice=memo, kind__in=CHARGE_KINDS)
    back = money_back_of_memo(memo, entry, -memo.total_amount)
    check_not_refunded(back, entry.pk, VOID_INSTEAD)
    balance = account_positions([memo.account_id])[memo.account_id].balance
    opened = {charges_of([invoice.pk])[invoice.pk].entry_no: -memo.total_amount}
    later = tuple(later_credits(entry, (*back.released, *back.applied), opened))
    change: dict[int, Decimal] = dict(opened)
    for one in (*back.released, *back.applied, *later):
        change[one.debit_no] = change.get(one.debit_no, ZERO) - one.amount
    due = sorted(open_after(change), key=lambda one: one.invoice.pk != invoice.pk)
    return UndoMemoPlan(memo, invoice, tuple(due), back, later, balance, balance - memo.total_amount)


def _record(plan: UndoMemoPlan, why: Why, issuing: Issuing) -> None:
    """Issue the reversal, void the memo in the ledger, and move payments back. Under the account's lock."""
    memo, posted_by = plan.memo, issuing.posted_by
    (number,) = reserve_ids(Invoice, 1)
    allocate(plan.money.released, posted_by, AllocationKind.RELEASED)
    issue([_reversal(number, plan, why)], issuing)
    allocate([*plan.money.applied, *plan.later], posted_by)
    Invoice.objects.filter(pk=memo.pk).update(status=InvoiceStatus.VOIDED, void_reason_code=REASON)
    billing_changed_of([memo.account_id])
    voided = {"status": "voided", "reason_code": REASON.value, "comments": why.comments}
    after = {"memo": memo.pk, "reversal": number, "balance": amount_text(plan.balance_after, memo.currency), **why._asdict()}
    before = {"balance": amount_text(plan.balance_before, memo.currency)}
    acts = [
        Act(
            "invoice.voided",
            memo.account_id,
            memo.pk,
            before={"status": "approved"},
            after={**voided, "reopened": False, "reversal": number, "kind": memo.kind},
            type=MEMO_VOIDED,
        ),
        Act(MEMO_UNDONE, memo.account_id, plan.invoice.pk, before=before, after=after),
    ]
    record_acts(issuing.client, issuing.caller, acts, issuing.at)


def _reversal(number: int, plan: UndoMemoPlan, why: Why) -> ToIssue:
    memo = plan.memo
    after = {
        "status": "approved",
        "total_amount": amount_text(-memo.total_amount, memo.currency),
        "currency": memo.currency,
        "corrects": memo.pk,
        **why._asdict(),
    }
    generated = Act("invoice.generated", memo.account_id, number, after=after, type=NOT_PUBLIC)
    content = reversal_of(memo.pk, stored_contents([memo.pk])[memo.pk], why)
    return ToIssue(number, content, Links(memo.chain_root_id), acts=(generated,))


def _enter(reversals: Sequence[ToIssue], issuing: Issuing) -> Mapping[int, Decimal]:
    """Void the ledger entries of the documents that are reversed."""
    corrections = [one.content.correction for one in reversals]
    reversed_nos = [one.corrects_id for one in corrections if one is not None]
    entries = {one.invoice_id: one for one in LedgerEntry.objects.filter(invoice__in=reversed_nos, kind__in=CHARGE_KINDS)}
    comments = next((one.comments for one in corrections if one is not None), "")
    void_entries([entries[number] for number in reversed_nos], Voiding(REASON, comments), issuing.posted_by)
    return {}


REVERSALS = HowIssued(SeriesKind.REVERSAL, _enter)
"""How reversals are issued. `invoices.apps` registers it."""
