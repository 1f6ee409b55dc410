"""Billing runs as work that is due: a batch of each run that is running, so that no run waits for another one."""

import logging

from django.db import InterfaceError, OperationalError

from accounts.staff import caller_of
from billing_site.common.work_now import note_work
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import RunState
from invoices.models import BillingRun, Worker
from invoices.services.runs.limits import Exceeded
from invoices.services.runs.runs import ACCOUNTS_AT_ONCE, WORK, stop_run, work_on_run
from invoices.services.work.registry import KindOfWork

logger = logging.getLogger(__name__)


def do_batches(worker: Worker) -> bool:
    """Settle one batch of each running run, each in the name of who has started it. Says whether there was any."""
    runs = BillingRun.objects.filter(finished_at=None, state__in=(RunState.RUNNING, RunState.CANCELLING))
    settled = [_do_batch(run, worker) for run in runs.select_related("client").order_by("pk")]
    return any(settled)


def _do_batch(run: BillingRun, worker: Worker) -> int:
    """A run that fails by an unexpected error is stopped, so that a person looks at it."""
    note_work(run=run.pk, client=run.client_id)
    try:
        return work_on_run(run, worker=worker, caller=caller_of(run.started_by), size=ACCOUNTS_AT_ONCE)
    except (OperationalError, InterfaceError):
        raise
    except BillingError as error:
        stop_run(run, Exceeded("", error.as_detail))
    except Exception:
        logger.exception("billing run %s failed", run.pk)
        stop_run(run, Exceeded("", BillingError(ErrorCode.UNEXPECTED).as_detail))
        raise
    return 0


RUNS = KindOfWork(WORK, do_batches)
