"""Record payments from outside a gateway and cash credits, and apply them to invoices."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Account, Client
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
    check_amounts_of_invoices,
    check_not_above,
    check_reason,
    check_seen,
    money_act,
    seen_as,
)
from invoices.services.money.ledger.applying import Paid, apply_credit, plan_application
from invoices.services.money.ledger.entries import Draft, PostedBy, account_balance, post
from invoices.services.money.ledger.open_items import left_of_credit, open_charges
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person

InvoiceShares = Mapping[int, Decimal]
"""Invoices with the amount that each gets of a payment or credit. The rest pays the oldest open invoices."""


class CreditPreview(NamedTuple):
    """What a payment or credit would do: the invoices that it pays, in the order in which it pays them, what stays as unapplied
    credit, and the account's balance after it. `seen` binds the act to the preview."""

    amount: Decimal
    paid: Sequence[Paid]
    unapplied: Decimal
    balance: Decimal
    seen: str


def preview_payment(
    *,
    client: Client,
    account_no: int,
    today: date,
    amount: Decimal,
    type: PaymentType,
    received_on: date | None = None,
    reference: str = "",
    pays: Sequence[int] = (),
) -> CreditPreview:
    """Return what `record_external_payment` would do. Writes nothing. Refuses what it refuses, except rights."""
    account = _account(client, account_no)
    amount = check_amount(amount, account.currency)
    _check_day(received_on or today, today)
    _check_reference(account_no, type, reference, received_on or today, account.currency)
    return _previewed(account, amount, amount, _up_to_what_is_due(account_no, pays, amount))


def preview_cash_credit(*, client: Client, account_no: int, amount: Decimal, pays: Sequence[int] = ()) -> CreditPreview:
    """Return what `add_cash_credit` would do. Writes nothing. Refuses what it refuses, except rights and reasons."""
    account = _account(client, account_no)
    amount = check_amount(amount, account.currency)
    return _previewed(account, amount, amount, _up_to_what_is_due(account_no, pays, amount))


def preview_application(*, client: Client, transaction_id: int, pays: Sequence[int] = ()) -> CreditPreview:
    """Return what `apply_unused_credit` would do. Writes nothing. Refuses what it refuses, except rights."""
    account = _account(client, account_of_entry(client, transaction_id))
    left, chosen = _unused(_free(transaction_id), account.currency, None, pays)
    preview = _previewed(account, left, ZERO, chosen)
    _check_pays(left, preview.paid)
    return preview


def _account(client: Client, account_no: int) -> Account:
    account = Account.objects.filter(client=client, pk=account_no).first()
    if account is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
    return account


def _previewed(account: Account, amount: Decimal, new: Decimal, chosen: InvoiceShares) -> CreditPreview:
    """`new` is the part of the amount that the balance does not have yet."""
    paid = plan_application(account.pk, amount, chosen)
    unapplied = amount - sum((one.amount for one in paid), ZERO)
    return CreditPreview(amount, paid, unapplied, account_balance(account) - new, seen_as(*_facts(amount, paid)))


def _check_preview(seen: str, account_no: int, amount: Decimal, chosen: InvoiceShares) -> None:
    """Refuse (90003) what was not seen in the preview. Under the account's lock."""
    if seen:
        check_seen(seen, *_facts(amount, plan_application(account_no, amount, chosen)))


