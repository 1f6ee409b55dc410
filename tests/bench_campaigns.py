"""The part of the bench that is about campaigns: rebills of one campaign, and their undo, against bare rows.

BENCH_REBILLS says how many invoices the campaign corrects (10,000). The floor is the same rows written with no logic at all.
"""

import os
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import django
from django.db import connection, transaction

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402

from accounts.callers import Caller  # noqa: E402
from accounts.models import Account, Client  # noqa: E402
from invoices.models import Invoice, InvoiceLine, TaxDetail  # noqa: E402
from rebills.kinds import CampaignState, RuleChange  # noqa: E402
from rebills.models import RebillCampaign  # noqa: E402
from rebills.plan.campaign_rules import Rule  # noqa: E402
from rebills.services.campaigns.campaigns import (  # noqa: E402
    CampaignOptions,
    approve_campaign,
    approve_undo,
    ask_for_undo,
    continue_campaign,
    create_campaign,
    start_campaign,
)
from rebills.services.campaigns.selection import Selection  # noqa: E402
from rebills.services.campaigns.undo_preview import preview_campaign_undo  # noqa: E402
from tests.bench import BATCH, analyze, generate, make_world, scratch_database  # noqa: E402
from tests.bench_rebills import CALLER, written_for  # noqa: E402
from tests.support.bare_rows import taken_out, timed  # noqa: E402

SIZE = int(os.environ.get("BENCH_REBILLS", "10000"))
PART = 500
AIM = 0.35


class Taken(NamedTuple):
    """Seconds of the clock, and of the processor in this process."""

    wall: float
    cpu: float


def measure_campaign(size: int = SIZE) -> None:
    client = make_world(size)
    numbers = list(Account.objects.order_by("pk").values_list("pk", flat=True))
    for at in range(0, size, BATCH):
        generate(client, numbers[at : at + BATCH])
    analyze()
    boss = Caller(staff=get_user_model().objects.create_superuser("boss"))
    campaign = a_campaign(client)
    previewing = clocked(lambda: continue_campaign(campaign))
    campaign.refresh_from_db()
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    start_campaign(campaign, caller=CALLER)
    running = clocked(lambda: continue_campaign(campaign))
    ended(campaign, CampaignState.FINISHED, size)
    floor = bare_rows()
    ask_for_undo(campaign, caller=CALLER)
    approve_undo(campaign, fingerprint=preview_campaign_undo(campaign).fingerprint, caller=boss)
    undoing = clocked(lambda: continue_campaign(campaign))
    ended(campaign, CampaignState.UNDONE, size)
    print(f"{connection.vendor}: {size:,} rebills of 5 lines and one tax by a campaign, all rates 2 % lower")
    print(f"  previewed         {told(size, previewing)}")
    print(f"  rebilled          {told(size, running)}")
    print(f"  floor, bare rows  {size / floor:>9,.0f} rebills/s: memo and rebill, ledger and trail")
    print(f"  ratio to floor    {floor / running.wall:>9.2f}  (aim: {AIM})")
    print(f"  undone            {told(size, undoing)}")


def a_campaign(client: Client) -> RebillCampaign:
    return create_campaign(
        client=client,
        name="Two per cent",
        rules=[Rule(RuleChange.FACTOR, Decimal("0.98"))],
        selection=Selection(),
        options=CampaignOptions(reason_code=1),
        caller=CALLER,
    )


def ended(campaign: RebillCampaign, state: CampaignState, size: int) -> None:
    campaign.refresh_from_db()
    assert (campaign.state, campaign.items.exclude(rebill=None).count()) == (state, size), campaign.state


def bare_rows() -> float:
    """Return the seconds in which the rows of all rebills and memos are written again, in parts."""
    originals = list(Invoice.objects.filter(kind="recurring").order_by("pk").values_list("pk", flat=True))
    return sum(again(originals[at : at + PART]) for at in range(0, len(originals), PART))


def again(part: list[int]) -> float:
    """Return the seconds for one part. Items of the campaign name its rebills, so all is done in one transaction."""
    with transaction.atomic():
        return timed(taken_out(written_for(part), [InvoiceLine, TaxDetail]))


def clocked(work: Callable[[], Any]) -> Taken:
    cpu = time.process_time()
    return Taken(timed(work), time.process_time() - cpu)


def told(size: int, taken: Taken) -> str:
    return f"{size / taken.wall:>9,.0f} rebills/s, {taken.cpu / size * 1000:.1f} ms of the processor each"


if __name__ == "__main__":
    with scratch_database():
        measure_campaign()
