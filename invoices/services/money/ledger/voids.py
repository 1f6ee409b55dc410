"""Void ledger entries by an entry of the opposite amount that names the voided one. Nothing is ever deleted from the ledger."""

from datetime import date
from typing import Any, NamedTuple

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import CHARGE_KINDS, PAYMENT_KINDS, REFUND_KINDS, EntryKind, VoidReason
from invoices.models import LedgerEntry, Payment
from invoices.plan.allocating import Taken
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import account_currency, account_of_entry, money_act
from invoices.services.money.ledger.applying import release_credit, release_debit
from invoices.services.money.ledger.charging import apply_open_credits
from invoices.services.money.ledger.entries import Draft, PostedBy, allocate, post
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person

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
        release_debit(entry.pk, posted_by.at)
    else:
        release_credit(entry.pk, posted_by.at)
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
        allocate([Taken(void_no, entry.pk, entry.amount)], posted_by.at)
    elif entry.amount < ZERO:
        allocate([Taken(entry.pk, void_no, -entry.amount)], posted_by.at)
    if entry.kind in PAYMENT_KINDS:
        Payment.objects.filter(pk=entry.pk).update(is_voided=True)
    return void_no


def void_transaction(
    *, client: Client, transaction_id: int, caller: Caller, today: date, reason_code: int, comments: str = ""
) -> LedgerEntry:
    """Void a payment, cash credit, write-off, dispute or manual refund, and return the voiding entry.

    Refuses a caller who may not correct (90026), an unknown transaction (2001), a void (2002), a transaction that is already
    voided (2003), an invoice or credit memo, which is voided as a document (3053), an unknown reason (3024), and one that a
    refund or the gateway blocks (90022). May need a second person (90073).
    """
    voiding = Voiding(void_reason(reason_code), comments)
    account_no = account_of_entry(client, transaction_id)
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_correct(caller)
        entry = LedgerEntry.objects.get(pk=transaction_id)
        _check_voidable(entry, voiding)
        arguments = {"transaction_id": entry.pk, "reason_code": reason_code, "comments": comments}
        currency = account_currency(account_no)
        wanted = GuardedRequest(
            GuardedAct.VOIDS, account_no, abs(entry.amount), currency, arguments, entry.invoice_id, transaction_no=entry.pk
        )
        require_second_person(wanted, client, caller)
        void_no = void_entry(entry, voiding, posted_by)
        apply_open_credits([account_no], posted_by)
        before: dict[str, Any] = {"transaction_id": entry.pk, "kind": entry.kind, "amount": str(entry.amount)}
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
    if entry.kind == EntryKind.ELECTRONIC_REFUND:
        detail = Detail(
            "refund {number} was made by the payment gateway and cannot be voided; if the customer pays again, record that "
            "payment",
            number=entry.pk,
        )
        raise BillingError(ErrorCode.IN_THE_WAY, detail, field="transaction_id")
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


def _refund_of(entry: LedgerEntry) -> LedgerEntry | None:
    return LedgerEntry.objects.filter(paid_by__credit=entry, kind__in=REFUND_KINDS, voided_by=None).order_by("-pk").first()
