"""What workers do by themselves: the kinds of work, and the acts that are scheduled each day."""

import logging
from datetime import date, timedelta

from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from billing_site.errors import Detail
from invoices.audit.kept import audit_and_keep
from invoices.kinds import ScheduledAct
from invoices.services.approving.automatic import APPROVALS
from invoices.services.approving.bulk_work import DECISIONS
from invoices.services.approving.deciding import discard_stale
from invoices.services.collecting.collecting import collect_due, resume_collecting
from invoices.services.money.daily_sums import sum_up_when_due
from invoices.services.money.overdue import OVERDUE_DOCUMENTS
from invoices.services.printing.file_work import FILES
from invoices.services.privacy.retention import keep_as_set
from invoices.services.runs.scheduled import bill_due
from invoices.services.runs.work import RUNS
from invoices.services.sealing.heads import CannotStore, store_head
from invoices.services.sealing.sealing import SEALS, seal_all
from invoices.services.statements.statement_work import STATEMENTS
from invoices.services.statements.statements import send_unsent
from invoices.services.webhooks.webhook_work import WEBHOOKS
from invoices.services.work.registry import KindOfWork, check_stopping, register
from invoices.services.work.schedules import SCHEDULES, register_act

logger = logging.getLogger(__name__)

WAIT_FOR_TRANSACTIONS = timedelta(seconds=5)
"""How long the nightly audit waits for transactions that are open, so that their rows are sealed too."""

SCHEDULER = Caller(process="schedule")
DAILY_SUMS = KindOfWork("sums of days", lambda worker: sum_up_when_due(timezone.now()))


def register_work() -> None:
    """Register what the services of invoices do in the background. Other apps register theirs in the same way."""
    for kind in (SCHEDULES, RUNS, DECISIONS, APPROVALS, STATEMENTS, WEBHOOKS, FILES, DAILY_SUMS, OVERDUE_DOCUMENTS, SEALS):
        register(kind)
    register_act(ScheduledAct.BILL, bill_due)
    register_act(ScheduledAct.COLLECT, _collect)
    register_act(ScheduledAct.RESUME_COLLECTIONS, _resume_collections)
    register_act(ScheduledAct.SEND_STATEMENTS, _send_statements)
    register_act(ScheduledAct.DISCARD_STALE, _discard_stale)
    register_act(ScheduledAct.PRUNE_LOGS, _prune_logs)
    register_act(ScheduledAct.AUDIT, _audit)


def _collect(client: Client, day: date) -> str:
    _resume_collections(client, day)
    for collected in collect_due(client=client, caller=SCHEDULER, today=day):
        check_stopping(collected)
    return ""


def _resume_collections(client: Client, day: date) -> str:
    resume_collecting(client=client, caller=SCHEDULER, today=day, progress=check_stopping)
    return ""


def _send_statements(client: Client, day: date) -> str:
    send_unsent(client=client, progress=check_stopping)
    return ""


def _discard_stale(client: Client, day: date) -> str:
    discard_stale(client=client, caller=SCHEDULER, today=day)
    return ""


def _prune_logs(client: Client, day: date) -> str:
    keep_as_set(client, day, SCHEDULER)
    return ""


def _audit(client: Client, day: date) -> str:
    run, _reports = audit_and_keep(client, "process:schedule")
    seal_all(wait=WAIT_FOR_TRANSACTIONS)
    try:
        store_head(client)
    except CannotStore as error:
        logger.error("the head of client %s could not be stored: %s", client.pk, error)
        return Detail("The newest seal could not be stored outside the database.")
    return Detail("The audit has {count} findings.", count=run.findings_count) if run.findings_count else ""
