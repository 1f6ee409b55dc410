"""Void ledger entries by an entry of the opposite amount that names the voided one. Nothing is ever deleted from the ledger."""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Q

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.currencies import currency_of
from billing_site.common.storage import ExactSum
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.calculation import ZERO, rounded
from invoices.kinds import (
    CHARGE_KINDS,
    PAYMENT_KINDS,
    REFUND_KINDS,
    AllocationKind,
    EntryKind,
    RefundStatus,
    VoidReason,
)
from invoices.models import Allocation, LedgerEntry, Payment, Refund
from invoices.plan.allocating import Taken
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import account_currency, account_of_entry, money_act, seen_as
from invoices.services.money.ledger.applying import held_credits, held_debits, plan_release, release_credit, release_debit
from invoices.services.money.ledger.charging import apply_open_credits
from invoices.services.money.ledger.entries import Draft, PostedBy, account_positions, allocate, post
from invoices.services.money.ledger.open_items import OpenAfter, open_after
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.money.ledger.undoing import money_after_undo

UNDOABLE_KINDS = (EntryKind.WRITE_OFF, EntryKind.DISPUTE, *REFUND_KINDS)
"""Voiding a transaction of these kinds undoes it: what it took from invoices or payments is where it was."""

TAKEN_BACK_BY_OTHERS = (VoidReason.RETURNED_PAYMENT, VoidReason.VOIDED_BEFORE_SETTLEMENT, VoidReason.VOIDED_BY_THIRD_PARTY)
"""A gateway's payment must be refunded. It is voided only if a bank or the gateway has already taken the money back."""


class Voiding(NamedTuple):
    """The reason of a void, and a comment."""

    reason: VoidReason
    comments: str = ""


def void_reason(code: int) -> VoidReason:
    try:
        return VoidReason(code)
    except ValueError:
        raise BillingError(
            ErrorCode.INVALID_REASON, Detail("reason_code: {code} is not a void reason", code=code), field="reason_code"
        ) from None


def void_entry(entry: LedgerEntry, voiding: Voiding, posted_by: PostedBy) -> int:
    """Void an entry, release what it paid or what paid it, and return the number of the voiding entry. Under the account's
    lock."""
    if entry.amount > ZERO:
        release_debit(entry.pk, posted_by)
    else:
        release_credit(entry.pk, posted_by)
    draft = Draft(
        entry.account_id,
        EntryKind.VOID,
        -entry.amount,
        entry.invoice_id,
        voids=entry.pk,
        reason_code=voiding.reason.value,
        comments=voiding.comments,
    )
    (void_no,) = post([draft], posted_by)
    if entry.amount > ZERO:
        allocate([Taken(void_no, entry.pk, entry.amount)], posted_by, own_events=[entry.invoice_id or 0])
    elif entry.amount < ZERO:
        allocate([Taken(entry.pk, void_no, -entry.amount)], posted_by)
    if entry.kind in PAYMENT_KINDS:
        Payment.objects.filter(pk=entry.pk).update(is_voided=True)
    return void_no


def void_entries(entries: Sequence[LedgerEntry], voiding: Voiding, posted_by: PostedBy) -> None:
    """Void entries of documents, each as `void_entry` does. The number of queries is constant. Under the accounts' locks."""
    debits = [one.pk for one in entries if one.amount > ZERO]
    credits = [one.pk for one in entries if one.amount <= ZERO]
    released = [
        Taken(credit_no, debit_no, -amount) for debit_no, parts in held_credits(debits).items() for credit_no, amount in parts
    ]
    for credit_no, parts in held_debits(credits).items():
        released += [Taken(credit_no, debit_no, -amount) for debit_no, amount in parts]
    allocate(released, posted_by, AllocationKind.RELEASED)
    drafts = [
        Draft(one.account_id, EntryKind.VOID, -one.amount, one.invoice_id, one.pk, voiding.reason.value, voiding.comments)
        for one in entries
    ]
    voids = zip(entries, post(drafts, posted_by), strict=True)
    taken = [_cancelling(one, void_no) for one, void_no in voids if one.amount]
    allocate(taken, posted_by, own_events=[one.invoice_id or 0 for one in entries])


def _cancelling(entry: LedgerEntry, void_no: int) -> Taken:
    """Return what lets an entry and its void pay each other."""
    if entry.amount > ZERO:
        return Taken(void_no, entry.pk, entry.amount)
    return Taken(entry.pk, void_no, -entry.amount)


def undo_entry(entry: LedgerEntry, voiding: Voiding, posted_by: PostedBy) -> int:
    """Void a write-off, dispute or refund, and move money back to where it was. Returns the number of the voiding entry. Under
    the account's lock."""
    back = money_after_undo(entry)
    void_no = void_entry(entry, voiding, posted_by)
    allocate(back, posted_by)
    return void_no


