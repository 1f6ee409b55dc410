"""Reports as resources: receivables and credits as of a day, and lines of documents, as pages and as CSV."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal as D
from io import StringIO

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.money_api import get, with_key
from tests.support.paying import WHY
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_march():
    with time_machine.travel(datetime(2026, 3, 31, 12, tzinfo=UTC), tick=False):
        yield


def as_csv(api, path, **query):
    answer = api.get(f"/api/v1/{path}/", query, HTTP_ACCEPT="text/csv")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(StringIO(b"".join(answer).decode())))


def test_receivables_are_of_today_or_as_of_a_day_and_come_as_csv(acme, umbra, process):
    account = an_account(acme, client_acct_id="Ålesund, Kåre")
    bill(account, process, JAN_10)
    bill(an_account(umbra), process, JAN_10, force_pending=False)
    pay(account, process, "10", today=date(2026, 2, 1))
    api = with_key(acme)
    (row,) = get(api, "receivables", as_of="2026-01-31")["results"]
    assert (row["days_30"], row["total_due"], row["balance"]) == ("30.00", "30.00", "30.00")
    assert get(api, "receivables", as_of="2026-01-09")["results"] == []
    assert get(api, "receivables/totals", as_of="2026-02-01") == {
        "today": "2026-02-01",
        "totals": [
            {
                "currency": "usd",
                **dict.fromkeys(("current", "days_60", "days_90", "over_90"), "0.00"),
                **dict.fromkeys(("days_30", "total_due"), "20.00"),
            }
        ],
    }
    (row,) = as_csv(api, "receivables")
    assert (row["client_acct_id"], row["days_90"], row["total_due"]) == ("Ålesund, Kåre", "20.00", "20.00")
    assert as_csv(api, "receivables", as_of="2026-01-31")[0]["total_due"] == "30.00"


@pytest.mark.parametrize(("day", "code"), [("2026-04-01", 1016), ("31.01.2026", 1024), ("2026-02-30", 1024)])
@pytest.mark.parametrize("path", ["receivables", "receivables/totals", "credits", "credits/totals"])
def test_a_day_that_is_none_or_not_over_yet_is_refused(acme, path, day, code):
    answer = with_key(acme).get(f"/api/v1/{path}/", {"as_of": day}).json()
    assert (answer["error_code"], list(answer["errors"])) == (code, ["as_of"])


def test_whom_we_owe_is_listed_with_totals(acme, umbra, process):
    """30.00 was paid and rebilled to 19.85; an account that paid nothing and another client's are not listed."""
    account = an_account(acme)
    invoice = bill(account, process, JAN_10)
    pay(account, process, "30")
    rebilled(invoice, process, line(1, rate_per_unit="19.85"), today=date(2026, 2, 1))
    bill(an_account(acme), process, JAN_10)
    pay(an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy"), process, "500")
    pay(an_account(umbra), process, "7")
    api = with_key(acme)
    row, yen = get(api, "credits")["results"]
    assert row == {
        "acct_no": account.pk,
        "client_acct_id": account.client_acct_id,
        "currency": "usd",
        "unapplied_credit": "10.15",
        "open_invoices": "0.00",
        "balance": "-10.15",
    }
    assert (yen["unapplied_credit"], yen["balance"]) == ("500", "-500")
    assert get(api, "credits/totals")["totals"] == [
        {"currency": "jpy", "accounts": 1, "unapplied_credit": "500"},
        {"currency": "usd", "accounts": 1, "unapplied_credit": "10.15"},
    ]
    assert [one["acct_no"] for one in get(api, "credits", currency="USD", as_of="2026-02-01")["results"]] == [account.pk]
    assert get(api, "credits", currency="USD", as_of="2026-01-31")["results"] == []
    assert [one["unapplied_credit"] for one in as_csv(api, "credits")] == ["10.15", "500"]


def test_a_page_of_a_report_has_the_same_number_of_queries_for_one_account_and_for_ten(acme, process):
    api = with_key(acme)

    def queries(path, **query):
        with CaptureQueriesContext(connection) as captured:
            get(api, path, **query)
        return len(captured)

    def one_more():
        account = an_account(acme)
        bill(account, process, JAN_10)
        pay(an_account(acme), process, "5")

    one_more()
    asked = [("receivables", {"as_of": "2026-03-30"}), ("credits", {"as_of": "2026-03-30"}), ("invoice-lines", {})]
    for path, query in asked:
        queries(path, **query)  # What is compiled once is not counted.
    before = [queries(path, **query) for path, query in asked]
    for _ in range(9):
        one_more()
    assert [queries(path, **query) for path, query in asked] == before


def test_lines_of_documents_come_with_their_gl_codes_and_filters(acme, umbra, process):
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "=tv": "20.00"}))
    invoice = bill(account, process, JAN_10)
    bill(an_account(umbra), process, JAN_10)
    api = with_key(acme)
    rows = as_csv(api, "invoice-lines", invoice_no=invoice.pk)
    shown = ("document_number", "client_acct_id", "line_no", "client_service_id", "gl_code", "currency", "amount")
    name = account.client_acct_id
    assert [tuple(row[one] for one in shown) for row in rows] == [
        ("INV-000001", name, "1", "phone", "4000", "usd", "30.00"),
        ("INV-000001", name, "2", "'=tv", "4000", "usd", "20.00"),
        ("INV-000001", name, "3", "", "", "usd", "5.00"),
    ]
    assert sum(D(row["amount"]) for row in rows) == invoice.total_amount
    found = get(api, "invoice-lines", gl_code="4000", client_service_id="phone", status="approved")["results"]
    assert [row["line_no"] for row in found] == [1]
    assert get(api, "invoice-lines", invoice_date_from="2026-01-11")["results"] == []
    assert [row["amount"] for row in get(api, "invoice-lines", line_type="2")["results"]] == ["5.00"]
    refused = api.get("/api/v1/invoices/", {"expand": "lines"}, HTTP_ACCEPT="text/csv").json()
    assert (refused["error_code"], "invoice-lines/" in refused["error_msg"]) == (1016, True)


