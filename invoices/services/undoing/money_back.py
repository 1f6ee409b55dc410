"""Read what an act did to the money of an account, so that undoing it can move the money back. The account must be locked."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, LIVE_STATUSES, REFUND_KINDS, AllocationKind, EntryKind, InvoiceStatus
from invoices.models import Allocation, CouponUse, CreditUse, Invoice, LedgerEntry
from invoices.plan.allocating import OpenItem, Taken
from invoices.plan.money_back import MoneyBack, UndoMoney, plan_money_back
from invoices.services.money.ledger.open_items import Charge, charges_of, open_charges, open_credits


class MovedMoney(NamedTuple):
    """What payments and cash credits of an account pay now, and what an act changed of it, by entry number."""

    pays: tuple[Taken, ...]
    by_act: tuple[Taken, ...]

    def released_from(self, debit_no: int) -> tuple[OpenItem, ...]:
        """Return what the act released of each credit from a debit."""
        parts = [one for one in self.by_act if one.debit_no == debit_no and one.amount < ZERO]
        return tuple(sorted(OpenItem(one.credit_no, -one.amount) for one in parts))

    def moved_elsewhere(self, own: Collection[int]) -> tuple[Taken, ...]:
        """Return what the act applied to debits that are not its `own`."""
        return tuple(one for one in self.by_act if one.debit_no not in own and one.amount > ZERO)


AllocationRow = tuple[int, int, int, Decimal, datetime]
"""Number, credit, debit, amount and moment of an allocation."""


class AccountMoney(NamedTuple):
    """The money of accounts, by account: which credits paid invoices, what is left of credits, and what is open."""

    allocations: Mapping[int, Sequence[AllocationRow]]
    credits: Mapping[int, Sequence[OpenItem]]
    charges: Mapping[int, Sequence[Charge]]


def money_of_accounts(account_nos: Collection[int]) -> AccountMoney:
    """Read the money of accounts. Three queries."""
    rows = Allocation.objects.filter(
        credit__account__in=account_nos, credit__kind__in=FREE_KINDS, debit__kind=EntryKind.INVOICE
    ).order_by("pk")
    columns = ("credit__account_id", "pk", "credit_id", "debit_id", "amount", "created_at")
    allocations: dict[int, list[AllocationRow]] = defaultdict(list)
    for account_no, number, credit_no, debit_no, amount, at in rows.values_list(*columns):
        allocations[account_no].append((number, credit_no, debit_no, amount, at))
    return AccountMoney(allocations, open_credits(account_nos), open_charges(account_nos))


def moved_money(rows: Sequence[AllocationRow], act_entry: int, at: datetime, first: int) -> MovedMoney:
    """Return what the act that posted an entry `at` a moment moved. `first` is the number of its first allocation.

    Two acts can have the same moment if the clock is coarse: what an act applied comes after its first allocation.
    """
    pays: dict[tuple[int, int], Decimal] = {}
    by_act: list[Taken] = []
    for number, credit_no, debit_no, amount, made_at in rows:
        key = credit_no, debit_no
        pays[key] = pays.pop(key, ZERO) + amount
        if made_at == at and credit_no < act_entry and (amount < ZERO or number >= first):
            by_act.append(Taken(*key, amount))
    return MovedMoney(tuple(Taken(*pair, amount) for pair, amount in pays.items() if amount), tuple(by_act))


def undo_money(
    account_no: int,
    money: AccountMoney,
    moved: MovedMoney,
    original: int,
    act: int,
    total: Decimal,
    elsewhere: tuple[Taken, ...],
) -> UndoMoney:
    """Return what the undo of an act is planned from."""
    return UndoMoney(
        original,
        act,
        total,
        moved.released_from(original),
        elsewhere,
        moved.pays,
        {item.entry_no: item.open for item in money.credits.get(account_no, [])},
        {charge.entry_no: charge.due for charge in money.charges.get(account_no, [])},
    )


def money_back_of_memo(memo: Invoice, entry: LedgerEntry, more: Decimal = ZERO) -> MoneyBack:
    """Return how the payments that a credit memo freed go back to its invoice, as far as they were not refunded.

    `entry` is that of the memo. `more` is what voiding it will open on the invoice, if it is not voided yet.
    """
    number = memo.corrects_id or 0
    charge = charges_of([number])[number]
    moved = _moved_by_memo(memo, entry)
    if not moved.by_act:
        return MoneyBack((), (), ())
    money = money_of_accounts([memo.account_id])
    elsewhere = moved.moved_elsewhere((charge.entry_no,))
    return plan_money_back(undo_money(memo.account_id, money, moved, charge.entry_no, entry.pk, charge.due + more, elsewhere))


def _moved_by_memo(memo: Invoice, entry: LedgerEntry) -> MovedMoney:
    """Return what a credit memo has moved of the account's payments: its allocations begin with the first that it released."""
    released = Allocation.objects.filter(
        debit__invoice=memo.corrects_id, kind=AllocationKind.RELEASED, created_at=entry.created_at
    )
    first = released.order_by("pk").values_list("pk", flat=True).first()
    if first is None:
        return MovedMoney((), ())
    rows = money_of_accounts([memo.account_id]).allocations.get(memo.account_id, ())
    return moved_money(rows, entry.pk, entry.created_at, first)


