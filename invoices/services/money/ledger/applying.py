"""Apply credits to invoices, and release them again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from billing_site.common.compiled_reads import compiled_read
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import FREE_KINDS, AllocationKind, EntryKind
from invoices.models import Allocation
from invoices.plan.allocating import OpenItem, Taken, oldest_first
from invoices.services.money.ledger.entries import allocate
from invoices.services.money.ledger.open_items import charges_of, open_charges


def apply_credit(account_no: int, credit: OpenItem, at: datetime, *, chosen: Mapping[int, Decimal] | None = None) -> None:
    """Apply a credit to the `chosen` invoices, each with its amount, then the rest to the account's oldest open invoices.

    Must be called under the account's lock. Refuses an invoice of another account (3004), and an amount above what is open on
    the invoice or left of the credit (90021).
    """
    taken = _chosen(account_no, credit, chosen or {})
    allocate(taken, at)
    left = credit.open - sum((one.amount for one in taken), ZERO)
    if left <= ZERO:
        return
    charges = open_charges([account_no]).get(account_no, [])
    allocate(oldest_first([credit._replace(open=left)], [charge.item for charge in charges]), at)


def _chosen(account_no: int, credit: OpenItem, chosen: Mapping[int, Decimal]) -> list[Taken]:
    """Return the allocations to the chosen invoices. Refuses as `apply_credit` says."""
    charges = charges_of(chosen)
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
                amount=f"{amount.normalize():f}",
                due=f"{charge.due.normalize():f}",
                invoice_no=invoice_no,
            )
            raise BillingError(ErrorCode.ABOVE_WHAT_IS_OPEN, detail, field="invoices")
        taken.append(Taken(credit.entry_no, charge.entry_no, amount))
    if sum(chosen.values(), ZERO) > credit.open:
        raise BillingError(
            ErrorCode.ABOVE_WHAT_IS_OPEN,
            Detail("only {amount} of the credit is unapplied", amount=f"{credit.open.normalize():f}"),
            field="invoices",
        )
    return taken


def release_debit(debit_no: int, at: datetime, most: Decimal | None = None) -> None:
    """Release payments and cash credits from a debit, the newest first, up to the amount `most`, or all of them."""
    parts = _up_to(most, held_credits([debit_no]).get(debit_no, []))
    allocate([Taken(credit_no, debit_no, -amount) for credit_no, amount in parts], at, AllocationKind.RELEASED)


def release_credit(
    credit_no: int, at: datetime, most: Decimal | None = None, kind: AllocationKind = AllocationKind.RELEASED
) -> None:
    """Release a credit from the invoices that it pays, the newest first, up to the amount `most`, or from all of them."""
    applied = Allocation.objects.filter(credit=credit_no, debit__kind=EntryKind.INVOICE)
    held = _sums(applied.order_by("pk").values_list("credit_id", "debit_id", "amount")).get(credit_no, [])
    allocate([Taken(credit_no, debit_no, -amount) for debit_no, amount in _up_to(most, held)], at, kind)


def held_credits(debit_nos: Collection[int]) -> dict[int, list[tuple[int, Decimal]]]:
    """Return the payments and cash credits that pay each debit, with their amounts, the newest first. One query."""
    return _sums(held_rows(sorted(debit_nos)))


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
