"""Invoices with usage, bands, minimums and maximums, and their lines."""

from datetime import date

from tests.support.billing import FEB_10, JAN_10, JAN_31, USAGE, bill
from tests.support.factories import PlanFactory, a_charge, an_account, some_usage

MAR_10 = date(2026, 3, 10)


CARRY = {"carries_unlisted": True}


def a_usage_bill(client, caller, units, rate="0.10", *, fee="10.00", **price):
    """Create a fee and metered minutes of a whole cycle at this price, and return the invoice of February."""
    plan = PlanFactory(client=client)
    a_charge(plan, "fee", fee)
    a_charge(plan, "minutes", rate, USAGE, **price)
    account = an_account(client, plan)
    if units:
        some_usage(account.plan_instances.get(), "minutes", units, JAN_31)
    bill(account, caller, JAN_10)
    return bill(account, caller, FEB_10)


def usage_lines(document):
    """Return text, units, amount and explanation of each usage line."""
    rows = document.lines.filter(line_type=6).values_list("description", "units", "amount", "explanation")
    return [tuple(row) for row in rows]


def first_usage_line(document):
    return document.lines.filter(line_type=6).first().line_no


BANDS = {"0": "0.10", "100": "0.05"}
