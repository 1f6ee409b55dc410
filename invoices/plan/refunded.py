"""PURE: find invoices that refunds have left unpaid, by replaying the allocations of payments.

A refund takes money back from the invoices that it had paid. This blocks a rebill only while the invoice's own money is
missing. It does not block if the refund was voided, if the customer has paid again, or if the money came from another invoice
that a credit memo, rebill or void had freed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.kinds import REFUND_KINDS, AllocationKind, EntryKind


class Move(NamedTuple):
    """An allocation of a payment or cash credit; below zero it is a release.

    `chain_no` is the first invoice of the debit's chain of rebills, or None for a refund or void.
    """

    credit_no: int
    debit_no: int
    debit_kind: str
    chain_no: int | None
    kind: str
    amount: Decimal


class Back(NamedTuple):
    """What a refund took back from a debit: its own money, and money that another invoice had freed."""

    place: int
    debit_no: int
    own: Decimal
    freed: Decimal


def left_unpaid(moves: Sequence[Move], debit_nos: Iterable[int]) -> dict[int, int]:
    """Return the debits that refunds have left unpaid, each with its newest such refund.

    `moves` must be in the order in which they were written, with all moves of the refunded credits and of these debits.
    """
    replay = _Replay()
    for place, move in enumerate(moves):
        replay.move(place, move)
    return {number: refund for number in debit_nos if (refund := replay.refund_missing(number, moves)) is not None}


class _Replay:
    """`freed` is money of a credit that another chain released and no refund took. `foreign` is such money on a debit."""

    def __init__(self) -> None:
        self.freed: dict[int, dict[int | None, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self.foreign: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
        self.taking: dict[int, list[Back]] = defaultdict(list)
        self.taken_by: dict[int, list[Back]] = {}
        self.refunded: dict[int, Decimal] = defaultdict(Decimal)

    def move(self, place: int, move: Move) -> None:
        if move.debit_kind in REFUND_KINDS:
            self._to_refund(move)
        elif move.debit_kind != EntryKind.INVOICE:
            return
        elif move.kind == AllocationKind.REFUNDED:
            self._back(place, move)
        elif move.amount > ZERO:
            self._applied(move)
        else:
            self._released(move)

    def _to_refund(self, move: Move) -> None:
        """A refund is written right after its releases. If it is voided, foreign money becomes foreign again."""
        self.refunded[move.debit_no] += move.amount
        if move.amount > ZERO:
            self.taken_by[move.debit_no] = self.taking.pop(move.credit_no, [])
        else:
            self.freed[move.credit_no][None] += sum((one.freed for one in self.taken_by.get(move.debit_no, [])), ZERO)

    def _back(self, place: int, move: Move) -> None:
        pair = (move.credit_no, move.debit_no)
        freed = min(self.foreign[pair], -move.amount)
        self.foreign[pair] -= freed
        self.taking[move.credit_no].append(Back(place, move.debit_no, -move.amount - freed, freed))

    def _applied(self, move: Move) -> None:
        """Use the money that the debit's own chain released first, then what others freed, then money that was never
        applied."""
        pools, left = self.freed[move.credit_no], move.amount
        own = min(pools[move.chain_no], left)
        pools[move.chain_no] -= own
        left -= own
        for chain_no in [chain_no for chain_no in pools if chain_no != move.chain_no]:
            part = min(pools[chain_no], left)
            pools[chain_no] -= part
            left -= part
            self.foreign[move.credit_no, move.debit_no] += part

    def _released(self, move: Move) -> None:
        pair = (move.credit_no, move.debit_no)
        foreign = min(self.foreign[pair], -move.amount)
        self.foreign[pair] -= foreign
        self.freed[move.credit_no][None] += foreign
        self.freed[move.credit_no][move.chain_no] += -move.amount - foreign

    def refund_missing(self, debit_no: int, moves: Sequence[Move]) -> int | None:
        """Return the newest refund that took the debit's own money and is not voided, unless the same amount was paid again."""
        backs = [
            (refund_no, back)
            for refund_no, taken in self.taken_by.items()
            for back in taken
            if back.debit_no == debit_no and self.refunded[refund_no] > ZERO
        ]
        own = [(refund_no, back) for refund_no, back in backs if back.own > ZERO]
        if not own:
            return None
        first = min(back.place for _, back in own)
        since = sum((move.amount for move in moves[first:] if move.debit_no == debit_no), ZERO)
        freed = sum((back.freed for _, back in backs if back.place >= first), ZERO)
        return max(refund_no for refund_no, _ in own) if since + freed < ZERO else None
