"""Post rebills to the ledger: the credit memo settles the original's whole debt, and the rebill is owed instead."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import CreditTo
from invoices.calculation import ZERO
from invoices.kinds import AllocationKind, EntryKind
from invoices.plan.allocating import OpenItem, Taken, oldest_first
from invoices.services.issuing.issuing import Issuing
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.applying import held_credits
from invoices.services.money.ledger.entries import Draft, PostedBy, allocate, post
from invoices.services.money.ledger.freed_money import Freed, place_freed
from invoices.services.money.ledger.open_items import charges_of, open_credits


class Exchange(NamedTuple):
    """An original whose debt is replaced by its rebill's."""

    account_no: int
    original_no: int
    memo_no: int
    rebill_no: int
    credited: Decimal
    total: Decimal
    why: Why
    credit_to: CreditTo = CreditTo.OLDEST_OPEN_INVOICE


def exchange(exchanges: Sequence[Exchange], issuing: Issuing) -> dict[int, Decimal]:
    """Post memos and rebills, and return the amount due on each rebill, by its number.

    Payments and cash credits that paid the original pay its rebill first. The rest goes where `credit_to` says: it pays the
    account's oldest open invoices, then stays as unapplied credit; or it is kept as credit, or refunded. Then unapplied credits
    from before pay the rebill only. The accounts must be locked. The number of queries is constant, refunds aside.
    """
    if not exchanges:
        return {}
    posted_by = issuing.posted_by
    drafts = [draft for one in exchanges for draft in _drafts(one)]
    entries = post(drafts, posted_by)
    originals = charges_of([one.original_no for one in exchanges])
    held = held_credits([charge.entry_no for charge in originals.values()])
    released, taken, placed = [], [], []
    for one, memo_entry, rebill_entry in zip(exchanges, entries[::2], entries[1::2], strict=True):
        debit_no = originals[one.original_no].entry_no
        freed = sorted(OpenItem(*part) for part in held.get(debit_no, []))
        released += [Taken(item.entry_no, debit_no, -item.open) for item in freed]
        if one.credited > ZERO:
            taken.append(Taken(memo_entry, debit_no, one.credited))
        carried = oldest_first(freed, [OpenItem(rebill_entry, one.total)])
        taken += carried
        rest = _rest(freed, carried)
        placed.append(Freed(one.account_no, one.rebill_no, rest, one.credit_to, one.why.comments))
    exchanged = [number for one in exchanges for number in (one.original_no, one.rebill_no)]
    allocate(released, posted_by, AllocationKind.RELEASED)
    allocate(taken, posted_by, own_events=exchanged)
    _pay_from_earlier_credit(placed, posted_by)
    place_freed(placed, client=issuing.client, caller=issuing.caller, posted_by=posted_by)
    rebills = charges_of([one.rebill_no for one in exchanges])
    return {number: charge.due for number, charge in rebills.items()}


def _rest(freed: Sequence[OpenItem], carried: Sequence[Taken]) -> tuple[OpenItem, ...]:
    """Return what the rebill does not take of each credit."""
    used = {one.credit_no: one.amount for one in carried}
    rest = (item._replace(open=item.open - used.get(item.entry_no, ZERO)) for item in freed)
    return tuple(item for item in rest if item.open > ZERO)


def _pay_from_earlier_credit(placed: Sequence[Freed], posted_by: PostedBy) -> None:
    """Pay rebills whose freed money does not go to open invoices from what was unapplied before."""
    kept = [one for one in placed if one.credit_to != CreditTo.OLDEST_OPEN_INVOICE]
    if not kept:
        return
    credits = open_credits([one.account_no for one in kept])
    charges = charges_of([one.invoice_no for one in kept])
    for one in kept:
        freed = {part.entry_no: part.open for part in one.parts}
        earlier = [item._replace(open=item.open - freed.get(item.entry_no, ZERO)) for item in credits.get(one.account_no, [])]
        taken = oldest_first([item for item in earlier if item.open > ZERO], [charges[one.invoice_no].item])
        allocate(taken, posted_by, own_events=[one.invoice_no])


def _drafts(one: Exchange) -> tuple[Draft, Draft]:
    return (
        Draft(one.account_no, EntryKind.CREDIT_MEMO, -one.credited, one.memo_no, None, *one.why),
        Draft(one.account_no, EntryKind.INVOICE, one.total, one.rebill_no),
    )
