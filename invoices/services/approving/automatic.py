"""What the approval rules do by themselves: approve documents whose time has come, and show those that are pending too long.

Done by workers. A person can stop the automatic approval of one document.
"""

import logging
from datetime import timedelta
from functools import reduce
from operator import or_

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import APPROVE, check_may
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import DecisionAct
from invoices.models import ApprovalProgress, ApprovalRules, Invoice, Worker
from invoices.plan.actions import Action, why_not_decided
from invoices.services.approving.deciding import decide
from invoices.services.approving.given_approvals import rule_members
from invoices.services.approving.queue import pending_documents
from invoices.services.documents.outcomes import Refused
from invoices.services.planning.rule_matching import (
    AUTOMATIC,
    TRIED_AGAIN,
    Ruled,
    ruled_documents,
    ruled_of,
    rules_on,
    with_rules,
)
from invoices.services.work.registry import KindOfWork
from invoices.services.work.workers import live_workers

logger = logging.getLogger(__name__)

WORK = "approval rules"
AT_ONCE = 100
"""The number of documents of one batch."""


def do_batch(worker: Worker) -> bool:
    """Approve the next documents of each client whose rules say so, and escalate others. Says whether there were any.

    A client whose documents fail does not hold up the others: its error is logged, and raised when nothing else was due.
    """
    done, failed = 0, None
    for version in ApprovalRules.objects.filter(is_on=True).select_related("client").order_by("pk"):
        try:
            done += _do_client(version, worker)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("approval rules of client %s failed", version.client_id)
            failed = failed or error
    if failed is not None and not done:
        raise failed
    return done > 0


def _do_client(version: ApprovalRules, worker: Worker) -> int:
    if not _claim(version, worker):
        return 0
    try:
        return approve_due(version.client) + escalate_due(version.client)
    finally:
        ApprovalRules.objects.filter(pk=version.pk, claimed_by=worker.pk).update(claimed_by=None)


@transaction.atomic
def _claim(version: ApprovalRules, worker: Worker) -> bool:
    """Mark the rules as being carried out by a worker. No other one carries them out meanwhile, unless this one dies."""
    free = Q(claimed_by=None) | ~Q(claimed_by__in=live_workers().values("pk"))
    rows = ApprovalRules.objects.filter(free, pk=version.pk, is_on=True)
    skip_locked = connection.features.has_select_for_update_skip_locked
    if rows.select_for_update(no_key=True, skip_locked=skip_locked).first() is None:
        return False
    ApprovalRules.objects.filter(pk=version.pk).update(claimed_by=worker.pk)
    return True


def approve_due(client: Client) -> int:
    """Approve at most 100 documents whose rule lets them approve by themselves and whose time has come. Returns how many were
    approved or, because the approval was refused, stopped.

    If all of them are to be tried again, the next ones have their turn.
    """
    done, after = 0, 0
    while not done and (due := _due_documents(client, after)):
        done, after = _approve(client, due), max(due)
    return done


def _approve(client: Client, due: dict[int, Ruled]) -> int:
    outcomes = decide(DecisionAct.APPROVE, client=client, invoice_nos=list(due), caller=AUTOMATIC, today=clock.today(client))
    refused = {number: one.error for number, one in outcomes.items() if isinstance(one, Refused)}
    stopped = {number: error for number, error in refused.items() if error.code not in TRIED_AGAIN}
    for number, error in stopped.items():
        _stop(client, number, due[number], AUTOMATIC, error.message)
    return len(outcomes) - len(refused) + len(stopped)


def _due_documents(client: Client, after: int) -> dict[int, Ruled]:
    rules, now = rules_on(client), timezone.now()
    waits = {
        rule.position: timedelta(hours=rule.approves_after_hours) for rule in rules if rule.approves_after_hours is not None
    }
    if not waits:
        return {}
    switched_at = rules[0].rules.switched_at
    begun = {position for position, wait in waits.items() if switched_at is None or switched_at + wait <= now}
    if not begun:
        return {}
    rows = with_rules(pending_documents(client).filter(approval_progress__stopped_at=None, pk__gt=after), rules, client)
    waited = reduce(or_, (Q(rule_position=position, made_at__lte=now - waits[position]) for position in begun))
    by_position = {rule.position: rule for rule in rules}
    found = rows.filter(waited, needs_person=0).order_by("pk")[:AT_ONCE]
    return {one.pk: ruled_of(one, by_position[one.rule_position]) for one in found}


