"""What the usage of an account that is on no invoice yet, not even a pending one, comes to so far. Nothing is written."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.models import Client
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import total
from invoices.document import Line
from invoices.plan import unbilled_usage
from invoices.services.planning.facts import read_facts


class UnbilledUsage(NamedTuple):
    """The usage lines that the account's invoices would have if every cycle ended on a day, and their sum before tax."""

    account_no: int
    currency: str
    through: date
    lines: tuple[Line, ...]
    amount: Decimal


def rate_unbilled_usage(*, client: Client, account_no: int, today: date) -> UnbilledUsage:
    """The account's usage through today that no invoice holds, at its prices."""
    facts = read_facts(client, [account_no], past_pending=True).accounts.get(account_no)
    if facts is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, f"acct_no {account_no}", field="acct_no")
    lines = unbilled_usage(facts, today)
    return UnbilledUsage(account_no, facts.state.currency, today, lines, total(line.amount for line in lines))