def check_not_refunded(back: MoneyBack, act_entry: int, instead: Detail) -> None:
    """Refuse (90171) an undo if money of the original was refunded since: by hand, void the refund first; by a gateway, do
    something else `instead`. Money of a voided payment is simply due again."""
    credits = [item.entry_no for item in back.missing]
    refunds = LedgerEntry.objects.filter(kind__in=REFUND_KINDS, voided_by=None, pk__gt=act_entry, paid_by__credit__in=credits)
    refund = refunds.order_by("-pk").first()
    if refund is None:
        return
    number = refund.pk
    if refund.kind == EntryKind.REFUND:
        instead = Detail("void the refund first")
    detail = Detail("refund {number} has returned money that paid the original; {instead}", number=number, instead=instead)
    raise BillingError(ErrorCode.UNDO_BLOCKED, detail, field="invoice_no")


def check_coupons(original: Invoice, without: Collection[int], instead: Detail | None = None) -> None:
    """Refuse (90171) an undo if a coupon of the original was used up since, by another document than those in `without`."""
    for use in CouponUse.objects.filter(invoice=original).select_related("redemption__coupon"):
        cycles = use.redemption.coupon.cycles
        live = CouponUse.objects.filter(
            redemption=use.redemption_id, is_given_back=False, invoice__status__in=LIVE_STATUSES
        ).exclude(invoice__in=without)
        newest = live.select_related("invoice").order_by("-invoice").first()
        if newest is not None and cycles is not None and live.count() >= cycles:
            raise used_since(Detail("coupon {code}", code=use.redemption.coupon.code), newest.invoice, instead)


def check_credits(original: Invoice, without: Collection[int], instead: Detail | None = None) -> None:
    """Refuse (90171) an undo if a service credit of the original was used up since, as `check_coupons` does."""
    for use in CreditUse.objects.filter(invoice=original).select_related("credit"):
        live = CreditUse.objects.filter(credit=use.credit_id, is_given_back=False, invoice__status__in=LIVE_STATUSES)
        live = live.exclude(invoice__in=without)
        newest = live.select_related("invoice").order_by("-invoice").first()
        used = sum(live.values_list("amount", flat=True), ZERO)
        if newest is not None and used + use.amount > use.credit.amount:
            raise used_since(Detail("service credit {number}", number=use.credit_id), newest.invoice, instead)


def used_since(what: Detail, invoice: Invoice, instead: Detail | None = None) -> BillingError:
    """Return the refusal of an undo because a document has used something since, with the way on."""
    if invoice.status == InvoiceStatus.PENDING:
        detail = Detail("{what}: pending invoice {number} has used it since; discard that first", what=what, number=invoice.pk)
    elif instead is not None:
        detail = Detail(
            "{what}: {document} has used it since; void that first, or {instead}",
            what=what,
            document=invoice.document_number,
            instead=instead,
        )
    else:
        detail = Detail("{what}: {document} has used it since; void that first", what=what, document=invoice.document_number)
    return BillingError(ErrorCode.UNDO_BLOCKED, detail, field="invoice_no")
