"""Reduce the facts of an account to the one-time charges that are billed at once."""

from invoices.plan.facts import AccountFacts, OneOff
from invoices.services.planning.facts import Facts, locations_of


def with_one_off(facts: Facts, one_off: OneOff) -> Facts:
    """Return the facts with these charges alone.

    Plans, coupons, service credits and unused days wait for the next invoice of a cycle. A stored charge that an invoice holds
    by now is missing.
    """
    accounts = {number: _reduced(account, one_off) for number, account in facts.accounts.items()}
    return facts._replace(accounts=accounts, locations=locations_of(accounts.values()))


def _reduced(account: AccountFacts, one_off: OneOff) -> AccountFacts:
    stored = tuple(one for one in account.orders if one.order_no in one_off.order_nos)
    return account._replace(instances=(), coupons=(), credits=(), charged_days=(), orders=(*stored, *one_off.new))
