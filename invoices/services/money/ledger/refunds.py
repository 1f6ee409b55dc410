"""Refund payments: the refund is in the ledger from the moment it is requested, then the gateway is asked to make it.

So two refunds of one payment at the same time cannot give back more than was paid. If the gateway refuses, the refund is
voided. If it does not answer, it is asked again with the same key.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.gateways import gateway_named
from invoices.gateways.protocol import Answer, Gateway, RefundRequest, Result
from invoices.kinds import (
    PAYMENT_KINDS,
    AllocationKind,
    EntryKind,
    ReasonType,
    RefundStatus,
    VoidReason,
)
from invoices.models import LedgerEntry, Payment, Refund
from invoices.plan.allocating import Taken
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import (
    Why,
    account_currency,
    account_of_entry,
    amount_or_all,
    check_amount,
    check_not_above,
    check_reason,
    money_act,
    seen_as,
)
from invoices.services.money.ledger.applying import plan_release, release_credit
from invoices.services.money.ledger.entries import Draft, PostedBy, allocate, post
from invoices.services.money.ledger.history import with_voids
from invoices.services.money.ledger.open_items import left_of_credit, with_taken
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person
from invoices.services.money.ledger.voids import Voiding, undo_entry

logger = logging.getLogger(__name__)


class RefundPreview(NamedTuple):
    """What a refund would do: its amount, the part of it that pays no invoice yet, and what is released from each charge, by
    transaction. `electronic`: the gateway is asked to make it. `seen` binds the act to the preview."""

    amount: Decimal
    unapplied: Decimal
    released: Sequence[tuple[int, Decimal]]
    left: Decimal
    electronic: bool
    seen: str


def preview_refund(
    *, client: Client, transaction_id: int, amount: Decimal | None = None, everything: bool = False
) -> RefundPreview:
    """Return what `refund_payment` would do. Writes nothing. Refuses what it refuses, except rights and reasons."""
    account_of_entry(client, transaction_id)
    payment = _refundable(transaction_id)
    amount = _check(payment, amount, everything)
    return _previewed(payment, amount)


def _previewed(payment: Payment, amount: Decimal) -> RefundPreview:
    unapplied = min(left_of_credit(payment.pk), amount)
    released = plan_release(payment.pk, amount - unapplied)
    left = left_to_refund(payment) - amount
    electronic = payment.entry.kind == EntryKind.ELECTRONIC_PAYMENT
    return RefundPreview(amount, unapplied, released, left, electronic, seen_as(amount, unapplied, released, left))


def refund_payment(
    *,
    client: Client,
    transaction_id: int,
    caller: Caller,
    today: date,
    why: Why,
    amount: Decimal | None = None,
    everything: bool = False,
    seen: str = "",
) -> Refund:
    """Refund an amount of a payment, or `everything` that is left of it, by its gateway or by hand.

    The unapplied part goes back first. The rest is released from the invoices that it pays, the newest first; these are open
    again, cannot be rebilled, and are not collected by a bulk collection. To give money back for a charge, credit the charge
    first (ours). Refuses a caller who may not correct (90026), a transaction that is not a payment (2001) or is voided (2003),
    more than is left (90021), neither amount nor `everything` (90047), a wrong reason (3024), and a refund that would not do
    what was `seen` in its preview (90003). May need a second person (90073).
    """
    by: dict[str, Any] = {"client": client, "caller": caller, "today": today}
    refund = request_refund(transaction_id=transaction_id, why=why, amount=amount, everything=everything, seen=seen, **by)
    return make_refund(refund, **by)


def request_refund(
    *,
    client: Client,
    transaction_id: int,
    caller: Caller,
    today: date,
    why: Why,
    amount: Decimal | None = None,
    everything: bool = False,
    seen: str = "",
) -> Refund:
    """Write a refund into the ledger. Ask the gateway after the commit: see `refund_payment`, which lists the refusals."""
    account_no = account_of_entry(client, transaction_id)
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_correct(caller)
        payment = _refundable(transaction_id)
        amount = _check(payment, amount, everything)
        if seen and seen != _previewed(payment, amount).seen:
            raise BillingError(ErrorCode.DOCUMENT_MOVED)
        check_reason(client, ReasonType.REFUND, why)
        arguments = {"transaction_id": payment.pk, "amount": str(amount), **why._asdict()}
        currency = account_currency(account_no)
        wanted = GuardedRequest(GuardedAct.REFUNDS, account_no, amount, currency, arguments, transaction_no=payment.pk)
        require_second_person(wanted, client, caller)
        refund = enter_refund(payment, account_no, amount, why, posted_by)
        record_acts(client, caller, [entered_act(refund, account_no, amount, why)._replace(row_no=refund.pk)])
        return refund


def entered_act(refund: Refund, account_no: int, amount: Decimal, why: Why, invoice_no: int | None = None) -> Act:
    """Return the act of entering a refund: it is made by hand, or its gateway must be asked to make it."""
    after: dict[str, Any] = {"transaction_id": refund.pk, "payment": refund.payment_id, "amount": str(amount), **why._asdict()}
    if refund.status == RefundStatus.ASKED:
        return Act("refund.asked", account_no, invoice_no, after=after)
    return Act("refund.done", account_no, invoice_no, after={**after, "status": str(refund.status)})


def make_refund(refund: Refund, *, client: Client, caller: Caller, today: date) -> Refund:
    """Ask the gateway to make a stored refund. A refund by hand is returned unchanged."""
    return settle_refund(
        refund, client=client, caller=caller, today=today, ask=lambda gateway, request: gateway.refund(request)
    )


def resolve_refund(refund: Refund, *, client: Client, caller: Caller, today: date) -> Refund:
    """Ask the gateway for the result of a refund. If it does not know the refund, it is asked to make it, with the same key."""
    return settle_refund(
        refund,
        client=client,
        caller=caller,
        today=today,
        ask=lambda gateway, request: gateway.find_refund(request) or gateway.refund(request),
    )


def settle_refund(
    refund: Refund, *, client: Client, caller: Caller, today: date, ask: Callable[[Gateway, RefundRequest], Answer]
) -> Refund:
    """Call the gateway outside any transaction, then record its answer in one. If it does not answer, nothing changes.

    Before the call it is stored that the refund leaves: from then on it cannot be withdrawn. One that was withdrawn is returned
    as it is.
    """
    if refund.status != RefundStatus.ASKED:
        return refund
    leaving = Refund.objects.filter(pk=refund.pk, status=RefundStatus.ASKED)
    if not leaving.update(sent_at=Coalesce("sent_at", Value(timezone.now()))):
        return Refund.objects.select_related("entry", "payment").get(pk=refund.pk)
    entry = refund.entry
    request = RefundRequest(
        refund.idempotency_key, entry.amount, account_currency(entry.account_id), refund.payment.gateway_payment_id
    )
    try:
        answer = ask(gateway_named(refund.payment.gateway), request)
    except Exception as error:
        logger.error("gateway %s gave no answer on refund %s: %s", refund.payment.gateway, refund.pk, type(error).__name__)
        return refund
    try:
        return record_refund(refund.pk, answer, client=client, caller=caller, today=today)
    except BillingError as error:
        if error.code is not ErrorCode.IN_PROGRESS:
            raise
        # Another call locks the account. The gateway has answered, so this is no refusal: its answer is read again later.
        return refund


def record_refund(refund_no: int, answer: Answer, *, client: Client, caller: Caller, today: date) -> Refund:
    """Record the gateway's answer to a refund, once. If it refused, the refund is voided and the payment pays its invoices
    again.

    A refund that was done can also fail later, if the bank sends the money back.
    """
    account_no = account_of_entry(client, refund_no)
    with money_act(client, account_no, caller, today) as posted_by:
        refund = Refund.objects.select_related("entry", "payment").get(pk=refund_no)
        failed_later = refund.status == RefundStatus.DONE and answer.result is Result.DECLINED
        if answer.result is Result.UNKNOWN or not (refund.status == RefundStatus.ASKED or failed_later):
            return refund
        done = answer.result is Result.DONE
        refund.status = RefundStatus.DONE if done else RefundStatus.FAILED
        refund.gateway_refund_id, refund.settled_at = answer.reference[:100], timezone.now()
        refund.proc_status_code, refund.proc_status_text = answer.status_code[:50], answer.status_text[:300]
        refund.save()
        if not done:
            undo_entry(refund.entry, Voiding(VoidReason.PROCESSOR_ERROR, answer.status_text), posted_by)
        after = {"transaction_id": refund_no, "status": str(refund.status), "gateway_refund_id": refund.gateway_refund_id}
        record_acts(client, caller, [Act(f"refund.{refund.status.value}", account_no, after=after)])
        return refund


def unresolved_refunds(client: Client) -> QuerySet[Refund]:
    """Select the refunds whose result at the gateway is not known."""
    return Refund.objects.filter(payment__account__client=client, status=RefundStatus.ASKED).order_by("pk")


def left_to_refund(payment: Payment) -> Decimal:
    """Return the payment less its refunds that are not voided. No refund may exceed it."""
    refunds = LedgerEntry.objects.filter(refund__payment=payment, voided_by=None)
    return Decimal(-payment.entry.amount - sum(refunds.values_list("amount", flat=True), ZERO))


class RefundablePayment(NamedTuple):
    """A payment with what was refunded of it, and what of it pays nothing."""

    entry: LedgerEntry
    refunded: Decimal
    unapplied: Decimal


def refundable_payments(account_no: int) -> list[RefundablePayment]:
    """Return the account's payments of which something can still be refunded, the newest first. Two queries."""
    rows = with_taken(with_voids(LedgerEntry.objects.filter(account=account_no, kind__in=PAYMENT_KINDS, voided_by=None)))
    payments = list(rows.order_by("-pk"))
    refunds = LedgerEntry.objects.filter(refund__payment__account=account_no, voided_by=None)
    refunded: dict[int, Decimal] = {}
    for payment_no, amount in refunds.values_list("refund__payment", "amount"):
        refunded[payment_no] = refunded.get(payment_no, ZERO) + amount
    found = [RefundablePayment(one, refunded.get(one.pk, ZERO), -one.amount - one.taken) for one in payments]
    return [one for one in found if one.refunded < -one.entry.amount]