def test_the_tax_report_has_a_row_for_each_rate_and_month_with_memos_taken_off(acme, umbra, process):
    """20 % of 100.00 in January, less 2.00 of a memo in the same month; a second invoice in February."""
    TaxRateFactory(client=acme, name="VAT", region="", percent=D(20))
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    invoice = bill(account, process, JAN_10)
    create_credit_memo(
        client=acme, invoice_no=invoice.pk, why=WHY, credit=CreditRequest(amount=D(10)), caller=process, today=JAN_31
    )
    bill(account, process, FEB_10)
    api = with_key(acme)
    report = get(api, "tax-report", date_from="2026-01-01", date_to="2026-02-28")
    assert report["rows"][0] == {
        "period_start": "2026-01-01",
        "period_end": "2026-01-31",
        "currency": "usd",
        "jurisdiction": "US",
        "authority": "VAT",
        "percent": "20",
        "vat_category": "S",
        "documents": 2,
        "taxable_amount": "90.00",
        "tax_amount": "18.00",
    }
    assert [(row["period_end"], row["tax_amount"]) for row in report["rows"]] == [
        ("2026-01-31", "18.00"),
        ("2026-02-28", "20.00"),
    ]
    assert get(api, "tax-report") == {"date_from": "2026-03-01", "date_to": "2026-03-31", "rows": []}
    assert get(with_key(umbra), "tax-report", date_from="2026-01-01")["rows"] == []
    assert [row["tax_amount"] for row in as_csv(api, "tax-report", date_from="2026-01-01")] == ["18.00", "20.00"]


def test_the_journal_has_debit_and_credit_of_each_day(acme, process):
    account = an_account(acme)
    bill(account, process, JAN_10)
    pay(account, process, "30", today=FEB_10)
    api = with_key(acme)
    rows = get(api, "journal", date_from="2026-01-01")["rows"]
    assert [tuple(row.values()) for row in rows] == [
        ("2026-01-10", "usd", "receivables", "", "30.00", "0.00"),
        ("2026-01-10", "usd", "revenue", "4000", "0.00", "30.00"),
        ("2026-02-10", "usd", "receivables", "", "0.00", "30.00"),
        ("2026-02-10", "usd", "payments", "check", "30.00", "0.00"),
    ]
    assert as_csv(api, "journal", date_from="2026-01-01") == rows


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"date_from": "2026-04-01"}, "date_from: 2026-04-01 is after date_to, 2026-03-31"),
        ({"date_from": "2021-03-31"}, "at most 60 months"),
        ({"from": "2026-01-01"}, "Unknown parameter `from`"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(acme, query, words):
    for path in ("tax-report", "journal"):
        answer = with_key(acme).get(f"/api/v1/{path}/", query, HTTP_ACCEPT="text/csv")
        assert (answer.status_code, answer.json()["error_code"], words in answer.json()["error_msg"]) == (400, 1016, True)
