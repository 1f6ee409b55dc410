"""Campaigns: created, previewed, approved by another person, started, paused, cancelled, retried. A campaign is rows, so any
process continues with it: workers, a command, or an open page."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import clock, receipts
from accounts.callers import Caller
from accounts.keys import people_behind
from accounts.models import Client
from accounts.rights import COLLECT, CORRECT, check_may
from accounts.trail import Act, record_acts
from billing_site.common.languages import in_english
from billing_site.errors import BillingError, Detail, ErrorCode, stored_detail, word
from invoices.kinds import ReasonType
from invoices.models import Invoice, Worker
from invoices.services.documents.rights import check_may_approve, check_may_rebill
from invoices.services.money.ledger.acts import Why, check_reason
from invoices.services.runs.runs import TRANSIENT
from invoices.services.work.claims import free_rows, is_claimed, release_rows
from invoices.services.work.machines import Machine
from invoices.services.work.waking import wake
from invoices.services.work.workers import beat, working
from rebills.kinds import CAMPAIGN_TRANSITIONS, WITH_REBILL, WORKED_ON, CampaignState, ItemState, Statements
from rebills.models import CampaignItem, RebillCampaign
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.figures import sum_by_currency
from rebills.services.campaigns.previewing import store_previews
from rebills.services.campaigns.rules import stored_rules
from rebills.services.campaigns.running import rebill_items
from rebills.services.campaigns.selection import Selection, selected_invoices
from rebills.services.campaigns.undo_preview import bind_undo, preview_campaign_undo
from rebills.services.campaigns.undoing import undo_items

WORK = "rebill campaigns"
"""The name of campaigns as a kind of work."""

DOCUMENTS_AT_ONCE = 200
DOCUMENTS_OF_A_PAGE = 50

WAIT_SECONDS = 1.0
"""So long a command waits before it asks again whether other workers have done the last documents."""

STOPPER = Caller(process="campaign")
"""Who is on record for stopping a campaign."""


class CampaignOptions(NamedTuple):
    """How the rebills of a campaign are issued. See the columns of RebillCampaign."""

    reason_code: int | None = None
    comments: str = ""
    statements: Statements = Statements.HELD
    collect: bool = False
    collect_limit: Decimal | None = None
    collect_total_limit: Decimal | None = None
    keeps_due_date: bool | None = None
    credit_to: str = ""
    refund_limit: Decimal | None = None
    refund_total_limit: Decimal | None = None


DEFAULT_OPTIONS = CampaignOptions()

LineChanges = Mapping[int, Sequence[tuple[int, str, str]]]
"""Changes of single lines by document: line, field and text (`LineValues.changes`)."""


@transaction.atomic
def create_campaign(
    *,
    client: Client,
    name: str,
    caller: Caller,
    rules: Sequence[Rule] = (),
    selection: Selection | None = None,
    changes: LineChanges | None = None,
    options: CampaignOptions = DEFAULT_OPTIONS,
    is_recheck: bool = False,
) -> RebillCampaign:
    """Store a campaign with an item for each document of the selection, or of `changes`. Its preview begins at once.

    Rules are also applied to the documents of `changes`, before these. The caller's receipt is used up. Refuses (90028) who may
    not rebill, (3024) a reason that does not exist, (90181) a selection without documents, and (1016) a campaign that would
    change nothing, and a name that is empty.
    """
    check_may_rebill(caller)
    if not name.strip() or len(name.strip()) > 100:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("name: must have 1 to 100 characters"), field="name")
    if not rules and not changes:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("rules: name at least one change"), field="rules")
    if not is_recheck:
        check_reason(client, ReasonType.REBILL, Why(options.reason_code or 0, options.comments))
    campaign = RebillCampaign.objects.create(
        client=client,
        name=name.strip(),
        selection=selection.stored() if selection is not None else {},
        rules=stored_rules(rules),
        built_by=caller.identity,
        is_recheck=is_recheck,
        **options._asdict(),
    )
    receipts.use(client, caller.receipt, row_no=campaign.pk)
    listed = Invoice.objects.filter(client=client, pk__in=changes or ())
    found = _insert_items(campaign, listed if selection is None else selected_invoices(client, selection))
    if not found:
        raise BillingError(ErrorCode.NOTHING_SELECTED, field="selection")
    if changes:
        rows = dict(campaign.items.values_list("invoice_id", "pk"))
        changed = [CampaignItem(pk=rows[number], changes=list(mine)) for number, mine in changes.items()]
        CampaignItem.objects.bulk_update(changed, ["changes"], batch_size=500)
    after = {"name": campaign.name, "documents": found}
    record_acts(client, caller, [Act("campaign.created", after=after, row_no=campaign.pk)])
    wake(WORK)
    return campaign


def _insert_items(campaign: RebillCampaign, invoices: QuerySet[Invoice]) -> int:
    chosen, parameters = invoices.order_by("pk").values("id", "account_id", "currency").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {CampaignItem._meta.db_table} (campaign_id, invoice_id, account_id, currency, state) "
            f"SELECT %s, chosen.id, chosen.account_id, chosen.currency, %s FROM ({chosen}) AS chosen ORDER BY chosen.id",
            [campaign.pk, ItemState.WAITING.value, *parameters],
        )
        return int(cursor.rowcount)


@transaction.atomic
def change_campaign(
    campaign: RebillCampaign, *, caller: Caller, rules: Sequence[Rule] | None = None, options: CampaignOptions | None = None
) -> RebillCampaign:
    """Replace the rules or options of a campaign that is not started. All its documents are previewed again, and who changes it
    has built it: another person must approve. Refuses (90028) who may not rebill, and (90180) a campaign that was started."""
    check_may_rebill(caller)
    if options is not None:
        check_reason(campaign.client, ReasonType.REBILL, Why(options.reason_code or 0, options.comments))
    locked = CAMPAIGNS.locked(campaign)
    if locked.state not in (CampaignState.PREVIEWED, CampaignState.APPROVED) or locked.started_at is not None:
        raise _wrong_state(locked)
    columns: dict[str, Any] = options._asdict() if options is not None else {}
    if rules is not None:
        columns["rules"] = stored_rules(rules)
    if caller.identity not in locked.builders:
        columns["changed_by"] = [*locked.changed_by, caller.identity]
    return _preview_again(campaign, [*ItemState], caller, **columns)


@transaction.atomic
def preview_campaign_again(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Preview again what was refused, has changed or failed: it needs a new approval. Before the campaign is started, all is
    previewed again. Refuses (90028) who may not rebill, and (90180) a campaign that is at work or cancelled."""
    check_may_rebill(caller)
    locked = CAMPAIGNS.locked(campaign)
    states = [ItemState.MOVED, ItemState.FAILED, ItemState.REFUSED] if locked.started_at else [*ItemState]
    return _preview_again(campaign, states, caller)


