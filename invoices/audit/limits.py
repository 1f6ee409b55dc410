"""Check that credits and coupons are not used beyond their limits, over all pending and approved documents."""

from collections.abc import Iterator

from django.db.models import Count, F, Max, Min, Q

from billing_site.common.storage import ExactSum
from invoices.audit.amounts import shown
from invoices.audit.reports import AuditReport
from invoices.audit.rules import ROWS_AT_ONCE
from invoices.audit.scopes import Scope, of_client
from invoices.kinds import LIVE_STATUSES
from invoices.models import CouponRedemption, CouponUse, CreditUse

LIVE = Q(invoice__status__in=LIVE_STATUSES)


def service_credits(scope: Scope) -> AuditReport:
    """Check that live documents use no more of a service credit than its amount. What a rebill gave back does not count."""
    uses = of_client(CreditUse, "credit__account__client", scope).filter(LIVE, is_given_back=False).order_by()
    overdrawn = (
        uses.values_list("credit__account_id", "credit_id", "credit__amount")
        .annotate(used=ExactSum("amount"))
        .filter(used__gt=F("credit__amount"))
        .order_by("credit_id")
    )
    return AuditReport(
        "Service credits are not used beyond their amounts",
        uses.count(),
        [
            f"account {account_no}: service credit {credit_no} of {shown(amount)} is used for {shown(used)}"
            for account_no, credit_no, amount, used in overdrawn.iterator(chunk_size=ROWS_AT_ONCE)
        ],
    )


def coupon_cycles(scope: Scope) -> AuditReport:
    """Check that a redeemed coupon is on no more live documents than it has cycles."""
    uses = of_client(CouponUse, "redemption__account__client", scope).filter(LIVE, is_given_back=False).order_by()
    overused = (
        uses.values_list("redemption__account_id", "redemption__coupon__code", "redemption_id", "redemption__coupon__cycles")
        .annotate(used=Count("pk"))
        .filter(used__gt=F("redemption__coupon__cycles"))
        .order_by("redemption_id")
    )
    return AuditReport(
        "Coupons are not on more documents than their cycles allow",
        uses.count(),
        [
            f"account {account_no}: coupon {code} (redemption {redemption_no}) has {cycles} cycles, but is on {used} documents"
            for account_no, code, redemption_no, cycles, used in overused.iterator(chunk_size=ROWS_AT_ONCE)
        ],
    )


def coupon_redemptions(scope: Scope) -> AuditReport:
    """Check that the redemptions of a coupon are numbered from 1 without a repeat, and that the coupon's limit is kept."""
    redemptions = of_client(CouponRedemption, "coupon__client", scope).order_by()
    counted = (
        redemptions.values_list("coupon__client_id", "coupon__code", "coupon__max_redemptions")
        .annotate(
            count=Count("pk"),
            numbers=Count("redemption_no", distinct=True),
            first=Min("redemption_no"),
            last=Max("redemption_no"),
        )
        .filter(Q(first__lt=1) | Q(numbers__lt=F("count")) | Q(last__gt=F("coupon__max_redemptions")))
        .order_by("coupon__client_id", "coupon__code")
    )
    return AuditReport(
        "Coupons are redeemed within their limits, with unique numbers",
        redemptions.count(),
        [words for row in counted.iterator(chunk_size=ROWS_AT_ONCE) for words in _misnumbered(*row)],
    )


def _misnumbered(
    client_no: int, code: str, limit: int | None, count: int, numbers: int, first: int, last: int
) -> Iterator[str]:
    coupon = f"client {client_no}, coupon {code}"
    if first < 1:
        yield f"{coupon}: a redemption has the number {first}"
    if numbers < count:
        yield f"{coupon}: {count} redemptions have {numbers} numbers"
    if limit is not None and last > limit:
        yield f"{coupon}: redemption {last} is beyond its limit of {limit}"
