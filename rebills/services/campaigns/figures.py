"""What a campaign would do or has done, counted from its items: results, totals, taxes, refusals, and what stands out."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Abs

from billing_site.common.currencies import currency_of
from billing_site.common.storage import ExactSum
from billing_site.errors import NUMBERED
from invoices.calculation import ZERO, rounded
from rebills.kinds import ItemState
from rebills.models import CampaignItem, CampaignTax, RebillCampaign

PLANNED_STATES = (ItemState.READY, ItemState.REBILLED, ItemState.UNDOING)
"""Documents that the campaign rebills or has rebilled: their figures are added up."""

AMOUNTS = (
    "net_before",
    "tax_before",
    "net_after",
    "tax_after",
    "difference",
    "carried",
    "collected",
    "refunded",
    "left_as_credit",
    "to_other_invoices",
    "due",
)
LARGEST_SHOWN = 10


class CampaignTotals(NamedTuple):
    """The figures of a campaign in one currency. `carried` is kept as payment of the rebills; `refunded` goes back to the
    payers; `left_as_credit` is left to the customers as credit; `collected` is to be collected; `due` is what is left to pay
    before that."""

    currency: str
    documents: int
    net_before: Decimal
    tax_before: Decimal
    net_after: Decimal
    tax_after: Decimal
    difference: Decimal
    carried: Decimal
    collected: Decimal
    refunded: Decimal
    left_as_credit: Decimal
    to_other_invoices: Decimal
    due: Decimal

    @property
    def total_before(self) -> Decimal:
        return self.net_before + self.tax_before

    @property
    def total_after(self) -> Decimal:
        return self.net_after + self.tax_after


class TaxTotals(NamedTuple):
    """One tax over all documents of a campaign in one currency."""

    currency: str
    authority: str
    jurisdiction: str
    percent: Decimal
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


class RefusedDocuments(NamedTuple):
    """How many documents were refused for one reason."""

    error_code: int
    message: str
    documents: int


class Outliers(NamedTuple):
    """Documents that stand out: the largest differences in each currency, those whose difference has another sign than the sum
    of their currency, those that fall to zero, and rebills of another campaign, which are corrected a second time."""

    largest: Sequence[CampaignItem]
    other_sign: int
    zero: int
    corrected_before: int


def count_items(campaign: RebillCampaign) -> dict[ItemState, int]:
    """Count the documents of a campaign by state."""
    return count_items_of([campaign])[campaign.pk]


def count_items_of(campaigns: Sequence[RebillCampaign]) -> dict[int, dict[ItemState, int]]:
    """Count the documents of several campaigns by state: one query."""
    counts: dict[int, dict[ItemState, int]] = {campaign.pk: {} for campaign in campaigns}
    rows = CampaignItem.objects.filter(campaign__in=campaigns).order_by().values_list("campaign_id", "state")
    for number, state, count in rows.annotate(Count("pk")):
        counts[number][ItemState(state)] = count
    return counts


def sum_by_currency(campaign: RebillCampaign, states: Collection[ItemState] = PLANNED_STATES) -> list[CampaignTotals]:
    """Add up the figures of the documents in these states, per currency."""
    rows = (
        campaign.items.filter(state__in=states, difference__isnull=False)
        .order_by("currency")
        .values_list("currency")
        .annotate(Count("pk"), *(ExactSum(name) for name in AMOUNTS))
    )
    return [
        CampaignTotals(currency, count, *(rounded(amount or ZERO, currency_of(currency)) for amount in amounts))
        for currency, count, *amounts in rows
    ]


def sum_taxes(campaign: RebillCampaign) -> list[TaxTotals]:
    """Add up each tax before and after, per currency."""
    rows = (
        CampaignTax.objects.filter(item__campaign=campaign, item__state__in=PLANNED_STATES)
        .order_by("item__currency", "authority", "jurisdiction", "percent")
        .values_list("item__currency", "authority", "jurisdiction", "percent")
        .annotate(ExactSum("before"), ExactSum("after"))
    )
    return [
        TaxTotals(
            currency, authority, place, percent.normalize(), *(rounded(one or ZERO, currency_of(currency)) for one in sums)
        )
        for currency, authority, place, percent, *sums in rows
    ]


def count_refused(campaign: RebillCampaign) -> list[RefusedDocuments]:
    """Count the documents that were refused, have changed or failed, by reason, in the order of the codes."""
    rows = campaign.items.exclude(error_code=0).order_by("error_code").values_list("error_code").annotate(Count("pk"))
    return [RefusedDocuments(code, NUMBERED[code].message, count) for code, count in rows]


def with_other_sign(campaign: RebillCampaign) -> Q:
    """Return the condition on documents whose difference has another sign than the sum of their currency."""
    wanted = Q(pk__in=())
    for one in sum_by_currency(campaign):
        sign = Q(difference__lt=0) if one.difference > 0 else Q(difference__gt=0) if one.difference < 0 else Q(pk__in=())
        wanted |= Q(currency=one.currency) & sign
    return wanted


def falls_to_zero() -> Q:
    """Return the condition on documents whose rebill amounts to nothing."""
    return Q(net_after__isnull=False, net_after=-F("tax_after"))


def corrected_before() -> Q:
    """Return the condition on documents that are rebills of a campaign themselves, and so were corrected before."""
    return Q(invoice__campaign_item__state=ItemState.REBILLED)


def find_outliers(campaign: RebillCampaign) -> Outliers:
    """Return what stands out among the documents. A constant number of queries."""
    rows = planned_items(campaign)
    largest = rows.exclude(difference=0).select_related("invoice", "account").order_by(Abs("difference").desc(), "pk")
    return Outliers(
        list(largest[:LARGEST_SHOWN]),
        rows.filter(with_other_sign(campaign)).count(),
        rows.filter(falls_to_zero()).exclude(net_before=-F("tax_before")).count(),
        rows.filter(corrected_before()).count(),
    )


def planned_items(campaign: RebillCampaign) -> QuerySet[CampaignItem]:
    """Return the documents that the campaign rebills or has rebilled."""
    return campaign.items.filter(state__in=PLANNED_STATES)


def sample_of(campaign: RebillCampaign, size: int = 10) -> list[CampaignItem]:
    """Return documents spread evenly over those that would be rebilled, in their order, at most `size`."""
    numbers = list(planned_items(campaign).order_by("pk").values_list("pk", flat=True))
    step = max(1, len(numbers) // size)
    return list(CampaignItem.objects.filter(pk__in=numbers[::step][:size]).select_related("invoice", "account").order_by("pk"))
