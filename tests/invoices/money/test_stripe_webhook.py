"""Messages from Stripe: signed as Stripe signs, accepted once, and recorded like an answer of the gateway."""

import hashlib
import hmac
import json
import threading
import time
from decimal import Decimal as D

import pytest
from django.db import connection, connections
from django.test import Client as Browser

from accounts.models import Event
from invoices.gateways.protocol import Answer, Result
from invoices.gateways.sandbox import SandboxGateway
from invoices.gateways.stripe import StripeGateway
from invoices.kinds import AttemptStatus, EntryKind, RefundStatus
from invoices.models import CollectionAttempt, GatewayEvent, LedgerEntry, Payment, Refund
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import JAN_10
from tests.support.factories import ClientFactory
from tests.support.paying import WHY, billed, due, ledger, unapplied

ADDRESS, SECRET = "/webhooks/stripe/", "whsec_of_the_tests"


class Waiting(SandboxGateway):
    """A gateway whose answers are lost: only its messages report the result of a charge or refund."""

    def charge(self, request):
        raise TimeoutError

    def refund(self, request):
        return Answer(Result.UNKNOWN)

    def read_message(self, body, signature):
        return StripeGateway().read_message(body, signature)


@pytest.fixture(autouse=True)
def stripe_that_answers_nothing(settings):
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = "sk_test_12345", "http://localhost:9"
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    settings.GATEWAYS = {"stripe": f"{__name__}.Waiting"}


@pytest.fixture
def stripe_acme(db):
    return ClientFactory(gateway="stripe")


@pytest.fixture
def attempt(stripe_acme, process):
    """An attempt to collect 30.00, whose outcome is not known."""
    _account, invoice = billed(stripe_acme, process, "cus_1/pm_1")
    collect_invoices(client=stripe_acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
    return CollectionAttempt.objects.get()


def signature(body, secret=SECRET, at=None):
    at = int(time.time()) if at is None else at
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def message(type, said, event_id="evt_1"):
    event = {"id": event_id, "object": "event", "type": type, "api_version": "2025-09-30.clover", "data": {"object": said}}
    return json.dumps(event).encode()


def deliver(body, header=None):
    header = signature(body) if header is None else header
    headers = {"Stripe-Signature": header} if header else {}
    answer = Browser().post(ADDRESS, body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()["error_code"]


def intent(key, status="succeeded", **parts):
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 3000,
        "amount_received": 3000 if status == "succeeded" else 0,
        "currency": "usd",
        "status": status,
        "latest_charge": "ch_1",
        "metadata": {"idempotency_key": key},
        **parts,
    }


def refund(key, status="succeeded", **parts):
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 3000,
        "currency": "usd",
        "status": status,
        "payment_intent": "pi_1",
        "metadata": {"idempotency_key": key},
        **parts,
    }


FAILED = {
    "status": "requires_payment_method",
    "last_payment_error": {"code": "card_declined", "decline_code": "lost_card", "message": "Your card was declined."},
}


# Who may send.


@pytest.mark.parametrize("type", ["payment_intent.succeeded", "customer.created"])
def test_a_message_is_taken_once(attempt, type):
    body = message(type, intent(attempt.idempotency_key))
    assert deliver(body) == (200, 0)
    events = Event.objects.count()
    assert deliver(body) == (200, 90024)
    assert (GatewayEvent.objects.count(), Event.objects.count()) == (1, events)
    row = GatewayEvent.objects.get()
    assert (row.gateway, row.event_id, row.type) == ("stripe", "evt_1", type)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda body: "",
        lambda body: "nonsense",
        lambda body: "t=x,v1=y",
        lambda body: signature(body, "whsec_of_another"),
        lambda body: signature(body, ""),
        lambda body: signature(body + b" "),
        lambda body: signature(body, at=int(time.time()) - 301),
        lambda body: signature(body).replace("v1=", "v0="),
    ],
)
def test_a_message_without_a_fresh_signature_is_refused_and_nothing_is_written(attempt, wrong):
    body = message("payment_intent.succeeded", intent(attempt.idempotency_key))
    before = Event.objects.count()
    answer = Browser().post(ADDRESS, body, content_type="application/json", headers={"Stripe-Signature": wrong(body)})
    assert answer.status_code == 400
    assert answer.json() == {
        "error_code": 90023,
        "error_msg": "The event has no valid, recent signature of the payment gateway",
    }
    attempt.refresh_from_db()
    assert (attempt.status, GatewayEvent.objects.count()) == (AttemptStatus.UNKNOWN, 0)
    assert (Event.objects.count(), Payment.objects.count()) == (before, 0)


def test_a_signature_of_a_few_minutes_ago_is_fresh(attempt):
    body = message("payment_intent.succeeded", intent(attempt.idempotency_key))
    assert deliver(body, signature(body, at=int(time.time()) - 290)) == (200, 0)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{}", b'{"id": "evt_1", "object": "event"}']
)
@pytest.mark.django_db
def test_what_cannot_be_read_is_refused(body):
    assert (deliver(body), GatewayEvent.objects.count()) == ((400, 90023), 0)


