"""Enter issued invoices into the ledger, and pay them from unapplied payments and credits."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.kinds import EntryKind
from invoices.plan.allocating import OpenItem, Taken, oldest_first
from invoices.services.money.ledger.entries import AccountPosition, Draft, PostedBy, allocate, post, post_unnumbered
from invoices.services.money.ledger.open_items import open_charges, open_credits


class Issued(NamedTuple):
    """An invoice that is being issued."""

    account_no: int
    invoice_no: int
    total: Decimal
    currency: str


def charge(issued: Sequence[Issued], posted_by: PostedBy, positions: dict[int, AccountPosition]) -> dict[int, Decimal]:
    """Enter invoices into the ledger, and return what is then open on each, by invoice number.

    Unapplied payments and cash credits of the accounts pay them. Give at most one invoice per account. Must be called under the
    accounts' locks. Refuses a balance that is too large (90008).
    """
    drafts = [Draft(one.account_no, EntryKind.INVOICE, one.total, one.invoice_no) for one in issued]
    due = {one.invoice_no: one.total for one in issued}
    having = [one.account_no for one in issued if positions[one.account_no].has_credits and one.total > ZERO]
    if not having:
        post_unnumbered(drafts, posted_by, positions)
        return due
    entries = post(drafts, posted_by, positions)
    credits = open_credits(having)
    taken: list[Taken] = []
    for one, entry_no in zip(issued, entries, strict=True):
        mine = oldest_first(credits.get(one.account_no, []), [OpenItem(entry_no, one.total)])
        due[one.invoice_no] -= sum((part.amount for part in mine), ZERO)
        taken += mine
    allocate(taken, posted_by, own_events=due)
    return due


def apply_open_credits(account_nos: Sequence[int], posted_by: PostedBy, *, own_events: Collection[int] = ()) -> None:
    """Pay open invoices from unapplied payments and cash credits, the oldest of each first. Under the accounts' locks.

    `own_events` are as in `allocate`."""
    credits = open_credits(account_nos)
    if not credits:
        return
    charges = open_charges(list(credits))
    allocate(
        [part for number in credits for part in oldest_first(credits[number], [one.item for one in charges.get(number, [])])],
        posted_by,
        own_events=own_events,
    )
