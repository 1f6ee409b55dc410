"""Create, redeem and withdraw coupons in one line."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.callers import Caller
from billing_site.errors import BillingError
from invoices.models import Coupon
from invoices.services.billing.coupons import redeem_coupon, withdraw_redemption

JAN_9, JAN_10, FEB_10 = date(2026, 1, 9), date(2026, 1, 10), date(2026, 2, 10)


PROCESS = Caller(process="test")


def a_coupon(client, **fields):
    return Coupon.objects.create(
        **{"client": client, "code": "TEN", "name": "Ten percent off", "percent": D(10), "valid_from": JAN_10, **fields}
    )


def redeem(account, code="TEN", today=JAN_10):
    return redeem_coupon(client=account.client, account_no=account.pk, caller=PROCESS, code=code, today=today)


def withdraw(redemption):
    withdraw_redemption(client=redemption.account.client, redemption_no=redemption.pk, caller=PROCESS)


def refused_as(work, *arguments, **options):
    with pytest.raises(BillingError) as refused:
        work(*arguments, **options)
    return refused.value.code
