"""PURE: what a rebill does to the account's money: payments it takes over, amount to collect, and balance."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import CreditTo
from invoices.calculation import ZERO
from invoices.plan.actions import why_not_collected
from invoices.plan.allocating import OpenItem, oldest_first
from rebills.plan.requests import MoneyFacts

REBILL = 0
"""Entry number of the rebill in the plan. Its ledger entry does not exist yet."""


class MoneyPlan(NamedTuple):
    """What a rebill does to the money of its account. All amounts are in the currency of the invoice.

    `carried`: payments of the original that pay the rebill. `from_credit`: unapplied credits that pay it. The rest of the
    original's payments goes `to_other_invoices`, is `left_as_credit` or `refunded`. `due` is left to pay on the rebill.
    `collect_now` is collected by a gateway. `balance_after` is the balance after that collection.
    """

    carried: Decimal
    from_credit: Decimal
    to_other_invoices: Decimal
    left_as_credit: Decimal
    refunded: Decimal
    due: Decimal
    collect_now: Decimal
    balance_before: Decimal
    balance_after: Decimal

    @property
    def left_to_pay(self) -> Decimal:
        """What is still due on the rebill after it is collected."""
        return self.due - self.collect_now


class _Rest(NamedTuple):
    """What becomes of money that the rebill does not take from its original's payments."""

    from_credit: Decimal
    elsewhere: Decimal = ZERO
    refunded: Decimal = ZERO


def plan_money(
    money: MoneyFacts,
    original: Decimal,
    rebill: Decimal,
    *,
    collects: bool,
    credit_to: CreditTo = CreditTo.OLDEST_OPEN_INVOICE,
) -> MoneyPlan:
    """Plan the money as the ledger will post it. The original's payments pay the rebill first. The rest goes where `credit_to`
    says: if it pays open invoices, oldest debts take oldest credits."""
    carried = {part.credit_no: part.amount for part in oldest_first(money.paid, [OpenItem(REBILL, rebill)])}
    due = rebill - _sum(carried)
    left = {item.entry_no: item.open - carried.get(item.entry_no, ZERO) for item in money.paid}
    rest = _to_oldest(money, left, due) if credit_to == CreditTo.OLDEST_OPEN_INVOICE else _kept(money, left, due, credit_to)
    due -= rest.from_credit
    collect_now = due if collects and _is_collected(money, due) else ZERO
    return MoneyPlan(
        carried=_sum(carried),
        from_credit=rest.from_credit,
        to_other_invoices=rest.elsewhere,
        left_as_credit=max(_sum(left) - rest.elsewhere - rest.refunded, ZERO),
        refunded=rest.refunded,
        due=due,
        collect_now=collect_now,
        balance_before=money.balance,
        balance_after=money.balance - original + rebill - collect_now + rest.refunded,
    )


def _to_oldest(money: MoneyFacts, left: Mapping[int, Decimal], due: Decimal) -> _Rest:
    credits = {item.entry_no: item.open for item in money.credits}
    for number, amount in left.items():
        credits[number] = credits.get(number, ZERO) + amount
    open_credits = [OpenItem(number, amount) for number, amount in sorted(credits.items()) if amount > ZERO]
    taken = oldest_first(open_credits, [*money.debits, OpenItem(REBILL, due)])
    from_credit = sum((part.amount for part in taken if part.debit_no == REBILL), ZERO)
    return _Rest(from_credit, sum((part.amount for part in taken), ZERO) - from_credit)


def _kept(money: MoneyFacts, left: Mapping[int, Decimal], due: Decimal, credit_to: CreditTo) -> _Rest:
    """What was unapplied before pays the rebill only. Payments are refunded if asked; cash credits stay credit."""
    from_credit = sum((part.amount for part in oldest_first(money.credits, [OpenItem(REBILL, due)])), ZERO)
    refunds = [amount for number, amount in left.items() if number in money.payments]
    return _Rest(from_credit, refunded=sum(refunds, ZERO) if credit_to.refunds else ZERO)


def _sum(amounts: Mapping[int, Decimal]) -> Decimal:
    return sum(amounts.values(), ZERO)


def _is_collected(money: MoneyFacts, due: Decimal) -> bool:
    return due > ZERO and due >= money.threshold and why_not_collected(money.payer) is None
