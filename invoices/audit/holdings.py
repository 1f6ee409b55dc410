"""Read what documents hold, so that no other document bills or uses it: usage, orders, coupons and service credits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet

from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import ExactSum
from invoices.models import CouponUse, CreditUse, OneTimeCharge, UnusedCredit, Usage
from invoices.services.usage.usage_storage import CHARGED_UNITS


class HeldUsage(NamedTuple):
    """The usage records of one plan instance and service, added up."""

    plan_instance_no: int
    service_no: int
    units: Decimal
    records: int


class HeldOrder(NamedTuple):
    order_no: int
    units: Decimal
    rate_per_unit: Decimal


class CouponUsed(NamedTuple):
    redemption_no: int
    line_no: int


class CreditUsed(NamedTuple):
    credit_no: int
    line_no: int
    amount: Decimal


class UnusedDays(NamedTuple):
    """The unused days of a plan instance that a line credits."""

    line_no: int
    plan_instance_no: int
    first_day: date
    last_day: date
    amount: Decimal


class Holdings(NamedTuple):
    usage: list[HeldUsage]
    orders: list[HeldOrder]
    coupons: list[CouponUsed]
    credits: list[CreditUsed]
    unused_days: list[UnusedDays]


def holdings_of(invoice_nos: Sequence[int]) -> Mapping[int, Holdings]:
    """Return what each document holds, by invoice number. Uses five queries for any number of documents."""
    held: Mapping[int, Holdings] = defaultdict(lambda: Holdings([], [], [], [], []))
    for invoice_no, *row in _usage(invoice_nos):
        held[invoice_no].usage.append(HeldUsage._make(row))
    for invoice_no, *row in _orders(invoice_nos):
        held[invoice_no].orders.append(HeldOrder._make(row))
    for invoice_no, *row in _coupons(invoice_nos):
        held[invoice_no].coupons.append(CouponUsed._make(row))
    for invoice_no, *row in _credits(invoice_nos):
        held[invoice_no].credits.append(CreditUsed._make(row))
    for invoice_no, *row in _unused_days(invoice_nos):
        held[invoice_no].unused_days.append(UnusedDays._make(row))
    return held


@compiled_read
def _usage(invoice_nos: Sequence[int]) -> QuerySet[Any, Any]:
    rows = Usage.objects.filter(invoice__in=invoice_nos).values_list("invoice_id", "plan_instance_id", "service_id")
    sums = rows.annotate(charged=ExactSum(CHARGED_UNITS), records=Count("pk"))
    return sums.order_by("invoice_id", "plan_instance_id", "service_id")


@compiled_read
def _orders(invoice_nos: Sequence[int]) -> QuerySet[Any, Any]:
    orders = OneTimeCharge.objects.filter(invoice__in=invoice_nos).order_by("pk")
    return orders.values_list("invoice_id", "pk", "units", "rate_per_unit")


@compiled_read
def _coupons(invoice_nos: Sequence[int]) -> QuerySet[Any, Any]:
    uses = CouponUse.objects.filter(invoice__in=invoice_nos).order_by("line_no", "pk")
    return uses.values_list("invoice_id", "redemption_id", "line_no")


@compiled_read
def _credits(invoice_nos: Sequence[int]) -> QuerySet[Any, Any]:
    uses = CreditUse.objects.filter(invoice__in=invoice_nos).order_by("line_no", "pk")
    return uses.values_list("invoice_id", "credit_id", "line_no", "amount")


@compiled_read
def _unused_days(invoice_nos: Sequence[int]) -> QuerySet[Any, Any]:
    credits = UnusedCredit.objects.filter(invoice__in=invoice_nos).order_by("line_no")
    return credits.values_list("invoice_id", "line_no", "plan_instance_id", "first_day", "last_day", "amount")