@pytest.mark.django_db
def test_without_a_secret_nothing_is_taken(settings):
    settings.STRIPE_WEBHOOK_SECRET = ""
    body = message("customer.created", {"id": "cus_1", "object": "customer"})
    assert deliver(body, signature(body, "")) == (400, 90023)
    assert not GatewayEvent.objects.exists()


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert deliver(message("customer.created", {"name": "A" * 100})) == (400, 90023)


@pytest.mark.django_db
def test_nothing_but_a_post_is_answered():
    assert Browser().get(ADDRESS).status_code == 405


@pytest.mark.django_db
def test_a_message_needs_no_token_of_our_forms():
    body = message("customer.created", {"id": "cus_1", "object": "customer"})
    answer = Browser(enforce_csrf_checks=True).post(
        ADDRESS, body, content_type="application/json", headers={"Stripe-Signature": signature(body)}
    )
    assert (answer.status_code, answer.cookies) == (200, {})


# Charges.


@pytest.mark.usefixtures("audited")
def test_a_charge_that_succeeded_is_recorded_as_a_payment(attempt):
    assert deliver(message("payment_intent.succeeded", intent(attempt.idempotency_key))) == (200, 0)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.proc_payment_id, due(attempt.invoice)) == (AttemptStatus.COLLECTED, "pi_1", 0)
    assert (Payment.objects.get().gateway, Payment.objects.get().gateway_payment_id) == ("stripe", "pi_1")
    assert ledger(attempt.invoice.account)[-1] == (EntryKind.ELECTRONIC_PAYMENT, D("-30.00"), D("0.00"))
    event = Event.objects.get(act="collection.collected")
    assert (event.process, event.invoice_no) == ("stripe", attempt.invoice_id)


@pytest.mark.usefixtures("audited")
def test_another_message_on_the_same_charge_pays_nothing_twice(attempt):
    for event_id in ("evt_1", "evt_2"):
        body = message("payment_intent.succeeded", intent(attempt.idempotency_key), event_id)
        assert deliver(body) == (200, 0)
    assert (Payment.objects.count(), GatewayEvent.objects.count()) == (1, 2)


@pytest.mark.usefixtures("audited")
def test_a_charge_that_failed_is_declined_with_its_reason(attempt):
    body = message("payment_intent.payment_failed", intent(attempt.idempotency_key, **FAILED))
    assert deliver(body) == (200, 0)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.error_code, attempt.proc_status_code) == (AttemptStatus.DECLINED, 4011, "lost_card")
    assert due(attempt.invoice) == D("30.00")


@pytest.mark.usefixtures("audited")
def test_money_that_comes_in_after_a_failure_is_recorded_and_a_late_failure_changes_nothing(attempt):
    failed = intent(attempt.idempotency_key, **FAILED)
    deliver(message("payment_intent.payment_failed", failed, "evt_1"))
    deliver(message("payment_intent.succeeded", intent(attempt.idempotency_key), "evt_2"))
    deliver(message("payment_intent.payment_failed", failed, "evt_3"))
    attempt.refresh_from_db()
    assert (attempt.status, due(attempt.invoice)) == (AttemptStatus.COLLECTED, 0)


@pytest.mark.parametrize("parts", [{"amount_received": 2999}, {"currency": "eur"}, {"amount_received": 300000}])
@pytest.mark.usefixtures("audited")
def test_another_amount_than_was_asked_is_not_booked_but_shown_to_a_person(attempt, parts):
    assert deliver(message("payment_intent.succeeded", intent(attempt.idempotency_key, **parts))) == (200, 0)
    attempt.refresh_from_db()
    assert (attempt.status, Payment.objects.count()) == (AttemptStatus.UNKNOWN, 0)
    event = Event.objects.get(act="gateway.amount_differs")
    assert (event.account_id, event.invoice_no) == (attempt.invoice.account_id, attempt.invoice_id)
    assert (event.after["status"], event.after["reference"]) == ("done", "pi_1")


@pytest.mark.parametrize(
    "said",
    [
        intent("invoice-1-1-of-another-installation"),
        intent("", metadata={}),
        {"id": "pi_1", "object": "payment_intent", "amount": 1, "currency": "usd", "status": "succeeded"},
    ],
)
def test_a_charge_that_is_none_of_ours_is_of_no_interest(attempt, said):
    assert deliver(message("payment_intent.succeeded", said)) == (200, 0)
    assert (Payment.objects.count(), GatewayEvent.objects.count()) == (0, 1)


