"""Rebills in the ledger: the memo takes the whole debt of the original away, and the rebill is owed instead."""

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
    """An original whose debt is exchanged for that of its rebill."""

    account_no: int
    original_no: int
    memo_no: int
    rebill_no: int
    credited: Decimal
    total: Decimal
    why: Why


def exchange(exchanges: Sequence[Exchange], posted_by: PostedBy) -> dict[int, Decimal]:
    """Enters memos and rebills, and gives what is due on each rebill.

    The payments and cash credits that an original held are applied to its rebill first; what that does not need goes to the
    account's oldest open invoices, then stays as credit. Under the accounts' locks, in a constant number of statements.
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
