"""Lists of documents: what a back office asks for, with some members or more, and as CSV."""

import csv
import io
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoices.models import Invoice
from invoices.services.runs.runs import continue_run, start_run
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.invoice_lists import EVERYTHING, PROCESS, World
from tests.support.money_api import with_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def end_of_march():
    with time_machine.travel(datetime(2026, 3, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True)


@pytest.fixture
def world(acme):
    return World(acme)


def found(api, world, **query):
    answer = api.get("/api/v1/invoices/", query)
    assert answer.status_code == 200, answer.json()
    return world.names(row["invoice_no"] for row in answer.json()["results"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, EVERYTHING),
        ({"status": "pending"}, {"pending"}),
        ({"status": "pending,discarded"}, {"pending"}),
        ({"kind": "rebill,credit_memo"}, {"rebill", "memo"}),
        ({"client_acct_id": "AB-1"}, {"paid", "open"}),
        ({"document_number": "INV-000001"}, {"paid"}),
        ({"currency": "eur"}, set()),
        ({"bill_date_from": "2026-02-01"}, {"open", "pending"}),
        ({"bill_date_to": "2026-01-31", "kind": "recurring"}, {"paid", "original"}),
        # The original was issued after the open one, and so is not dated before it.
        ({"invoice_date_to": "2026-01-31"}, {"paid"}),
        ({"due_date_from": "2026-02-15"}, {"open", "original", "rebill"}),
        ({"total_amount_min": "34", "status": "approved"}, {"paid", "open", "original"}),
        ({"total_amount_max": "-1"}, {"memo"}),
        ({"open": "true"}, {"open", "rebill"}),
        ({"open": "false"}, {"paid", "original", "memo", "pending"}),
        ({"overdue": "true"}, {"open", "rebill"}),
        ({"overdue": "false"}, {"paid", "original", "memo", "pending"}),
        ({"rebilled": "true"}, {"original"}),
        ({"rebilled": "false", "kind": "recurring"}, {"paid", "open", "pending"}),
        ({"reason_code": "1"}, {"rebill", "memo"}),
        ({"po_num": "PO 9"}, {"original", "rebill", "memo", "pending"}),
        ({"generated_by": "process:test"}, EVERYTHING),
        ({"search": "inv-0000"}, {"paid", "open", "original"}),
        ({"search": "ab"}, {"paid", "open"}),
        ({"search": "meier"}, {"paid", "open"}),
        ({"search": "PO 9"}, {"original", "rebill", "memo", "pending"}),
        ({"search": "nothing"}, set()),
    ],
)
def test_documents_are_found(api, world, query, expected):
    assert found(api, world, **query) == expected


def test_documents_are_found_by_account_original_and_run(acme, api, world):
    assert found(api, world, acct_no=world.paid.account_id) == {"paid", "open"}
    assert found(api, world, corrects=world.original.pk) == {"rebill", "memo"}
    third = an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=PROCESS)
    continue_run(run, caller=PROCESS)
    answer = api.get("/api/v1/invoices/", {"run": run.pk}).json()["results"]
    assert [row["acct_no"] for row in answer] == [third.pk]


