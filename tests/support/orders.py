"""Create one-time charges in one line."""

from datetime import date
from decimal import Decimal as D

from accounts.callers import Caller
from invoices.services.billing.one_time_charges import add_one_time_charge

JAN_10, JAN_11, FEB_10 = date(2026, 1, 10), date(2026, 1, 11), date(2026, 2, 10)


PROCESS = Caller(process="test")


def order(account, service, **fields):
    given = {"today": JAN_10, "rate_per_unit": D("79.90"), **fields}
    return add_one_time_charge(client=account.client, account_no=account.pk, caller=PROCESS, service=service, **given)
