"""Recheck issued invoices: what they would be by today's prices, tax rates and program. No document is written.

A recheck is a campaign that only previews. Its differences can become the selection of a campaign.
"""

from django.utils.translation import gettext_noop

from accounts.callers import Caller
from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode
from rebills.kinds import CampaignState, ItemState, RuleChange
from rebills.models import RebillCampaign
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.campaigns import CampaignOptions, create_campaign
from rebills.services.campaigns.selection import Selection

RECHECKED = (Rule(RuleChange.VALID_PRICE), Rule(RuleChange.RETAX))
"""Each charge at the price that is valid now for its first day, and taxes as they are now for the tax date."""

NAME = gettext_noop("Recheck")


def start_recheck(*, client: Client, selection: Selection, caller: Caller, name: str = NAME) -> RebillCampaign:
    """Have the invoices of a selection compared with what they would be today. Workers do so, and write no document.

    A charge that has no price any more is refused by name (90182). Refuses as `create_campaign`.
    """
    return create_campaign(client=client, name=name, rules=RECHECKED, selection=selection, caller=caller, is_recheck=True)


def campaign_of_recheck(recheck: RebillCampaign, *, name: str, options: CampaignOptions, caller: Caller) -> RebillCampaign:
    """Create a campaign that corrects the differences of a recheck. It is previewed and approved like any other one.

    Refuses (90180) what is no finished recheck, (90181) one without differences, and as `create_campaign`.
    """
    if not recheck.is_recheck or recheck.state != CampaignState.PREVIEWED:
        raise BillingError(ErrorCode.CAMPAIGN_STATE, Detail("it is no finished recheck"), field="state")
    numbers = tuple(recheck.items.filter(state=ItemState.READY).order_by("invoice").values_list("invoice_id", flat=True))
    if not numbers:
        raise BillingError(ErrorCode.NOTHING_SELECTED, field="selection")
    return create_campaign(
        client=recheck.client,
        name=name,
        rules=RECHECKED,
        selection=Selection(invoices=numbers),
        options=options,
        caller=caller,
    )