def _preview_again(campaign: RebillCampaign, states: Sequence[ItemState], caller: Caller, **columns: Any) -> RebillCampaign:
    rows = campaign.items.filter(state__in=[state for state in states if state not in WITH_REBILL])
    rows.update(state=ItemState.WAITING, claimed_by=None, error_code=0, message="", detail="")
    none: dict[str, Any] = {
        "fingerprint": "",
        "previewed_at": None,
        "approved_by": "",
        "approved_at": None,
        "finished_at": None,
    }
    return CAMPAIGNS.move(campaign, CampaignState.PREVIEWING, caller=caller, **none, **columns)


@transaction.atomic
def approve_campaign(campaign: RebillCampaign, *, fingerprint: str, caller: Caller) -> RebillCampaign:
    """Approve what the preview with this fingerprint shows. Nothing is rebilled before the campaign is started.

    Refuses (90001) who may not approve, (90187) who has built it, (90185) another preview than the one that was seen, (90184)
    more to collect in one currency than its limit, (90341) more to refund than its limit, (90025) who may not collect if it
    collects, (90026) who may not correct if it refunds, and (90180) other states.
    """
    check_may_approve(caller)
    locked = CAMPAIGNS.locked(campaign)
    if locked.state != CampaignState.PREVIEWED or locked.is_recheck:
        raise _wrong_state(locked)
    built_by = people_behind(locked.builders)
    if any(people & caller.people for people in built_by.values()):
        raise BillingError(ErrorCode.OWN_CAMPAIGN)
    if fingerprint != locked.fingerprint:
        raise BillingError(ErrorCode.PREVIEW_CHANGED, field="fingerprint")
    totals = sum_by_currency(locked, [ItemState.READY])
    if not totals:
        raise BillingError(ErrorCode.CAMPAIGN_STATE, Detail("it would rebill no invoice"), field="state")
    if any(one.collected for one in totals):
        check_may(caller, COLLECT)
    if any(one.refunded for one in totals):
        check_may(caller, CORRECT)
    for one in totals:
        _check_limit(
            ErrorCode.COLLECTS_TOO_MUCH, "collect_total_limit", one.currency, one.collected, locked.collect_total_limit
        )
        _check_limit(ErrorCode.REFUNDS_TOO_MUCH, "refund_total_limit", one.currency, one.refunded, locked.refund_total_limit)
    columns: dict[str, Any] = {"approved_by": caller.identity, "approved_at": timezone.now()}
    return CAMPAIGNS.move(campaign, CampaignState.APPROVED, caller=caller, **columns)