@transaction.atomic
def escalate_due(client: Client) -> int:
    """Mark at most 100 documents that are pending for longer than their rule allows, each with an event. Returns how many."""
    rules, now = rules_on(client), timezone.now()
    waits = {rule.position: rule.escalates_after_days for rule in rules if rule.escalates_after_days is not None}
    if not waits:
        return 0
    too_long = reduce(
        or_, (Q(rule_position=position, generated_at__lte=now - timedelta(days=days)) for position, days in waits.items())
    )
    rows = with_rules(pending_documents(client).filter(approval_progress__escalated_at=None), rules, client)
    by_position = {rule.position: rule for rule in rules}
    found = list(rows.filter(too_long).order_by("pk")[:AT_ONCE])
    for one in found:
        ApprovalProgress.objects.update_or_create(invoice=one, defaults={"escalated_at": now})
    acts = []
    for one in found:
        after = {**rule_members(by_position[one.rule_position]), "pending_days": (now - one.generated_at).days}
        acts.append(Act("invoice.escalated", one.account_id, one.pk, after=after))
    record_acts(client, AUTOMATIC, acts, now)
    return len(found)


def stop_approval(*, client: Client, invoice_no: int, caller: Caller, reason: str = "") -> None:
    """Stop a document from approving by itself; a person must then approve it.

    Refuses callers who may not approve (90001), a document that is not pending (3015), and one that does not approve by itself
    (90253).
    """
    check_may(caller, APPROVE)
    with transaction.atomic():
        invoice, ruled = _locked(client, invoice_no)
        if ruled is None or not ruled.is_automatic:
            raise BillingError(ErrorCode.NO_AUTOMATIC_APPROVAL)
        _stop(client, invoice.pk, ruled, caller, reason)


def resume_approval(*, client: Client, invoice_no: int, caller: Caller, reason: str = "") -> None:
    """Let a stopped document approve by itself again. Refuses as `stop_approval` does, and (90253) one that is not stopped."""
    check_may(caller, APPROVE)
    with transaction.atomic():
        invoice, ruled = _locked(client, invoice_no)
        if ruled is None or ruled.approves_at is None or ruled.stopped_at is None:
            raise BillingError(ErrorCode.NO_AUTOMATIC_APPROVAL)
        ApprovalProgress.objects.filter(invoice=invoice).update(stopped_by="", stopped_at=None, reason="")
        after = {**rule_members(ruled.rule), "reason": reason}
        record_acts(client, caller, [Act("invoice.approval_resumed", invoice.account_id, invoice.pk, after=after)])


def _locked(client: Client, invoice_no: int) -> tuple[Invoice, Ruled | None]:
    invoice = Invoice.objects.select_for_update(no_key=True).filter(client=client, pk=invoice_no).first()
    if invoice is None:
        raise BillingError(ErrorCode.NOT_PENDING)
    why = why_not_decided(Action.APPROVE, invoice.pk, invoice.kind, invoice.status)
    if why is not None:
        raise why.error
    return invoice, ruled_documents(client, [invoice_no]).get(invoice_no)


def _stop(client: Client, invoice_no: int, ruled: Ruled, caller: Caller, reason: str) -> None:
    account_no = Invoice.objects.values_list("account_id", flat=True).get(pk=invoice_no)
    stopped = {"stopped_by": caller.identity, "stopped_at": timezone.now(), "reason": reason[:1000]}
    with transaction.atomic():
        ApprovalProgress.objects.update_or_create(invoice_id=invoice_no, defaults=stopped)
        after = {**rule_members(ruled.rule), "reason": reason}
        record_acts(client, caller, [Act("invoice.approval_stopped", account_no, invoice_no, after=after)])


APPROVALS = KindOfWork(WORK, do_batch, can_wait=True)
