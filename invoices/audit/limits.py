"""Check that credits and coupons are not used beyond their limits, over all pending and approved documents."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet

from billing_site.common.storage import ExactSum
from invoices.audit.amounts import shown
from invoices.audit.reads import scope_read
from invoices.audit.reports import AuditReport
from invoices.audit.scopes import Scope, of_client
from invoices.kinds import LIVE_STATUSES
from invoices.models import CouponRedemption, CouponUse, CreditUse

LIVE = Q(invoice__status__in=LIVE_STATUSES)


def service_credits(scope: Scope) -> AuditReport:
    """Check that live documents use no more of a service credit than its amount. What a rebill gave back does not count."""
    return AuditReport(
        "Service credits are not used beyond their amounts",
        _credit_uses.count(scope),
        [
            f"account {account_no}: service credit {credit_no} of {shown(amount)} is used for {shown(used)}"
            for account_no, credit_no, amount, used in _overdrawn(scope)
        ],
    )


def _live_credit_uses(scope: Scope) -> QuerySet[CreditUse]:
    uses = of_client(CreditUse, "credit__account__client", scope)
    return uses.filter(LIVE, is_given_back=False).order_by()


_credit_uses = scope_read(lambda scope: _live_credit_uses(scope).values("pk"))


@scope_read
def _overdrawn(scope: Scope) -> QuerySet[Any, Any]:
    return (
        _live_credit_uses(scope)
        .values_list("credit__account_id", "credit_id", "credit__amount")
        .annotate(used=ExactSum("amount"))
        .filter(used__gt=F("credit__amount"))
        .order_by("credit_id")
    )


def coupon_cycles(scope: Scope) -> AuditReport:
    """Check that a redeemed coupon is on no more live documents than it has cycles."""
    return AuditReport(
        "Coupons are not on more documents than their cycles allow",
        _coupon_uses.count(scope),
        [
            f"account {account_no}: coupon {code} (redemption {redemption_no}) has {cycles} cycles, but is on {used} documents"
            for account_no, code, redemption_no, cycles, used in _overused(scope)
        ],
    )


def _live_coupon_uses(scope: Scope) -> QuerySet[CouponUse]:
    uses = of_client(CouponUse, "redemption__account__client", scope)
    return uses.filter(LIVE, is_given_back=False).order_by()


_coupon_uses = scope_read(lambda scope: _live_coupon_uses(scope).values("pk"))


@scope_read
def _overused(scope: Scope) -> QuerySet[Any, Any]:
    return (
        _live_coupon_uses(scope)
        .values_list("redemption__account_id", "redemption__coupon__code", "redemption_id", "redemption__coupon__cycles")
        .annotate(used=Count("pk"))
        .filter(used__gt=F("redemption__coupon__cycles"))
        .order_by("redemption_id")
    )


def coupon_redemptions(scope: Scope) -> AuditReport:
    """Check that the redemptions of a coupon are numbered from 1 without a repeat, and that the coupon's limit is kept."""
    return AuditReport(
        "Coupons are redeemed within their limits, with unique numbers",
        _redemptions.count(scope),
        [words for row in _misnumbered_coupons(scope) for words in _misnumbered(*row)],
    )


@scope_read
def _redemptions(scope: Scope) -> QuerySet[Any, Any]:
    return of_client(CouponRedemption, "coupon__client", scope).order_by().values("pk")


@scope_read
def _misnumbered_coupons(scope: Scope) -> Any:
    return (
        of_client(CouponRedemption, "coupon__client", scope)
        .order_by()
        .values_list("coupon__client_id", "coupon__code", "coupon__max_redemptions")
        .annotate(
            count=Count("pk"),
            numbers=Count("redemption_no", distinct=True),
            first=Min("redemption_no"),
            last=Max("redemption_no"),
        )
        .filter(Q(first__lt=1) | Q(numbers__lt=F("count")) | Q(last__gt=F("coupon__max_redemptions")))
        .order_by("coupon__client_id", "coupon__code")
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
