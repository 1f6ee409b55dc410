"""PURE: decide which invoices a credit pays: the oldest first."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO


class OpenItem(NamedTuple):
    """A ledger entry with its open amount: not yet paid, or not yet used."""

    entry_no: int
    open: Decimal


class Taken(NamedTuple):
    """The amount of a credit that pays a debit."""

    credit_no: int
    debit_no: int
    amount: Decimal


def oldest_first(credits: Iterable[OpenItem], debits: Iterable[OpenItem]) -> list[Taken]:
    """Pay debits from credits, both in the order given, until one side is used up. Amounts are above zero."""
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
