"""Many rows in one statement store what the ORM would store, on either database."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from django.db import connection, transaction

from accounts.models import Account, Event, PlanInstance
from billing_site.common.storage import insert_rows, reserve_ids, update_rows
from invoices.document import LINE_FIELDS, PARTY_FIELDS, TERM_FIELDS
from invoices.models import BilledPeriod, Invoice, InvoiceLine, TaxDetail
from invoices.services.documents import document_storage as built
from tests.support.factories import TaxRateFactory, an_account
from tests.support.pending import a_pending


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (Invoice, (*built.INVOICE_FIELDS, "void_reason_code", "memo_id", "waived_at")),
        (InvoiceLine, ("id", *built.INVOICE_LINE_FIELDS)),
        (TaxDetail, ("id", *built.TAX_DETAIL_FIELDS)),
        (BilledPeriod, ("id", *built.BILLED_PERIOD_FIELDS)),
    ],
)
def test_every_column_of_a_document_is_written_and_stands_in_its_fingerprint_or_beside_it(model, fields):
    assert sorted(fields) == sorted(field.attname for field in model._meta.concrete_fields)


@pytest.mark.parametrize("model", [Invoice, InvoiceLine, TaxDetail, BilledPeriod, Event])
def test_inserted_rows_equal_what_the_orm_stores(acme, process, model):
    """The rows that a generation has written are written again by the ORM, one by one, and read back the same."""
    TaxRateFactory(client=acme)
    a_pending(acme, process)
    fields = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    first = list(model.objects.order_by("pk").values(*fields))
    if model is Invoice:
        Invoice.objects.update(status="discarded")
        first[0]["status"] = "discarded"
    elif model in (InvoiceLine, TaxDetail, BilledPeriod):
        model.objects.all().delete()
    again = [model.objects.create(**row).pk for row in first]
    assert list(model.objects.filter(pk__in=again).order_by("pk").values(*fields)) == first
    assert first


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


def test_copy_is_what_postgresql_gets(acme, process, django_assert_max_num_queries):
    account = an_account(acme)
    with django_assert_max_num_queries(25) as captured:
        a_pending(acme, process, account)
    copies = [query["sql"] for query in captured if query["sql"].startswith("COPY")]
    assert len(copies) == (5 if connection.vendor == "postgresql" else 0)
