"""Campaigns as work that is due: a batch of each that is previewed or running, so that none waits for another."""

import logging

from django.db import InterfaceError, OperationalError

from billing_site.common.work_now import note_work
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Worker
from invoices.services.work.registry import KindOfWork
from rebills.kinds import WORKED_ON
from rebills.models import RebillCampaign
from rebills.services.campaigns.campaigns import WORK, stop_campaign, work_on_campaign

logger = logging.getLogger(__name__)


def do_batches(worker: Worker) -> bool:
    """Do one batch of each campaign that is at work. Says whether there was any."""
    campaigns = RebillCampaign.objects.filter(state__in=WORKED_ON).select_related("client").order_by("pk")
    done = [_do_batch(campaign, worker) for campaign in campaigns]
    return any(done)


def _do_batch(campaign: RebillCampaign, worker: Worker) -> int:
    """A campaign that fails by an unexpected error is stopped, so that a person looks at it."""
    note_work(campaign=campaign.pk, client=campaign.client_id)
    try:
        return work_on_campaign(campaign, worker=worker)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("campaign %s failed", campaign.pk)
        stop_campaign(campaign, BillingError(ErrorCode.UNEXPECTED).as_detail)
        raise


CAMPAIGN_WORK = KindOfWork(WORK, do_batches)
