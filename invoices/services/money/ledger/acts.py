"""What all acts on an account's money share: the lock, and the checks of amounts and reasons."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Account, Client
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.currencies import currency_of
from billing_site.common.languages import in_english
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.calculation import ZERO, asked_amount, rounded
from invoices.kinds import ReasonType
from invoices.models import Invoice, LedgerEntry, ReasonCode
from invoices.services.documents.account_acts import account_act
from invoices.services.money.dunning import end_dunning
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.money.ledger.second_person import ActHeld, request_act

REFUSED = "money.refused"


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
    day. Refuses an unknown account (1009) and one that another call locks for more than 5 seconds (3108). If the act needs a
    second person, its request is stored and PendingAct (90073) is raised.
    """
    with _held_as_request(client, caller), account_act(client, account_no, caller, REFUSED, invoice_no=invoice_no):
        yield PostedBy(day, timezone.now(), caller.identity)
        end_dunning(client, caller, [account_no], today or day)


def check_amount(amount: Decimal, currency: str, field: str = "amount") -> Decimal:
    """Return the amount, rounded by `asked_amount`. Refuses an amount that is not above zero or not in whole smallest units of
    the currency (1016), and one that is too large to be stored exactly (90008)."""
    of = currency_of(currency)
    amount = asked_amount(amount, of)
    if amount <= ZERO:
        raise BillingError(
            ErrorCode.INVALID_INPUT, Detail("{field}: {amount} is not above 0", field=field, amount=f"{amount:f}"), field=field
        )
    if amount != rounded(amount, of):
        detail = Detail(
            "{field}: {amount} is not a multiple of the smallest unit of {currency}, {smallest_unit}",
            field=field,
            amount=f"{amount:f}",
            currency=currency,
            smallest_unit=of.smallest_unit,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=field)
    return amount


def amount_or_all(amount: Decimal | None, everything: bool, left: Decimal) -> Decimal:
    """Return the requested amount, or `left` if `everything` is true. Refuses both together, and neither (90047).

    An act that gives money away must never credit everything only because no amount was given.
    """
    if (amount is None) is not everything:
        raise BillingError(ErrorCode.AMOUNT_OR_ALL, field="amount")
    return left if amount is None else amount


def check_not_above(amount: Decimal, open_amount: Decimal, what: Detail, field: str = "amount") -> None:
    if amount > open_amount:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail("{field}: only {open_amount} {what}", field=field, open_amount=f"{open_amount.normalize():f}", what=what),
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


def account_currency(account_no: int) -> str:
    return str(Account.objects.values_list("currency", flat=True).get(pk=account_no))