MOST_REFUNDS = 999


def refunds_of(account_no: int, *, with_voided: bool) -> list[Refund]:
    """Return the account's refunds with their payments, the newest first, at most 999. One query."""
    rows = Refund.objects.filter(entry__account=account_no).select_related(
        *("entry__voids", "entry__voided_by", "payment__entry__voids__invoice", "payment__entry__voided_by"),
        *("payment__entry__invoice", "payment__entry__account"),
    )
    if not with_voided:
        rows = rows.filter(entry__voided_by=None)
    return list(rows.order_by("-entry")[:MOST_REFUNDS])


def _refundable(transaction_id: int) -> Payment:
    payment = Payment.objects.select_related("entry").filter(pk=transaction_id).first()
    if payment is None:
        detail = Detail("transaction {transaction_id} is not a payment", transaction_id=transaction_id)
        raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field="transaction_id")
    if payment.entry.is_voided:
        raise BillingError(ErrorCode.ALREADY_VOIDED, Detail("payment {number}", number=transaction_id), field="transaction_id")
    return payment


def _check(payment: Payment, amount: Decimal | None, everything: bool) -> Decimal:
    left = left_to_refund(payment)
    asked = amount_or_all(amount, everything, left)
    if everything and not left:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail("payment {number} is already fully refunded", number=payment.pk),
            field="transaction_id",
        )
    currency = account_currency(payment.account_id)
    asked = check_amount(asked, currency)
    check_not_above(asked, left, currency, Detail("of payment {number} can still be refunded", number=payment.pk))
    return asked


