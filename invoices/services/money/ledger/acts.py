"""What all acts on an account's money share: the lock, and the checks of amounts and reasons."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Account, Client
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.currencies import currency_of, named_amount
from billing_site.common.languages import in_english
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.calculation import ZERO, asked_amount, rounded
from invoices.kinds import ReasonType
from invoices.models import Invoice, LedgerEntry, ReasonCode
from invoices.services.documents.account_acts import account_act
from invoices.services.documents.open_periods import check_open
from invoices.services.money.dunning import end_dunning
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.money.ledger.second_person import ActHeld, request_act

REFUSED = "money.refused"


def seen_as(*facts: object) -> str:
    """Return a short hash of what a preview shows. Decimals count by their value, not by how many zeros they end with."""
    return hashlib.sha256(repr([_plain(fact) for fact in facts]).encode()).hexdigest()[:32]


def check_seen(seen: str, *facts: object) -> None:
    """Refuse (90003) an act whose facts are not those of the preview that its caller saw. `seen` is empty if there was none.

    Call it under the account's lock.
    """
    if seen and seen != seen_as(*facts):
        raise BillingError(ErrorCode.DOCUMENT_MOVED)


def _plain(fact: object) -> object:
    if isinstance(fact, Decimal):
        return f"{fact.normalize():f}"
    if isinstance(fact, Iterable) and not isinstance(fact, str):
        return [_plain(one) for one in fact]
    return fact


class Why(NamedTuple):
    """The reason code of an act, and a comment."""

    reason_code: int
    comments: str = ""


@contextmanager
def _held_as_request(client: Client, caller: Caller) -> Iterator[None]:
    try:
        yield
    except ActHeld as held:
        raise request_act(held.wanted, client, caller) from None


@contextmanager
def money_act(
    client: Client,
    account_no: int,
    caller: Caller,
    day: date,
    *,
    invoice_no: int | None = None,
    today: date | None = None,
) -> Iterator[PostedBy]:
    """Lock the account, and yield by whom and when entries are posted. An act that is refused writes nothing but an event.

    The account leaves dunning at the end if nothing is overdue. `day` is the date of the entries; give `today` if it is another
    day. Refuses a day in a closed period (90173), an unknown account (1009) and one that another call locks for more than 5
    seconds (3108). If the act needs a second person, its request is stored and PendingAct (90073) is raised.
    """
    with _held_as_request(client, caller), account_act(client, account_no, caller, REFUSED, invoice_no=invoice_no):
        check_open(client, day)
        yield PostedBy(day, timezone.now(), caller.identity)
        end_dunning(client, caller, [account_no], today or day)


def check_amount(amount: Decimal, currency: str, field: str = "amount", *, name: str = "") -> Decimal:
    """Return the amount, rounded by `asked_amount`. Refuses an amount that is not above zero or not in whole smallest units of
    the currency (1016), and one that is too large to be stored exactly (90008).

    `name` says which amount of the field is meant, if it has several."""
    of = currency_of(currency)
    try:
        amount = asked_amount(amount, of)
        is_whole = amount <= ZERO or amount == rounded(amount, of)
    except BillingError as error:
        raise error.within(field) from error
    if amount <= ZERO:
        detail = Detail("{field}: {amount} is not above 0", field=name or field, amount=amount)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=field)
    if not is_whole:
        detail = Detail(
            "{field}: {amount} is not a multiple of the smallest unit of {currency}, {smallest_unit}",
            field=name or field,
            amount=amount,
            currency=currency,
            smallest_unit=of.smallest_unit,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=field)
    return amount


def check_amounts_of_invoices(amounts: Mapping[int, Decimal], currency: str) -> dict[int, Decimal]:
    """Return the amounts by invoice, each as `check_amount` returns it."""
    named = {number: Detail("invoice {number}", number=number) for number in amounts}
    return {number: check_amount(amount, currency, "invoices", name=named[number]) for number, amount in amounts.items()}


def amount_or_all(amount: Decimal | None, everything: bool, left: Decimal) -> Decimal:
    """Return the requested amount, or `left` if `everything` is true. Refuses both together, and neither (90047).

    An act that gives money away must never credit everything only because no amount was given.
    """
    if (amount is None) is not everything:
        raise BillingError(ErrorCode.AMOUNT_OR_ALL, field="amount")
    return left if amount is None else amount


def check_not_above(amount: Decimal, open_amount: Decimal, currency: str, what: Detail, field: str = "amount") -> None:
    """Refuse (90021) an amount above what is open of it, which `what` says."""
    if amount > open_amount:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail(
                "{field}: only {open_amount} {what}", field=field, open_amount=named_amount(open_amount, currency), what=what
            ),
            field=field,
        )


@compiled_read
def reason_rows(client_no: int, type: str, code: int) -> QuerySet[ReasonCode]:
    """Read the client's own reason of this code, and the common one."""
    return ReasonCode.objects.filter(Q(client=client_no) | Q(client=None), type=type, code=code)


def check_reason(client: Client, type: ReasonType, why: Why) -> None:
    """Refuse (3024) a code that is not an active reason of this type. The client's own reason overrides the common one."""
    found = sorted(reason_rows(client.pk, type.value, why.reason_code), key=lambda row: row.client_id is None)
    if not found or not found[0].is_active:
        raise BillingError(
            ErrorCode.INVALID_REASON,
            Detail(
                "reason_code: {reason_code} is not an active reason of type {type}",
                reason_code=why.reason_code,
                type=word(in_english(type.label)),
            ),
            field="reason_code",
        )


def account_of_invoice(client: Client, invoice_no: int) -> int:
    account_no = Invoice.objects.filter(client=client, pk=invoice_no).values_list("account_id", flat=True).first()
    if account_no is None:
        raise BillingError(
            ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=invoice_no), field="invoice_no"
        )
    return account_no


def account_of_entry(client: Client, transaction_id: int) -> int:
    rows = LedgerEntry.objects.filter(account__client=client, pk=transaction_id)
    account_no = rows.values_list("account_id", flat=True).first()
    if account_no is None:
        raise BillingError(
            ErrorCode.TRANSACTION_NOT_FOUND,
            Detail("transaction {transaction_id}", transaction_id=transaction_id),
            field="transaction_id",
        )
    return account_no


def check_entry_of(account_no: int, transaction_id: int, field: str) -> int:
    """Return the number of a transaction. Refuses one that is not the account's (2001)."""
    if not LedgerEntry.objects.filter(account=account_no, pk=transaction_id).exists():
        detail = Detail(
            "{field} {transaction_id} is not a transaction of account {account_no}",
            field=field,
            transaction_id=transaction_id,
            account_no=account_no,
        )
        raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field=field)
    return transaction_id


def account_currency(account_no: int) -> str:
    return str(Account.objects.values_list("currency", flat=True).get(pk=account_no))
