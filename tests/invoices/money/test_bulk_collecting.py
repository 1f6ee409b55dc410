"""Collecting the open invoices of a list: stored first, then done in parts by a worker, each amount once."""

from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.models import PaymentMethod
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import DecisionResult
from invoices.models import CollectionAttempt, Decision, DecisionOutcome, Invoice, Payment
from invoices.services.approving import bulk
from invoices.services.approving.bulk import collected_by, continue_decision, count_results, retry_failed, start_collecting
from invoices.services.collecting.collecting import collect_invoices, collectable_invoices
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.work.executor import work
from tests.support.billing import JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.paying import billed, books, due

pytestmark = pytest.mark.usefixtures("audited")
LIST = "/invoices/collect/?open=true"


@pytest.fixture
def user(acme):
    person = get_user_model().objects.create(username="cleo", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "collect_money"]))
    acme.staff.add(person)
    return person


@pytest.fixture
def cleo(user):
    return Caller(staff=user)


@pytest.fixture
def signed_in(client, user):
    client.force_login(user)
    return client


def started(acme, cleo):
    rows = collectable_invoices(Invoice.objects.filter(client=acme))
    return start_collecting(client=acme, invoices=rows, caller=cleo)


def results(decision):
    rows = decision.outcomes.order_by("invoice").values_list("invoice", "result", "error_code")
    return {number: (result, code) for number, result, code in rows}


def test_a_worker_collects_the_open_invoices_of_a_list(acme, process, signed_in):
    _account, paid = billed(acme, process)
    _account, declined = billed(acme, process, token="sandbox_declined")
    no_method = bill(an_account(acme), process, JAN_10)
    assert "60.00" in signed_in.post(LIST).content.decode()
    address = signed_in.post(LIST, {"confirmed": "yes", "newest": no_method.pk, "once": "a" * 32}).url
    assert (books(), CollectionAttempt.objects.count()) == ([], 0)
    work(once=True)
    decision = Decision.objects.get()
    assert address == f"/invoices/decisions/{decision.pk}/"
    assert results(decision) == {paid.pk: ("done", 0), declined.pk: ("refused", ErrorCode.COLLECTION_DECLINED.number)}
    assert (books(), due(paid), due(declined), due(no_method)) == ([D(30)], 0, 30, 30)
    assert collected_by(decision) == {"usd": D(30)}
    page = signed_in.get(address).content.decode()
    assert "Collect: 2 documents" in page
    assert "30.00" in page


def test_a_list_that_is_sent_twice_is_collected_once(acme, process, signed_in):
    _account, invoice = billed(acme, process)
    form = {"confirmed": "yes", "newest": invoice.pk, "once": "b" * 32}
    assert signed_in.post(LIST, form).url == signed_in.post(LIST, form).url
    work(once=True)
    assert (books(), Decision.objects.count()) == ([D(30)], 1)


def test_an_invoice_that_came_later_is_left_out(acme, process, signed_in):
    _account, seen = billed(acme, process)
    _account, later = billed(acme, process)
    signed_in.post(LIST, {"confirmed": "yes", "newest": seen.pk, "once": "c" * 32})
    assert set(results(Decision.objects.get())) == {seen.pk}
    assert later.pk > seen.pk


def test_a_list_of_which_nothing_can_be_collected_says_so(acme, process, signed_in):
    bill(an_account(acme), process, JAN_10)
    answer = signed_in.post(LIST, follow=True)
    assert answer.redirect_chain == [("/invoices/?open=true", 302)]
    assert "Nothing of this list can be collected" in answer.content.decode()
    assert signed_in.get(LIST).url == "/invoices/?open=true"


def test_who_may_not_collect_starts_nothing(acme, process, signed_in, user):
    _account, invoice = billed(acme, process)
    user.user_permissions.remove(*Permission.objects.filter(codename="collect_money"))
    assert "Collect open invoices of this list" not in signed_in.get("/invoices/?open=true").content.decode()
    assert signed_in.post(LIST, {"confirmed": "yes", "newest": invoice.pk, "once": "d" * 32}).status_code == 302
    with pytest.raises(BillingError) as refusal:
        started(acme, Caller(staff=get_user_model().objects.get(pk=user.pk)))
    assert (refusal.value.code, Decision.objects.count()) == (ErrorCode.COLLECTION_NOT_PERMITTED, 0)


def test_invoices_of_another_client_are_not_in_the_list(acme, process, signed_in):
    _account, foreign = billed(ClientFactory(), process)
    signed_in.post(LIST, {"confirmed": "yes", "newest": foreign.pk, "once": "e" * 32})
    assert (Decision.objects.count(), books()) == (0, [])


def test_what_a_dead_process_has_collected_is_said_and_not_collected_again(acme, process, cleo):
    _account, collected = billed(acme, process)
    _account, declined = billed(acme, process, token="sandbox_declined")
    _account, left = billed(acme, process)
    decision = started(acme, cleo)
    collect_invoices(client=acme, invoice_nos=[collected.pk, declined.pk], caller=cleo, today=JAN_10)
    long_ago = decision.made_at - bulk.GIVEN_UP * 2
    DecisionOutcome.objects.filter(decision=decision).exclude(invoice=left).update(taken_at=long_ago)
    assert continue_decision(decision, caller=cleo, today=JAN_10) == 3
    assert results(decision) == {
        collected.pk: ("done", 0),
        declined.pk: ("refused", ErrorCode.COLLECTION_DECLINED.number),
        left.pk: ("done", 0),
    }
    assert (books(), CollectionAttempt.objects.count()) == ([D(30), D(30)], 3)


def test_an_unknown_outcome_can_be_asked_for_again(acme, process, cleo):
    account, invoice = billed(acme, process, token="sandbox_timeout_after")
    decision = started(acme, cleo)
    continue_decision(decision, caller=cleo, today=JAN_10)
    assert results(decision) == {invoice.pk: ("failed", ErrorCode.OUTCOME_UNKNOWN.number)}
    PaymentMethod.objects.filter(account=account).update(token="sandbox_approved")
    assert retry_failed(decision, caller=cleo) == 1
    continue_decision(decision, caller=cleo, today=JAN_10)
    assert count_results(decision)[DecisionResult.WAITING] == 0
    assert (CollectionAttempt.objects.count(), len(books())) == (1, 1)


def test_what_a_refund_has_left_open_is_refused(acme, process, cleo):
    _account, invoice = billed(acme, process)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
    payment = Payment.objects.get()
    refund_payment(client=acme, transaction_id=payment.pk, amount=D(30), why=Why(1), caller=process, today=JAN_10)
    assert due(invoice) == 30
    decision = started(acme, cleo)
    continue_decision(decision, caller=cleo, today=JAN_10)
    assert results(decision) == {invoice.pk: ("refused", ErrorCode.REBILL_REFUNDED.number)}
    assert books() == [D(30)]
