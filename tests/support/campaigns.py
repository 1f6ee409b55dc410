"""Build, preview, approve and run campaigns in tests."""

from decimal import Decimal as D

from rebills.kinds import RuleChange
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.campaigns import (
    CampaignOptions,
    approve_campaign,
    continue_campaign,
    create_campaign,
    start_campaign,
)
from rebills.services.campaigns.selection import Selection

CHEAPER = Rule(RuleChange.FACTOR, D("0.98"))


def a_campaign(client, caller, *rules, invoices=(), selection=None, **options):
    """Create a campaign and preview it. Without rules it lowers all rates by 2 %; without a selection it has these invoices."""
    campaign = create_campaign(
        client=client,
        name="Wrong price",
        rules=rules or (CHEAPER,),
        selection=selection or Selection(invoices=tuple(invoice.pk for invoice in invoices)),
        options=CampaignOptions(reason_code=1, **options),
        caller=caller,
    )
    return previewed(campaign)


def previewed(campaign):
    continue_campaign(campaign)
    campaign.refresh_from_db()
    return campaign


def run(campaign, builder, approver):
    """Approve the campaign as it was previewed, start it, and carry it out."""
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=approver)
    start_campaign(campaign, caller=builder)
    return previewed(campaign)


def states(campaign):
    """The state of each document, in the order of their numbers."""
    return list(campaign.items.order_by("invoice_id").values_list("state", flat=True))


def differences(campaign):
    return list(campaign.items.order_by("invoice_id").values_list("difference", flat=True))
