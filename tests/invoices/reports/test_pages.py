"""Reports as pages and files: literal amounts, links to the lists behind, days, rights and other clients."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.callers import Caller
from accounts.models import Service
from invoices.services.collecting.collecting import collect_invoices
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.memos import memo_of
from tests.support.paying import billed
from tests.support.payments import pay

pytestmark = pytest.mark.usefixtures("audited")
PROCESS = Caller(process="test")
JANUARY = {"first": "2026-01-01", "last": "2026-01-31"}
SEEN = ("view_invoice", "view_ledgerentry")


@pytest.fixture(autouse=True)
def in_february():
    with time_machine.travel(datetime(2026, 2, 20, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def browser(acme):
    return reader(acme, permissions=SEEN)


def table(browser, name, **query):
    """Return the cells of a report's rows and totals as texts, without spaces around."""
    answer = browser.get(f"/reports/{name}/", query)
    assert answer.status_code == 200
    found = answer.context["table"]
    return [[cell.value for cell in row] for row in (*found.rows, *found.total_rows)]


def text_of(browser, address, **query):
    return " ".join(browser.get(address, query).content.decode().split())


def file_of(browser, name, **query):
    answer = browser.get(f"/reports/{name}/", {**query, "format": "csv"})
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_receivables_today_and_as_of_a_day(acme, umbra, browser):
    """The invoice of 10 January is due on the 24th; 50.00 of it were paid on 31 January."""
    account, _ = billed(acme, PROCESS, rate="90.00", client_acct_id="AB-1")
    pay(account, PROCESS, "50.00")
    billed(umbra, PROCESS)
    assert table(browser, "receivables")[0] == ["AB-1", 0, 40, 0, 0, 0, 40, 0]
    assert table(browser, "receivables", day="2026-01-20")[0] == ["AB-1", 90, 0, 0, 0, 0, 90, 0]
    assert table(browser, "receivables", day="2026-01-09") == []
    text = text_of(browser, "/reports/receivables/")
    assert f'href="/invoices/?account={account.pk}&amp;open=true"' in text
    assert "$40.00" in text
    (row,) = file_of(browser, "receivables")
    assert (row["currency"], row["account"], row["days_30"], row["total"]) == ("usd", "AB-1", "40.00", "40.00")
    wrong = browser.get("/reports/receivables/", {"day": "soon", "format": "csv"})
    assert (wrong.status_code, "Enter a valid date." in wrong.content.decode()) == (400, True)


def test_unapplied_credit_is_whom_we_owe(acme, browser):
    account = an_account(acme, client_acct_id="AB-1")
    pay(account, PROCESS, "12.50")
    yen = an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy", client_acct_id="JP-1")
    pay(yen, PROCESS, "700")
    assert table(browser, "credit") == [
        ["JP-1", 0, 700],
        ["AB-1", 0, D("12.5")],
        ["Total", None, 700],
        ["Total", None, D("12.5")],
    ]
    assert [(row["account"], row["unapplied"]) for row in file_of(browser, "credit")] == [("AB-1", "12.50"), ("JP-1", "700")]
    assert table(browser, "credit", day="2026-01-30") == []


def test_tax_and_journal_of_a_period(acme, browser):
    TaxRateFactory(client=acme, name="VAT", region="")
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    Service.objects.update(gl_code="4000")
    memo_of(bill(account, PROCESS, JAN_10), PROCESS, amount="20.00", today=FEB_10)
    assert table(browser, "taxes")[0][1:] == ["VAT", 10, "S", 1, 100, 10]  # the month before
    assert table(browser, "taxes", first="2026-02-01", last="2026-02-28")[0][1:] == ["VAT", 10, "S", 1, -20, -2]
    assert table(browser, "journal", **JANUARY) == [
        ["Receivables", "", 110, None],
        ["Revenue", "4000", None, 100],
        ["Tax", "VAT", None, 10],
        ["Total", None, 110, 110],
    ]
    rows = file_of(browser, "journal", **JANUARY)
    assert [(row["document"], row["gl_code"], row["credit"]) for row in rows][0] == ("INV-000001", "4000", "100.00")
    turned = browser.get("/reports/journal/", {"first": "2026-02-01", "last": "2026-01-01"})
    assert "The last day is before the first." in turned.content.decode()


def test_each_figure_of_a_month_leads_to_the_transactions_that_it_adds_up(acme, browser):
    account, invoice = billed(acme, PROCESS, rate="90.00")
    pay(account, PROCESS, "50.00", today=JAN_31)
    bill(account, PROCESS, FEB_10)
    rows = table(browser, "months")
    assert [row[1:] for row in rows] == [[90, None, None], [90, 50, None], [180, 50, 0]]
    page = browser.get("/reports/months/")
    bars = page.context["chart"].bars
    assert len(bars) == 3
    behind = {bar.amount: browser.get(bar.address).context["table"] for bar in bars}
    assert [line.values["amount"] for line in behind[50].lines] == [50]
    assert "flow=collected&amp;first=2026-01-01&amp;last=2026-01-31&amp;currency=usd" in page.content.decode()
    assert bars[0].address in browser.get("/").content.decode().replace("&amp;", "&")


def test_one_month_alone_is_no_chart(acme, browser):
    billed(acme, PROCESS)
    assert browser.get("/reports/months/").context["chart"] is None
    assert 'class="chart"' not in browser.get("/").content.decode()


def test_failed_collections_lead_to_their_invoices(acme, browser):
    _, invoice = billed(acme, PROCESS, "sandbox_declined", "30.00")
    billed(acme, PROCESS, "sandbox_declined")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=PROCESS, today=JAN_31)
    ((outcome, reason, method, count, amount),) = table(browser, "failed-collections")
    assert (outcome, reason, method, count, amount) == ("Declined", "The card was declined", "Card", 1, 30)
    (row,) = browser.get("/reports/failed-collections/").context["table"].rows
    (listed,) = browser.get(row[0].address).context["pages"].rows
    assert listed.pk == invoice.pk


def test_transactions_are_all_of_a_period_by_pages(acme, umbra, browser):
    account, _ = billed(acme, PROCESS)
    pay(account, PROCESS, "5.00")
    billed(umbra, PROCESS)
    found = table(browser, "transactions", **JANUARY)
    assert [(row[1].split()[0], row[3]) for row in found] == [("Cheque", -5), ("Invoice", 30)] or len(found) == 2
    assert table(browser, "transactions", **JANUARY, currency="jpy") == []


def test_reports_are_for_those_who_may_see_transactions(acme, umbra):
    assert reader(acme, permissions=("view_invoice",), name="eve").get("/reports/").status_code == 403
    outsider = reader(umbra, permissions=SEEN, name="bo")
    billed(acme, PROCESS)
    for name in ("receivables", "credit", "months", "taxes", "journal", "failed-collections", "transactions"):
        assert table(outsider, name) == [], name
    assert 'href="/reports/"' not in reader(acme, permissions=("view_invoice",), name="al").get("/").content.decode()
