"""`python -m tests.killing_campaigns KILLS [random]`: kill corrections of many, and adjustments of pending documents.

As in `tests.killing`, a forked process dies by SIGKILL: while a campaign previews, rebills or undoes. Each document is then
rebilled whole and marked, or neither; another worker does the rest; and the totals are those of the preview. Or it dies while
it adjusts a pending document: it has then all of its new version, or nothing.
"""

import random
import sys
from collections.abc import Callable
from functools import partial

from tests import killing
from tests.killing import INVOICES, World, after, before, database, kill_at, kill_sometime

# Only now is Django set up, and the gateway's file a temporary one.
from decimal import Decimal  # isort: skip

from django.db import connection
from django.db.models import F

from accounts.callers import Caller
from accounts.models import Event
from billing_site.errors import BillingError, ErrorCode
from invoices.audit import run_audits
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Adjustment, Comparison, DocumentVersion, Invoice, Worker
from invoices.services.approving.acts import approve_invoices
from invoices.services.documents import versions
from invoices.services.issuing import issuing
from invoices.services.money.ledger.open_items import charges_of
from rebills.kinds import ItemState, RuleChange
from rebills.models import CampaignItem, RebillCampaign
from rebills.plan.campaign_rules import Rule
from rebills.services import adjusting, rebilling, undoing
from rebills.services.campaigns import campaigns, previewing, running
from rebills.services.campaigns import undoing as undoing_items
from rebills.services.campaigns.campaigns import (
    CampaignOptions,
    approve_campaign,
    approve_undo,
    ask_for_undo,
    continue_campaign,
    create_campaign,
    start_campaign,
)
from rebills.services.campaigns.figures import sum_by_currency
from rebills.services.campaigns.selection import Selection
from rebills.services.campaigns.undo_preview import preview_campaign_undo
from rebills.services.requests import RequestedLine
from tests.support.billing import JAN_10

BUILDER, APPROVER = Caller(process="builder"), Caller(process="approver")

PREVIEW, RUN, UNDO, ADJUST = "preview", "run", "undo", "adjust"
COMMITTED = "committed"
POINTS = {
    (PREVIEW, "claimed"): after(campaigns, "_claim"),
    (PREVIEW, "planned"): after(previewing, "preview_items"),
    (PREVIEW, "figures written"): after(previewing, "update_rows"),
    (PREVIEW, "stored"): after(campaigns, "store_previews"),
    (RUN, "claimed"): after(campaigns, "_claim"),
    (RUN, "requested"): after(running, "_bound"),
    (RUN, "rebills written"): after(rebilling, "insert_documents"),
    (RUN, "marked"): after(running, "_note"),
    (RUN, "about to be issued"): before(rebilling, "issue"),
    (RUN, "rebills updated"): after(issuing, "_update"),
    (RUN, "all written, not committed"): after(rebilling, "_write"),
    (RUN, "committed"): before(rebilling, "settle_documents"),
    (RUN, "settled"): after(running, "rebill_invoices"),
    (UNDO, "claimed"): after(campaigns, "_claim"),
    (UNDO, "reversals written"): after(undoing, "issue"),
    (UNDO, "undone, not committed"): after(undoing, "_record"),
    (UNDO, "marked, not committed"): after(undoing, "_undo_wave"),
    (UNDO, COMMITTED): after(undoing_items, "_undo"),
    (ADJUST, "planned, nothing locked"): before(adjusting, "account_act"),
    (ADJUST, "checked again"): after(adjusting, "_check"),
    (ADJUST, "adjustments written"): after(adjusting, "_write_rows"),
    (ADJUST, "lines replaced"): after(versions, "replace_documents"),
    (ADJUST, "version written"): after(adjusting, "write_versions"),
    (ADJUST, "what is derived deleted"): after(adjusting, "forget_derived"),
    (ADJUST, "all written, not committed"): after(adjusting, "_write"),
    (ADJUST, COMMITTED): after(adjusting, "adjust_document"),
}


