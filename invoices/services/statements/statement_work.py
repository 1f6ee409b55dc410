"""Statements as work that is due: those that an interrupted process has requested and not sent."""

from datetime import timedelta

from django.utils import timezone

from invoices.kinds import StatementStatus
from invoices.models import Statement, Worker
from invoices.services.statements.statements import AT_ONCE, send_again_in_time, send_requested
from invoices.services.work.registry import KindOfWork

LEFT_ALONE = timedelta(minutes=2)
"""Whoever has requested a statement sends it within this time, unless its process was killed."""


def do_batch(worker: Worker) -> bool:
    """Send the next statements that nobody has sent, or those that are to be tried again. Says whether any is settled now: one
    whose PDF is being made is not."""
    waiting = Statement.objects.filter(status=StatementStatus.REQUESTED, requested_at__lt=timezone.now() - LEFT_ALONE)
    invoice_nos = list(waiting.order_by("pk").values_list("invoice_id", flat=True)[:AT_ONCE])
    tried = send_requested(invoice_nos) if invoice_nos else {}
    tried = tried or {one.pk: one for one in send_again_in_time(timezone.now())}
    return any(statement.status != StatementStatus.REQUESTED for statement in tried.values())


STATEMENTS = KindOfWork("statements", do_batch)