def _check_limit(code: ErrorCode, field: str, currency: str, amount: Decimal, limit: Decimal | None) -> None:
    if limit is not None and amount > limit:
        raise BillingError(code, Detail("{amount} {currency}", amount=f"{amount}", currency=currency.upper()), field=field)


@transaction.atomic
def start_campaign(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Let workers rebill the documents of an approved campaign. Refuses (90028) who may not rebill, and (90180) others."""
    check_may_rebill(caller)
    started = campaign.started_at or timezone.now()
    return CAMPAIGNS.move(campaign, CampaignState.RUNNING, only=(CampaignState.APPROVED,), caller=caller, started_at=started)


def pause_campaign(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Rebill no further document until the campaign is resumed. Batches that have begun are finished."""
    check_may_rebill(caller)
    return CAMPAIGNS.move(campaign, CampaignState.PAUSED, caller=caller)


def resume_campaign(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Continue with a campaign that a person has paused, or that was stopped."""
    check_may_rebill(caller)
    only = (CampaignState.PAUSED, CampaignState.STOPPED)
    return CAMPAIGNS.move(campaign, CampaignState.RUNNING, only=only, caller=caller, stop_reason="", stop_detail="")


@transaction.atomic
def cancel_campaign(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Rebill no further document: batches that have begun are finished. What is rebilled stays. Refuses (90180) ended ones."""
    check_may_rebill(caller)
    before = CAMPAIGNS.locked(campaign)
    if before.state in (CampaignState.PREVIEWING, CampaignState.PREVIEWED, CampaignState.APPROVED):
        return _end_cancelled(campaign, caller)
    cancelling = CAMPAIGNS.move(campaign, CampaignState.CANCELLING, caller=caller)
    return cancelling if is_claimed(_open_items(campaign)) else _end_cancelled(cancelling)


def _end_cancelled(campaign: RebillCampaign, caller: Caller | None = None) -> RebillCampaign:
    waiting = campaign.items.filter(state__in=(ItemState.WAITING, ItemState.READY))
    waiting.update(state=ItemState.CANCELLED, claimed_by=None)
    return CAMPAIGNS.move(campaign, CampaignState.CANCELLED, caller=caller, finished_at=timezone.now())


@transaction.atomic
def retry_campaign(campaign: RebillCampaign, *, caller: Caller) -> int:
    """Try again what failed in a finished campaign because something was in the way (3108, 1001, 90004), and return how many
    documents those are; 0 changes nothing. What has changed since the preview is previewed again instead.

    Refuses (90028) who may not rebill, and (90180) a campaign that is not finished.
    """
    check_may_rebill(caller)
    locked = CAMPAIGNS.locked(campaign)
    if locked.state != CampaignState.FINISHED:
        raise _wrong_state(locked)
    failed = campaign.items.filter(state=ItemState.FAILED, error_code__in=[code.number for code in TRANSIENT])
    count = failed.exclude(fingerprint="").update(state=ItemState.READY, claimed_by=None, error_code=0, message="", detail="")
    if count:
        CAMPAIGNS.move(campaign, CampaignState.RUNNING, caller=caller, finished_at=None)
    return count


DONE_IN = {
    CampaignState.PREVIEWING: ItemState.WAITING,
    CampaignState.RUNNING: ItemState.READY,
    CampaignState.UNDOING: ItemState.UNDOING,
}
"""The documents that workers take in each state of a campaign. The newest rebills are undone first."""


@transaction.atomic
def ask_for_undo(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Ask that all rebills of a campaign are undone. Another person must approve. Refuses (90028) who may not rebill, and
    (90180) a campaign that has not ended or has no rebill."""
    check_may_rebill(caller)
    if not campaign.items.filter(state=ItemState.REBILLED).exists():
        raise _wrong_state(CAMPAIGNS.locked(campaign))
    columns: dict[str, Any] = {"undo_asked_by": caller.identity}
    return CAMPAIGNS.move(campaign, CampaignState.UNDO_ASKED, caller=caller, **columns)


@transaction.atomic
def approve_undo(campaign: RebillCampaign, *, fingerprint: str, caller: Caller) -> RebillCampaign:
    """Let workers undo all rebills of a campaign, each by itself. One on which something else is open then is left.

    Refuses (90001) who may not approve, (90187) who has asked for it, (90185) another preview than the one that was seen
    (`preview_campaign_undo`), and (90180) other states.
    """
    check_may_approve(caller)
    locked = CAMPAIGNS.locked(campaign)
    if locked.state != CampaignState.UNDO_ASKED:
        raise _wrong_state(locked)
    if any(people & caller.people for people in people_behind([locked.undo_asked_by]).values()):
        raise BillingError(ErrorCode.OWN_CAMPAIGN)
    if fingerprint != preview_campaign_undo(locked).fingerprint:
        raise BillingError(ErrorCode.PREVIEW_CHANGED, field="fingerprint")
    bind_undo(locked)
    rebilled = campaign.items.filter(state=ItemState.REBILLED)
    rebilled.update(state=ItemState.UNDOING, claimed_by=None, error_code=0, message="", detail="")
    columns: dict[str, Any] = {"undo_approved_by": caller.identity, "finished_at": None}
    return CAMPAIGNS.move(campaign, CampaignState.UNDOING, caller=caller, **columns)


@transaction.atomic
def withdraw_undo(campaign: RebillCampaign, *, caller: Caller) -> RebillCampaign:
    """Leave the rebills as they are: the campaign is finished as before. Refuses (90028) who may not rebill, and (90180)."""
    check_may_rebill(caller)
    columns: dict[str, Any] = {"undo_asked_by": ""}
    return CAMPAIGNS.move(campaign, CampaignState.FINISHED, only=(CampaignState.UNDO_ASKED,), caller=caller, **columns)


def work_on_campaign(campaign: RebillCampaign, *, worker: Worker, size: int = DOCUMENTS_AT_ONCE) -> int:
    """Preview or rebill the next documents, and return how many; 0 when none is left to this worker.

    A campaign whose builder or approver may not act any more is stopped. After any other error the worker must end, which gives
    back what it has claimed.
    """
    beat(worker)
    locked, claimed = _claim(campaign, worker, size)
    if not claimed:
        _end_if_done(campaign)
        return 0
    today = clock.today(locked.client)
    if locked.state == CampaignState.UNDOING:
        undo_items(locked, claimed, today)
        return len(claimed)
    if locked.state == CampaignState.PREVIEWING:
        store_previews(locked, claimed, worker, today)
        return len(claimed)
    try:
        rebill_items(locked, claimed, worker, today)
    except BillingError as error:
        release_rows(_open_items(campaign), worker)
        stop_campaign(campaign, error.as_detail)
        return 0
    return len(claimed)


@transaction.atomic
def _claim(campaign: RebillCampaign, worker: Worker, size: int) -> tuple[RebillCampaign, list[CampaignItem]]:
    """Claim the next documents of a campaign that no other live worker has claimed, by account. None unless it is at work.

    Returns the campaign as it is now, with the client of the given one."""
    locked = CAMPAIGNS.locked(campaign)
    locked.client = campaign.client
    if locked.state not in DONE_IN:
        return locked, []
    rows = campaign.items.filter(state=DONE_IN[CampaignState(locked.state)])
    order = ("-rebill",) if locked.state == CampaignState.UNDOING else ("account_id", "pk")
    claimed = free_rows(rows.order_by(*order), size)
    CampaignItem.objects.filter(pk__in=[item.pk for item in claimed]).update(claimed_by=worker.pk)
    return locked, claimed


def continue_campaign(campaign: RebillCampaign, *, progress: Callable[[int], object] = lambda documents: None) -> None:
    """Preview or rebill all documents that are left. `progress` gets the number of documents of each batch.

    Returns when the preview or the campaign has ended, is paused or stopped. What other workers have claimed is waited for.
    """
    with working("run") as worker:
        while True:
            done = work_on_campaign(campaign, worker=worker)
            if done:
                progress(done)
                continue
            campaign.refresh_from_db()
            if campaign.state not in WORKED_ON:
                return
            time.sleep(WAIT_SECONDS)


def continue_campaign_for(campaign: RebillCampaign, *, seconds: float) -> None:
    """Preview or rebill documents that are left, for about `seconds`: at least one small batch."""
    end = time.monotonic() + seconds
    with working("page") as worker:
        while work_on_campaign(campaign, worker=worker, size=DOCUMENTS_OF_A_PAGE) and time.monotonic() < end:
            pass
    _end_if_done(campaign)


def _open_items(campaign: RebillCampaign) -> QuerySet[CampaignItem]:
    return campaign.items.filter(state__in=(ItemState.WAITING, ItemState.READY))


def _end_if_done(campaign: RebillCampaign) -> None:
    """End a preview or a campaign that has no document left, and one that is being cancelled once no worker works on it."""
    with transaction.atomic():
        locked = CAMPAIGNS.locked(campaign)
        if locked.state == CampaignState.PREVIEWING:
            if not campaign.items.filter(state=ItemState.WAITING).exists():
                columns: dict[str, Any] = {"fingerprint": _fingerprint(locked), "previewed_at": timezone.now()}
                CAMPAIGNS.move(campaign, CampaignState.PREVIEWED, **columns)
        elif locked.state == CampaignState.RUNNING:
            if not campaign.items.filter(state=ItemState.READY).exists():
                CAMPAIGNS.move(campaign, CampaignState.FINISHED, finished_at=timezone.now())
        elif locked.state == CampaignState.UNDOING:
            if not campaign.items.filter(state=ItemState.UNDOING).exists():
                is_whole = not campaign.items.filter(state=ItemState.REBILLED).exists()
                to = CampaignState.UNDONE if is_whole else CampaignState.FINISHED
                CAMPAIGNS.move(campaign, to, finished_at=timezone.now())
        elif locked.state == CampaignState.CANCELLING and not is_claimed(_open_items(campaign)):
            _end_cancelled(campaign)


def _fingerprint(campaign: RebillCampaign) -> str:
    """Return the fingerprint of all that the preview shows: how rebills are issued, and that of each one."""
    digest = hashlib.sha256()
    digest.update(repr([getattr(campaign, name) for name in CampaignOptions._fields]).encode())
    rows = campaign.items.order_by("invoice_id").values_list("invoice_id", "state", "fingerprint")
    for row in rows.iterator():
        digest.update(repr(row).encode())
    return digest.hexdigest()


def stop_campaign(campaign: RebillCampaign, reason: str) -> None:
    """Stop a running campaign. One that has ended or was cancelled meanwhile stays as it is."""
    with transaction.atomic():
        if CAMPAIGNS.locked(campaign).state == CampaignState.RUNNING:
            columns: dict[str, Any] = {"stop_reason": reason[:300], "stop_detail": stored_detail(reason)}
            CAMPAIGNS.move(campaign, CampaignState.STOPPED, caller=STOPPER, **columns)


def _wrong_state(campaign: RebillCampaign) -> BillingError:
    label = in_english(CampaignState(campaign.state).label).lower()
    detail = Detail("campaign {number} is {state}", number=campaign.pk, state=word(label))
    return BillingError(ErrorCode.CAMPAIGN_STATE, detail, field="state")


CAMPAIGNS = Machine(RebillCampaign, CampaignState, CAMPAIGN_TRANSITIONS, "campaign", _wrong_state, WORKED_ON, WORK)
