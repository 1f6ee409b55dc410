"""Compiled reads return what their querysets return, and compile once."""

import json
from datetime import date

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Model, Q
from django.db.models.functions import Lower
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.keys import create_key
from accounts.models import Account, Client
from billing_site.common.compiled_reads import MOST_VALUES, CompiledRead, compiled_read, read_ahead
from tests.support.everything import a_row_of_each_model
from tests.support.factories import BY_TEST, AccountFactory


@compiled_read
def accounts(client_no, numbers, name):
    """Read accounts by three kinds of arguments."""
    rows = Account.objects.filter(client=client_no, pk__in=numbers, client_acct_id__startswith="A").order_by("pk")
    return (rows if name is None else rows.filter(client_acct_id=name)).values_list("pk", "client_acct_id", "bill_day")


@pytest.fixture
def built(monkeypatch):
    """The arguments with which the queryset of `accounts` is built."""
    calls = []
    build = accounts.build
    monkeypatch.setattr(accounts, "build", lambda *arguments: calls.append(arguments) or build(*arguments))
    monkeypatch.setattr(accounts, "_compiled", {})
    return calls


@pytest.fixture
def three(acme):
    return [
        AccountFactory(client=acme, client_acct_id=name, bill_day=day).pk for name, day in (("A1", 1), ("A2", 2), ("B3", 3))
    ]


def test_the_same_sql_finds_other_rows(acme, three, built):
    assert accounts(acme.pk, [three[0]], None) == [(three[0], "A1", 1)]
    assert accounts(acme.pk, {three[1]}, None) == [(three[1], "A2", 2)]
    assert accounts(acme.pk + 1, [three[1]], None) == []
    assert accounts(acme.pk, [three[2]], None) == []
    assert len(built) == 2


def test_collections_of_similar_length_share_their_sql(acme, three, built):
    others = list(range(10**9, 10**9 + 10))
    assert accounts(acme.pk, [*three, *others[:2]], None) == [(three[0], "A1", 1), (three[1], "A2", 2)]
    assert accounts(acme.pk, [*others[:7], three[1]], None) == [(three[1], "A2", 2)]
    assert len(built) == 2


def test_rows_are_streamed_and_counted_with_the_same_sql(acme, three, built):
    assert list(accounts.stream(1, acme.pk, three, None)) == [(three[0], "A1", 1), (three[1], "A2", 2)]
    assert list(accounts.stream(1, acme.pk + 1, three, None)) == []
    assert (accounts.count(acme.pk, three, None), accounts.count(acme.pk + 1, three, None)) == (2, 0)
    assert (list(accounts.stream(1, acme.pk, [], None)), accounts.count(acme.pk, [], None)) == ([], 0)
    assert len(built) == 3  # of an empty list, the first try finds out that there is nothing


def test_a_long_list_is_streamed_and_counted_too(acme, three):
    many = [*three, *range(10**9, 10**9 + MOST_VALUES)]
    assert [row[0] for row in accounts.stream(1, acme.pk, many, None)] == three[:2]
    assert accounts.count(acme.pk, many, None) == 2


def test_an_argument_that_is_none_has_sql_of_its_own(acme, three, built):
    assert accounts(acme.pk, three, None) == [(three[0], "A1", 1), (three[1], "A2", 2)]
    assert accounts(acme.pk, three, "A2") == [(three[1], "A2", 2)]
    assert accounts(acme.pk, three, "A1") == [(three[0], "A1", 1)]
    assert len(built) == 4


