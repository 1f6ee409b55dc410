"""What pages show of coupons, surcharges and tax rates: which are in force, and which are replaced by a later one."""

from datetime import date

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from invoices.models import Coupon, Surcharge, TaxRate

LATER, IN_FORCE, ENDED, REPLACED = _("later"), _("in force"), _("ended"), _("replaced")


def coupons_found(client: Client, words: str) -> QuerySet[Coupon]:
    """Return the client's coupons whose code or name contains each word, with `redeemed`: the number of redemptions."""
    rows = Coupon.objects.filter(client=client).annotate(redeemed=Count("redemptions")).prefetch_related("services")
    for word in words.split():
        rows = rows.filter(Q(code__icontains=word) | Q(name__icontains=word))
    return rows


def surcharges_found(client: Client, words: str, today: date) -> QuerySet[Surcharge]:
    """Return the client's surcharges whose name, or whose service's, contains each word, with `is_replaced`."""
    rows = Surcharge.objects.filter(client=client).select_related("service").prefetch_related("services")
    for word in words.split():
        rows = rows.filter(Q(name__icontains=word) | Q(service__name__icontains=word))
    later = Surcharge.objects.filter(
        name__iexact=OuterRef("name"), service=OuterRef("service"), currency=OuterRef("currency"), client=OuterRef("client")
    )
    return rows.annotate(is_replaced=Exists(_began_later(later, today)))


def tax_rates_found(client: Client, words: str, today: date) -> QuerySet[TaxRate]:
    """Return the client's tax rates whose name, country, region or category contains each word, with `is_replaced`."""
    rows = TaxRate.objects.filter(client=client)
    for word in words.split():
        place = Q(country__iexact=word) | Q(region__icontains=word)
        rows = rows.filter(Q(name__icontains=word) | place | Q(category__icontains=word))
    later = TaxRate.objects.annotate(same_name=Lower("name"), same_region=Lower("region")).filter(
        same_name=Lower(OuterRef("name")),
        same_region=Lower(OuterRef("region")),
        country=OuterRef("country"),
        category=OuterRef("category"),
        client=OuterRef("client"),
    )
    return rows.annotate(is_replaced=Exists(_began_later(later, today)))


def _began_later(rows: QuerySet, today: date) -> QuerySet:
    """Select rows that are valid today and began after the row outside."""
    valid = Q(valid_from__lte=today) & (Q(valid_to=None) | Q(valid_to__gte=today))
    return rows.filter(valid, valid_from__gt=OuterRef("valid_from"))


def state_on(row: Coupon | Surcharge | TaxRate, today: date) -> tuple[str, str]:
    """Return whether a row is in force on a day, in words, and the tone of its tag."""
    if row.valid_from > today:
        return str(LATER), ""
    if row.valid_to is not None and row.valid_to < today:
        return str(ENDED), ""
    if getattr(row, "is_replaced", False):
        return str(REPLACED), ""
    return str(IN_FORCE), "good"


def rate_before(rate: TaxRate) -> TaxRate | None:
    """Return the stored rate that applies on the first day of a planned one, if it were not added; None if there is none."""
    valid = Q(valid_from__lte=rate.valid_from) & (Q(valid_to=None) | Q(valid_to__gte=rate.valid_from))
    same = TaxRate.objects.filter(
        valid,
        client=rate.client_id,
        name__iexact=rate.name,
        country=rate.country,
        region__iexact=rate.region,
        category=rate.category,
    )
    return same.exclude(pk=rate.pk).order_by(F("valid_from").desc(), "-pk").first()
