"""Statements of the rebills of a campaign, held until a person sends them together."""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts import clock
from accounts.callers import Caller
from accounts.rights import SEND_STATEMENTS, check_may
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import InvoiceStatus
from invoices.models import Statement
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.statements.statements import StatementRequest, request_statements
from invoices.services.work.waking import wake
from rebills.kinds import CampaignState, Statements
from rebills.models import CampaignItem, RebillCampaign


@transaction.atomic
def send_held_statements(campaign: RebillCampaign, *, caller: Caller) -> int:
    """Request the statement of each issued rebill of the campaign that has none yet, and return how many. Workers send them.

    Refuses (90009) who may not send statements, and (90180) a campaign that still runs or does not hold its statements.
    """
    check_may(caller, SEND_STATEMENTS)
    locked = RebillCampaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if locked.statements != Statements.HELD or locked.state not in (CampaignState.FINISHED, CampaignState.CANCELLED):
        raise BillingError(ErrorCode.CAMPAIGN_STATE, Detail("it has no statements to send"), field="state")
    numbers = list(_unsent(locked).values_list("rebill_id", flat=True))
    posted_by = PostedBy(clock.today(locked.client), timezone.now(), caller.identity)
    request_statements([StatementRequest(number, None) for number in numbers], posted_by)
    act = Act("campaign.statements_requested", after={"statements": len(numbers)}, row_no=campaign.pk)
    record_acts(locked.client, caller, [act])
    wake("statements")
    return len(numbers)


def count_held(campaign: RebillCampaign) -> int:
    """Return how many issued rebills of the campaign have no statement yet."""
    return _unsent(campaign).count() if campaign.statements == Statements.HELD else 0


def _unsent(campaign: RebillCampaign) -> QuerySet[CampaignItem]:
    sent = Statement.objects.filter(invoice=OuterRef("rebill"))
    issued = CampaignItem.objects.filter(campaign=campaign, rebill__status=InvoiceStatus.APPROVED)
    return issued.filter(~Exists(sent)).order_by("rebill")