class UndoEntryPlan(NamedTuple):
    """What undoing a write-off, dispute or refund would do.

    `due` has the invoices whose open amounts change. `seen` binds the act to the preview.
    """

    entry: LedgerEntry
    due: tuple[OpenAfter, ...]
    balance_before: Decimal
    balance_after: Decimal

    @property
    def seen(self) -> str:
        due = [(one.invoice.pk, one.before, one.after) for one in self.due]
        return seen_as(self.entry.pk, due, self.balance_before)


def preview_undo_transaction(*, client: Client, transaction_id: int) -> UndoEntryPlan:
    """Return what `undo_transaction` would do. Writes nothing. Refuses what it refuses, except rights and reasons."""
    account_of_entry(client, transaction_id)
    entry = LedgerEntry.objects.get(pk=transaction_id)
    _check_undoable(entry)
    _check_voidable(entry, Voiding(VoidReason.CREATED_IN_ERROR))
    return _undo_plan(entry)


def _undo_plan(entry: LedgerEntry) -> UndoEntryPlan:
    change: dict[int, Decimal] = dict(plan_release(entry.pk)) if entry.amount < ZERO else {}
    for one in money_after_undo(entry):
        change[one.debit_no] = change.get(one.debit_no, ZERO) - one.amount
    balance = account_positions([entry.account_id])[entry.account_id].balance
    return UndoEntryPlan(entry, open_after(change), balance, balance - entry.amount)


def undo_transaction(
    *,
    client: Client,
    transaction_id: int,
    caller: Caller,
    today: date,
    reason_code: int,
    comments: str = "",
    seen: str = "",
) -> LedgerEntry:
    """Undo a write-off, dispute or refund by voiding it, and return the voiding entry.

    What a refund has released of invoices pays them again. A refund that a gateway makes can be undone until the gateway is
    asked for it (90380). Refuses what `void_transaction` refuses, another kind of transaction (90170), and an undo that would
    not do what was `seen` in its preview (90003).
    """
    voiding = Voiding(void_reason(reason_code), comments)
    return _void(client, transaction_id, caller, today, voiding, seen, _check_undoable)


def _check_undoable(entry: LedgerEntry) -> None:
    if entry.kind in UNDOABLE_KINDS:
        return
    detail = Detail("transaction {number} is a {kind}; void it", number=entry.pk, kind=word(entry.kind.replace("_", " ")))
    if entry.kind in CHARGE_KINDS:
        detail = Detail("transaction {number} belongs to a document; undo or void the document", number=entry.pk)
    elif entry.kind == EntryKind.VOID:
        detail = Detail("transaction {number} is a void; do the act again instead", number=entry.pk)
    raise BillingError(ErrorCode.NOT_UNDOABLE, detail, field="transaction_id")


class VoidPreview(NamedTuple):
    """What voiding a transaction would do: the amount by which the balance changes, and what is released from each charge, by
    transaction. `seen` binds the act to the preview."""

    amount: Decimal
    released: Sequence[tuple[int, Decimal]]
    seen: str


def preview_void(*, client: Client, transaction_id: int, reason_code: int | None = None) -> VoidPreview:
    """Return what `void_transaction` would do. Writes nothing. Refuses what it refuses, except rights.

    Without a reason, that of a payment that was voided before its settlement is assumed.
    """
    account_of_entry(client, transaction_id)
    entry = LedgerEntry.objects.get(pk=transaction_id)
    reason = VoidReason.VOIDED_BEFORE_SETTLEMENT if reason_code is None else void_reason(reason_code)
    _check_voidable(entry, Voiding(reason))
    return _previewed(entry)


def _previewed(entry: LedgerEntry) -> VoidPreview:
    released = plan_release(entry.pk) if entry.amount < ZERO else []
    seen = _undo_plan(entry).seen if entry.kind in UNDOABLE_KINDS else seen_as(entry.pk, released)
    return VoidPreview(-entry.amount, released, seen)


def void_transaction(
    *,
    client: Client,
    transaction_id: int,
    caller: Caller,
    today: date,
    reason_code: int,
    comments: str = "",
    seen: str = "",
) -> LedgerEntry:
    """Void a payment, cash credit, write-off, dispute, manual refund, or a refund that no gateway was asked for yet, and return
    the voiding entry. Money that a write-off, dispute or refund took is where it was.

    Refuses a caller who may not correct (90026), an
    unknown transaction (2001), a void (2002), a transaction that is already voided (2003), an invoice or credit memo, which is
    voided as a document (3053), an unknown reason (3024), one that a refund or the gateway blocks (90022), and a void that
    would not do what was `seen` in its preview (90003). May need a second person (90073).
    """
    voiding = Voiding(void_reason(reason_code), comments)
    return _void(client, transaction_id, caller, today, voiding, seen)