def enter_refund(
    payment: Payment,
    account_no: int,
    amount: Decimal,
    why: Why,
    posted_by: PostedBy,
    invoice_no: int | None = None,
    *,
    by_hand: bool = False,
) -> Refund:
    """Enter a refund into the ledger, and return it. `invoice_no` is the document that made it. `by_hand`: it is paid by
    another method, and no gateway is asked. Under the account's lock."""
    unapplied = left_of_credit(payment.pk)
    if amount > unapplied:
        release_credit(payment.pk, posted_by, amount - unapplied, AllocationKind.REFUNDED)
    electronic = payment.entry.kind == EntryKind.ELECTRONIC_PAYMENT and not by_hand
    kind = EntryKind.ELECTRONIC_REFUND if electronic else EntryKind.REFUND
    (entry_no,) = post([Draft(account_no, kind, amount, invoice_no, None, *why)], posted_by)
    allocate([Taken(payment.pk, entry_no, amount)], posted_by)
    return Refund.objects.create(
        entry_id=entry_no,
        payment=payment,
        status=RefundStatus.ASKED if electronic else RefundStatus.DONE,
        idempotency_key=f"refund-{entry_no}-{secrets.token_hex(8)}" if electronic else "",
        asked_at=posted_by.at,
        sent_at=None,
        settled_at=None if electronic else posted_by.at,
    )
