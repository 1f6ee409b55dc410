"""What waits for an account's next invoices: one-time charges, coupons and service credits."""

from datetime import date
from typing import Any

from django.db.models import F, Q, QuerySet

from accounts.models import Account
from invoices.models import CouponRedemption, OneTimeCharge, ServiceCredit
from invoices.services.planning.extras import credits_with_used, redemptions_with_used

MOST_SHOWN = 50


def orders_waiting(account: Account) -> QuerySet[OneTimeCharge]:
    """Return the account's one-time charges that no invoice holds, in no order."""
    return OneTimeCharge.objects.filter(account=account, invoice=None).select_related("service")


def redemptions_left(account: Account) -> list[Any]:
    """Return the account's coupons that have a cycle left, oldest first, each with `used`: how many invoices have it.

    One query, at most `MOST_SHOWN` rows.
    """
    rows = redemptions_with_used(CouponRedemption.objects.filter(account=account)).select_related("coupon")
    return list(rows.filter(Q(coupon__cycles=None) | Q(used__lt=F("coupon__cycles"))).order_by("pk")[:MOST_SHOWN])


def credits_left(account: Account, today: date) -> list[Any]:
    """Return the account's service credits that are neither used up nor expired, oldest first, each with `left`. One query, at
    most `MOST_SHOWN` rows."""
    rows = credits_with_used(ServiceCredit.objects.filter(account=account)).filter(used__lt=F("amount"))
    valid = rows.filter(Q(expires_on=None) | Q(expires_on__gte=today)).annotate(left=F("amount") - F("used"))
    return list(valid.select_related("service").order_by("pk")[:MOST_SHOWN])
