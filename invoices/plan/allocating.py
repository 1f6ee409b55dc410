"""PURE: which invoice takes how much of what was paid: the oldest first, or as it was chosen."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO


class OpenItem(NamedTuple):
    """An entry of the ledger of which something is open: not yet paid, or not yet used."""

    entry_no: int
    open: Decimal


class Taken(NamedTuple):
    """So much of a credit goes to a debit."""

    credit_no: int
    debit_no: int
    amount: Decimal


def oldest_first(credits: Iterable[OpenItem], debits: Iterable[OpenItem]) -> list[Taken]:
    """What each debit takes of the credits, both in the order given, until nothing is left of one side. Never a part of 0."""
    taken: list[Taken] = []
    waiting = [debit for debit in debits if debit.open > ZERO]
    for credit in credits:
        left = credit.open
        while left > ZERO and waiting:
            debit = waiting[0]
            amount = min(left, debit.open)
            taken.append(Taken(credit.entry_no, debit.entry_no, amount))
            left -= amount
            if amount == debit.open:
                del waiting[0]
            else:
                waiting[0] = debit._replace(open=debit.open - amount)
    return taken
