"""Decide on many pending documents, collect many open ones, or send the statements of many: the decision is stored first, and
then processed in parts.

A refusal affects no other document, and an interrupted decision can be resumed.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client
from accounts.rights import SEND_STATEMENTS, check_may
from billing_site.common.storage import ExactSum, update_rows
from billing_site.errors import BillingError, Detail, ErrorCode, stored_detail, word
from invoices.kinds import (
    BULK_COLLECT,
    BULK_SEND,
    AttemptStatus,
    DecisionAct,
    DecisionResult,
    InvoiceStatus,
    StatementStatus,
)
from invoices.models import CollectionAttempt, Decision, DecisionOutcome, DocumentVersion, Invoice, Statement
from invoices.services.approving.deciding import decide
from invoices.services.collecting.collecting import collect_invoices, collected_since
from invoices.services.document_facts import unpaid_by_refunds
from invoices.services.documents.collection_results import Collected, CollectionResult
from invoices.services.documents.outcomes import Outcome, Refused, Settled
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import check_may_approve, check_may_collect
from invoices.services.statements.mails import Mails
from invoices.services.statements.statements import resend_statement
from invoices.services.work.waking import wake

WORK = "bulk decisions"
"""The name of decisions as a kind of work."""

AT_ONCE = 100
"""The number of documents in one part. A part takes a few tenths of a second."""

CALLED_AT_ONCE = 20
"""The number of documents in one part of a collection or of statements: the payment gateway or mail server is called once for
each."""

GIVEN_UP = timedelta(minutes=2)
"""After this time, a process that began with a document has decided on it or has died."""

MAY_BE_TRIED_AGAIN = (ErrorCode.IN_PROGRESS, ErrorCode.UNEXPECTED, ErrorCode.TAXATION_FAILED, ErrorCode.REGENERATION_FAILED)

DECIDED = {
    DecisionAct.APPROVE: InvoiceStatus.APPROVED,
    DecisionAct.DISCARD: InvoiceStatus.DISCARDED,
    DecisionAct.REGENERATE: InvoiceStatus.DISCARDED,
}
"""The status of a document after each decision."""


@transaction.atomic
def start_decision(
    *, client: Client, act: DecisionAct, invoices: QuerySet[Invoice], caller: Caller, remarks: Remarks
) -> Decision:
    """Store a decision on these documents, each with an outcome that is not processed yet, and return it. Nothing is decided
    yet.

    The caller's receipt is used up, so a repeated request makes no second decision. Refuses a caller who may not approve
    (90001).
    """
    check_may_approve(caller)
    return _start(client, act.value, invoices, caller, remarks)


@transaction.atomic
def start_collecting(*, client: Client, invoices: QuerySet[Invoice], caller: Caller, reason: str = "") -> Decision:
    """Store that these open invoices are to be collected, each with an outcome that is not processed yet. The gateway is not
    called yet.

    The caller's receipt is used up. Refuses a caller who may not collect (90025).
    """
    check_may_collect(caller)
    return _start(client, BULK_COLLECT, invoices, caller, Remarks(reason=reason))


@transaction.atomic
def start_sending(*, client: Client, invoices: QuerySet[Invoice], caller: Caller) -> Decision:
    """Store that the statements of these issued documents are to be sent again, each with an outcome that is not processed yet.
    Nothing is sent yet.

    The caller's receipt is used up. Refuses a caller who may not send statements (90009).
    """
    check_may(caller, SEND_STATEMENTS)
    return _start(client, BULK_SEND, invoices, caller, Remarks())


def _start(client: Client, act: str, invoices: QuerySet[Invoice], caller: Caller, remarks: Remarks) -> Decision:
    decision = Decision.objects.create(client=client, act=act, staff=caller.staff, **remarks._asdict())
    receipts.use(client, caller.receipt, row_no=decision.pk)
    with connection.cursor() as cursor:
        chosen, parameters = invoices.order_by("pk").values("id").query.sql_with_params()
        cursor.execute(
            f"INSERT INTO {DecisionOutcome._meta.db_table} (decision_id, invoice_id, result, error_code, message) "
            f"SELECT %s, chosen.id, %s, 0, '' FROM ({chosen}) AS chosen ORDER BY chosen.id",
            [decision.pk, DecisionResult.WAITING.value, *parameters],
        )
    wake(WORK)
    return decision


def continue_decision(decision: Decision, *, caller: Caller, today: date) -> int:
    """Decide on the next part or collect it, and return the number of its documents: 0 if none is left, or if other processes
    work on the rest."""
    taken = _take(decision)
    if taken:
        work = {BULK_COLLECT: _collect, BULK_SEND: _send}.get(decision.act, _decide)
        _write(taken, work(decision, taken, caller, today))
    return len(taken)


def retry_failed(decision: Decision, *, caller: Caller) -> int:
    """Mark failed outcomes as not processed, so that they are tried again, and return their number. Refusals are not tried
    again.

    Refuses a caller who may not approve (90001), collect (90025) or send statements (90009).
    """
    if decision.act == BULK_COLLECT:
        check_may_collect(caller)
    elif decision.act == BULK_SEND:
        check_may(caller, SEND_STATEMENTS)
    else:
        check_may_approve(caller)
    failed = decision.outcomes.filter(result=DecisionResult.FAILED)
    count = failed.update(result=DecisionResult.WAITING, error_code=0, message="", taken_at=None)
    wake(WORK)
    return count


def is_taken(decision: Decision) -> bool:
    """Return whether other processes work on everything that is left of the decision."""
    unprocessed = decision.outcomes.filter(result=DecisionResult.WAITING)
    return unprocessed.exists() and not unprocessed.filter(taken_at=None).exists()


def count_results(decision: Decision) -> dict[DecisionResult, int]:
    rows = decision.outcomes.order_by().values_list("result").annotate(Count("pk"))
    counted = {DecisionResult(result): count for result, count in rows}
    return {result: counted.get(result, 0) for result in DecisionResult}


def collected_by(decision: Decision) -> dict[str, Decimal]:
    """Add up what the gateway has collected since then of the invoices of a collection, per currency."""
    attempts = CollectionAttempt.objects.filter(
        status=AttemptStatus.COLLECTED, started_at__gte=decision.made_at, invoice__decision_outcomes__decision=decision
    )
    return dict(attempts.order_by("currency").values_list("currency").annotate(ExactSum("amount")))


@transaction.atomic
def _take(decision: Decision) -> dict[int, DecisionOutcome]:
    """Claim the next unprocessed outcomes, and return them by document. No other process claims them, unless this one dies."""
    now = timezone.now()
    size = CALLED_AT_ONCE if decision.act in (BULK_COLLECT, BULK_SEND) else AT_ONCE
    free = Q(taken_at=None) | Q(taken_at__lt=now - GIVEN_UP)
    rows = decision.outcomes.filter(free, result=DecisionResult.WAITING).order_by("invoice_id")
    taken = list(rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)[:size])
    DecisionOutcome.objects.filter(pk__in=[one.pk for one in taken]).update(taken_at=now)
    return {one.invoice_id: one for one in taken}


class Processed(NamedTuple):
    """What came of one document."""

    result: DecisionResult = DecisionResult.DONE
    new_invoice_no: int | None = None
    error_code: int = 0
    message: str = ""


Taken = Mapping[int, DecisionOutcome]


def _begun(taken: Taken) -> list[int]:
    """The documents that a process which has died had begun with."""
    return [number for number, one in taken.items() if one.taken_at is not None]


def _decide(decision: Decision, taken: Taken, caller: Caller, today: date) -> dict[int, Processed]:
    act = DecisionAct(decision.act)
    decided = DECIDED.get(act)
    done = set(Invoice.objects.filter(pk__in=_begun(taken), status=decided).values_list("pk", flat=True)) if decided else set()
    moved = _changed_later(decision, taken) if act is DecisionAct.APPROVE else {}
    outcomes = decide(
        act,
        client=decision.client,
        invoice_nos=[number for number in taken if number not in done and number not in moved],
        caller=caller,
        today=today,
        remarks=Remarks(decision.reason, decision.client_notes, decision.custom_status_label),
    )
    return {number: _decided(number, outcome) for number, outcome in outcomes.items()} | moved


def _changed_later(decision: Decision, taken: Taken) -> dict[int, Processed]:
    """Return a refusal (90003) for each document that was recalculated or adjusted after the decision. Nobody approved that."""
    pending = Invoice.objects.filter(pk__in=taken, status=InvoiceStatus.PENDING, version__gt=1)
    versions = DocumentVersion.objects.filter(invoice__in=pending, made_at__gt=decision.made_at)
    numbers = sorted(set(versions.values_list("invoice_id", flat=True)))
    details = {
        number: Detail("invoice {invoice_no}, moved: {parts}", invoice_no=number, parts=word("version")) for number in numbers
    }
    return {number: _refused(BillingError(ErrorCode.DOCUMENT_MOVED, detail)) for number, detail in details.items()}


def _decided(number: int, outcome: Outcome) -> Processed:
    """The outcome of a decision. An approval is done also if its collection has failed, and says so."""
    if isinstance(outcome, Refused):
        return _refused(outcome.error)
    if not isinstance(outcome, Settled):
        return Processed()
    missing = outcome.recorded.approvals_missing
    if missing:
        return Processed(message=more_approvals(missing))
    collection = outcome.collection
    message = collection.error.as_detail if collection is not None and collection.error is not None else ""
    return Processed(new_invoice_no=outcome.invoice_no if outcome.invoice_no != number else None, message=message)


def more_approvals(missing: int) -> Detail:
    """Return the message of an approval after which a document is still pending."""
    return Detail("approved by you; approvals by other people that are missing: {count}", count=missing)


def _collect(decision: Decision, taken: Taken, caller: Caller, today: date) -> dict[int, Processed]:
    """Collect the invoices. Those that a refund has left open are refused: a person decides on each of them."""
    client = decision.client
    found = collected_since(client, _begun(taken), decision.made_at, caller, today)
    left = [number for number in taken if number not in found]
    refunded = unpaid_by_refunds(left)
    left = [number for number in left if number not in refunded]
    found |= {one.invoice_no: one for one in collect_invoices(client=client, invoice_nos=left, caller=caller, today=today)}
    processed = {number: _collected(one) for number, one in found.items()}
    return processed | {number: _refused(BillingError(ErrorCode.REBILL_REFUNDED)) for number in refunded}


def _collected(one: Collected) -> Processed:
    if one.error is None:
        return Processed(message=one.message)
    if one.result is CollectionResult.UNKNOWN:
        return Processed(DecisionResult.FAILED, None, one.error_code, one.error.as_detail)
    return _refused(one.error)


def _send(decision: Decision, taken: Taken, caller: Caller, today: date) -> dict[int, Processed]:
    """Send the statement of each document to its recipient. What a process that has died has begun to send is not sent again:
    whoever sends unsent statements finishes it."""
    requested = Statement.objects.filter(
        invoice__in=_begun(taken), requested_at__gte=decision.made_at, requested_by=caller.identity, copy_of=None
    )
    done, mails = set(requested.values_list("invoice_id", flat=True)), Mails()
    sent = {number: _sent(decision.client, number, caller, mails) for number in taken if number not in done}
    mails.close()
    return sent


def _sent(client: Client, invoice_no: int, caller: Caller, mails: Mails) -> Processed:
    try:
        statement = resend_statement(client=client, invoice_no=invoice_no, caller=caller, mails=mails)
    except BillingError as refusal:
        return _refused(refusal)
    if statement.status == StatementStatus.FAILED:
        return Processed(DecisionResult.FAILED, None, statement.error_code, statement.message)
    return Processed(message=statement.email)


def _refused(error: BillingError) -> Processed:
    result = DecisionResult.FAILED if error.code in MAY_BE_TRIED_AGAIN else DecisionResult.REFUSED
    return Processed(result, None, error.code.number, error.as_detail)


def _write(taken: Taken, processed: Mapping[int, Processed]) -> None:
    """Store the result of each. A document that a dead process had decided on already is done."""
    rows = []
    for number, one in taken.items():
        one_outcome = processed.get(number, Processed())
        message = one_outcome.message
        values = (one_outcome.result.value, one_outcome.new_invoice_no, one_outcome.error_code)
        rows.append((one.pk, *values, str(message), stored_detail(message)))
    update_rows(DecisionOutcome, ("result", "new_invoice_id", "error_code", "message", "detail"), rows)
