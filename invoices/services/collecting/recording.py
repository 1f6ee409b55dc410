"""Record the gateway's answers: payments, and for failures what the client's settings say."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.kinds import AccountStatus
from accounts.models import Account
from accounts.models.history import change_many, changing_as
from accounts.trail import Act, record_acts, refusal
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ZERO, rounded
from invoices.gateways.protocol import Answer, Result
from invoices.kinds import ASKED_ATTEMPTS, AttemptStatus, EntryKind, InvoiceStatus, PaymentType, VoidReason
from invoices.models import CollectionAttempt, Invoice, Payment
from invoices.plan.allocating import OpenItem, Taken
from invoices.plan.facts import BillingState
from invoices.services.collecting.asking import Answered
from invoices.services.collecting.starting import Collecting
from invoices.services.documents.collection_results import Collected, outcome_of
from invoices.services.money.dunning import DUNNING, DUNNING_FROM, end_dunning
from invoices.services.money.ledger.acts import REFUSED
from invoices.services.money.ledger.applying import apply_credit
from invoices.services.money.ledger.entries import Draft, allocate, post
from invoices.services.money.ledger.open_items import charges_of
from invoices.services.money.ledger.voids import Voiding
from invoices.services.planning.facts import lock_states
from invoices.services.undoing.voiding import void_locked

UNDER_WAY = timedelta(hours=1)
"""After this time, a process that started an attempt has called the gateway or has died."""

STATUS_AND_CODE = {
    Result.DONE: (AttemptStatus.COLLECTED, ErrorCode.OK),
    Result.DECLINED: (AttemptStatus.DECLINED, ErrorCode.COLLECTION_DECLINED),
    Result.UNKNOWN: (AttemptStatus.UNKNOWN, ErrorCode.OUTCOME_UNKNOWN),
}
RECORDED_FIELDS = (
    "status",
    "payment",
    "error_code",
    "message",
    "settled_at",
    "proc_status_code",
    "proc_status_text",
    "proc_payment_id",
    "proc_auth_code",
    "proc_cvv_response",
    "proc_avs_response",
    "proc_cavv_response",
    "proc_merch_comments",
)


def record(answered: Sequence[Answered], work: Collecting) -> list[Collected]:
    """Record the gateway's answers, and return one result per answer, in the order given.

    An attempt that is already settled stays unchanged, but money that came in is always recorded. Locks the accounts itself.
    """
    locked = lock_states([one.account_no for one in answered], skip_locked=False)
    attempts = _locked_attempts([one.attempt.pk for one in answered])
    changed = [one for one in answered if _changes_attempt(attempts[one.attempt.pk], one.answer)]
    before = {one.attempt.pk: attempts[one.attempt.pk].status for one in changed}
    for one in changed:
        _apply_answer(attempts[one.attempt.pk], one.answer)
    paid = [(attempts[one.attempt.pk], one.account_no) for one in changed if one.answer and one.answer.result is Result.DONE]
    _record_payments(paid, work)
    CollectionAttempt.objects.bulk_update([attempts[one.attempt.pk] for one in changed], RECORDED_FIELDS)
    acts = [_act(attempts[one.attempt.pk], one.account_no, before[one.attempt.pk]) for one in changed]
    record_acts(work.client, work.caller, acts)
    failed = [(attempts[one.attempt.pk], one.account_no) for one in changed]
    failed = [(attempt, no) for attempt, no in failed if attempt.status == AttemptStatus.DECLINED and attempt.at_issue]
    _after_failures(failed, locked, work)
    end_dunning(work.client, work.caller, [account_no for _, account_no in paid], work.today)
    return [outcome_of(attempts[one.attempt.pk], one.account_no) for one in answered]


def _locked_attempts(numbers: Sequence[int]) -> dict[int, CollectionAttempt]:
    rows = CollectionAttempt.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=numbers)
    return {attempt.pk: attempt for attempt in rows.select_related("payment_method").order_by("pk")}


def _changes_attempt(attempt: CollectionAttempt, answer: Answer | None) -> bool:
    if answer is None:
        # The process that started it may still be calling the gateway.
        began = attempt.started_at
        return attempt.status in ASKED_ATTEMPTS and began is not None and began + UNDER_WAY <= timezone.now()
    done = answer.result is Result.DONE
    return attempt.status != AttemptStatus.COLLECTED and (done or attempt.status in ASKED_ATTEMPTS)


def _apply_answer(attempt: CollectionAttempt, answer: Answer | None) -> None:
    """Set the attempt's state and fields from the answer."""
    if answer is None:
        attempt.status, attempt.error_code = AttemptStatus.NOT_MADE, ErrorCode.OK.number
        attempt.message = "The payment gateway was not called, because less is open now."
        attempt.settled_at = timezone.now()
        return
    attempt.proc_status_code, attempt.proc_status_text = answer.status_code[:50], answer.status_text[:300]
    attempt.proc_payment_id, attempt.proc_auth_code = answer.reference[:100], answer.auth_code[:50]
    attempt.proc_cvv_response, attempt.proc_avs_response = answer.cvv_response[:10], answer.avs_response[:10]
    attempt.proc_cavv_response, attempt.proc_merch_comments = answer.cavv_response[:10], answer.merch_comments[:300]
    attempt.status, code = STATUS_AND_CODE[answer.result]
    attempt.error_code = code.number
    attempt.message = "" if answer.result is Result.DONE else answer.status_text or code.message
    attempt.settled_at = None if answer.result is Result.UNKNOWN else timezone.now()


