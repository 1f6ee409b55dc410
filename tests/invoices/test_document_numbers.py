"""Printed document numbers: unique for a client, whatever the prefixes and suffixes of its number series are."""

import logging

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import strategies as st

from accounts.models import Event
from billing_site.common.database_errors import BUSY, FIELDS_OF_IDS, SAME_PRINTED_NUMBER
from billing_site.common.guards import lifted
from billing_site.errors import BillingError
from invoices.document_numbers import Format, could_print_the_same
from invoices.kinds import SeriesKind
from invoices.models import BilledPeriod, Invoice, InvoiceLine, NumberSeries
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.correcting.credit_memos import create_credit_memo
from invoices.services.money.ledger.acts import Why
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import an_account
from tests.support.memos import ALL
from tests.support.random_examples import given

PARTS = st.text("0123-A", max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("INV-", ""), ("CM-", ""), False),
        (("", ""), ("", "-R"), False),
        (("INV-", ""), ("INV-", ""), True),
        (("INV-", ""), ("INV-1", ""), True),  # INV-1000001 is number 1000001 of one, number 1 of the other
        (("INV-", ""), ("INV-0", ""), False),  # numbers of seven digits do not begin with 0
        (("INV-", ""), ("INV-", "0"), True),
        (("INV", "-000001"), ("INV000001-", ""), True),
        (("INV-0", ""), ("INV-", "1"), True),  # INV-0000011
    ],
)
def test_which_series_could_print_the_same_number(one, other, same):
    assert could_print_the_same(Format(*one), Format(*other)) is same
    assert could_print_the_same(Format(*other), Format(*one)) is same


@given(PARTS, PARTS, PARTS, PARTS)
def test_series_that_print_the_same_number_are_found(prefix, suffix, other_prefix, other_suffix):
    one, other = Format(prefix, suffix), Format(other_prefix, other_suffix)
    numbers = [*range(1, 40), 100000, 100001, 123000, 1000000, 1000001, 1100000, 2000001, 11000001, 12300000]
    printed, also = ({format.printed(number) for number in numbers} for format in (one, other))
    if printed & also:
        assert could_print_the_same(one, other)


def a_memo(invoice, caller):
    why = Why(1, "Agreed by phone")
    return create_credit_memo(client=invoice.client, invoice_no=invoice.pk, caller=caller, today=JAN_10, why=why, credit=ALL)


def test_the_database_refuses_a_printed_number_twice(acme, process):
    first, second = (bill(an_account(acme), process, JAN_10) for _ in range(2))
    with pytest.raises(IntegrityError, match="document_number"), lifted():
        Invoice.objects.filter(pk=second.pk).update(document_number=first.document_number)


@pytest.mark.parametrize(
    ("kind", "prefix", "suffix", "refused"),
    [
        (SeriesKind.CREDIT_MEMO, "INV-", "", "The number series Invoices has numbers such as INV-000001"),
        (SeriesKind.INVOICE, "CM-", "", "The number series Credit memos has numbers such as CM-000001"),
        (SeriesKind.CREDIT_MEMO, "INV-2", "", "The number series Invoices has"),
        (SeriesKind.CREDIT_MEMO, "OLD-", "", "Document OLD-000001 already has a number of this series"),
    ],
)
def test_a_series_that_could_collide_is_refused_when_saved(acme, process, kind, prefix, suffix, refused):
    """Also with a series that is not stored yet, and with documents that an earlier prefix has numbered."""
    series = NumberSeries.objects.create(client=acme, kind="invoice", prefix="OLD-")
    bill(an_account(acme), process, JAN_10)
    NumberSeries.objects.filter(pk=series.pk).update(prefix="INV-")
    changed = NumberSeries.objects.filter(client=acme, kind=kind).first() or NumberSeries(client=acme, kind=kind)
    changed.prefix, changed.suffix = prefix, suffix
    with pytest.raises(ValidationError) as error:
        changed.full_clean()
    assert refused in str(error.value)


def test_a_series_may_take_back_its_own_earlier_prefix(acme, process):
    bill(an_account(acme), process, JAN_10)
    series = NumberSeries.objects.get(client=acme)
    for prefix in ("A-", "INV-"):
        series.prefix = prefix
        series.full_clean()
        series.save()
    assert bill(an_account(acme), process, JAN_10).document_number == "INV-000002"


def test_a_number_that_is_taken_after_all_is_refused_with_the_way_on(acme, process):
    """The prefix was set past its check, by SQL: the memo is refused, and nothing of it is written."""
    invoice = bill(an_account(acme), process, JAN_10)
    NumberSeries.objects.create(client=acme, kind="credit_memo", prefix="INV-")
    before = Invoice.objects.count()
    with pytest.raises(BillingError) as refused:
        a_memo(invoice, process)
    assert refused.value.code.number == 90079
    assert "change the prefix or suffix of the number series" in refused.value.message
    assert Invoice.objects.count() == before
    assert Event.objects.filter(error_code=90079).count() == 1


def test_a_batch_of_which_one_number_is_taken_issues_the_others(acme, process):
    """The series gives INV-000002 next, which another document has."""
    taken = bill(an_account(acme), process, JAN_10)
    with lifted():
        Invoice.objects.filter(pk=taken.pk).update(document_number="INV-000002")
    with pytest.raises(BillingError) as refused:
        bill(an_account(acme), process, FEB_10)
    assert refused.value.code.number == 90079


def test_another_constraint_is_not_called_busy(acme, process, caplog):
    """A counter that was set back by SQL is a fault, not another invoice in progress: it is logged, and answered 1001."""
    bill(an_account(acme), process, JAN_10)
    NumberSeries.objects.update(last_number=0, prefix="NEW-")
    with caplog.at_level(logging.ERROR), pytest.raises(BillingError) as refused:
        bill(an_account(acme), process, JAN_10)
    assert (refused.value.code.number, refused.value.message) == (1001, "unexpected error")
    assert "the database refused a row by constraint one_document_per_number" in caplog.text


def test_the_constraints_that_are_named_exist():
    names = {constraint.name for model in apps.get_models() for constraint in model._meta.constraints}
    assert {*BUSY, *FIELDS_OF_IDS, SAME_PRINTED_NUMBER} <= names


def test_the_series_is_locked_after_what_needs_no_number_is_written(acme, process):
    """Other calls that issue wait from then on."""
    bill(an_account(acme), process, JAN_10)
    accounts = [an_account(acme).pk for _ in range(2)]
    with CaptureQueriesContext(connection) as captured:
        generate_invoices(client=acme, account_nos=accounts, request=BillingRequest(JAN_10), caller=process)
    text = "\n".join(one["sql"] for one in captured.captured_queries)
    numbered = text.index('UPDATE "invoices_numberseries"')
    for part in (InvoiceLine, BilledPeriod):
        assert max(text.find(f'{word} "{part._meta.db_table}"') for word in ("INSERT INTO", "COPY")) in range(numbered)
    if connection.vendor == "postgresql":
        assert text.rindex(InvoiceLine._meta.db_table, 0, numbered) < text.index("SET CONSTRAINTS ALL IMMEDIATE") < numbered
    assert text.index('INTO "invoices_invoice" ') > numbered