def test_nothing_is_asked_for_no_values(acme, built, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert accounts(acme.pk, [], None) == []


def test_long_collections_are_read_by_their_queryset(acme, three, built):
    many = [*three, *range(10**9, 10**9 + MOST_VALUES)]
    assert accounts(acme.pk, many, None) == [(three[0], "A1", 1), (three[1], "A2", 2)]
    assert [arguments[1] for arguments in built] == [many]


def test_models_come_with_their_related_rows(acme, three, django_assert_num_queries):
    @compiled_read
    def with_client(number):
        return Account.objects.select_related("client").filter(pk=number)

    for number in three:
        with django_assert_num_queries(1):
            (found,) = with_client(number)
            assert (found.pk, found.client.name, found.client) == (number, acme.name, acme)


def test_single_values_and_dictionaries(acme, three):
    flat = compiled_read(lambda number: Account.objects.filter(pk=number).values_list("client_acct_id", flat=True))
    named = compiled_read(lambda number: Account.objects.filter(pk=number).values("bill_day", "pk"))
    assert flat(three[0]) == ["A1"]
    assert named(three[1]) == [{"bill_day": 2, "pk": three[1]}]


def test_arguments_must_be_parameters(three):
    dropped = compiled_read(lambda number: Account.objects.all())
    changed = compiled_read(lambda number: Account.objects.filter(pk=number + 1))
    limited = compiled_read(lambda number: Account.objects.all()[:number])
    never = compiled_read(lambda number: Account.objects.filter(pk=number, pk__in=[]))
    with pytest.raises(TypeError, match="finds nothing"):
        never(1)
    with pytest.raises(TypeError, match="not all arguments"):
        dropped(1)
    with pytest.raises(TypeError, match="is changed"):
        changed(1)
    with pytest.raises(TypeError, match="changes the SQL"):
        limited(1)


def test_columns_of_small_numbers_take_arguments(acme, three):
    by_day = compiled_read(lambda day: Account.objects.filter(bill_day=day).values_list("pk", flat=True))
    assert by_day(2) == [three[1]]
    assert by_day(3) == [three[2]]


def test_an_argument_may_be_used_twice(acme, three):
    @compiled_read
    def twice(text):
        return Account.objects.annotate(low=Lower("client_acct_id")).filter(Q(client_acct_id=text) | Q(low=text)).order_by("pk")

    assert [one.pk for one in twice("A1")] == [three[0]]
    assert [one.pk for one in twice("a2")] == [three[1]]


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_in_a_transaction_only():
    account = AccountFactory()
    locked = compiled_read(lambda number: Account.objects.select_for_update().filter(pk=number))
    with transaction.atomic():
        assert locked(account.pk) == [account]
    with pytest.raises(transaction.TransactionManagementError):
        locked(account.pk)


def test_what_was_read_ahead_is_returned_once(acme, three, django_assert_num_queries):
    with read_ahead(accounts.of(acme.pk, three[:1], None), accounts.of(acme.pk, three[1:], None)):
        with django_assert_num_queries(0):
            assert accounts(acme.pk, three[1:], None) == [(three[1], "A2", 2)]
            assert accounts(acme.pk, three[:1], None) == [(three[0], "A1", 1)]
        Account.objects.filter(pk=three[0]).update(bill_day=9)
        with django_assert_num_queries(1):
            assert accounts(acme.pk, three[:1], None) == [(three[0], "A1", 9)]


def test_nothing_that_was_read_ahead_is_left_after_the_block(acme, three, django_assert_num_queries):
    with read_ahead(accounts.of(acme.pk, three[:1], None)):
        with read_ahead(accounts.of(acme.pk, three[1:], None)):
            pass
        with django_assert_num_queries(1):
            accounts(acme.pk, three[1:], None)
    with django_assert_num_queries(1):
        accounts(acme.pk, three[:1], None)


def test_reads_ahead_take_one_round_trip_on_postgresql(acme, three):
    readings = accounts.of(acme.pk, three[:1], None), accounts.of(acme.pk, three[1:], None)
    with CaptureQueriesContext(connection) as captured, read_ahead(*readings):
        pass
    assert len(captured) == (1 if connection.vendor == "postgresql" else 2)


def compared(found):
    """Rows in a fixed order, models as their columns."""
    rows = [{**vars(row), "_state": None} if isinstance(row, Model) else row for row in found]
    return sorted(map(repr, rows))


@pytest.mark.django_db
def test_each_returns_what_its_queryset_returns(acme, process, monkeypatch):
    """Everything that happens to documents, with each compiled read compared with its queryset."""
    read, used = CompiledRead.__call__, set()

    def checked(self, *arguments):
        expected, found = list(self.build(*arguments)), read(self, *arguments)
        assert compared(found) == compared(expected), self.build.__qualname__
        used.add(self.build.__qualname__)
        return found

    monkeypatch.setattr(CompiledRead, "__call__", checked)
    with time_machine.travel(date(2026, 1, 10), tick=False):
        a_row_of_each_model(acme, process)
    assert Client.objects.exists()
    key = create_key(acme, name="integrator", caller=BY_TEST)[1]
    body = {"rest_call": "gen_invoice", "client_no": acme.pk, "auth_key": key, "acct_no": 1}
    Browser().post("/v1/core", json.dumps(body), content_type="application/json")
    assert {one.split(".")[-1] for one in used} >= {"_live_keys", "_account_rows", "charge_rows", "position_rows"}
