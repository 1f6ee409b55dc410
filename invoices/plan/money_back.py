"""PURE: how money moves back when a correction is undone: a rebill, a credit memo or a void.

What the act did to the account's money is undone: what it released from the original goes back, and what it paid of other
invoices is taken from them again. What is freed besides pays what was issued since, so that the account is as if the act had
never been.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.plan.allocating import OpenItem, Taken, oldest_first

Pair = tuple[int, int]
"""A credit and the debit that it pays, by entry number."""


class UndoMoney(NamedTuple):
    """The money that an undo is planned from. Numbers are those of ledger entries.

    `original` is the charge that was corrected, and `act` the entry that did it: the charge of a rebill, a memo, or a void.
    `total` is what is open on the original before any money moves back. `released`: what the act released of each credit from
    the original. `moved`: what the act applied of credits to other invoices. `pays`: what payments and cash credits of the
    account pay now, the pair that changed last at the end. `unapplied`: what is left of each credit. `due`: what is open on
    each invoice of the account; one that is not listed is paid.
    """

    original: int
    act: int
    total: Decimal
    released: tuple[OpenItem, ...] = ()
    moved: tuple[Taken, ...] = ()
    pays: tuple[Taken, ...] = ()
    unapplied: Mapping[int, Decimal] = {}
    due: Mapping[int, Decimal] = {}


class MoneyBack(NamedTuple):
    """The allocations that an undo writes. `released` are below zero, and without those of a rebill itself, which voiding it
    releases. `missing` is what cannot go back to the original, by credit."""

    released: tuple[Taken, ...]
    applied: tuple[Taken, ...]
    missing: tuple[OpenItem, ...]


class _Positions:
    """What credits pay, and what is left of them, while money moves."""

    def __init__(self, money: UndoMoney) -> None:
        self.pays: dict[Pair, Decimal] = {(one.credit_no, one.debit_no): one.amount for one in money.pays}
        self.before = dict(self.pays)
        self.left: dict[int, Decimal] = defaultdict(Decimal, money.unapplied)
        self.freed: dict[int, Decimal] = defaultdict(Decimal)
        self.due: dict[int, Decimal] = defaultdict(Decimal, money.due)

    def release(self, pair: Pair, most: Decimal) -> Decimal:
        """Free up to `most` of a credit from a debit, and return how much."""
        amount = min(most, self.pays.get(pair, ZERO))
        if amount > ZERO:
            self.pays[pair] -= amount
            self._add(pair, amount)
        return amount

    def apply(self, taken: Taken) -> None:
        pair = taken.credit_no, taken.debit_no
        self.pays[pair] = self.pays.get(pair, ZERO) + taken.amount
        self._add(pair, -taken.amount)

    def _add(self, pair: Pair, amount: Decimal) -> None:
        credit_no, debit_no = pair
        self.left[credit_no] += amount
        self.freed[credit_no] += amount
        self.due[debit_no] += amount

    def changes(self, sign: int) -> tuple[Taken, ...]:
        """Return what is paid now less what was paid before, per pair: only what rose (1), or only what fell (-1)."""
        rows = ((pair, self.pays[pair] - self.before.get(pair, ZERO)) for pair in sorted(self.pays))
        return tuple(Taken(*pair, change) for pair, change in rows if change * sign > ZERO)


def plan_money_back(money: UndoMoney) -> MoneyBack:
    """Plan the allocations of an undo. The amounts of the plan conserve the account's money: see `MoneyBack`."""
    positions = _Positions(money)
    positions.due[money.original] = money.total
    for pair in [pair for pair in positions.pays if pair[1] == money.act]:
        positions.release(pair, positions.pays[pair])
    for one in money.moved:
        positions.release((one.credit_no, one.debit_no), one.amount)
    missing = [OpenItem(credit_no, _give_back(positions, money, credit_no, need)) for credit_no, need in money.released]
    for taken in _with_what_is_left(positions, money):
        positions.apply(taken)
    released = tuple(one for one in positions.changes(-1) if one.debit_no != money.act)
    return MoneyBack(released, positions.changes(1), tuple(one for one in missing if one.open > ZERO))


def _give_back(positions: _Positions, money: UndoMoney, credit_no: int, need: Decimal) -> Decimal:
    """Pay the original with a credit as before, and return what is missing. What it has paid last since is taken first."""
    short = need - positions.left[credit_no]
    for pair in reversed(list(positions.pays)):
        if short > ZERO and pair[0] == credit_no and pair[1] != money.original:
            short -= positions.release(pair, short)
    amount = min(need, positions.left[credit_no], positions.due[money.original])
    if amount > ZERO:
        positions.apply(Taken(credit_no, money.original, amount))
    return need - amount


def _with_what_is_left(positions: _Positions, money: UndoMoney) -> Iterable[Taken]:
    """Pay invoices with what was freed besides. A credit that was there before the act pays only what was issued since."""
    freed = [
        OpenItem(credit_no, min(amount, positions.left[credit_no]))
        for credit_no, amount in sorted(positions.freed.items())
        if amount > ZERO
    ]
    for credit in freed:
        debits = [
            OpenItem(number, due)
            for number, due in sorted(positions.due.items())
            if number > money.act or (credit.entry_no > money.act and number != money.act)
        ]
        yield from oldest_first([credit], debits)
