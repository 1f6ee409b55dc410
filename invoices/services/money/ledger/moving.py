"""Move what a payment or cash credit pays from one invoice to another, without refunding and charging it again."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.common.currencies import named_amount
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, AllocationKind
from invoices.models import LedgerEntry
from invoices.plan.allocating import OpenItem, Taken
from invoices.services.documents.rights import check_may_collect
from invoices.services.money.ledger.acts import account_currency, account_of_entry, check_amounts_of_invoices, money_act
from invoices.services.money.ledger.applying import apply_credit, plan_release
from invoices.services.money.ledger.entries import PostedBy, allocate
from invoices.services.money.ledger.open_items import charges_of, left_of_credit

MOVED = "payment.moved"


def move_payment(
    *,
    client: Client,
    transaction_id: int,
    invoices: Mapping[int, Decimal],
    caller: Caller,
    today: date,
    from_invoice: int | None = None,
) -> LedgerEntry:
    """Let a payment or cash credit pay the given `invoices`, each with its amount, and return its entry.

    What is unapplied of it is used first, then what it pays of `from_invoice`, or of its other invoices, the newest first. Each
    invoice that loses or gets money has an event with its signed amount. Refuses a caller who may not collect (90025), another
    kind of transaction (2001), one that is voided (2003), an invoice of another account (3004), an amount that is not valid
    (1016) or above what is open on the invoice (90021), and more than the payment still has (90160).
    """
    account_no = account_of_entry(client, transaction_id)
    with money_act(client, account_no, caller, today) as posted_by:
        check_may_collect(caller)
        entry = LedgerEntry.objects.get(pk=transaction_id)
        _check_movable(entry)
        currency = account_currency(account_no)
        wanted = check_amounts_of_invoices(invoices, currency)
        released = _release(entry, wanted, from_invoice, posted_by)
        total = sum(wanted.values(), ZERO)
        apply_credit(account_no, OpenItem(entry.pk, total), posted_by, chosen=wanted)
        record_acts(client, caller, _acts(entry, {**{number: -part for number, part in released.items()}, **wanted}))
        return entry


def _check_movable(entry: LedgerEntry) -> None:
    if entry.kind not in FREE_KINDS:
        detail = Detail("transaction {transaction_id} is not a payment or cash credit", transaction_id=entry.pk)
        raise BillingError(ErrorCode.TRANSACTION_NOT_FOUND, detail, field="transaction_id")
    if entry.is_voided:
        detail = Detail("transaction {number}; record the payment again, for the other invoice", number=entry.pk)
        raise BillingError(ErrorCode.ALREADY_VOIDED, detail, field="transaction_id")


def _release(
    entry: LedgerEntry, wanted: Mapping[int, Decimal], from_invoice: int | None, posted_by: PostedBy
) -> dict[int, Decimal]:
    """Free what is missing for the wanted amounts, and return the amount that each invoice loses."""
    missing = sum(wanted.values(), ZERO) - left_of_credit(entry.pk)
    released: dict[int, Decimal] = {}
    for invoice_no, paid in _paid_invoices(entry.pk).items():
        if missing > ZERO and invoice_no not in wanted and from_invoice in (None, invoice_no):
            released[invoice_no] = min(missing, paid)
            missing -= released[invoice_no]
    if missing > ZERO:
        raise _too_little(entry, sum(wanted.values(), ZERO) - missing, from_invoice)
    charges = charges_of(released)
    parts = [Taken(entry.pk, charges[number].entry_no, -amount) for number, amount in released.items()]
    allocate(parts, posted_by, AllocationKind.RELEASED)
    return released


def _paid_invoices(credit_no: int) -> dict[int, Decimal]:
    """Return the invoices that a credit pays with their amounts, the newest application first."""
    held = plan_release(credit_no)
    invoices = dict(LedgerEntry.objects.filter(pk__in=[debit_no for debit_no, _ in held]).values_list("pk", "invoice_id"))
    return {invoices[debit_no]: amount for debit_no, amount in held}


def _too_little(entry: LedgerEntry, available: Decimal, from_invoice: int | None) -> BillingError:
    """Return the refusal of more than there is to move, which says where the rest of the payment is."""
    refunds = list(entry.taken_by.filter(debit__refund__isnull=False, debit__voided_by=None).values_list("debit_id", flat=True))
    amount = named_amount(available, account_currency(entry.account_id))
    detail = Detail("at most {amount} of transaction {number}", amount=amount, number=entry.pk)
    if from_invoice is not None:
        detail = Detail("{detail} from invoice {invoice_no}", detail=detail, invoice_no=from_invoice)
    if refunds:
        detail = Detail(
            "{detail}, because refund {refund} returned money of it; record what the customer pays instead as a new payment",
            detail=detail,
            refund=refunds[-1],
        )
    return BillingError(ErrorCode.NOT_TO_BE_MOVED, detail, field="invoices")


def _acts(entry: LedgerEntry, parts: Mapping[int, Decimal]) -> list[Act]:
    charges = charges_of(parts)
    return [
        Act(
            MOVED,
            entry.account_id,
            number,
            before={"due": _text(charges[number].due + amount)},
            after={"transaction_id": entry.pk, "amount": _text(amount), "due": _text(charges[number].due)},
            row_no=entry.pk,
        )
        for number, amount in parts.items()
    ]


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
