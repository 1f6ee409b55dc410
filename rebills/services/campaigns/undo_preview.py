"""What undoing the rebills of a campaign would do, bound to what the approver saw."""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from django.db.models import OuterRef, Subquery

from billing_site.common.currencies import currency_of
from invoices.calculation import ZERO, rounded
from invoices.models import Invoice
from rebills.kinds import ItemState
from rebills.models import CampaignItem, RebillCampaign


class UndoTotals(NamedTuple):
    """What the undo of a campaign would do in one currency: how many rebills it undoes, by how much balances change, and what
    payments and credits pay of these rebills now."""

    currency: str
    documents: int
    balance_change: Decimal
    paid: Decimal


class CampaignUndo(NamedTuple):
    """The totals by currency, and a fingerprint of the rebills, their originals and what is open on them."""

    totals: tuple[UndoTotals, ...]
    fingerprint: str


def preview_campaign_undo(campaign: RebillCampaign) -> CampaignUndo:
    """Return what undoing all rebills of a campaign would do now. Writes nothing. One query."""
    digest = hashlib.sha256()
    sums: dict[str, UndoTotals] = {}
    columns = ("rebill_id", "rebill__status", "rebill__open_amount", "invoice_id", "invoice__open_amount")
    rows = campaign.items.filter(state=ItemState.REBILLED).order_by("rebill")
    for code, before, after, *facts in rows.values_list(
        "currency", "invoice__total_amount", "rebill__total_amount", *columns
    ).iterator():
        digest.update(repr([f"{one.normalize():f}" if isinstance(one, Decimal) else one for one in facts]).encode())
        found = sums.get(code, UndoTotals(code, 0, ZERO, ZERO))
        change, paid = found.balance_change + before - after, found.paid + after - facts[2]
        sums[code] = UndoTotals(code, found.documents + 1, change, paid)
    return CampaignUndo(tuple(_rounded(sums[code]) for code in sorted(sums)), digest.hexdigest()[:32])


def _rounded(totals: UndoTotals) -> UndoTotals:
    currency = currency_of(totals.currency)
    return totals._replace(balance_change=rounded(totals.balance_change, currency), paid=rounded(totals.paid, currency))


def bind_undo(campaign: RebillCampaign) -> None:
    """Store with each rebill that is to be undone what is open on it. Under the lock of the campaign."""
    is_open = Invoice.objects.filter(pk=OuterRef("rebill")).values("open_amount")
    campaign.items.filter(state=ItemState.REBILLED).update(open_when_approved=Subquery(is_open))


def seen_open_amounts(campaign: RebillCampaign, items: Iterable[CampaignItem]) -> dict[int, Decimal]:
    """Return what the approver saw open on rebills, by number. Only of the first rebill of each account that is undone: undoing
    it may move money of the others."""
    items = list(items)
    accounts = {item.account_id for item in items}
    begun = campaign.items.filter(account__in=accounts, state=ItemState.UNDONE)
    touched = set(begun.values_list("account_id", flat=True))
    seen: dict[int, Decimal] = {}
    for item in items:
        if item.account_id not in touched and item.rebill_id is not None and item.open_when_approved is not None:
            seen[item.rebill_id] = item.open_when_approved
        touched.add(item.account_id)
    return seen
