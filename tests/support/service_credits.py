"""Create service credits in one line."""

from datetime import date
from decimal import Decimal as D

from accounts.callers import Caller
from invoices.services.billing.service_credits import add_service_credit

JAN_9, JAN_10, FEB_9, FEB_10, MAR_10 = (
    date(2026, 1, 9),
    date(2026, 1, 10),
    date(2026, 2, 9),
    date(2026, 2, 10),
    date(2026, 3, 10),
)


PROCESS = Caller(process="test")


def credit(account, amount="50.00", **fields):
    given = {"today": JAN_10, "reason": "Outage in January", **fields}
    return add_service_credit(client=account.client, account_no=account.pk, caller=PROCESS, amount=D(amount), **given)
