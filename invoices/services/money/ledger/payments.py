"""Record payments from outside a gateway and cash credits, and apply them to invoices."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, rounded
from invoices.kinds import FREE_KINDS, EntryKind, PaymentType, ReasonType
from invoices.models import LedgerEntry, Payment
from invoices.plan.allocating import OpenItem
from invoices.services.documents.rights import check_may_collect, check_may_correct
from invoices.services.money.ledger.acts import (
    Why,
    account_currency,
    account_of_entry,
    check_amount,
    check_not_above,
    check_reason,
    money_act,
)
from invoices.services.money.ledger.applying import apply_credit
from invoices.services.money.ledger.entries import Draft, PostedBy, post
from invoices.services.money.ledger.open_items import left_of_credit, open_charges
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person

InvoiceShares = Mapping[int, Decimal]
"""Invoices with the amount that each gets of a payment or credit. The rest pays the oldest open invoices."""


def record_external_payment(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    today: date,
    amount: Decimal,
    type: PaymentType,
    received_on: date | None = None,
    reference: str = "",
    comments: str = "",
    invoices: InvoiceShares | None = None,
    pays: Sequence[int] = (),
    currency: str | None = None,
) -> Payment:
    """Record a cheque, a transfer or cash, apply it, and return the payment.

    It pays `invoices`, each with its amount, or the invoices `pays` in their order, each up to its open amount. The rest pays
    the oldest open ones. Refuses a caller who may not record payments (90025), an amount that is not valid (1016, 90008), an
    invoice in `pays` that is not open (3004), a `currency` other than the account's (90007), and a day after today or more than
    ten years ago (1016).

    A reference is not an idempotency key: the same reference on another day is another payment, as for a monthly transfer. On
    the same day it is refused (90013), unless the earlier payment was voided.
    """
    with money_act(client, account_no, caller, received_on or today, today=today) as posted_by:
        check_may_collect(caller)
        currency = _asked_currency(account_no, currency)
        amount = check_amount(amount, currency)
        _check_day(posted_by.day, today)
        _check_reference(account_no, type, reference, posted_by.day, currency)
        draft = Draft(account_no, EntryKind.PAYMENT, -amount, comments=comments)
        entry_no = _credit(draft, posted_by, currency, invoices or _up_to_what_is_due(account_no, pays, amount))
        payment = Payment.objects.create(
            entry_id=entry_no, account_id=account_no, type=type, reference=reference, received_on=posted_by.day
        )
        after = {"transaction_id": entry_no, "amount": str(amount), "type": str(type), "reference": reference}
        record_acts(client, caller, [Act("payment.recorded", account_no, after=after, row_no=entry_no)])
        return payment


MOST_YEARS_AGO = 10
"""A payment with an earlier date probably has a wrong year."""


def _check_day(day: date, today: date) -> None:
    """Refuse (1016) a day after today, and a day so long ago that the year must be wrong."""
    if day > today:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("received_on: {day} is in the future", day=day), field="received_on")
    if day.year < today.year - MOST_YEARS_AGO:
        detail = Detail("received_on: {day} is more than {years} years ago; check the year", day=day, years=MOST_YEARS_AGO)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="received_on")


def _check_reference(account_no: int, type: PaymentType, reference: str, day: date, currency: str) -> None:
    """Refuse (90013) a reference that another payment of this account, type and day has. Under the account's lock."""
    if not reference:
        return
    same = Payment.objects.filter(account=account_no, type=type, reference=reference, received_on=day, is_voided=False)
    earlier = same.select_related("entry").first()
    if earlier is not None:
        paid = f"{rounded(-earlier.entry.amount, currency_of(currency)):f} {currency}"
        detail = Detail(
            "payment {number} of {paid}, received on {day}, has the reference {reference}. If this is another payment, give it "
            "another reference",
            number=earlier.pk,
            paid=paid,
            day=day,
            reference=reference,
        )
        raise BillingError(ErrorCode.RECORD_ID_USED, detail, field="reference")