def test_a_message_whose_recording_fails_is_not_taken(attempt, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("out of paper")

    monkeypatch.setattr("invoices.services.collecting.gateway_events.record", fails)
    body = message("payment_intent.succeeded", intent(attempt.idempotency_key))
    with pytest.raises(RuntimeError):
        deliver(body)
    assert not GatewayEvent.objects.exists()
    monkeypatch.undo()
    assert (deliver(body), Payment.objects.count()) == ((200, 0), 1)


# Refunds.


@pytest.fixture
def asked_refund(attempt, stripe_acme, process):
    """A requested refund of 30.00 that the gateway has not answered yet."""
    deliver(message("payment_intent.succeeded", intent(attempt.idempotency_key), "evt_paid"))
    payment = Payment.objects.get()
    return refund_payment(client=stripe_acme, transaction_id=payment.pk, caller=process, today=JAN_10, why=WHY, everything=True)


@pytest.mark.parametrize("type", ["refund.created", "refund.updated", "charge.refund.updated"])
@pytest.mark.usefixtures("audited")
def test_a_refund_that_was_made_is_done(asked_refund, type):
    assert asked_refund.status == RefundStatus.ASKED
    assert deliver(message(type, refund(asked_refund.idempotency_key))) == (200, 0)
    asked_refund.refresh_from_db()
    assert (asked_refund.status, asked_refund.gateway_refund_id) == (RefundStatus.DONE, "re_1")


@pytest.mark.usefixtures("audited")
def test_the_refunds_of_a_charge_are_read_where_the_charge_brings_them(asked_refund):
    others = refund("", id="re_0", metadata={}, amount=100)
    charge = {"id": "ch_1", "object": "charge", "refunds": {"data": [others, refund(asked_refund.idempotency_key)]}}
    assert deliver(message("charge.refunded", charge)) == (200, 0)
    asked_refund.refresh_from_db()
    assert asked_refund.status == RefundStatus.DONE


def test_a_refunded_charge_that_brings_no_refunds_is_of_no_interest(asked_refund):
    assert deliver(message("charge.refunded", {"id": "ch_1", "object": "charge"})) == (200, 0)
    asked_refund.refresh_from_db()
    assert asked_refund.status == RefundStatus.ASKED


def test_a_refund_that_is_pending_stays_asked(asked_refund):
    deliver(message("refund.created", refund(asked_refund.idempotency_key, "pending")))
    asked_refund.refresh_from_db()
    assert asked_refund.status == RefundStatus.ASKED


@pytest.mark.parametrize("done_before", [False, True])
@pytest.mark.usefixtures("audited")
def test_a_refund_that_fails_is_voided_and_its_payment_pays_again_even_where_it_was_done(asked_refund, attempt, done_before):
    key = asked_refund.idempotency_key
    assert due(attempt.invoice) == D("30.00")
    if done_before:
        deliver(message("refund.updated", refund(key), "evt_done"))
    failed = refund(key, "failed", failure_reason="expired_or_canceled_card")
    assert deliver(message("refund.failed", failed, "evt_failed")) == (200, 0)
    deliver(message("refund.updated", failed, "evt_failed_too"))
    deliver(message("refund.updated", refund(key), "evt_done_but_late"))
    asked_refund.refresh_from_db()
    assert (asked_refund.status, asked_refund.proc_status_code) == (RefundStatus.FAILED, "expired_or_canceled_card")
    assert (due(attempt.invoice), unapplied(attempt.invoice.account)) == (0, 0)
    assert LedgerEntry.objects.filter(voids=asked_refund.entry).count() == 1
    assert Event.objects.get(act="refund.failed").process == "stripe"


@pytest.mark.usefixtures("audited")
def test_a_refund_of_another_amount_is_not_booked_but_shown_to_a_person(asked_refund):
    assert deliver(message("refund.updated", refund(asked_refund.idempotency_key, amount=2999))) == (200, 0)
    asked_refund.refresh_from_db()
    assert asked_refund.status == RefundStatus.ASKED
    assert Event.objects.filter(act="gateway.amount_differs").count() == 1


def test_a_refund_that_is_none_of_ours_is_of_no_interest(asked_refund):
    assert deliver(message("refund.updated", refund("refund-1-of-another"))) == (200, 0)
    assert Refund.objects.get().status == RefundStatus.ASKED


# Many at once.


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_message_that_is_delivered_many_times_at_once_is_taken_once(attempt):
    body = message("payment_intent.succeeded", intent(attempt.idempotency_key))
    barrier, answers = threading.Barrier(8), []

    def send():
        barrier.wait(timeout=30)
        answers.append(deliver(body))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(200, 0)] + [(200, 90024)] * 7
    assert (Payment.objects.count(), GatewayEvent.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_message_whose_account_is_held_by_another_is_to_be_sent_again(attempt, monkeypatch):
    monkeypatch.setattr("invoices.services.collecting.gateway_events.LOCK_WAIT_SECONDS", 1)
    held, done = threading.Event(), threading.Event()

    def hold():
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM accounts_account FOR UPDATE")
            held.set()
            done.wait(timeout=30)
            cursor.execute("ROLLBACK")
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(timeout=30)
    body = message("payment_intent.succeeded", intent(attempt.idempotency_key))
    assert (deliver(body), GatewayEvent.objects.count()) == ((409, 3108), 0)
    done.set()
    thread.join()
    assert (deliver(body), Payment.objects.count()) == ((200, 0), 1)
