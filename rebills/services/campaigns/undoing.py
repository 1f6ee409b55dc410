"""Undo the rebills of a campaign in batches: one that later acts stand in the way of is left, and says why."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from accounts.staff import caller_of
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.services.money.ledger.acts import Why
from rebills.kinds import ItemState
from rebills.models import CampaignItem, RebillCampaign
from rebills.services.campaigns.undo_preview import seen_open_amounts
from rebills.services.undoing import undo_rebills

logger = logging.getLogger(__name__)


def undo_items(campaign: RebillCampaign, items: Sequence[CampaignItem], today: date) -> None:
    """Undo the rebills of documents that the worker has claimed, in the given order, and store the result of each.

    Each is undone and noted, or neither. A rebill that is undone already is noted as undone. One on which something else is
    open than the approver saw is left (90003).
    """
    by_rebill = {item.rebill_id: item for item in items if item.rebill_id is not None}
    undone = set(Invoice.objects.filter(pk__in=by_rebill, status=InvoiceStatus.VOIDED).values_list("pk", flat=True))
    _note_undone(list(undone))
    left = [number for number in by_rebill if number not in undone]
    seen = seen_open_amounts(campaign, [by_rebill[number] for number in left])
    for number, error in _undo(campaign, left, seen, today).items():
        told = {"error_code": error.code.number, "message": error.message, "detail": error.stored}
        rows = CampaignItem.objects.filter(pk=by_rebill[number].pk, state=ItemState.UNDOING)
        rows.update(state=ItemState.REBILLED, claimed_by=None, **told)


def _undo(
    campaign: RebillCampaign, rebill_nos: Sequence[int], seen: Mapping[int, Decimal], today: date
) -> dict[int, BillingError]:
    why = Why(campaign.reason_code or 0, f"Campaign {campaign.pk} is undone.")
    caller = caller_of(campaign.undo_asked_by)
    try:
        return undo_rebills(
            client=campaign.client,
            rebill_nos=rebill_nos,
            caller=caller,
            today=today,
            why=why,
            note=_note_undone,
            seen_open=seen,
        )
    except Exception:
        logger.exception("undoing rebills of campaign %s failed", campaign.pk)
        still = CampaignItem.objects.filter(rebill__in=rebill_nos, state=ItemState.UNDOING)
        unexpected = BillingError(ErrorCode.UNEXPECTED)
        return dict.fromkeys((number for number in still.values_list("rebill_id", flat=True) if number), unexpected)


def _note_undone(rebill_nos: Sequence[int]) -> None:
    rows = CampaignItem.objects.filter(rebill__in=rebill_nos, state=ItemState.UNDOING)
    rows.update(state=ItemState.UNDONE, claimed_by=None)
