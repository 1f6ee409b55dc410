"""Apply credits to invoices, and release them again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from billing_site.common.compiled_reads import compiled_read
from billing_site.common.currencies import named_amount
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, AllocationKind, EntryKind
from invoices.models import Allocation
from invoices.plan.allocating import OpenItem, Taken, oldest_first
from invoices.services.money.ledger.acts import account_currency
from invoices.services.money.ledger.entries import PostedBy, allocate
from invoices.services.money.ledger.open_items import Charge, charges_of, open_charges


def apply_credit(
    account_no: int, credit: OpenItem, posted_by: PostedBy, *, chosen: Mapping[int, Decimal] | None = None
) -> None:
    """Apply a credit to the `chosen` invoices, each with its amount, then the rest to the account's oldest open invoices.

    Must be called under the account's lock. Refuses an invoice of another account (3004), and an amount above what is open on
    the invoice or left of the credit (90021).
    """
    paid = plan_application(account_no, credit.open, chosen)
    allocate([Taken(credit.entry_no, one.charge.entry_no, one.amount) for one in paid], posted_by)


class Paid(NamedTuple):
    """An invoice, and the part of a credit that pays it."""

    charge: Charge
    amount: Decimal

    @property
    def left(self) -> Decimal:
        """What is open afterwards."""
        return self.charge.due - self.amount


def plan_application(account_no: int, amount: Decimal, chosen: Mapping[int, Decimal] | None = None) -> list[Paid]:
    """Return which invoices a credit of this amount would pay, as `apply_credit` does, each once: the chosen ones, then the
    oldest. Refuses what `apply_credit` refuses. Two queries."""
    paid = _chosen(account_no, amount, chosen or {})
    left = amount - sum((one.amount for one in paid), ZERO)
    if left <= ZERO:
        return paid
    parts = {one.charge.entry_no: one for one in paid}
    charges = {charge.entry_no: charge for charge in open_charges([account_no]).get(account_no, [])}
    items = [charge.item if number not in parts else OpenItem(number, parts[number].left) for number, charge in charges.items()]
    for one in oldest_first([OpenItem(0, left)], items):
        before = parts[one.debit_no].amount if one.debit_no in parts else ZERO
        parts[one.debit_no] = Paid(charges[one.debit_no], before + one.amount)
    return list(parts.values())


def _chosen(account_no: int, credit: Decimal, chosen: Mapping[int, Decimal]) -> list[Paid]:
    """Return the parts that pay the chosen invoices. Refuses as `apply_credit` says."""
    charges = charges_of(chosen) if chosen else {}
    taken = []
    for invoice_no, amount in chosen.items():
        charge = charges.get(invoice_no)
        if charge is None or charge.account_no != account_no:
            raise BillingError(
                ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=invoice_no), field="invoices"
            )
        if amount > charge.due:
            detail = Detail(
                "{amount} exceeds the {due} that is open on invoice {invoice_no}",
                amount=named_amount(amount, account_currency(account_no)),
                due=named_amount(charge.due, account_currency(account_no)),
                invoice_no=invoice_no,
            )
            raise BillingError(ErrorCode.ABOVE_WHAT_IS_OPEN, detail, field="invoices")
        taken.append(Paid(charge, amount))
    if sum(chosen.values(), ZERO) > credit:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail("only {amount} of the credit is unapplied", amount=named_amount(credit, account_currency(account_no))),
            field="invoices",
        )
    return taken


def release_debit(debit_no: int, posted_by: PostedBy, most: Decimal | None = None) -> None:
    """Release payments and cash credits from a debit, the newest first, up to the amount `most`, or all of them."""
    parts = _up_to(most, held_credits([debit_no]).get(debit_no, []))
    allocate([Taken(credit_no, debit_no, -amount) for credit_no, amount in parts], posted_by, AllocationKind.RELEASED)


def held_up_to(debit_no: int, most: Decimal) -> tuple[OpenItem, ...]:
    """Return what `release_debit` would release of each payment and cash credit."""
    return tuple(OpenItem(*part) for part in _up_to(most, held_credits([debit_no]).get(debit_no, [])))


def release_credit(
    credit_no: int, posted_by: PostedBy, most: Decimal | None = None, kind: AllocationKind = AllocationKind.RELEASED
) -> None:
    """Release a credit from the invoices that it pays, the newest first, up to the amount `most`, or from all of them."""
    parts = plan_release(credit_no, most)
    allocate([Taken(credit_no, debit_no, -amount) for debit_no, amount in parts], posted_by, kind)


def plan_release(credit_no: int, most: Decimal | None = None) -> list[tuple[int, Decimal]]:
    """Return the charges that `release_credit` would release a credit from, by transaction, with the amount of each. One
    query."""
    applied = Allocation.objects.filter(credit=credit_no, debit__kind=EntryKind.INVOICE)
    held = _sums(applied.order_by("pk").values_list("credit_id", "debit_id", "amount")).get(credit_no, [])
    return _up_to(most, held)


def held_credits(debit_nos: Collection[int]) -> dict[int, list[tuple[int, Decimal]]]:
    """Return the payments and cash credits that pay each debit, with their amounts, the newest first. One query."""
    return _sums(held_rows(sorted(debit_nos)))


def held_debits(credit_nos: Collection[int]) -> dict[int, list[tuple[int, Decimal]]]:
    """Return the invoices that each credit pays, with their amounts, the one that changed last first. One query."""
    applied = Allocation.objects.filter(credit__in=credit_nos, debit__kind=EntryKind.INVOICE)
    return _sums(applied.order_by("pk").values_list("credit_id", "debit_id", "amount"))


@compiled_read
def held_rows(debit_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `held_credits` adds up."""
    held = Allocation.objects.filter(debit__in=debit_nos, credit__kind__in=FREE_KINDS)
    return held.order_by("pk").values_list("debit_id", "credit_id", "amount")


def _sums(allocations: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[int, Decimal]]]:
    """Add up the amounts of allocations, in their order, per pair of entries. Pairs with a sum of 0 are left out; the pair
    that changed last comes first."""
    sums: dict[int, dict[int, Decimal]] = defaultdict(dict)
    for number, counterpart, amount in allocations:
        sums[number][counterpart] = sums[number].pop(counterpart, ZERO) + amount
    return {
        number: [(counterpart, amount) for counterpart, amount in reversed(parts.items()) if amount]
        for number, parts in sums.items()
    }


def _up_to(most: Decimal | None, held: Sequence[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    if most is None:
        return list(held)
    parts, left = [], most
    for number, amount in held:
        if left > ZERO:
            parts.append((number, min(left, amount)))
            left -= min(left, amount)
    return parts
