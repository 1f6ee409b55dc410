"""Post rebills to the ledger: the credit memo settles the original's whole debt, and the rebill is owed instead."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.kinds import AllocationKind, EntryKind
from invoices.plan.allocating import OpenItem, Taken, oldest_first
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.applying import held_credits
from invoices.services.money.ledger.charging import apply_open_credits
from invoices.services.money.ledger.entries import Draft, PostedBy, allocate, post
from invoices.services.money.ledger.open_items import charges_of


class Exchange(NamedTuple):
    """An original whose debt is replaced by its rebill's."""

    account_no: int
    original_no: int
    memo_no: int
    rebill_no: int
    credited: Decimal
    total: Decimal
    why: Why


def exchange(exchanges: Sequence[Exchange], posted_by: PostedBy) -> dict[int, Decimal]:
    """Post memos and rebills, and return the amount due on each rebill, by its number.

    Payments and cash credits that paid the original pay its rebill first. The rest pays the account's oldest open invoices,
    then stays as unapplied credit. The accounts must be locked. The number of queries is constant.
    """
    if not exchanges:
        return {}
    drafts = [draft for one in exchanges for draft in _drafts(one)]
    entries = post(drafts, posted_by)
    originals = charges_of([one.original_no for one in exchanges])
    held = held_credits([charge.entry_no for charge in originals.values()])
    released, taken = [], []
    for one, memo_entry, rebill_entry in zip(exchanges, entries[::2], entries[1::2], strict=True):
        debit_no = originals[one.original_no].entry_no
        freed = sorted(OpenItem(*part) for part in held.get(debit_no, []))
        released += [Taken(item.entry_no, debit_no, -item.open) for item in freed]
        if one.credited > ZERO:
            taken.append(Taken(memo_entry, debit_no, one.credited))
        taken += oldest_first(freed, [OpenItem(rebill_entry, one.total)])
    allocate(released, posted_by.at, AllocationKind.RELEASED)
    allocate(taken, posted_by.at)
    apply_open_credits(sorted({one.account_no for one in exchanges}), posted_by)
    rebills = charges_of([one.rebill_no for one in exchanges])
    return {number: charge.due for number, charge in rebills.items()}


def _drafts(one: Exchange) -> tuple[Draft, Draft]:
    return (
        Draft(one.account_no, EntryKind.CREDIT_MEMO, -one.credited, one.memo_no, None, *one.why),
        Draft(one.account_no, EntryKind.INVOICE, one.total, one.rebill_no),
    )