@pytest.mark.parametrize(
    ("ordering", "first"),
    [
        ("invoice_no", "paid"),
        ("-invoice_no", "pending"),
        ("total_amount", "memo"),
        ("-bill_date", "pending"),
        ("due_date", "paid"),
    ],
)
def test_documents_are_ordered(api, world, ordering, first):
    number = api.get("/api/v1/invoices/", {"ordering": ordering, "limit": 1}).json()["results"][0]["invoice_no"]
    assert world.names([number]) == {first}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("status=lost", 1016),
        ("bill_date_from=1.1.2026", 1024),
        ("open=maybe", 1033),
        ("acct_no=x", 1016),
        ("total_amount_min=x", 1016),
        ("bill_date_from=2026-02-01&bill_date_to=2026-01-31", 1016),
        ("total_amount_min=0.02&total_amount_max=0.01", 1016),
        ("colour=red", 1016),
        ("fields=colour", 1016),
        ("expand=colour", 1016),
        ("ordering=colour", 1016),
        (f"search={'x' * 101}", 1012),
    ],
)
def test_a_wrong_question_is_refused_by_its_name(api, world, query, code):
    answer = api.get(f"/api/v1/invoices/?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def test_some_members_only(api, world):
    rows = api.get("/api/v1/invoices/?fields=invoice_no,total_amount&status=pending").json()["results"]
    assert rows == [{"invoice_no": world.pending.pk, "total_amount": "55.00"}]
    one = api.get(f"/api/v1/invoices/{world.paid.pk}/?fields=document_number,lines").json()
    assert (one["document_number"], len(one["lines"]), len(one)) == ("INV-000001", 3, 2)


def test_a_document_with_some_members_takes_fewer_queries(api, world):
    def queries(address):
        with CaptureQueriesContext(connection) as captured:
            api.get(address)
        # PostgreSQL gets several in one round trip.
        return sum(query["sql"].count("SELECT ") for query in captured)

    address = f"/api/v1/invoices/{world.paid.pk}/"
    assert queries(f"{address}?fields=document_number") <= queries(address) / 2


def test_lines_and_what_can_be_done_come_with_a_list_in_as_many_queries_however_long(acme, api, world):
    def asked():
        with CaptureQueriesContext(connection) as captured:
            rows = api.get("/api/v1/invoices/?expand=lines,available_actions").json()["results"]
        return len(captured), rows

    asked()  # notes the use of the key
    few, rows = asked()
    (pending,) = [row for row in rows if row["status"] == "pending"]
    assert [line["amount"] for line in pending["lines"]] == ["30.00", "20.00", "5.00"]
    assert {one["action"]: one["allowed"] for one in pending["available_actions"]}["approve"]
    for _ in range(5):
        bill(an_account(acme, a_plan(acme, {"phone": "1.00"})), PROCESS, JAN_10)
    many, rows = asked()
    assert (many, len(rows)) == (few, 11)


def as_csv(api, address):
    answer = api.get(address, HTTP_ACCEPT="text/csv")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return answer, list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_a_list_comes_as_csv_filtered_ordered_and_whole(acme, api, world):
    answer, rows = as_csv(api, "/api/v1/invoices/?status=approved&kind=recurring&ordering=invoice_no")
    assert answer["Content-Disposition"] == 'attachment; filename="invoices.csv"'
    assert [(row["document_number"], row["total_amount"], row["amount_due"]) for row in rows] == [
        ("INV-000001", "55.00", "0.00"),
        ("INV-000002", "55.00", "55.00"),
        ("INV-000003", "55.00", "0.00"),
    ]
    _, memos = as_csv(api, "/api/v1/credit-memos/?fields=document_number,total_amount")
    assert memos == [{"document_number": "CM-000001", "total_amount": "-55.00"}]


def test_a_text_that_a_spreadsheet_would_run_is_marked(acme, api, world):
    Invoice.objects.filter(pk=world.pending.pk).update(client_notes='=HYPERLINK("x")')
    _, rows = as_csv(api, "/api/v1/invoices/?status=pending")
    assert rows[0]["client_notes"] == '\'=HYPERLINK("x")'


def test_csv_is_read_in_chunks(acme, api, world, monkeypatch):
    monkeypatch.setattr("accounts.api.resources.ROWS_AT_ONCE", 2)
    _, rows = as_csv(api, "/api/v1/invoices/?ordering=bill_date")
    assert world.names(int(row["invoice_no"]) for row in rows) == EVERYTHING


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=1", "invalid input: limit: a CSV list always contains all rows; leave this parameter out"),
        ("cursor=x", "invalid input: cursor: a CSV list always contains all rows; leave this parameter out"),
    ],
)
def test_a_page_of_a_list_as_csv_is_refused(api, world, query, message):
    answer = api.get(f"/api/v1/invoices/?{query}", HTTP_ACCEPT="text/csv")
    assert (answer.status_code, answer.json()["error_code"], answer.json()["error_msg"]) == (400, 1016, message)


def test_an_error_is_told_in_json_also_where_csv_was_asked_for(api, world):
    answer = api.get("/api/v1/invoices/?colour=red", HTTP_ACCEPT="text/csv")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert api.get(f"/api/v1/invoices/{world.paid.pk}/", HTTP_ACCEPT="text/csv").status_code == 406


@pytest.mark.skipif(connection.vendor != "postgresql", reason="asks PostgreSQL how it finds the rows")
@pytest.mark.parametrize("query", ["", "?ordering=bill_date", "?status=pending", "?acct_no=1", "?ordering=-total_amount"])
def test_no_list_sorts_the_table(api, world, query):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    with CaptureQueriesContext(connection) as captured:
        assert api.get(f"/api/v1/invoices/{query}").status_code == 200
    (sql,) = [one["sql"] for one in captured.captured_queries if '"open_amount"' in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Sort Key: invoices_invoice" not in plan, plan
