"""Many rows in one statement store what the ORM would store, on either database."""

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from accounts.models import Account, Event, PlanInstance
from billing_site.common import storage
from billing_site.common.guards import lifted
from billing_site.common.storage import insert_rows, reserve_ids, update_rows
from invoices.document import LINE_FIELDS, PARTY_FIELDS, TERM_FIELDS
from invoices.models import BilledPeriod, Invoice, InvoiceLine, TaxDetail
from invoices.services.documents import document_storage as built
from tests.support.factories import TaxRateFactory, an_account
from tests.support.pending import a_pending

POSTING = ("posting_status", "posting_user", "posting_at")


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (Invoice, (*built.INVOICE_FIELDS, "void_reason_code", "memo_id", "waived_at", "version", *POSTING)),
        (InvoiceLine, ("id", *built.INVOICE_LINE_FIELDS)),
        (TaxDetail, ("id", *built.TAX_DETAIL_FIELDS)),
        (BilledPeriod, ("id", *built.BILLED_PERIOD_FIELDS)),
    ],
)
def test_every_column_of_a_document_is_written_and_stands_in_its_fingerprint_or_beside_it(model, fields):
    assert sorted(fields) == sorted(field.attname for field in model._meta.concrete_fields)


@pytest.fixture(params=["few rows", "many rows"])
def written(request, monkeypatch):
    """PostgreSQL gets few rows by INSERT and many by COPY: what is tested for a row or two holds for both."""
    monkeypatch.setattr(storage, "FEW_ROWS", 9 if request.param == "few rows" else 0)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("model", [Invoice, InvoiceLine, TaxDetail, BilledPeriod, Event])
def test_inserted_rows_equal_what_the_orm_stores(acme, process, model):
    """The rows that a generation has written are written again by the ORM, one by one, and read back the same."""
    TaxRateFactory(client=acme)
    a_pending(acme, process)
    fields = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    first = list(model.objects.order_by("pk").values(*fields))
    if model is Invoice:
        with lifted():
            Invoice.objects.update(status="discarded")
        first[0]["status"] = "discarded"
    elif model in (InvoiceLine, TaxDetail, BilledPeriod):
        with lifted():
            model.objects.all().delete()
    again = [model.objects.create(**row).pk for row in first]
    assert list(model.objects.filter(pk__in=again).order_by("pk").values(*fields)) == first
    assert first


@pytest.mark.usefixtures("written")
def test_awkward_values_survive(acme):
    at = datetime(2026, 1, 1, 23, 59, 59, 123456, tzinfo=UTC)
    caller = {"alt_caller_id": 'tab\there, newline\n, backslash \\N, quote " and émile 😀', "n": None}
    fields = (
        "client_id",
        "at",
        "act",
        "account_id",
        "invoice_no",
        "process",
        "caller",
        "request_id",
        "error_code",
        "message",
        "before",
        "after",
        "call_token",
    )
    row = (acme.pk, at, "x", None, None, "", caller, "", 0, "\\N\t\r\n\\.", {}, {"amount": "1.00"}, "")
    insert_rows(Event, fields, [row, row])
    assert list(Event.objects.values_list(*fields)) == [row, row]


def test_rows_are_updated_each_to_its_own_values_nulls_too(acme):
    first, second, third = (an_account(acme) for _ in range(3))
    update_rows(
        Account,
        ("bill_day", "next_bill_date"),
        [(first.pk, 5, date(2026, 2, 5)), (second.pk, 6, None)],
    )
    rows = {row.pk: (row.bill_day, row.next_bill_date) for row in Account.objects.all()}
    assert rows == {first.pk: (5, date(2026, 2, 5)), second.pk: (6, None), third.pk: (10, date(2026, 1, 10))}
    update_rows(PlanInstance, ("units",), [(PlanInstance.objects.earliest("pk").pk, D("2.5000"))])
    assert PlanInstance.objects.earliest("pk").units == D("2.5")
    update_rows(PlanInstance, ("units",), [])


def test_reserved_keys_are_never_given_twice(acme, process):
    number = a_pending(acme, process).pk
    with transaction.atomic():
        reserved = reserve_ids(Invoice, 3)
    assert len(set(reserved)) == 3
    assert min(reserved) > number
    assert reserve_ids(Invoice, 0) == []


def test_the_field_lists_have_no_name_twice():
    for fields in (TERM_FIELDS, PARTY_FIELDS, LINE_FIELDS, built.INVOICE_FIELDS):
        assert len(set(fields)) == len(fields)