def _record_payments(paid: Sequence[tuple[CollectionAttempt, int]], work: Collecting) -> None:
    """Write payments. Each pays its invoice up to the open amount; the rest pays the account's oldest open invoices."""
    posted_by = work.posted_by
    drafts = [Draft(account_no, EntryKind.ELECTRONIC_PAYMENT, -_amount(attempt)) for attempt, account_no in paid]
    entries = post(drafts, posted_by)
    charges = charges_of([attempt.invoice_id for attempt, _ in paid]) if paid else {}
    payments, taken, rests = [], [], []
    for (attempt, account_no), entry_no in zip(paid, entries, strict=True):
        payments.append(_payment(attempt, account_no, entry_no, posted_by.day))
        attempt.payment_id = entry_no
        charge = charges[attempt.invoice_id]
        part = min(charge.due, _amount(attempt))
        if part > ZERO:
            taken.append(Taken(entry_no, charge.entry_no, part))
        if part < _amount(attempt):
            rests.append((account_no, OpenItem(entry_no, _amount(attempt) - part)))
    Payment.objects.bulk_create(payments)
    allocate(taken, posted_by)
    for account_no, rest in rests:
        apply_credit(account_no, rest, posted_by)


def _payment(attempt: CollectionAttempt, account_no: int, entry_no: int, day: date) -> Payment:
    method = attempt.payment_method
    return Payment(
        entry_id=entry_no,
        account_id=account_no,
        type=method.type if method is not None else PaymentType.OTHER,
        payment_method=method,
        gateway=attempt.gateway,
        gateway_payment_id=attempt.proc_payment_id,
        received_on=day,
    )


def _amount(attempt: CollectionAttempt) -> Decimal:
    assert attempt.amount is not None, "a gateway was asked for an amount"
    return attempt.amount


def _act(attempt: CollectionAttempt, account_no: int, before: str) -> Act:
    amount = rounded(_amount(attempt), currency_of(attempt.currency))
    after: dict[str, Any] = {"status": attempt.status, "attempt_no": attempt.attempt_no, "amount": str(amount)}
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


def _after_failures(
    failed: Sequence[tuple[CollectionAttempt, int]], locked: Mapping[int, BillingState], work: Collecting
) -> None:
    """Void invoices whose collection at issue failed, or put their accounts into dunning, as the client's settings say."""
    if work.client.void_on_collection_failure:
        invoices = Invoice.objects.in_bulk([attempt.invoice_id for attempt, _ in failed])
        for attempt, _ in failed:
            invoice = invoices[attempt.invoice_id]
            if invoice.status == InvoiceStatus.APPROVED:
                _void(invoice, Voiding(VoidReason.COLLECTION_FAILED, attempt.message), work)
    elif work.client.dunning_on_collection_failure:
        _begin_dunning([one for one in failed if locked[one[1]].status in DUNNING_FROM], locked, work)


def _begin_dunning(
    failed: Sequence[tuple[CollectionAttempt, int]], locked: Mapping[int, BillingState], work: Collecting
) -> None:
    with changing_as(work.caller.process):
        accounts = Account.objects.filter(pk__in=[account_no for _, account_no in failed])
        change_many(accounts, status=AccountStatus.ACTIVE_DUNNING_1)
    after = {"status": AccountStatus.ACTIVE_DUNNING_1.value}
    acts = [
        Act(DUNNING, account_no, attempt.invoice_id, before={"status": locked[account_no].status}, after=after)
        for attempt, account_no in failed
    ]
    record_acts(work.client, work.caller, acts)


def _void(invoice: Invoice, voiding: Voiding, work: Collecting) -> None:
    """Void an invoice. If that is refused, for example because the next invoice is pending, it stays open and an event says so.
    The gateway's answer is recorded in any case."""
    try:
        void_locked(invoice, voiding, client=work.client, caller=work.caller, posted_by=work.posted_by)
    except BillingError as error:
        record_acts(work.client, work.caller, [refusal(REFUSED, error, account_no=invoice.account_id, invoice_no=invoice.pk)])