def _void(
    client: Client,
    transaction_id: int,
    caller: Caller,
    today: date,
    voiding: Voiding,
    seen: str,
    check: Callable[[LedgerEntry], None] | None = None,
) -> LedgerEntry:
    """Void a transaction that passes a check, as `void_transaction` and `undo_transaction` say."""
    reason_code, comments = voiding.reason.value, voiding.comments
    account_no = account_of_entry(client, transaction_id)
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_correct(caller)
        entry = LedgerEntry.objects.get(pk=transaction_id)
        if check is not None:
            check(entry)
        _check_voidable(entry, voiding)
        if seen and seen != _previewed(entry).seen:
            raise BillingError(ErrorCode.DOCUMENT_MOVED)
        arguments = {"transaction_id": entry.pk, "reason_code": reason_code, "comments": comments}
        currency = account_currency(account_no)
        wanted = GuardedRequest(
            GuardedAct.VOIDS, account_no, abs(entry.amount), currency, arguments, entry.invoice_id, transaction_no=entry.pk
        )
        require_second_person(wanted, client, caller)
        if entry.kind in UNDOABLE_KINDS:
            _withdraw(entry, client, caller, posted_by)
            void_no = undo_entry(entry, voiding, posted_by)
        else:
            void_no = void_entry(entry, voiding, posted_by)
            apply_open_credits([account_no], posted_by)
        amount = rounded(entry.amount, currency_of(currency))
        before: dict[str, Any] = {"transaction_id": entry.pk, "kind": entry.kind, "amount": str(amount)}
        after = {"transaction_id": void_no, "reason_code": reason_code, "comments": comments}
        act = Act("transaction.voided", account_no, entry.invoice_id, before=before, after=after, row_no=void_no)
        record_acts(client, caller, [act])
        return LedgerEntry.objects.get(pk=void_no)


def _check_voidable(entry: LedgerEntry, voiding: Voiding) -> None:
    if entry.kind in CHARGE_KINDS:
        raise BillingError(ErrorCode.NOT_BY_ITSELF, field="transaction_id")
    if entry.kind == EntryKind.VOID:
        raise BillingError(ErrorCode.VOIDING_TRANSACTION, field="transaction_id")
    if entry.is_voided:
        raise BillingError(ErrorCode.ALREADY_VOIDED, field="transaction_id")
    if entry.kind == EntryKind.ELECTRONIC_REFUND and not Refund.objects.filter(pk=entry.pk).filter(NOT_SENT).exists():
        raise _has_left(entry)
    refund = _refund_of(entry)
    if refund is not None:
        detail = Detail("refund {number} has returned a part of it", number=refund.pk)
        if refund.kind == EntryKind.REFUND:
            detail = Detail("refund {number} has returned a part of it; void the refund first", number=refund.pk)
        raise BillingError(ErrorCode.IN_THE_WAY, detail, field="transaction_id")
    if entry.kind == EntryKind.ELECTRONIC_PAYMENT and voiding.reason not in TAKEN_BACK_BY_OTHERS:
        codes = ", ".join(str(reason.value) for reason in TAKEN_BACK_BY_OTHERS)
        detail = Detail(
            "payment {number} was made by the payment gateway; refund it, or give reason {codes} if the money has already gone "
            "back",
            number=entry.pk,
            codes=codes,
        )
        raise BillingError(ErrorCode.IN_THE_WAY, detail, field="transaction_id")


NOT_SENT = Q(status=RefundStatus.ASKED, sent_at=None)
"""Refunds that no gateway was asked for yet."""


def _has_left(refund: LedgerEntry) -> BillingError:
    detail = Detail("refund {number}; if the customer pays again, record that payment", number=refund.pk)
    return BillingError(ErrorCode.REFUND_HAS_LEFT, detail, field="transaction_id")


def _withdraw(entry: LedgerEntry, client: Client, caller: Caller, posted_by: PostedBy) -> None:
    """Withdraw a refund that a gateway is to make. Of this and sending it, the database lets only one succeed: both change the
    same row on the condition that the other has not."""
    if entry.kind != EntryKind.ELECTRONIC_REFUND:
        return
    waiting = Refund.objects.filter(NOT_SENT, pk=entry.pk)
    if not waiting.update(status=RefundStatus.WITHDRAWN, settled_at=posted_by.at):
        raise _has_left(entry)
    after = {"transaction_id": entry.pk, "status": RefundStatus.WITHDRAWN.value}
    record_acts(client, caller, [Act("refund.withdrawn", entry.account_id, after=after, row_no=entry.pk)])


IS_REFUNDED = Q(debit__kind__in=REFUND_KINDS, debit__voided_by=None)
"""Parts of payments that a refund has returned. Such a payment is not voided until its refunds are."""


def _refund_of(entry: LedgerEntry) -> LedgerEntry | None:
    part = Allocation.objects.filter(IS_REFUNDED, credit=entry).select_related("debit").order_by("-debit_id").first()
    return part.debit if part is not None else None


def refunded_parts(payment_nos: Collection[int]) -> dict[int, Decimal]:
    """Return the amount that was refunded of each payment that has a refund. Such a payment cannot be voided. One query."""
    parts = Allocation.objects.filter(IS_REFUNDED, credit__in=payment_nos)
    return dict(parts.values("credit_id").annotate(refunded=ExactSum("amount")).values_list("credit_id", "refunded"))
