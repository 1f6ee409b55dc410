"""Rate the usage of an account that is not on any invoice yet, not even a pending one."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import total
from invoices.document import Line
from invoices.plan import unbilled_usage
from invoices.services.planning.facts import read_facts


class UnbilledUsage(NamedTuple):
    """Usage lines as if every cycle ended on this day, and their sum before tax."""

    account_no: int
    currency: str
    through: date
    lines: tuple[Line, ...]
    amount: Decimal


def rate_unbilled_usage(*, client: Client, account_no: int, today: date) -> UnbilledUsage:
    """Return the account's unbilled usage through today, at its prices. Writes nothing. Refuses an unknown account (1009)."""
    facts = read_facts(client, [account_no], past_pending=True).accounts.get(account_no)
    if facts is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
    lines = unbilled_usage(facts, today)
    return UnbilledUsage(account_no, facts.state.currency.code, today, lines, total(line.amount for line in lines))
