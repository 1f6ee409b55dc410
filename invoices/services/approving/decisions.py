"""Decide on many pending documents: the decision is stored first, and then processed in parts.

A refusal affects no other document, and an interrupted decision can be resumed.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client
from billing_site.common.storage import update_rows
from billing_site.errors import BillingError, ErrorCode, stored_detail
from invoices.kinds import DecisionAct, DecisionResult, InvoiceStatus
from invoices.models import Decision, DecisionOutcome, Invoice
from invoices.services.approving.deciding import decide
from invoices.services.documents.outcomes import Outcome, Refused, Settled
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import check_may_approve
from invoices.services.work.waking import wake

WORK = "bulk decisions"
"""The name of decisions as a kind of work."""

AT_ONCE = 100
"""The number of documents in one part. A part takes a few tenths of a second."""

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
    """Decide on the next part, and return the number of its documents: 0 if none is left, or if other processes work on the
    rest."""
    taken = _take(decision)
    if taken:
        numbers = _not_yet_decided(decision, taken)
        _write(taken, _decide(decision, numbers, caller, today))
    return len(taken)


def retry_failed(decision: Decision, *, caller: Caller) -> int:
    """Mark failed outcomes as not processed, so that they are tried again, and return their number. Refusals are not tried
    again.

    Refuses a caller who may not approve (90001).
    """
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


@transaction.atomic
def _take(decision: Decision) -> dict[int, DecisionOutcome]:
    """Claim the next unprocessed outcomes, and return them by document. No other process claims them, unless this one dies."""
    now = timezone.now()
    free = Q(taken_at=None) | Q(taken_at__lt=now - GIVEN_UP)
    rows = decision.outcomes.filter(free, result=DecisionResult.WAITING).order_by("invoice")
    taken = list(rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)[:AT_ONCE])
    DecisionOutcome.objects.filter(pk__in=[one.pk for one in taken]).update(taken_at=now)
    return {one.invoice_id: one for one in taken}


def _not_yet_decided(decision: Decision, taken: Mapping[int, DecisionOutcome]) -> list[int]:
    """Return the documents that a process which has died had not decided on yet."""
    begun = [number for number, one in taken.items() if one.taken_at is not None]
    decided = DECIDED.get(DecisionAct(decision.act))
    done = set(Invoice.objects.filter(pk__in=begun, status=decided).values_list("pk", flat=True)) if decided else set()
    return [number for number in taken if number not in done]


def _decide(decision: Decision, numbers: Sequence[int], caller: Caller, today: date) -> dict[int, Outcome]:
    return decide(
        DecisionAct(decision.act),
        client=decision.client,
        invoice_nos=numbers,
        caller=caller,
        today=today,
        remarks=Remarks(decision.reason, decision.client_notes, decision.custom_status_label),
    )


def _write(taken: Mapping[int, DecisionOutcome], outcomes: Mapping[int, Outcome]) -> None:
    rows = []
    for number, one in taken.items():
        outcome = outcomes.get(number)
        error = outcome.error if isinstance(outcome, Refused) else None
        new_no = outcome.invoice_no if isinstance(outcome, Settled) and outcome.invoice_no != number else None
        code = error.code.number if error else 0
        message = _message(outcome)
        rows.append((one.pk, _result(error).value, new_no, code, str(message), stored_detail(message)))
    update_rows(DecisionOutcome, ("result", "new_invoice_id", "error_code", "message", "detail"), rows)


def _result(error: BillingError | None) -> DecisionResult:
    if error is None:
        return DecisionResult.DONE
    return DecisionResult.FAILED if error.code in MAY_BE_TRIED_AGAIN else DecisionResult.REFUSED


def _message(outcome: Outcome | None) -> str:
    """Return the refusal's message, or that of a collection that failed after the approval."""
    if isinstance(outcome, Refused):
        return outcome.error.as_detail
    collection = outcome.collection if isinstance(outcome, Settled) else None
    return collection.error.as_detail if collection is not None and collection.error is not None else ""
