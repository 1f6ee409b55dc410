"""A call that fails after it has begun: its receipt is free again, and nothing that was charged is charged twice."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts import receipts
from accounts.models import PaymentMethod, Receipt
from invoices.models import CollectionAttempt, Payment, Refund
from invoices.services.collecting import collecting
from tests.support.billing import FEB_10, bill
from tests.support.calling import caller_of, refused
from tests.support.dying import Died
from tests.support.money_api import with_key
from tests.support.paying import billed, books, due
from tests.support.repeated_calls import RIGHTS, post

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False) as clock:
        yield clock


@pytest.fixture
def collect(acme):
    call = caller_of(acme)
    return lambda account: call("collect_from_account", account_no=account.pk, client_receipt_id="r1")


def pays_by(account, token):
    PaymentMethod.objects.filter(account=account).update(token=token)


def attempts():
    return list(CollectionAttempt.objects.order_by("pk").values_list("invoice", "status"))


def test_a_declined_collection_is_tried_again_under_its_receipt(acme, collect, process):
    account, invoice = billed(acme, process, "sandbox_declined")
    refused(collect(account), 4011)
    assert not Receipt.objects.exists()
    refused(collect(account), 4011)
    pays_by(account, "sandbox_approved")
    first = collect(account)
    assert (first["error_code"], collect(account)) == (0, first)
    assert attempts() == [(invoice.pk, "declined"), (invoice.pk, "declined"), (invoice.pk, "collected")]
    assert books() == [30]


@pytest.mark.parametrize("token", ["sandbox_declined", "sandbox_timeout_before", "sandbox_timeout_after"])
def test_a_failed_collection_uses_its_receipt_up_where_the_client_wants_arias_rule(acme, collect, process, token):
    acme.never_allow_used_receipt_id = True
    acme.save()
    account, _ = billed(acme, process, token)
    assert collect(account)["error_code"] in (4011, 90019)
    pays_by(account, "sandbox_approved")
    refused(collect(account), 1012, "was already used by a call that failed; give a new one")
    assert CollectionAttempt.objects.count() == 1


def test_a_collection_of_unknown_outcome_is_asked_about_and_not_made_again(acme, collect, process):
    account, invoice = billed(acme, process, "sandbox_timeout_after")
    refused(collect(account), 90019)
    answer = collect(account)
    assert (answer["error_code"], answer["transaction_id"]) == (0, Payment.objects.get().pk)
    assert (collect(account), attempts(), books()) == (answer, [(invoice.pk, "collected")], [30])


def test_a_collection_that_never_reached_its_gateway_is_made_under_its_first_key(acme, collect, process):
    account, invoice = billed(acme, process, "sandbox_timeout_before")
    for _ in range(2):
        refused(collect(account), 90019)
    assert (attempts(), books()) == ([(invoice.pk, "unknown")], [])


def test_what_was_collected_of_several_is_not_collected_again(acme, collect, process):
    account, first = billed(acme, process)
    second = bill(account, process, FEB_10)
    charge = collecting.ask_to_charge

    def the_second_is_declined(attempt, account_no):
        attempt.token = "sandbox_declined" if attempt.invoice_id == second.pk else attempt.token
        return charge(attempt, account_no)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collecting, "ask_to_charge", the_second_is_declined)
        refused(collect(account), 4011)
    assert (due(first), due(second)) == (0, 30)
    assert collect(account)["transaction_id"] == CollectionAttempt.objects.get(invoice=second, status="collected").payment_id
    assert books() == [30, 30]


@pytest.mark.parametrize(
    ("token", "code", "again", "charged"),
    [
        ("sandbox_approved", 0, 0, [30, 30]),
        ("sandbox_declined", 4011, 4011, []),
        ("sandbox_timeout_after", 0, 0, [30, 30]),
        ("sandbox_timeout_before", 90019, 90019, []),
    ],
)
def test_a_collection_that_died_at_its_gateway_goes_on_under_its_keys(
    acme, collect, process, clock, token, code, again, charged
):
    """The process is killed when the gateway has made the first of two charges, and was not asked for the second."""
    account, first = billed(acme, process, token)
    bill(account, process, FEB_10)

    def die(*args):
        raise Died

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(collecting, "record", die)
        collect(account)
    clock.shift(timedelta(minutes=1))
    answer = collect(account)
    assert (answer["error_code"], collect(account)["error_code"], books()) == (code, again, charged)
    if code == 0:
        assert answer["transaction_id"] == CollectionAttempt.objects.get(invoice=first).payment_id
        assert collect(account) == answer


def test_an_answer_of_failure_that_was_never_told_is_told_and_the_receipt_is_free(acme, collect, process, clock):
    account, _ = billed(acme, process, "sandbox_declined")

    def die(*args):
        raise Died

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(receipts, "_failed", die)
        collect(account)
    clock.shift(timedelta(minutes=1))
    refused(collect(account), 4011)
    assert (CollectionAttempt.objects.count(), Receipt.objects.count()) == (1, 0)


def test_a_refused_refund_is_tried_again_under_its_key(acme, process):
    api = with_key(acme, **RIGHTS)
    _, invoice = billed(acme, process)
    post(api, f"invoices/{invoice.pk}/collect", key="collect")
    path, body = f"payments/{Payment.objects.get().pk}/refund", {"amount": "30", "reason_code": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("invoices.gateways.sandbox._left_of_charge", lambda books, reference: 0)
        assert post(api, path, body)[0] == 402
        assert post(api, path, body)[0] == 402
    first = post(api, path, body)
    assert (first[0], post(api, path, body)) == (201, first)
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["done", "failed", "failed"]
    assert books("refunds") == [30]
