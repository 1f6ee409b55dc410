"""Where the money goes that a correction frees: to the oldest open invoices, to the account's credit, or back to the payer.

The accounts must be locked. Refunds are entered in the act's own transaction; the gateway is asked after the commit.
"""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.callers import Caller
from accounts.kinds import CreditTo, GuardedAct
from accounts.models import Client
from accounts.rights import CORRECT, check_may
from accounts.trail import record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import RefundStatus
from invoices.models import Payment, Refund
from invoices.plan.allocating import OpenItem, oldest_first
from invoices.services.documents.approval_rules import four_eyes_apply
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.charging import apply_open_credits
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.money.ledger.open_items import open_charges
from invoices.services.money.ledger.refunds import enter_refund, entered_act, left_to_refund, make_refund

OVERPAYMENT = 2
"""The reason of refunds that a correction makes: the customer has paid more than is charged now."""


class Freed(NamedTuple):
    """What a document's correction has freed of each payment and cash credit, where it goes, and for which document."""

    account_no: int
    invoice_no: int
    parts: tuple[OpenItem, ...]
    credit_to: CreditTo
    comments: str = ""


def credit_to_of(client: Client, requested: str, usual: CreditTo) -> CreditTo:
    """Return where freed money goes: as requested, else as the client's setting says, else as is usual for the act."""
    return CreditTo(requested or client.credit_to or usual)


def check_may_refund(client: Client, caller: Caller, amount: Decimal) -> None:
    """Refuse a refund that is part of a correction: to a caller who may not correct (90026), and if refunds of this amount need
    a second person (90176), unless one has approved the correction."""
    if amount <= ZERO:
        return
    check_may(caller, CORRECT)
    if caller.approval is None and four_eyes_apply(client, GuardedAct.REFUNDS, amount):
        detail = Detail("give credit_to keep_as_credit, then refund the payment")
        raise BillingError(ErrorCode.REFUND_NEEDS_ANOTHER, detail, field="credit_to")


def refundable(parts: Sequence[OpenItem]) -> dict[int, Decimal]:
    """Return how much of each freed part can be refunded, by payment. Cash credits are no payments: they stay credit."""
    payments = Payment.objects.filter(pk__in=[part.entry_no for part in parts], is_voided=False).select_related("entry")
    left = {payment.pk: left_to_refund(payment) for payment in payments}
    amounts = {part.entry_no: min(part.open, left.get(part.entry_no, ZERO)) for part in parts}
    return {number: amount for number, amount in amounts.items() if amount > ZERO}


class FreedMoney(NamedTuple):
    """Where freed money would go. All amounts are above or equal to zero."""

    credit_to: CreditTo
    freed: Decimal
    to_other_invoices: Decimal = ZERO
    left_as_credit: Decimal = ZERO
    refunded: Decimal = ZERO


def freed_money(account_no: int, debit_no: int, parts: Sequence[OpenItem], credit_to: CreditTo) -> FreedMoney:
    """Return where these parts would go if they were freed from a debit of the account. Writes nothing."""
    freed = sum((part.open for part in parts), ZERO)
    elsewhere = refunded = ZERO
    if credit_to.refunds:
        refunded = sum(refundable(parts).values(), ZERO)
    elif credit_to == CreditTo.OLDEST_OPEN_INVOICE:
        debits = [charge.item for charge in open_charges([account_no]).get(account_no, []) if charge.entry_no != debit_no]
        elsewhere = sum((part.amount for part in oldest_first(sorted(parts), debits)), ZERO)
    return FreedMoney(credit_to, freed, elsewhere, freed - elsewhere - refunded, refunded)


def place_freed(freed: Sequence[Freed], *, client: Client, caller: Caller, posted_by: PostedBy) -> None:
    """Apply freed money to the oldest open invoices, or refund it, as each says. What is kept as credit pays the next invoice
    that is issued."""
    oldest = sorted({one.account_no for one in freed if one.credit_to == CreditTo.OLDEST_OPEN_INVOICE})
    if oldest:
        apply_open_credits(oldest, posted_by, own_events=[one.invoice_no for one in freed])
    for one in freed:
        if one.credit_to.refunds:
            _refund(one, client, caller, posted_by)


def _refund(freed: Freed, client: Client, caller: Caller, posted_by: PostedBy) -> None:
    amounts = refundable(freed.parts)
    why = Why(OVERPAYMENT, freed.comments)
    acts = []
    for payment in Payment.objects.filter(pk__in=amounts).select_related("entry").order_by("pk"):
        amount = amounts[payment.pk]
        by_hand = freed.credit_to == CreditTo.REFUND_BY_HAND
        refund = enter_refund(payment, freed.account_no, amount, why, posted_by, freed.invoice_no, by_hand=by_hand)
        acts.append(entered_act(refund, freed.account_no, amount, why, freed.invoice_no))
    record_acts(client, caller, acts, posted_by.at)


def ask_refunds(client: Client, invoice_nos: Collection[int], caller: Caller, today: date) -> list[Refund]:
    """Ask the gateway to make the refunds that corrections have entered for these documents. After the commit. One query if
    there are none."""
    asked = Refund.objects.filter(status=RefundStatus.ASKED, entry__invoice__in=invoice_nos)
    refunds = asked.select_related("entry", "payment").order_by("pk")
    return [make_refund(refund, client=client, caller=caller, today=today) for refund in refunds]
