"""Read one-time charges, surcharges, coupons and service credits of accounts.

Whether an account has any is read with the account itself, so accounts without them cost no query.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.models import Account, Client
from billing_site.common.compiled_reads import compiled_read
from invoices.calculation import ZERO
from invoices.kinds import LIVE_STATUSES
from invoices.models import Coupon, CouponRedemption, OneTimeCharge, ServiceCredit, Surcharge
from invoices.plan.facts import CouponFacts, CreditFacts, LineReferences, OrderFacts, ServiceFacts, SurchargeFacts
from invoices.services.planning.charged_days import instances_with_unused_days
from invoices.services.planning.instance_facts import SERVICE_COLUMNS

NAMED = len(LineReferences._fields)


def with_extras(accounts: QuerySet[Account], replacing: Collection[int]) -> QuerySet[Account]:
    """Annotate with `has_orders`, `has_coupons`, `has_credits` and `has_unused_days`."""
    return accounts.annotate(
        has_orders=Exists(_free_orders(replacing).filter(account=OuterRef("pk"))),
        has_coupons=Exists(CouponRedemption.objects.filter(account=OuterRef("pk"))),
        has_credits=Exists(ServiceCredit.objects.filter(account=OuterRef("pk"))),
        has_unused_days=Exists(instances_with_unused_days(account=OuterRef("pk"))),
    )


def _free_orders(replacing: Collection[int]) -> QuerySet[OneTimeCharge]:
    free = Q(invoice__isnull=True)
    return OneTimeCharge.objects.filter(free | Q(invoice__in=replacing) if replacing else free)


def read_orders(account_nos: Collection[int], replacing: Collection[int]) -> dict[int, list[OrderFacts]]:
    """Return the one-time charges that no invoice holds, by account."""
    orders: dict[int, list[OrderFacts]] = defaultdict(list)
    if not account_nos:
        return orders
    rows = _free_orders(replacing).filter(account__in=account_nos).order_by("account_id", "pk")
    columns = ("pk", "client_order_id", "description", "units", "rate_per_unit", "charge_date", "po_num")
    for account_no, number, order_id, description, units, rate, day, po_num, *rest in rows.values_list(
        "account_id", *columns, *LineReferences._fields, *SERVICE_COLUMNS
    ):
        references, service = LineReferences._make(rest[:NAMED]), rest[NAMED:]
        orders[account_no].append(
            OrderFacts(number, order_id, description, ServiceFacts._make(service), units, rate, day, po_num, references)
        )
    return orders


def references_of(order: OneTimeCharge) -> LineReferences:
    """Return what the line of a one-time charge refers to."""
    return LineReferences(*(getattr(order, name) for name in LineReferences._fields))


@compiled_read
def surcharge_rows(client_no: int) -> QuerySet[Any, tuple[Any, ...]]:
    """Read the surcharges of a client, one row for each service that they are added to."""
    columns = ("pk", "name", "percent", "amount", "currency", "valid_from", "valid_to", *SERVICE_COLUMNS, "services")
    return Surcharge.objects.filter(client=client_no).order_by("pk").values_list(*columns)


def read_surcharges(client: Client) -> tuple[SurchargeFacts, ...]:
    """Return the client's surcharges, each with the services that it is added to. One query."""
    return tuple(
        SurchargeFacts(name, ServiceFacts._make(service), percent, amount, currency, chosen, valid_from, valid_to)
        for (_, name, percent, amount, currency, valid_from, valid_to, *service), chosen in _with_services(
            surcharge_rows(client.pk)
        )
    )


def read_coupons(account_nos: Collection[int], replacing: Collection[int]) -> dict[int, list[CouponFacts]]:
    """Return the redeemed coupons that have a cycle left, by account. Uses on live invoices count."""
    coupons: dict[int, list[CouponFacts]] = defaultdict(list)
    if not account_nos:
        return coupons
    open_redemptions = (
        redemptions_with_used(CouponRedemption.objects.filter(account__in=account_nos), replacing)
        .filter(Q(coupon__cycles=None) | Q(used__lt=F("coupon__cycles")))
        .order_by("account_id", "pk")
        .values_list(
            "account_id",
            "pk",
            "coupon_id",
            "coupon__code",
            "coupon__name",
            "coupon__gl_code",
            "coupon__percent",
            "coupon__amount",
        )
    )
    rows = list(open_redemptions)
    chosen = _services_of_coupons({coupon_no for _, _, coupon_no, *_ in rows})
    for account_no, number, coupon_no, code, name, gl_code, percent, amount in rows:
        coupons[account_no].append(
            CouponFacts(number, code, name, gl_code, percent, amount, chosen.get(coupon_no, frozenset()))
        )
    return coupons


def read_credits(account_nos: Collection[int], replacing: Collection[int]) -> dict[int, list[CreditFacts]]:
    """Return the service credits that are not used up, by account."""
    credits: dict[int, list[CreditFacts]] = defaultdict(list)
    if not account_nos:
        return credits
    rows = credits_with_used(ServiceCredit.objects.filter(account__in=account_nos), replacing).order_by("account_id", "pk")
    for account_no, number, reason, gl_code, service_no, expires_on, amount, used in rows.values_list(
        "account_id", "pk", "reason", "gl_code", "service_id", "expires_on", "amount", "used"
    ):
        if used < amount:
            credits[account_no].append(CreditFacts(number, reason, gl_code, service_no, expires_on, amount, amount - used))
    return credits


def credits_with_used(credits: QuerySet[ServiceCredit], replacing: Collection[int] = ()) -> QuerySet[Any]:
    """Annotate service credits with `used`: the amount on pending and approved invoices that no rebill has given back."""
    return credits.annotate(used=Coalesce(Sum("uses__amount", filter=_live_uses(replacing)), ZERO))


def redemptions_with_used(redemptions: QuerySet[CouponRedemption], replacing: Collection[int] = ()) -> QuerySet[Any]:
    """Annotate redemptions with `used`: the number of pending and approved invoices with the coupon, without rebilled ones."""
    return redemptions.annotate(used=Count("uses", filter=_live_uses(replacing)))


def _live_uses(replacing: Collection[int]) -> Q:
    """Select uses on invoices that are live, not rebilled and not about to be replaced."""
    return Q(uses__invoice__status__in=LIVE_STATUSES, uses__is_given_back=False) & ~Q(uses__invoice__in=replacing)


def _services_of_coupons(coupon_nos: Iterable[int]) -> dict[int, frozenset[int]]:
    rows = Coupon.services.through.objects.filter(coupon__in=coupon_nos).values_list("coupon_id", "service_id")
    chosen: dict[int, set[int]] = defaultdict(set)
    for coupon_no, service_no in rows:
        chosen[coupon_no].add(service_no)
    return {coupon_no: frozenset(services) for coupon_no, services in chosen.items()}


def _with_services(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[tuple[Any, ...], frozenset[int]]]:
    """Group rows that repeat for each of their services (the last value)."""
    chosen: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for *row, service_no in rows:
        mine = chosen[tuple(row)]
        if service_no is not None:
            mine.add(service_no)
    return ((row, frozenset(services)) for row, services in chosen.items())
