"""Start attempts: check under the accounts' locks what may be collected, and store the attempts."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client, PaymentMethod
from accounts.services.accounts import electronic_methods
from billing_site.common.currencies import currency_of
from billing_site.common.languages import in_english
from billing_site.common.storage import insert_objects
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.calculation import ZERO, rounded
from invoices.kinds import ASKED_ATTEMPTS, OFFSETTING_KINDS, AttemptStatus, InvoiceKind, InvoiceStatus
from invoices.models import CollectionAttempt, Invoice
from invoices.plan.action_facts import PayerFacts
from invoices.plan.actions import why_not_collected
from invoices.plan.facts import BillingState
from invoices.services.documents.collection_results import Collected, CollectionResult, refused
from invoices.services.money.ledger.charging import Issued, apply_open_credits
from invoices.services.money.ledger.entries import PostedBy
from invoices.services.money.ledger.open_items import Charge, charges_of
from invoices.services.planning.facts import lock_states


class CollectRequest(NamedTuple):
    """An invoice to collect, with its account as read before the account was locked. `most` limits the amount. `method_no` is
    the payment method to collect by; None: the one by which the account is collected."""

    invoice_no: int
    account_no: int
    most: Decimal | None = None
    method_no: int | None = None

    def amount_of(self, due: Decimal) -> Decimal:
        """Return what is collected of the amount that is due."""
        return due if self.most is None else min(due, self.most)


class Collecting(NamedTuple):
    """The client, the caller, the day and the client's collection thresholds by currency."""

    client: Client
    caller: Caller
    today: date
    thresholds: Mapping[str, Decimal]

    @property
    def posted_by(self) -> PostedBy:
        return PostedBy(self.today, timezone.now(), self.caller.identity)


class Started(NamedTuple):
    """An attempt for which the gateway must be called, or the result of an invoice for which none was started (`settled`).

    If `unresolved`, the gateway may have been called before. `still_due` says whether the amount of an unresolved attempt is
    still open.
    """

    wanted: CollectRequest
    attempt: CollectionAttempt | None = None
    unresolved: bool = False
    still_due: bool = True
    settled: Collected | None = None


def collecting(client: Client, caller: Caller, today: date) -> Collecting:
    return Collecting(client, caller, today, dict(client.collection_thresholds.values_list("currency", "amount")))


def request_collection(issued: Sequence[tuple[Issued, Decimal]], posted_by: PostedBy) -> None:
    """Store requests to collect the open amounts of issued invoices, in the transaction that issues them."""
    insert_objects(
        [
            CollectionAttempt(
                invoice_id=one.invoice_no,
                attempt_no=1,
                status=AttemptStatus.REQUESTED,
                at_issue=True,
                idempotency_key=_new_key(one.invoice_no, 1),
                currency=one.currency,
                requested_by=posted_by.identity,
                requested_on=posted_by.day,
                requested_at=posted_by.at,
            )
            for one, due in issued
            if due > ZERO
        ]
    )


def stop_collecting(invoice_nos: Sequence[int], why: str) -> None:
    """Cancel requested attempts that were not started. `why` is stored as their message."""
    CollectionAttempt.objects.filter(invoice__in=invoice_nos, status=AttemptStatus.REQUESTED).update(
        status=AttemptStatus.NOT_MADE, error_code=ErrorCode.OK.number, message=why, settled_at=timezone.now()
    )


def _new_key(invoice_no: int, attempt_no: int) -> str:
    """The random part keeps the keys of two installations apart that use the same gateway account."""
    return f"invoice-{invoice_no}-{attempt_no}-{secrets.token_hex(8)}"


STARTED_FIELDS = (
    "status",
    "amount",
    "currency",
    "payment_method",
    "gateway",
    "token",
    "started_at",
    "error_code",
    "message",
    "settled_at",
)
"""The columns that change when a requested attempt is started or cancelled."""


class _Facts(NamedTuple):
    """What is read under the locks. `attempts` are the latest ones, of locked accounts only. `methods` are by account, `named`
    are those that requests name, by number."""

    locked: Mapping[int, BillingState]
    charges: Mapping[int, Charge]
    invoices: Mapping[int, Invoice]
    methods: Mapping[int, PaymentMethod]
    attempts: Mapping[int, CollectionAttempt]
    named: Mapping[int, PaymentMethod]

    def method_of(self, one: CollectRequest) -> PaymentMethod | None:
        """Return the payment method by which an invoice is collected, or None if there is none."""
        return self.methods.get(one.account_no) if one.method_no is None else self.named.get(one.method_no)


def start(wanted: Sequence[CollectRequest], work: Collecting) -> list[Started]:
    """Store an attempt for each invoice that may be collected. Returns one entry per request, in the order given.

    If an earlier attempt may have reached the gateway, none is started; that one must be resolved first. Locks the accounts.
    """
    facts, at = _read(wanted, work), timezone.now()
    requested = [one for one in facts.attempts.values() if one.status == AttemptStatus.REQUESTED]
    started = [_start_one(one, facts, work, at) for one in wanted]
    CollectionAttempt.objects.bulk_update(requested, STARTED_FIELDS)
    begun = [one.attempt for one in started if one.attempt is not None]
    if begun:
        receipts.use(work.client, work.caller.receipt, invoice_no=begun[0].invoice_id, at=at)
    CollectionAttempt.objects.bulk_create([attempt for attempt in begun if attempt.pk is None])
    return started