def _facts(amount: Decimal, paid: Sequence[Paid]) -> list[object]:
    return [amount, [(one.charge.invoice_no, one.charge.due, one.amount) for one in paid]]


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
    seen: str = "",
) -> Payment:
    """Record a cheque, a transfer or cash, apply it, and return the payment.

    It pays `invoices`, each with its amount, or the invoices `pays` in their order, each up to its open amount. The rest pays
    the oldest open ones. Refuses a caller who may not record payments (90025), an amount that is not valid (1016, 90008), an
    invoice in `pays` that is not open (3004), a `currency` other than the account's (90007), a day after today or more than
    ten years ago (1016), and a payment that would not do what was `seen` in its preview (90003).

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
        chosen = _checked_shares(invoices, currency) or _up_to_what_is_due(account_no, pays, amount)
        _check_preview(seen, account_no, amount, chosen)
        entry_no = _credit(draft, posted_by, chosen)
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
    pays: Sequence[int] = (),
    currency: str | None = None,
    seen: str = "",
) -> LedgerEntry:
    """Give the account a credit that pays its invoices, tax included, and return its entry. It is not a document.

    `invoices` and `pays` choose what it pays, as for a payment.

    Refuses a caller who may not correct (90026), an amount that is not valid (1016, 90008), a reason that is not one of cash
    credits (3024), a `currency` other than the account's (90007), and a credit that would not do what was `seen` in its preview
    (90003). May need a second person (90073).
    """
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_correct(caller)
        currency = _asked_currency(account_no, currency)
        amount = check_amount(amount, currency)
        check_reason(client, ReasonType.CASH_CREDIT, why)
        chosen = _checked_shares(invoices, currency) or _up_to_what_is_due(account_no, pays, amount)
        _check_preview(seen, account_no, amount, chosen)
        shares = [[number, str(part)] for number, part in chosen.items()]
        arguments = {"account_no": account_no, "amount": str(amount), "invoices": shares, **why._asdict()}
        require_second_person(GuardedRequest(GuardedAct.CASH_CREDITS, account_no, amount, currency, arguments), client, caller)
        draft = Draft(account_no, EntryKind.CASH_CREDIT, -amount, reason_code=why.reason_code, comments=why.comments)
        entry_no = _credit(draft, posted_by, chosen)
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


def _credit(draft: Draft, posted_by: PostedBy, chosen: InvoiceShares) -> int:
    try:
        (entry_no,) = post([draft], posted_by)
    except BillingError as error:
        raise error.within("amount") from error
    apply_credit(draft.account_no, OpenItem(entry_no, -draft.amount), posted_by, chosen=chosen)
    return entry_no


def _checked_shares(invoices: InvoiceShares | None, currency: str) -> dict[int, Decimal]:
    return check_amounts_of_invoices(invoices or {}, currency)


def apply_unused_credit(
    *,
    client: Client,
    transaction_id: int,
    caller: Caller,
    today: date,
    invoices: InvoiceShares | None = None,
    pays: Sequence[int] = (),
    seen: str = "",
) -> LedgerEntry:
    """Apply the unused part of a payment or cash credit to the chosen invoices, or to the oldest open ones. Returns its entry.
    `invoices` and `pays` choose what it pays, as for a payment.

    Refuses a caller who may not collect (90025), another kind of transaction (2001), more than is unused (90021), what was not
    `seen` in the preview (90003), and a credit that would pay nothing (90435).
    """
    account_no = account_of_entry(client, transaction_id)
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_collect(caller)
        entry = _free(transaction_id)
        left, chosen = _unused(entry, account_currency(account_no), invoices, pays)
        _check_preview(seen, account_no, left, chosen)
        _check_pays(left, plan_application(account_no, left, chosen))
        apply_credit(account_no, OpenItem(entry.pk, left), posted_by, chosen=chosen)
        after = {"transaction_id": entry.pk, "left": str(left_of_credit(entry.pk))}
        act = Act("payment.applied", account_no, before={"left": str(left)}, after=after, row_no=entry.pk)
        record_acts(client, caller, [act])
        return entry


def _check_pays(left: Decimal, paid: Sequence[Paid]) -> None:
    if not paid:
        why = Detail("the account has no open invoice") if left else Detail("no part of the credit is unapplied")
        raise BillingError(ErrorCode.NOTHING_TO_PAY, why, field="transaction_id")


def _free(transaction_id: int) -> LedgerEntry:
    entry = LedgerEntry.objects.get(pk=transaction_id)
    if entry.kind not in FREE_KINDS:
        detail = Detail("transaction {transaction_id} is not a payment or cash credit", transaction_id=transaction_id)
        raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field="transaction_id")
    return entry


def _unused(
    entry: LedgerEntry, currency: str, invoices: InvoiceShares | None, pays: Sequence[int]
) -> tuple[Decimal, InvoiceShares]:
    """Return the unused part of a credit, and the checked shares of invoices in it."""
    left = left_of_credit(entry.pk)
    chosen = _checked_shares(invoices, currency) or _up_to_what_is_due(entry.account_id, pays, left)
    check_not_above(sum(chosen.values(), ZERO), left, currency, Detail("of it is unapplied"), "invoices")
    return left, chosen