def test_objects_are_inserted_with_their_defaults(acme):
    """As the ORM creates them, but for their keys."""
    with time_machine.travel(AT, tick=False):
        storage.insert_objects([])
        storage.insert_objects([Account(client=acme, client_acct_id=name, currency="usd") for name in ("A1", "A2")])
        Account.objects.create(client=acme, client_acct_id="A3", currency="usd")
    first, second, third = Account.objects.order_by("pk").values()
    names = [(one.pop("id") > 0, one.pop("client_acct_id")) for one in (first, second, third)]
    assert names == [(True, "A1"), (True, "A2"), (True, "A3")]
    assert first == second == third
    assert (first["created_at"], first["status"]) == (AT, 1)


def events(client, *names):
    insert_rows(Event, ("client_id", "at", "act", *EMPTY), [(client.pk, AT, name, *EMPTY.values()) for name in names])


AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
EMPTY = {"caller": {}, "process": "", "request_id": "", "error_code": 0, "message": "", "before": {}, "after": {}} | {
    "call_token": ""
}


def names_of(events):
    return list(events.order_by("pk").values_list("act", flat=True))


def test_writes_go_together_with_the_next_statement(acme, django_assert_num_queries):
    in_one_trip = connection.vendor == "postgresql"
    with django_assert_num_queries(1 if in_one_trip else 3), storage.writes_together():
        events(acme, "first 100%")
        events(acme, "second")
        assert names_of(Event.objects.filter(client=acme)) == ["first 100%", "second"]
    with django_assert_num_queries(1 if in_one_trip else 2), storage.writes_together():
        events(acme, "third")
        events(acme, "fourth")
    assert names_of(Event.objects.all()) == ["first 100%", "second", "third", "fourth"]


def test_the_statement_that_takes_writes_with_it_has_its_own_result(acme):
    account = an_account(acme)
    with storage.writes_together():
        events(acme, "first")
        assert Account.objects.filter(pk=account.pk).update(bill_day=7) == 1
        events(acme, "second")
        version = {"billing_version": F("billing_version") + 2}
        assert storage.update_returning(Account.objects.filter(pk=account.pk), version, ("bill_day",)) == (7,)
        events(acme, "third")
        insert_rows(Event, ("client_id", "at", "act", *EMPTY), [(acme.pk, AT, str(n), *EMPTY.values()) for n in range(10)])
    assert names_of(Event.objects.all()) == ["first", "second", "third", *map(str, range(10))]


def test_a_long_list_that_is_read_in_parts_has_what_was_written_before(acme):
    """It is read by a cursor of the server, which takes no other statement with it."""
    with storage.writes_together():
        events(acme, "first")
        assert [event.act for event in Event.objects.filter(client=acme).iterator()] == ["first"]
        events(acme, "second")
    assert names_of(Event.objects.all()) == ["first", "second"]


def test_an_error_of_a_write_is_raised_at_the_end_of_the_block_at_the_latest(acme):
    an_account(acme, client_acct_id="A1")
    with pytest.raises(IntegrityError), transaction.atomic(), storage.writes_together():
        events(acme, "lost")
        storage.insert_objects([Account(client=acme, client_acct_id="A1", currency="usd")])
    assert not Event.objects.exists()


def test_what_a_failed_savepoint_wrote_is_not_written_later(acme):
    with storage.writes_together():
        events(acme, "kept")
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            events(acme, "undone")
            _ = 1 / 0
        events(acme, "kept too")
    assert names_of(Event.objects.all()) == ["kept", "kept too"]


def test_a_failed_block_writes_nothing_later(acme):
    with contextlib.suppress(ZeroDivisionError), transaction.atomic(), storage.writes_together():
        events(acme, "undone")
        _ = 1 / 0
    events(acme, "kept")
    assert names_of(Event.objects.all()) == ["kept"]


def test_many_rows_are_copied_on_postgresql(acme, process, django_assert_max_num_queries, monkeypatch):
    monkeypatch.setattr(storage, "FEW_ROWS", 0)
    account = an_account(acme)
    with django_assert_max_num_queries(25) as captured:
        a_pending(acme, process, account)
    copies = [query["sql"] for query in captured if query["sql"].startswith("COPY")]
    assert len(copies) == (5 if connection.vendor == "postgresql" else 0)
