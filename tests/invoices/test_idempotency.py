"""Idempotency-Key: each act of the REST API is done once, for any number of repeats and callers."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from accounts.models import Receipt
from invoices.models import CollectionAttempt, Payment
from tests.support.factories import ClientFactory
from tests.support.money_api import with_key
from tests.support.paying import billed, books, paying
from tests.support.races import at_once
from tests.support.repeated_calls import ACTS, PROCESS, RIGHTS, World, post


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, **RIGHTS)


def forgotten():
    """As if the process had died, a while ago, between the commit and its answer."""
    Receipt.objects.update(answer="", created_at=timezone.now() - timedelta(minutes=1))


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_done_once_and_gives_its_first_answer_again(acme, api, act, audited):
    path, body, model = ACTS[act]
    world = World(acme)
    before = model.objects.count()
    first = post(api, world.path(path), body(world))
    made = model.objects.count() - before
    assert first[0] in (200, 201), first
    assert (post(api, world.path(path), body(world)), model.objects.count() - before) == (first, made)
    assert len(books()) == (1 if act.startswith("collected") else 0)


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS)
def test_an_act_whose_process_died_before_its_answer_is_not_done_again(acme, api, act, audited):
    path, body, model = ACTS[act]
    world = World(acme)
    first = post(api, world.path(path), body(world))
    made = model.objects.count()
    forgotten()
    again = post(api, world.path(path), body(world))
    assert (again[0], model.objects.count()) == (first[0], made)
    assert set(again[1]) == set(first[1])
    assert post(api, world.path(path), body(world)) == again
    assert len(books()) == (1 if act.startswith("collected") else 0)


@pytest.mark.django_db
def test_a_declined_collection_is_answered_by_its_decline_again(acme, api):
    _, invoice = billed(acme, PROCESS, "sandbox_declined")
    first = post(api, f"invoices/{invoice.pk}/collect")
    assert (first[0], first[1]["result"]) == (402, "declined")
    assert post(api, f"invoices/{invoice.pk}/collect") == first
    assert CollectionAttempt.objects.count() == 1
    forgotten()
    again = post(api, f"invoices/{invoice.pk}/collect")
    assert (again[0], again[1]["result"], CollectionAttempt.objects.count()) == (402, "declined", 1)


@pytest.mark.django_db
def test_a_key_stands_for_one_request(acme, api):
    account = paying(acme)
    body = {"acct_no": account.pk, "amount": "5", "type": "check"}
    post(api, "payments", body)
    status, answer = post(api, "payments", {**body, "amount": "6"})
    assert (status, answer["error_code"], list(answer["errors"])) == (422, 90045, ["Idempotency-Key"])
    assert post(api, "cash-credits", body)[0] == 422
    assert Payment.objects.count() == 1


@pytest.mark.django_db
def test_a_refused_request_does_not_use_its_key_up(acme, api):
    account = paying(acme)
    assert post(api, "payments", {"acct_no": account.pk, "amount": "-1", "type": "check"})[0] == 400
    assert post(api, "payments", {"acct_no": account.pk, "amount": "1", "type": "check"})[0] == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["with blank", "x" * 256, "é"])
def test_a_key_is_printable_and_short(acme, api, key):
    status, answer = post(api, "payments", {"acct_no": paying(acme).pk, "amount": "1", "type": "check"}, key=key)
    assert (status, answer["error_code"]) == (400, 1012)
    assert not Payment.objects.exists()


@pytest.mark.django_db
def test_keys_of_two_clients_do_not_meet(acme, umbra, api):
    for client, by in ((acme, api), (umbra, with_key(umbra, **RIGHTS))):
        assert post(by, "payments", {"acct_no": paying(client).pk, "amount": "1", "type": "check"})[0] == 201
    assert Payment.objects.count() == 2


@pytest.mark.django_db
def test_what_is_deleted_is_deleted_once(acme, api):
    account = paying(acme)
    order = post(api, "one-time-charges", ACTS["ordered"][1](World(acme)) | {"acct_no": account.pk}, "order")[1]["order_no"]
    for _ in range(2):
        gone = api.delete(f"/api/v1/one-time-charges/{order}/", HTTP_IDEMPOTENCY_KEY="cancel")
        assert gone.status_code == 204


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["paid", "approved", "discarded", "voided", "collected", "approved in bulk"])
def test_equal_requests_at_once_get_one_answer(act):
    client = ClientFactory()
    path, body, model = ACTS[act]
    world = World(client)
    before = model.objects.count()
    api = with_key(client, **RIGHTS)
    credentials = api._credentials

    def ask(_):
        one = type(api)()
        one.credentials(**credentials)
        return post(one, world.path(path), body(world))

    first, *others = at_once(ask, 8)
    assert first[0] in (200, 201), first
    assert others == [first] * 7
    assert (model.objects.count() - before <= 1, len(books())) == (True, 1 if act == "collected" else 0)
