"""Rebill documents of an approved campaign: each exactly as it was previewed, and marked in the transaction that rebills it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

from django.db import transaction

from accounts.staff import caller_of
from billing_site.common.storage import update_rows
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Worker
from invoices.services.work.claims import lock_claimed
from rebills.kinds import ItemState, Statements
from rebills.models import CampaignItem, RebillCampaign
from rebills.services.campaigns.previewing import ItemTerms, Previewed, preview_items, requests_of
from rebills.services.rebilling import Approved, rebill_invoices
from rebills.services.requests import PlannedRebill, RebillRequest, RecordedRebill, RefusedRebill

RESULTS = ("state", "rebill_id", "error_code", "message", "detail", "claimed_by")
MONEY_PARTS = {"payments", "collection"}


def rebill_items(campaign: RebillCampaign, items: Sequence[CampaignItem], worker: Worker, today: date) -> None:
    """Rebill documents that the worker has claimed, and store the result of each.

    What has changed since its preview is not rebilled. Refuses what nobody may do any more: the builder must still be allowed
    to rebill, and the approver to approve and, if it collects, to collect.
    """
    for wave in _waves(items):
        _rebill_wave(campaign, wave, worker, today)


def _waves(items: Sequence[CampaignItem]) -> list[list[CampaignItem]]:
    """Group documents into waves in which no account repeats: the second rebill of an account depends on the money that the
    first has left."""
    waves: list[list[CampaignItem]] = []
    seen: dict[int, int] = defaultdict(int)
    for item in items:
        place = seen[item.account_id]
        seen[item.account_id] += 1
        if place == len(waves):
            waves.append([])
        waves[place].append(item)
    return waves


def _rebill_wave(campaign: RebillCampaign, items: Sequence[CampaignItem], worker: Worker, today: date) -> None:
    by_number = {item.invoice_id: item for item in items}
    requests, refused = _bound(campaign, items, today)
    approved = Approved(caller_of(campaign.approved_by), _sends_statement(campaign), lambda written: _note(written, by_number))
    outcomes = rebill_invoices(
        client=campaign.client,
        requests=requests,
        caller=caller_of(campaign.built_by),
        today=today,
        approved=approved,
    )
    refused |= {one.request.invoice_no: one.error for one in outcomes if isinstance(one, RefusedRebill)}
    _note_refused([(by_number[number], error) for number, error in refused.items()], worker)


def _rebilled_here(campaign: RebillCampaign, account_nos: Collection[int]) -> set[int]:
    """Return which of these accounts the campaign itself has rebilled other documents of."""
    rows = campaign.items.filter(state=ItemState.REBILLED, account__in=account_nos)
    return set(rows.order_by().values_list("account_id", flat=True))


def _bound(
    campaign: RebillCampaign, items: Sequence[CampaignItem], today: date
) -> tuple[list[RebillRequest], dict[int, BillingError]]:
    """Return the requests with the fingerprints of their previews, and why other documents are not rebilled, by number.

    The campaign's earlier rebills move the money of their own accounts. There the document itself must be as it was previewed,
    and the payments may differ.
    """
    terms = {item.invoice_id: ItemTerms(item.is_collected, item.keeps_credit) for item in items}
    moved_here = _rebilled_here(campaign, {item.account_id for item in items})
    others = [item for item in items if item.account_id in moved_here]
    again = preview_items(campaign, others, today, terms) if others else {}
    requests, refused = [], {}
    for item, found in zip(items, requests_of(campaign, items, terms).values(), strict=True):
        planned = again.get(item.invoice_id)
        if isinstance(found, RebillRequest):
            requests.append(found._replace(fingerprint=_fingerprint(item, planned)))
        else:
            refused[item.invoice_id] = (
                found.error if isinstance(found, RefusedRebill) else BillingError(ErrorCode.DOCUMENT_MOVED)
            )
    return requests, refused


def _fingerprint(item: CampaignItem, planned: Previewed | None) -> str:
    """Return the fingerprint of what was previewed; of what is planned now if only the account's payments differ."""
    if isinstance(planned, PlannedRebill) and MONEY_PARTS.issuperset(planned.plan.moved(item.fingerprint)):
        return planned.plan.fingerprint
    return item.fingerprint


def _sends_statement(campaign: RebillCampaign) -> bool:
    return campaign.statements == Statements.AT_ONCE


def _note(written: Sequence[RecordedRebill], items: dict[int, CampaignItem]) -> None:
    """Mark documents as rebilled. Called in the transaction that rebills them: each is rebilled and marked, or neither."""
    rows = [(items[one.request.invoice_no].pk, ItemState.REBILLED.value, one.rebill_no, 0, "", "", None) for one in written]
    update_rows(CampaignItem, RESULTS, rows)


def _note_refused(refused: Sequence[tuple[CampaignItem, BillingError]], worker: Worker) -> None:
    """Say why documents were not rebilled, unless another worker has taken them over or rebilled them meanwhile."""
    if not refused:
        return
    ready = CampaignItem.objects.filter(pk__in=[item.pk for item, _ in refused], state=ItemState.READY)
    rows = [
        (
            item.pk,
            (ItemState.MOVED if error.code is ErrorCode.DOCUMENT_MOVED else ItemState.FAILED).value,
            None,
            error.code.number,
            error.message,
            error.stored,
            None,
        )
        for item, error in refused
    ]
    with transaction.atomic():
        mine = lock_claimed(ready, worker)
        update_rows(CampaignItem, RESULTS, [row for row in rows if row[0] in mine])
