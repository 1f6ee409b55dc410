"""Preview documents of a campaign: apply its rules, plan each rebill, and store what it would do with its fingerprint."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from accounts.kinds import CreditTo
from accounts.models import Client
from accounts.rates import Rates, rates_on
from billing_site.common.storage import insert_rows, update_rows
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.document import Document, Line
from invoices.models import Worker
from invoices.plan.facts import ChargeFacts
from invoices.services.documents.document_storage import stored_contents
from invoices.services.planning.instance_facts import read_charges
from invoices.services.work.claims import lock_claimed
from rebills.kinds import COMMITTED_STATES, ItemState
from rebills.models import CampaignItem, CampaignTax, RebillCampaign
from rebills.plan import RebillPlan
from rebills.plan.campaign_rules import LineFacts, Requested, is_any_priced, requested_changes
from rebills.plan.differences import tax_differences
from rebills.plan.money import MoneyPlan
from rebills.services.campaigns.files import line_values
from rebills.services.campaigns.rules import rules_of
from rebills.services.previewing import preview_rebills
from rebills.services.requests import PlannedRebill, RebillRequest, RefusedRebill


class ItemTerms(NamedTuple):
    """Whether the amount due on a rebill is collected, and whether what it frees is kept as credit instead of refunded."""

    collect: bool
    keeps_credit: bool


class Unchanged(NamedTuple):
    """A document on which the rules change nothing."""


KEPT = CreditTo.KEEP_AS_CREDIT.value

Previewed = PlannedRebill | RefusedRebill | Unchanged


def preview_items(
    campaign: RebillCampaign, items: Sequence[CampaignItem], today: date, terms: Mapping[int, ItemTerms] | None = None
) -> dict[int, Previewed]:
    """Return what the campaign would do with these documents, by number. Writes nothing; the number of queries is constant.

    `terms` says by document whether its amount due is collected and its money refunded; without it, the campaign and its limits
    for one rebill say.
    """
    found = requests_of(campaign, items, terms)
    results: dict[int, Previewed] = {number: one for number, one in found.items() if not isinstance(one, RebillRequest)}
    requests = [one for one in found.values() if isinstance(one, RebillRequest)]
    outcomes = list(preview_rebills(client=campaign.client, requests=requests, today=today)) if requests else []
    if terms is None:
        outcomes = _within_limits(campaign, outcomes, today)
    results |= {one.request.invoice_no: _result(one) for one in outcomes}
    return results


def requests_of(
    campaign: RebillCampaign, items: Sequence[CampaignItem], terms: Mapping[int, ItemTerms] | None = None
) -> dict[int, RebillRequest | RefusedRebill | Unchanged]:
    """Return the rebill that the campaign requests for each of these documents, by number. Nothing is planned yet."""
    found: dict[int, RebillRequest | RefusedRebill | Unchanged] = {}
    for item, requested in zip(items, _requested(campaign, items), strict=True):
        number = item.invoice_id
        request = RebillRequest(number, campaign.reason_code)
        if isinstance(requested, BillingError):
            found[number] = RefusedRebill(request, item.account_id, requested)
        elif requested.is_empty:
            found[number] = Unchanged()
        else:
            mine = ItemTerms(campaign.collect, False) if terms is None else terms[number]
            found[number] = _request(campaign, request, requested, mine)
    return found


def _requested(campaign: RebillCampaign, items: Sequence[CampaignItem]) -> list[Requested | BillingError]:
    """Return what the rules request for each document, or why they cannot be applied to it."""
    contents = stored_contents([item.invoice_id for item in items])
    rules = rules_of(campaign.rules)
    needs_plans = is_any_priced(rules) or any(rule.plans for rule in rules)
    charges = read_charges({item.account_id for item in items}) if needs_plans else {}
    return [_requested_of(item, contents[item.invoice_id], rules, charges) for item in items]


Charges = Mapping[int, tuple[int, tuple[ChargeFacts, ...]]]


def _requested_of(item: CampaignItem, content: Document, rules: Any, charges: Charges) -> Requested | BillingError:
    facts = LineFacts(
        {number: plan_no for number, (plan_no, _) in charges.items()},
        lambda line, own: _price_on(line, content, charges, own=own),
    )
    try:
        return requested_changes(content, rules, line_values(item.changes), facts)
    except BillingError as error:
        return error


def _price_on(line: Line, content: Document, charges: Charges, *, own: bool) -> Decimal | None:
    """Return the rate of a line's charge on its first day, or None. `own`: the customer's price, if there is one."""
    day = line.period_start or content.terms.tax_date
    _, mine = charges.get(line.plan_instance_id or 0, (0, ()))
    for charge in mine:
        if (charge.service.service_no, charge.line_type) == (line.service_id, line.line_type):
            prices = rates_on(day, content.currency.code, charge.own) if own else None
            return _rate_of(prices or rates_on(day, content.currency.code, charge.listed), line)
    return None


def _rate_of(prices: Rates | None, line: Line) -> Decimal | None:
    """Return the rate of a price for the band of a line, or None if the price has no such band."""
    if prices is None:
        return None
    if line.tier_no is None:
        return prices.bands[0].rate if len(prices.bands) == 1 else None
    bands = [band for band in prices.bands if (band.from_unit, band.to_unit) == (line.tier_from, line.tier_to)]
    return bands[0].rate if bands else None


def _request(campaign: RebillCampaign, request: RebillRequest, requested: Requested, terms: ItemTerms) -> RebillRequest:
    return request._replace(
        lines=requested.lines,
        usage_corrections=requested.usage,
        carries_unlisted=True,
        comments=campaign.comments,
        collect=terms.collect,
        credit_to=KEPT if terms.keeps_credit else campaign.credit_to,
        keeps_due_date=campaign.keeps_due_date,
    )


def _within_limits(
    campaign: RebillCampaign, outcomes: Sequence[PlannedRebill | RefusedRebill], today: date
) -> list[PlannedRebill | RefusedRebill]:
    """Plan again the rebills that are above one of the campaign's limits for one rebill: without collecting, or with the money
    kept as credit instead of refunded."""
    above = []
    for one in outcomes:
        changes = _above_limits(campaign, one.plan.money) if isinstance(one, PlannedRebill) else {}
        if changes:
            above.append(one.request._replace(**changes))
    again = preview_rebills(client=campaign.client, requests=above, today=today) if above else []
    replaced = {one.request.invoice_no: one for one in again}
    return [replaced.get(one.request.invoice_no, one) for one in outcomes]


def _above_limits(campaign: RebillCampaign, money: MoneyPlan) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if campaign.collect_limit is not None and money.collect_now > campaign.collect_limit:
        changes["collect"] = False
    if campaign.refund_limit is not None and money.refunded > campaign.refund_limit:
        changes["credit_to"] = KEPT
    return changes


def _result(one: PlannedRebill | RefusedRebill) -> Previewed:
    return one if isinstance(one, RefusedRebill) or _changes_anything(one.plan) else Unchanged()


def _changes_anything(plan: RebillPlan) -> bool:
    """Whether a rebill differs from its original in anything that is printed."""
    lines = any(row.changed or row.is_excluded or row.is_recounted or row.line_no is None for row in plan.differences)
    return lines or any(tax.difference for tax in tax_differences(plan.facts.original, plan.content))


FIGURES = (
    "state",
    "fingerprint",
    "is_collected",
    "keeps_credit",
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
    "error_code",
    "message",
    "detail",
    "claimed_by",
)
NO_FIGURES = ("", False, False, *(None,) * 11)
NO_ERROR = (0, "", "")


def store_previews(campaign: RebillCampaign, items: Sequence[CampaignItem], worker: Worker, today: date) -> None:
    """Preview documents that the worker has claimed, and store the figures of each."""
    previewed = preview_items(campaign, items, today)
    for number, other in elsewhere(campaign.client, campaign, [item.invoice_id for item in items]).items():
        if isinstance(previewed[number], PlannedRebill):
            error = BillingError(ErrorCode.IN_ANOTHER_CAMPAIGN, Detail("campaign {number}", number=other))
            previewed[number] = RefusedRebill(RebillRequest(number), None, error)
    with transaction.atomic():
        waiting = CampaignItem.objects.filter(pk__in=[item.pk for item in items], state=ItemState.WAITING)
        mine = lock_claimed(waiting, worker)
        kept = [item for item in items if item.pk in mine]
        update_rows(CampaignItem, FIGURES, [(item.pk, *_figures(previewed[item.invoice_id])) for item in kept])
        CampaignTax.objects.filter(item__in=mine).delete()
        insert_rows(
            CampaignTax,
            ("item_id", "authority", "jurisdiction", "percent", "before", "after"),
            [row for item in kept for row in _taxes(item, previewed[item.invoice_id])],
        )


def elsewhere(client: Client, campaign: RebillCampaign, invoice_nos: Collection[int]) -> dict[int, int]:
    """Return which of these documents another approved campaign is to rebill, with its number."""
    rows = CampaignItem.objects.filter(
        invoice__in=invoice_nos, state=ItemState.READY, campaign__client=client, campaign__state__in=COMMITTED_STATES
    ).exclude(campaign=campaign)
    return dict(rows.order_by("-campaign").values_list("invoice_id", "campaign_id"))


def _figures(one: Previewed) -> tuple[Any, ...]:
    if isinstance(one, Unchanged):
        return (ItemState.UNCHANGED.value, *NO_FIGURES, *NO_ERROR, None)
    if isinstance(one, RefusedRebill):
        error = one.error
        return (ItemState.REFUSED.value, *NO_FIGURES, error.code.number, error.message, error.stored, None)
    plan = one.plan
    money = plan.money
    return (
        ItemState.READY.value,
        plan.fingerprint,
        bool(one.request.collect),
        one.request.credit_to == KEPT,
        *plan.original,
        *plan.rebill,
        plan.difference.total,
        money.carried,
        money.collect_now,
        money.refunded,
        money.left_as_credit,
        money.to_other_invoices,
        money.due,
        *NO_ERROR,
        None,
    )


def _taxes(item: CampaignItem, one: Previewed) -> Iterable[tuple[Any, ...]]:
    if not isinstance(one, PlannedRebill):
        return ()
    return [
        (item.pk, tax.authority[:200], tax.jurisdiction[:100], tax.percent, tax.original, tax.rebill)
        for tax in tax_differences(one.plan.facts.original, one.plan.content)
    ]
