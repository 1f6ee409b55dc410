"""After the gateway has answered: the payment, or the refusal and what the client's settings make of it."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from accounts.kinds import AccountStatus
from accounts.models import Account
from accounts.trail import Act, record_acts, refusal
from billing_site.errors import BillingError, ErrorCode
from invoices.gateways.protocol import Answer, Result
from invoices.kinds import ASKED_ATTEMPTS, AttemptStatus, EntryKind, InvoiceStatus, PaymentType, VoidReason
from invoices.models import CollectionAttempt, Invoice, Payment
from invoices.plan.allocating import OpenItem
from invoices.services.collecting.asking import Answered
from invoices.services.collecting.outcomes import Collected, outcome_of
from invoices.services.collecting.starting import Collecting
from invoices.services.facts import lock_states
from invoices.services.ledger.acts import REFUSED
from invoices.services.ledger.applying import apply_credit
from invoices.services.ledger.entries import Draft, post
from invoices.services.ledger.voids import Voiding
from invoices.services.voiding import void_locked

DUNNING_FROM = frozenset(
    {
        AccountStatus.ACTIVE,
        AccountStatus.CANCELLATION_PENDING,
        AccountStatus.TERMINATION_PENDING,
        AccountStatus.ACTIVE_DUNNING_PENDING,
        AccountStatus.REINSTATED_FORWARD_BILL,
        AccountStatus.REINSTATED_BACK_BILL,
    }
)
"""Accounts in other states are in dunning already, or beyond it."""


def record(answered: Sequence[Answered], work: Collecting) -> list[Collected]:
    """Writes what the gateway has said of attempts, and gives what came of each. One that is on record already stays as it is;
    but money that came in is recorded whatever was thought of its attempt before."""
    locked = lock_states([one.account_no for one in answered], skip_locked=False)
    rows = CollectionAttempt.objects.select_for_update(no_key=True).filter(pk__in=[one.attempt.pk for one in answered])
    attempts = {attempt.pk: attempt for attempt in rows.order_by("pk")}
    acts = []
    for one in answered:
        attempt = attempts[one.attempt.pk]
        done = one.answer.result is Result.DONE
        if attempt.status == AttemptStatus.COLLECTED or (not done and attempt.status not in ASKED_ATTEMPTS):
            continue
        before = attempt.status
        _take_over(attempt, one.answer)
        if done:
            _record_payment(attempt, one.account_no, work)
        elif one.answer.result is Result.DECLINED:
            attempt.status, attempt.error_code = AttemptStatus.DECLINED, ErrorCode.COLLECTION_DECLINED.number
            attempt.message, attempt.settled_at = one.answer.status_text, timezone.now()
        else:
            attempt.status, attempt.error_code = AttemptStatus.UNKNOWN, ErrorCode.OUTCOME_UNKNOWN.number
        attempt.save()
        acts.append(_act(attempt, one.account_no, before))
        if attempt.status == AttemptStatus.DECLINED and attempt.at_issue:
            _after_failure(attempt, locked[one.account_no].status, one.account_no, work)
    record_acts(work.client, work.caller, acts)
    return [outcome_of(attempts[one.attempt.pk], one.account_no) for one in answered]


def _take_over(attempt: CollectionAttempt, answer: Answer) -> None:
    attempt.proc_status_code, attempt.proc_status_text = answer.status_code[:50], answer.status_text[:300]
    attempt.proc_payment_id, attempt.proc_auth_code = answer.reference[:100], answer.auth_code[:50]
    attempt.proc_cvv_response, attempt.proc_avs_response = answer.cvv_response[:10], answer.avs_response[:10]
    attempt.proc_cavv_response, attempt.proc_merch_comments = answer.cavv_response[:10], answer.merch_comments[:300]


def _record_payment(attempt: CollectionAttempt, account_no: int, work: Collecting) -> None:
    """The payment goes to its invoice, as far as that is still due; the rest to what else is due, the oldest first."""
    assert attempt.amount is not None
    stamp = work.stamp
    (entry_no,) = post([Draft(account_no, EntryKind.ELECTRONIC_PAYMENT, -attempt.amount)], stamp)
    method = attempt.payment_method
    attempt.payment = Payment.objects.create(
        entry_id=entry_no,
        account_id=account_no,
        type=method.type if method is not None else PaymentType.OTHER,
        payment_method=method,
        gateway=attempt.gateway,
        gateway_payment_id=attempt.proc_payment_id,
    )
    apply_credit(account_no, OpenItem(entry_no, attempt.amount), stamp.at, first=[attempt.invoice_id])
    attempt.status, attempt.error_code, attempt.message = AttemptStatus.COLLECTED, 0, ""
    attempt.settled_at = stamp.at


def _act(attempt: CollectionAttempt, account_no: int, before: str) -> Act:
    after: dict[str, Any] = {"status": attempt.status, "attempt_no": attempt.attempt_no, "amount": str(attempt.amount)}
    if attempt.payment_id is not None:
        after["transaction_id"] = attempt.payment_id
    return Act(
        f"collection.{attempt.status}",
        account_no,
        attempt.invoice_id,
        before={"status": before},
        after=after,
        error_code=attempt.error_code,
        message=attempt.message,
    )


def _after_failure(attempt: CollectionAttempt, status: int, account_no: int, work: Collecting) -> None:
    """An invoice that could not be collected when it was issued is voided, or its account goes into dunning, or it stays
    due."""
    if work.client.void_on_collection_failure:
        invoice = Invoice.objects.get(pk=attempt.invoice_id)
        if invoice.status == InvoiceStatus.APPROVED:
            _void(invoice, Voiding(VoidReason.COLLECTION_FAILED, attempt.message), work)
    elif work.client.dunning_on_collection_failure and status in DUNNING_FROM:
        Account.objects.filter(pk=account_no).update(status=AccountStatus.ACTIVE_DUNNING_1)
        act = Act(
            "account.dunning",
            account_no,
            attempt.invoice_id,
            before={"status": status},
            after={"status": AccountStatus.ACTIVE_DUNNING_1.value},
        )
        record_acts(work.client, work.caller, [act])


def _void(invoice: Invoice, voiding: Voiding, work: Collecting) -> None:
    """Where something is in the way, such as a pending invoice of the next cycle, the invoice stays due, and an event says so:
    what the gateway has answered is recorded anyway."""
    try:
        void_locked(invoice, voiding, client=work.client, caller=work.caller, stamp=work.stamp)
    except BillingError as error:
        record_acts(work.client, work.caller, [refusal(REFUSED, error, account_no=invoice.account_id, invoice_no=invoice.pk)])
