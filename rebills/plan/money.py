"""PURE: what a rebill does to the account's money: payments it takes over, amount to collect, and balance."""

from decimal import Decimal
from typing import NamedTuple

from invoices.calculation import ZERO
from invoices.plan.actions import why_not_collected
from invoices.plan.allocating import OpenItem, oldest_first
from rebills.plan.requests import MoneyFacts

REBILL = 0
"""Entry number of the rebill in the plan. Its ledger entry does not exist yet."""


class MoneyPlan(NamedTuple):
    """What a rebill does to the money of its account. All amounts are in the currency of the invoice.

    `carried`: payments of the original that pay the rebill. `from_credit`: unapplied credits that pay it. The rest of the
    original's payments goes `to_other_invoices` or is `left_as_credit`. `due` is left to pay on the rebill. `collect_now` is
    collected by a gateway. `balance_after` is the balance after that collection.
    """

    carried: Decimal
    from_credit: Decimal
    to_other_invoices: Decimal
    left_as_credit: Decimal
    due: Decimal
    collect_now: Decimal
    balance_before: Decimal
    balance_after: Decimal


def plan_money(money: MoneyFacts, original: Decimal, rebill: Decimal, *, collects: bool) -> MoneyPlan:
    """Plan the money as the ledger will post it. The original's payments pay the rebill first, then oldest debts take oldest
    credits."""
    freed = {item.entry_no: item.open for item in money.paid}
    carried = {part.credit_no: part.amount for part in oldest_first(money.paid, [OpenItem(REBILL, rebill)])}
    due = rebill - sum(carried.values(), ZERO)
    credits = {item.entry_no: item.open for item in money.credits}
    for number, amount in freed.items():
        credits[number] = credits.get(number, ZERO) + amount - carried.get(number, ZERO)
    open_credits = [OpenItem(number, amount) for number, amount in sorted(credits.items()) if amount > ZERO]
    taken = oldest_first(open_credits, [*money.debits, OpenItem(REBILL, due)])
    from_credit = sum((part.amount for part in taken if part.debit_no == REBILL), ZERO)
    elsewhere = sum((part.amount for part in taken if part.debit_no != REBILL), ZERO)
    due -= from_credit
    collect_now = due if collects and _is_collected(money, due) else ZERO
    rest = sum(freed.values(), ZERO) - sum(carried.values(), ZERO)
    return MoneyPlan(
        carried=sum(carried.values(), ZERO),
        from_credit=from_credit,
        to_other_invoices=elsewhere,
        left_as_credit=max(rest - elsewhere, ZERO),
        due=due,
        collect_now=collect_now,
        balance_before=money.balance,
        balance_after=money.balance - original + rebill - collect_now,
    )


def _is_collected(money: MoneyFacts, due: Decimal) -> bool:
    return due > ZERO and due >= money.threshold and why_not_collected(money.payer) is None