def add_cash_credit(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    today: date,
    amount: Decimal,
    why: Why,
    invoices: InvoiceShares | None = None,
    currency: str | None = None,
) -> LedgerEntry:
    """Give the account a credit that pays its invoices, tax included, and return its entry. It is not a document.

    Refuses a caller who may not correct (90026), an amount that is not valid (1016, 90008), a reason that is not one of cash
    credits (3024), and a `currency` other than the account's (90007). May need a second person (90073).
    """
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_correct(caller)
        currency = _asked_currency(account_no, currency)
        amount = check_amount(amount, currency)
        check_reason(client, ReasonType.CASH_CREDIT, why)
        chosen = [[number, str(part)] for number, part in (invoices or {}).items()]
        arguments = {"account_no": account_no, "amount": str(amount), "invoices": chosen, **why._asdict()}
        require_second_person(GuardedRequest(GuardedAct.CASH_CREDITS, account_no, amount, currency, arguments), client, caller)
        draft = Draft(account_no, EntryKind.CASH_CREDIT, -amount, reason_code=why.reason_code, comments=why.comments)
        entry_no = _credit(draft, posted_by, currency, invoices)
        after: dict[str, Any] = {"transaction_id": entry_no, "amount": str(amount), **why._asdict()}
        record_acts(client, caller, [Act("cash_credit.added", account_no, after=after, row_no=entry_no)])
        return LedgerEntry.objects.get(pk=entry_no)


def _asked_currency(account_no: int, asked: str | None) -> str:
    currency = account_currency(account_no)
    if asked is not None and asked != currency:
        detail = Detail("currency: {asked}; the account is billed in {currency}", asked=asked, currency=currency)
        raise BillingError(ErrorCode.CURRENCY_MISMATCH, detail, field="currency")
    return currency


def _up_to_what_is_due(account_no: int, invoice_nos: Sequence[int], amount: Decimal) -> dict[int, Decimal]:
    """Return how much of an amount pays each invoice, in their order. Refuses an invoice that is not open (3004). Under the
    account's lock."""
    if not invoice_nos:
        return {}
    due = {charge.invoice_no: charge.due for charge in open_charges([account_no]).get(account_no, [])}
    parts: dict[int, Decimal] = {}
    for invoice_no in dict.fromkeys(invoice_nos):
        if invoice_no not in due:
            detail = Detail(
                "invoice_no {invoice_no} of account {account_no} has no open balance",
                invoice_no=invoice_no,
                account_no=account_no,
            )
            raise BillingError(ErrorCode.INVOICE_NOT_FOUND, detail, field="invoice_no")
        parts[invoice_no] = min(due[invoice_no], amount - sum(parts.values(), ZERO))
    return {invoice_no: part for invoice_no, part in parts.items() if part > ZERO}


def _credit(draft: Draft, posted_by: PostedBy, currency: str, invoices: InvoiceShares | None) -> int:
    chosen = _checked_shares(invoices, currency)
    (entry_no,) = post([draft], posted_by)
    apply_credit(draft.account_no, OpenItem(entry_no, -draft.amount), posted_by.at, chosen=chosen)
    return entry_no


def _checked_shares(invoices: InvoiceShares | None, currency: str) -> dict[int, Decimal]:
    return {number: check_amount(amount, currency, "invoices") for number, amount in (invoices or {}).items()}


def apply_unused_credit(
    *, client: Client, transaction_id: int, caller: Caller, today: date, invoices: InvoiceShares | None = None
) -> LedgerEntry:
    """Apply the unused part of a payment or cash credit to the chosen invoices, or to the oldest open ones. Returns its entry.

    Refuses a caller who may not collect (90025), another kind of transaction (2001), and more than is unused (90021).
    """
    account_no = account_of_entry(client, transaction_id)
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_collect(caller)
        entry = LedgerEntry.objects.get(pk=transaction_id)
        if entry.kind not in FREE_KINDS:
            detail = Detail("transaction {transaction_id} is not a payment or cash credit", transaction_id=transaction_id)
            raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field="transaction_id")
        left = left_of_credit(transaction_id)
        chosen = _checked_shares(invoices, account_currency(account_no))
        check_not_above(sum(chosen.values(), ZERO), left, Detail("of it is unapplied"), "invoices")
        apply_credit(account_no, OpenItem(entry.pk, left), posted_by.at, chosen=chosen)
        after = {"transaction_id": entry.pk, "left": str(left_of_credit(entry.pk))}
        act = Act("payment.applied", account_no, before={"left": str(left)}, after=after, row_no=entry.pk)
        record_acts(client, caller, [act])
        return entry
