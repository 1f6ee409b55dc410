"""Collecting through the sandbox: every outcome, once and never twice, and what the client's settings make of a failure."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import PaymentMethod
from invoices.gateways.sandbox import APPROVED, OUTCOMES
from invoices.kinds import AttemptStatus, EntryKind
from invoices.models import CollectionAttempt, Payment
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.collecting.collecting import collect_invoices, resume_collecting
from invoices.services.documents.collection_results import CollectionResult
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import record_external_payment
from tests.support.billing import JAN_10, JAN_31
from tests.support.factories import an_account
from tests.support.paying import billed, books, due, ledger, paying, unapplied

pytestmark = pytest.mark.usefixtures("audited")


def collect(client, caller, *invoices, today=JAN_10):
    return collect_invoices(client=client, invoice_nos=[one.pk for one in invoices], caller=caller, today=today)


def test_what_is_due_is_collected_and_pays_the_invoice(acme, process):
    account, invoice = billed(acme, process)
    (outcome,) = collect(acme, process, invoice)
    assert (outcome.result, outcome.error, outcome.amount) == (CollectionResult.COLLECTED, None, D("30.00"))
    assert ledger(account) == [
        (EntryKind.INVOICE, D(30), D(30)),
        (EntryKind.ELECTRONIC_PAYMENT, D(-30), D(0)),
    ]
    assert (due(invoice), unapplied(account), account_balance(account), books()) == (0, 0, 0, [D(30)])
    attempt = outcome.attempt
    assert (attempt.proc_status_code, attempt.proc_cvv_response, attempt.proc_avs_response) == ("approved", "M", "Y")
    assert attempt.proc_auth_code == "A000001"
    assert attempt.proc_payment_id == f"sp_{attempt.idempotency_key}" == Payment.objects.get().gateway_payment_id


def test_an_invoice_that_is_paid_is_not_collected_again(acme, process):
    _account, invoice = billed(acme, process)
    collect(acme, process, invoice)
    (again,) = collect(acme, process, invoice)
    assert (again.result, again.error_code, again.message) == (
        CollectionResult.NOTHING_DUE,
        0,
        "The invoice has no open balance.",
    )
    assert (books(), CollectionAttempt.objects.count()) == ([D(30)], 1)


@pytest.mark.parametrize(
    ("token", "code", "cvv", "avs"),
    [
        ("sandbox_declined", "card_declined", "M", "Y"),
        ("sandbox_insufficient_funds", "insufficient_funds", "M", "Y"),
        ("sandbox_cvv_mismatch", "incorrect_cvc", "N", "Y"),
        ("sandbox_avs_mismatch", "incorrect_address", "M", "N"),
        ("sandbox_3ds_required", "authentication_required", "M", "Y"),
        ("sandbox_expired", "expired_token", "M", "Y"),
        ("tok_of_another_gateway", "unknown_token", "M", "Y"),
        ("sandbox_approval", "unknown_token", "M", "Y"),
    ],
)
def test_a_declined_charge_leaves_the_invoice_due_and_says_why(acme, process, token, code, cvv, avs):
    account, invoice = billed(acme, process, token)
    (outcome,) = collect(acme, process, invoice)
    attempt = CollectionAttempt.objects.get()
    assert (outcome.result, outcome.error_code, attempt.status) == (CollectionResult.DECLINED, 4011, "declined")
    assert (attempt.proc_status_code, attempt.proc_cvv_response, attempt.proc_avs_response) == (code, cvv, avs)
    assert outcome.message == f"cc authorization failed: {attempt.proc_status_text}"
    assert (due(invoice), account_balance(account), books()) == (30, 30, [])
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved:new card")
    (again,) = collect(acme, process, invoice)
    assert (again.result, again.attempt.attempt_no, books()) == (CollectionResult.COLLECTED, 2, [D(30)])


def test_a_time_out_after_the_charge_is_asked_about_and_not_charged_again(acme, process):
    _account, invoice = billed(acme, process, "sandbox_timeout_after")
    (outcome,) = collect(acme, process, invoice)
    assert (outcome.result, outcome.error_code, due(invoice)) == (CollectionResult.UNKNOWN, 90019, 30)
    (again,) = collect(acme, process, invoice)
    assert (again.result, again.attempt.attempt_no, due(invoice)) == (CollectionResult.COLLECTED, 1, 0)
    assert books() == [D(30)]


def test_a_time_out_before_the_charge_stays_unknown_until_the_gateway_answers(acme, process, monkeypatch):
    _account, invoice = billed(acme, process, "sandbox_timeout_before")
    for _ in range(3):
        (outcome,) = collect(acme, process, invoice)
        assert (outcome.result, outcome.attempt.attempt_no, books()) == (CollectionResult.UNKNOWN, 1, [])
    monkeypatch.setitem(OUTCOMES, "timeout_before", APPROVED)
    assert [one.result for one in resume_collecting(client=acme, caller=process, today=JAN_31)] == [CollectionResult.COLLECTED]
    assert (books(), due(invoice), CollectionAttempt.objects.count()) == ([D(30)], 0, 1)


def test_what_was_paid_otherwise_while_the_gateway_was_silent_is_not_charged_any_more(acme, process, monkeypatch):
    account, invoice = billed(acme, process, "sandbox_timeout_before")
    noon = timezone.now()
    collect(acme, process, invoice)
    record_external_payment(client=acme, account_no=account.pk, caller=process, today=JAN_10, amount=D("20.00"), type="check")
    monkeypatch.setitem(OUTCOMES, "timeout_before", APPROVED)
    # The process that began it may still be on its way: until it cannot be, nothing is decided.
    (young,) = resume_collecting(client=acme, caller=process, today=JAN_10)
    assert (young.result, books()) == (CollectionResult.UNKNOWN, [])
    with time_machine.travel(noon + timedelta(hours=2), tick=False):
        (old,) = resume_collecting(client=acme, caller=process, today=JAN_10)
    assert (old.result, old.error_code, books()) == (CollectionResult.NOTHING_DUE, 0, [])
    assert "less is open now" in old.message
    assert CollectionAttempt.objects.get().status == AttemptStatus.NOT_MADE
    (rest,) = collect(acme, process, invoice)
    assert (rest.result, rest.amount, books(), due(invoice)) == (CollectionResult.COLLECTED, D("10.00"), [D("10.00")], 0)


def test_requests_that_lead_to_nothing_take_the_same_number_of_queries_for_one_and_for_many(acme, process, copied):
    acme.collect_on_approval = True
    acme.save()
    counts = []
    for count in (1, 1, 8):  # the first makes the number series
        accounts = [an_account(acme).pk for _ in range(count)]
        with CaptureQueriesContext(connection) as captured:
            outcomes = generate_invoices(client=acme, account_nos=accounts, request=BillingRequest(JAN_10), caller=process)
        assert [one.collection.error_code for one in outcomes] == [7025] * count
        counts.append(len(captured))
    assert counts[1] == counts[2]


def test_declines_that_begin_dunning_take_the_same_number_of_queries_for_one_and_for_many(acme, process, copied):
    acme.collect_on_approval = acme.dunning_on_collection_failure = True
    acme.save()
    counts = []
    for count in (1, 1, 8):  # the first makes the number series
        accounts = [paying(acme, "sandbox_declined").pk for _ in range(count)]
        with CaptureQueriesContext(connection) as captured:
            generate_invoices(client=acme, account_nos=accounts, request=BillingRequest(JAN_10), caller=process)
        counts.append(len(captured))
    assert counts[1] == counts[2]
