"""Bulk decisions as work that is due: those that no page continues."""

from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts import clock
from accounts.callers import Caller
from billing_site.common.work_now import note_work
from invoices.kinds import DecisionResult
from invoices.models import Decision, DecisionOutcome, Worker
from invoices.services.approving.bulk import GIVEN_UP, WORK, continue_decision
from invoices.services.work.registry import KindOfWork

LEFT_TO_PEOPLE = timedelta(days=7)
"""An older decision is not continued by workers: a person continues it on its page."""


def do_batches(worker: Worker) -> bool:
    """Decide on the next documents of each decision, in the name of who has made it. Says whether there were any.

    A decision that fails does not hold up the others: its error is raised when nothing else is left to decide.
    """
    now = timezone.now()
    free = Q(taken_at=None) | Q(taken_at__lt=now - GIVEN_UP)
    waiting = DecisionOutcome.objects.filter(free, decision=OuterRef("pk"), result=DecisionResult.WAITING)
    decisions = Decision.objects.filter(Exists(waiting), made_at__gte=now - LEFT_TO_PEOPLE).select_related("client", "staff")
    decided, failed = 0, None
    for one in decisions.order_by("pk"):
        try:
            decided += _decide(one)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            failed = failed or error
    if failed is not None and not decided:
        raise failed
    return decided > 0


def _decide(decision: Decision) -> int:
    note_work(decision=decision.pk, client=decision.client_id)
    return continue_decision(decision, caller=Caller(staff=decision.staff), today=clock.today(decision.client))


DECISIONS = KindOfWork(WORK, do_batches)