class Campaigns(World):
    def prepare_stage(self, stage: str) -> tuple[list[int], RebillCampaign]:
        """Create a campaign over new invoices, and bring it to the beginning of a stage."""
        numbers = self.bill(pending=False)
        campaign = create_campaign(
            client=self.client,
            name="Wrong price",
            rules=[Rule(RuleChange.RATE, Decimal(20))],
            selection=Selection(invoices=tuple(numbers)),
            options=CampaignOptions(reason_code=1),
            caller=BUILDER,
        )
        for one in (PREVIEW, RUN, UNDO):
            if one == stage:
                break
            continue_campaign(campaign)
            self.begin_after(campaign, one)
        return numbers, campaign

    def begin_after(self, campaign: RebillCampaign, stage: str) -> None:
        """Begin the stage that follows a finished one."""
        campaign.refresh_from_db()
        if stage == PREVIEW:
            approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=APPROVER)
            start_campaign(campaign, caller=BUILDER)
        elif stage == RUN:
            ask_for_undo(campaign, caller=BUILDER)
            approve_undo(campaign, fingerprint=preview_campaign_undo(campaign).fingerprint, caller=APPROVER)

    def whole_or_absent(self, stage: str, numbers: list[int], campaign: RebillCampaign) -> None:
        """Check what the dead worker has left. Then another one finishes the stage and all that follow."""
        Worker.objects.all().delete()  # Its lease has ended.
        for number in numbers:
            documents = Invoice.objects.filter(corrects=number, status=InvoiceStatus.APPROVED).order_by("kind")
            kinds = list(documents.values_list("kind", flat=True))
            item = CampaignItem.objects.get(campaign=campaign, invoice=number)
            assert kinds in ([], [InvoiceKind.CREDIT_MEMO, InvoiceKind.REBILL]), kinds
            rebilled = item.rebill_id is not None and item.state != ItemState.UNDONE
            assert bool(kinds) == rebilled, (kinds, item)
            assert charges_of([number])[number].due == (0 if kinds else 30)
        for one in (PREVIEW, RUN, UNDO)[(PREVIEW, RUN, UNDO).index(stage) :]:
            campaign.refresh_from_db()
            continue_campaign(campaign)
            campaign.refresh_from_db()
            expected = {PREVIEW: ("previewed", "ready"), RUN: ("finished", "rebilled"), UNDO: ("undone", "undone")}[one]
            states = set(campaign.items.values_list("state", flat=True))
            assert (campaign.state, states) == (expected[0], {expected[1]}), (one, campaign.state, states)
            if one == RUN:
                self.check_totals(numbers, campaign)
            self.begin_after(campaign, one)
        assert [charge.due for charge in charges_of(numbers).values()] == [30] * INVOICES

    def check_totals(self, numbers: list[int], campaign: RebillCampaign) -> None:
        (totals,) = sum_by_currency(campaign)
        rebills = Invoice.objects.filter(corrects__in=numbers, kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
        assert sorted(rebills.values_list("corrects", flat=True)) == sorted(numbers)
        assert sum(rebills.values_list("total_amount", flat=True)) == totals.total_after == 20 * INVOICES
        assert not campaign.items.exclude(rebill__corrects=F("invoice")).exists()


class Adjustments(World):
    """A pending invoice of 30.00, of which a line is set to 25.00 and 20 percent are taken off all lines."""

    def request(self, number: int) -> adjusting.AdjustRequest:
        line = RequestedLine(1, rate_per_unit=Decimal(25))
        asked = adjusting.AdjustRequest(number, (line,), reason_code=1, discount_percent=Decimal(20))
        plan = adjusting.preview_adjusting(client=self.client, request=asked, today=JAN_10)
        return asked._replace(fingerprint=plan.fingerprint)

    def adjust(self, number: int) -> None:
        adjusting.adjust_document(request=self.request(number), **self.by())

    def whole_or_absent(self, numbers: list[int], is_whole: bool | None) -> None:
        """Check what the dead process has left. Then the same request is made again, and the invoices are issued."""
        for number in numbers:
            invoice = Invoice.objects.get(pk=number)
            rows = [
                Adjustment.objects.filter(invoice=number).count(),
                DocumentVersion.objects.filter(invoice=number).count(),
                Event.objects.filter(invoice_no=number, act=adjusting.ADJUSTED).count(),
            ]
            found = (invoice.version, invoice.total_amount, *invoice.lines.values_list("amount", flat=True), *rows)
            whole, absent = (2, 20, 20, 2, 2, 1), (1, 30, 30, 0, 0, 0)
            allowed = (whole, absent) if is_whole is None else (whole,) if is_whole and number == numbers[0] else (absent,)
            assert found in allowed, found
            assert Comparison.objects.filter(pk=number).exists()
            try:
                self.adjust(number)
            except BillingError as error:
                assert (error.code, found) == (ErrorCode.NOTHING_ADJUSTED, whole), error
        approve_invoices(invoice_nos=numbers, collect=False, **self.by())
        assert [charge.due for charge in charges_of(numbers).values()] == [20] * INVOICES


def main(kills: int, at_random: bool) -> None:
    killed = turns = 0
    points: list[tuple[tuple[str, str], Callable[[], None]]] = list(POINTS.items())
    work: Callable[[], object]
    with database():
        world, pending = Campaigns(), Adjustments()
        world.whole_or_absent(PREVIEW, *world.prepare_stage(PREVIEW))  # warm
        while killed < kills:
            (stage, name), point = points[turns % len(points)]
            turns += 1
            if stage == ADJUST:
                numbers = pending.bill(pending=True)
                work = partial(pending.adjust, numbers[0])
            else:
                numbers, campaign = world.prepare_stage(stage)
                work = partial(continue_campaign, campaign)
            is_random = at_random and turns % 2 == 1
            if is_random:
                killed += kill_sometime(random.uniform(0, 0.15), work)
            else:
                assert kill_at(point, work), f"{stage}, {name}: was not killed"
                killed += 1
            try:
                if stage == ADJUST:
                    pending.whole_or_absent(numbers, None if is_random else name == COMMITTED)
                else:
                    world.whole_or_absent(stage, numbers, campaign)
            except AssertionError as error:
                raise AssertionError(f"{stage}, {name}: {error}") from error
        found = [finding for report in run_audits() for finding in report.findings]
        assert found == [], found
        print(f"{connection.vendor}: {killed} killed in {turns} turns, each document whole or absent, 0 findings")
        assert killing.CALLER.process == "test"


if __name__ == "__main__":
    main(int(sys.argv[1]), "random" in sys.argv[2:])
