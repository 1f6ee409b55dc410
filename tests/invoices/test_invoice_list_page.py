"""The page that lists documents: what it shows of each, its filters, orders and pages, and its CSV."""

import csv
import io
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from billing_site.common import keyset_pages as pages
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import an_account
from tests.support.invoice_lists import EVERYTHING, World
from tests.support.invoice_pages import reader

PROCESS = Caller(process="test")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def end_of_march():
    with time_machine.travel(datetime(2026, 3, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme)


@pytest.fixture
def world(acme):
    return World(acme)


def shown(signed_in, world, **query):
    answer = signed_in.get("/invoices/", query)
    assert answer.status_code == 200
    return world.names(invoice.pk for invoice in answer.context["pages"].rows)


def text_of(signed_in, **query):
    return " ".join(signed_in.get("/invoices/", query).content.decode().split())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, EVERYTHING),
        ({"state": "pending"}, {"pending"}),
        ({"state": "rebilled,paid"}, {"paid", "original"}),
        ({"kind": "rebill,credit_memo"}, {"rebill", "memo"}),
        ({"open": "true"}, {"open", "rebill"}),
        ({"overdue": "true"}, {"open", "rebill"}),
        ({"rebilled": "true"}, {"original"}),
        ({"currency": "USD", "search": "meier"}, {"paid", "open"}),
        ({"bill_date_from": "2026-02-01", "search": "CD"}, {"pending"}),
        ({"po_num": "PO 9"}, {"original", "rebill", "memo", "pending"}),
        ({"reason_code": "1", "kind": "rebill"}, {"rebill"}),
        ({"tax_date_to": "2026-01-31", "state": "paid,open,overdue,rebilled", "kind": "recurring"}, {"paid", "original"}),
    ],
)
def test_the_address_says_what_is_listed(signed_in, world, query, expected):
    assert shown(signed_in, world, **query) == expected


def test_an_account_is_named_by_either_word(signed_in, world):
    number = world.paid.account_id
    assert shown(signed_in, world, account=number) == shown(signed_in, world, acct_no=number) == {"paid", "open"}
    assert "Invoices of AB-1" in text_of(signed_in, account=number)


def test_a_row_tells_amounts_due_and_corrections(signed_in, world):
    page = text_of(signed_in, search="CD-2")
    assert "$55.00" in page
    assert f">rebilled by {world.rebill.pk}</a>" in page
    assert f">corrects {world.original.document_number}</a>" in page
    assert f">No. {world.pending.pk}</a>" in page
    rows = {row.pk: row for row in signed_in.get("/invoices/").context["pages"].rows}
    assert [rows[one.pk].amount_due for one in (world.paid, world.open, world.memo, world.pending)] == [0, 55, None, None]


def test_a_wrong_filter_is_told_beside_it_and_lists_nothing(signed_in, world):
    page = text_of(signed_in, bill_date_from="soon", state="pending")
    assert "Not a date as yyyy-mm-dd." in page
    assert "<tbody>" not in page


def test_pages_follow_each_other(signed_in, world, monkeypatch):
    monkeypatch.setattr(pages.page_of, "__defaults__", (None, 2))
    found, cursor = [], ""
    while cursor is not None:
        page = signed_in.get("/invoices/", {"ordering": "total_amount", **({"cursor": cursor} if cursor else {})}).context[
            "pages"
        ]
        found += [invoice.pk for invoice in page.rows]
        cursor = page.next
    assert world.names(found) == EVERYTHING
    assert (len(found), found[0]) == (6, world.memo.pk)


def test_a_cursor_that_is_none_is_refused_and_told(signed_in, world):
    answer = signed_in.get("/invoices/", {"cursor": "nonsense"}, follow=True)
    assert "cursor: this cursor does not belong to this list; start again without it" in answer.content.decode()


def test_csv_has_every_row_that_the_filters_leave(signed_in, world, monkeypatch):
    monkeypatch.setattr("accounts.pages.lists.ROWS_AT_ONCE", 1)
    answer = signed_in.get("/invoices/", {"format": "csv", "open": "true", "ordering": "invoice_no"})
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [(int(row["invoice_no"]), row["amount_due"]) for row in rows] == [
        (world.open.pk, "55.00"),
        (world.rebill.pk, "33.00"),
    ]


def test_other_clients_rows_are_not_there(world, umbra):
    signed_in = reader(umbra)
    assert signed_in.get("/invoices/").context["pages"].rows == []
    assert signed_in.get("/invoices/", {"acct_no": world.paid.account_id}).context["account"] is None


def test_the_page_needs_the_right_to_see_invoices(acme):
    assert reader(acme, permissions=()).get("/invoices/").status_code == 403


def test_however_many_rows_the_queries_are_as_many(acme, signed_in):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            signed_in.get("/invoices/")
        return len(captured)

    bill(an_account(acme), PROCESS, JAN_10)
    few = queries()
    for _ in range(5):
        account = an_account(acme)
        bill(account, PROCESS, JAN_10)
        bill(account, PROCESS, FEB_10)
    assert queries() == few


def test_empty_lists_say_what_to_do_next(acme, signed_in):
    assert "There are no invoices yet" in text_of(signed_in)
    assert "No invoice matches" in text_of(signed_in, state="pending")