def _start_one(one: CollectRequest, facts: _Facts, work: Collecting, at: datetime) -> Started:
    latest = facts.attempts.get(one.invoice_no)
    if latest is not None and latest.status in ASKED_ATTEMPTS and latest.amount is not None:
        return Started(one, latest, unresolved=True, still_due=facts.charges[one.invoice_no].due >= latest.amount)
    requested = latest if latest is not None and latest.status == AttemptStatus.REQUESTED else None
    skipped, method = _why_not(one, facts, work), facts.method_of(one)
    if skipped is None and method is not None:
        attempt = requested or _new_attempt(one, latest, work)
        _begin(attempt, facts, one, method, work, at)
        return Started(one, attempt)
    if requested is not None and skipped is not None:
        _give_up(requested, skipped)
    return Started(one, settled=skipped)


def _read(wanted: Sequence[CollectRequest], work: Collecting) -> _Facts:
    locked = lock_states([one.account_no for one in wanted], skip_locked=len(wanted) > 1)
    apply_open_credits(list(locked), work.posted_by)
    numbers = [one.invoice_no for one in wanted]
    attempts = CollectionAttempt.objects.filter(invoice__in=numbers, invoice__account__in=locked).order_by("attempt_no")
    return _Facts(
        locked,
        charges_of(numbers),
        Invoice.objects.in_bulk(numbers),
        methods_of(list(locked)),
        {attempt.invoice_id: attempt for attempt in attempts},
        _named_methods(wanted, locked),
    )


def _named_methods(wanted: Sequence[CollectRequest], locked: Collection[int]) -> dict[int, PaymentMethod]:
    """Return the electronic payment methods that requests name, by number. Only those of locked accounts."""
    numbers = {one.method_no for one in wanted if one.method_no is not None}
    return electronic_methods().filter(account__in=locked).in_bulk(numbers) if numbers else {}


def methods_of(account_nos: Sequence[int]) -> dict[int, PaymentMethod]:
    """Return the electronic payment method by which each account is collected: the chosen one, else the one added last."""
    rows = electronic_methods().filter(account__in=account_nos)
    return {method.account_id: method for method in rows.order_by("is_default", "pk")}


def _why_not(one: CollectRequest, facts: _Facts, work: Collecting) -> Collected | None:
    """Return why an invoice is not collected: there is no need to, or it is not allowed. None if it is collected."""
    invoice, charge, state = facts.invoices[one.invoice_no], facts.charges.get(one.invoice_no), facts.locked.get(one.account_no)
    if state is None:
        return refused(one.account_no, one.invoice_no, BillingError(ErrorCode.IN_PROGRESS))
    if charge is None or invoice.status != InvoiceStatus.APPROVED:
        what = InvoiceKind(invoice.kind) if invoice.kind in OFFSETTING_KINDS else InvoiceStatus(invoice.status)
        error = BillingError(
            ErrorCode.NOT_ISSUED,
            Detail("invoice {invoice_no} is {status}", invoice_no=invoice.pk, status=word(in_english(what.label).lower())),
        )
        return refused(one.account_no, one.invoice_no, error)
    payer = PayerFacts(state.is_test, state.status, facts.method_of(one) is not None)
    return why_nothing_collected(one, one.amount_of(charge.due), invoice.currency, work.thresholds, payer)


def why_nothing_collected(
    one: CollectRequest, due: Decimal, currency: str, thresholds: Mapping[str, Decimal], payer: PayerFacts
) -> Collected | None:
    """Return why the gateway is not called for an issued invoice: nothing is open, the amount is below the threshold, or the
    account cannot be collected (7021, 7022, 7025). None if it is called."""
    if due <= ZERO:
        return Collected(
            one.account_no, one.invoice_no, CollectionResult.NOTHING_DUE, Detail("The invoice has no open balance.")
        )
    threshold = thresholds.get(currency, ZERO)
    if due < threshold:
        shown_due, least = (f"{rounded(amount, currency_of(currency))}" for amount in (due, threshold))
        text = Detail(
            "{due} {currency} is below the minimum collection threshold of {least}.",
            due=shown_due,
            currency=currency,
            least=least,
        )
        return Collected(one.account_no, one.invoice_no, CollectionResult.BELOW_THRESHOLD, text)
    code = why_not_collected(payer)
    return refused(one.account_no, one.invoice_no, BillingError(code)) if code else None


def _new_attempt(one: CollectRequest, latest: CollectionAttempt | None, work: Collecting) -> CollectionAttempt:
    number = latest.attempt_no + 1 if latest else 1
    return CollectionAttempt(
        invoice_id=one.invoice_no,
        attempt_no=number,
        at_issue=False,
        idempotency_key=_new_key(one.invoice_no, number),
        requested_by=work.caller.identity,
        requested_on=work.today,
        requested_at=timezone.now(),
    )


def _begin(
    attempt: CollectionAttempt, facts: _Facts, one: CollectRequest, method: PaymentMethod, work: Collecting, at: datetime
) -> None:
    attempt.status = AttemptStatus.STARTED
    attempt.amount = one.amount_of(facts.charges[one.invoice_no].due)
    attempt.currency = facts.invoices[one.invoice_no].currency
    attempt.payment_method = method
    attempt.gateway, attempt.token = work.client.gateway, method.token
    attempt.started_at = at


def _give_up(requested: CollectionAttempt, skipped: Collected) -> None:
    """Cancel a requested attempt, with the reason."""
    requested.status = AttemptStatus.NOT_MADE
    requested.error_code, requested.message = skipped.error_code, skipped.message
    requested.settled_at = timezone.now()
