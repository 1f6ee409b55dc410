"""The dashboard: what needs a person, counted and added up to the cent, and the figures of months."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.callers import Caller
from billing_site.errors import BillingError
from invoices.models import BillingRun, Statement
from invoices.pages.charts import chart_of
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.lists.dashboard import Month, attention, months
from invoices.services.runs.runs import continue_run, start_run
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.paying import billed
from tests.support.payments import pay
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.django_db
PROCESS = Caller(process="test")
TODAY = date(2026, 3, 31)


@pytest.fixture(autouse=True)
def end_of_march():
    with time_machine.travel(datetime(2026, 3, 31, 18, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme)


def needs(client):
    return attention(client, TODAY)


def is_clear(found):
    return not found.due_accounts.ready and not any(part for name, part in found._asdict().items() if name != "due_accounts")


def text_of(answer):
    return " ".join(answer.content.decode().split())


def tiles(signed_in):
    return {str(tile.title): tile for tile in signed_in.get("/").context["tiles"]}


def listed(signed_in, address):
    return [invoice.pk for invoice in signed_in.get(address).context["pages"].rows]


def pending(client, days_ago, **fields):
    plan = a_plan(client, {"phone": "30.00"}, currency=fields.get("currency", "usd"))
    return bill(an_account(client, plan, **fields), PROCESS, TODAY - timedelta(days=days_ago), force_pending=True)


def test_what_waits_is_told_by_age_and_currency(acme, signed_in):
    for days_ago in (0, 1, 2, 7, 8):
        pending(acme, days_ago)
    pending(acme, 40, currency="eur")
    found = needs(acme).pending
    assert [(one.least, one.most, [tuple(each) for each in one.sums]) for one in found] == [
        (0, 1, [("usd", 2, D(60))]),
        (2, 7, [("usd", 2, D(60))]),
        (8, None, [("eur", 1, D(30)), ("usd", 1, D(30))]),
    ]
    tile = tiles(signed_in)["Pending invoices"]
    assert (tile.how_many, [part.label for part in tile.parts]) == (6, ["0–1 days", "2–7 days", "over 7 days"])
    assert tile.parts[2].address == "/invoices/pending/?kind=recurring%2Cadvance&tax_date_to=2026-03-23"
    assert "€30.00" in text_of(signed_in.get("/"))


def test_rebills_that_wait_stand_by_themselves(acme, signed_in):
    acme.rebill_approval_required = True
    acme.save()
    rebilled(bill(an_account(acme), PROCESS, JAN_10), PROCESS, 1, today=TODAY)
    assert [tuple(one) for one in needs(acme).rebills] == [("usd", 1, D(30))]
    assert tiles(signed_in)["Pending rebills"].address == "/invoices/pending/?kind=rebill"
    assert needs(acme).pending == []


def test_a_failed_collection_counts_until_it_is_paid(acme, signed_in):
    account, invoice = billed(acme, PROCESS, "sandbox_declined")
    billed(acme, PROCESS, "sandbox_approved")
    for one in acme.invoices.all():
        collect_invoices(client=acme, invoice_nos=[one.pk], caller=PROCESS, today=TODAY)
    assert [tuple(one) for one in needs(acme).failed_collections] == [("usd", 1, D(30))]
    assert listed(signed_in, tiles(signed_in)["Failed collections"].address) == [invoice.pk]
    pay(account, PROCESS, "10.00")
    assert [tuple(one) for one in needs(acme).failed_collections] == [("usd", 1, D(20))]
    pay(account, PROCESS, "20.00")
    assert needs(acme).failed_collections == []


def test_a_failed_statement_counts_until_another_was_sent(acme, signed_in):
    invoice = bill(an_account(acme), PROCESS, JAN_10)
    given = {"invoice": invoice, "requested_by": "process:test", "requested_at": timezone.now()}
    Statement.objects.create(status="failed", **given)
    assert needs(acme).failed_statements == 1
    assert listed(signed_in, tiles(signed_in)["Failed statements"].address) == [invoice.pk]
    Statement.objects.create(status="sent", **given)
    assert needs(acme).failed_statements == 0


def test_what_is_overdue_is_told_by_age(acme, signed_in):
    """Due dates are 14 days after the bill date: 24 January is 66 days ago, 24 February 35."""
    account = an_account(acme)
    old, newer = bill(account, PROCESS, JAN_10), bill(account, PROCESS, FEB_10)
    pay(account, PROCESS, "12.50")
    bill(an_account(acme), PROCESS, TODAY)
    found = needs(acme).overdue
    assert [(one.least, one.most, [tuple(each) for each in one.sums]) for one in found] == [
        (31, 60, [("usd", 1, D(30))]),
        (61, 90, [("usd", 1, D("17.50"))]),
    ]
    parts = tiles(signed_in)["Overdue"].parts
    assert [listed(signed_in, part.address) for part in parts] == [[newer.pk], [old.pk]]


def test_runs_that_are_not_finished_and_refusals_that_still_stand(acme, signed_in):
    bare = an_account(acme, contact=False)
    run = start_run(client=acme, today=JAN_10, caller=PROCESS)
    assert [(one.run, one.waiting, one.refused) for one in needs(acme).runs] == [(run, 1, 0)]
    assert f"Billing run {run.pk} is not finished" in tiles(signed_in)
    assert "Accounts due to bill" not in tiles(signed_in)
    acme.tax_engine = "failing"
    acme.save()
    run.refresh_from_db()
    continue_run(BillingRun.objects.get(pk=run.pk), caller=PROCESS)
    standing = needs(acme)
    assert [(one.run, one.waiting, one.refused) for one in standing.runs] == [(run, 0, 1)]
    assert (standing.tax_failures, standing.due_accounts.ready) == (1, 1)
    assert tiles(signed_in)[f"Refused in billing run {run.pk}"].address == f"/billing-runs/{run.pk}/?result=refused"
    acme.tax_engine = "table"
    acme.save()
    bare.refresh_from_db()
    bill(bare, PROCESS, JAN_10)
    assert needs(acme).runs == []


def test_failures_of_the_tax_engine_are_those_of_the_last_days(acme):
    acme.tax_engine = "failing"
    acme.save()
    account = an_account(acme)
    for day in (20, 25, 30):
        with time_machine.travel(datetime(2026, 3, day, 18, tzinfo=UTC), tick=False), pytest.raises(BillingError):
            bill(account, PROCESS, JAN_10)
    assert needs(acme).tax_failures == 2


def test_accounts_due_leave_out_whom_no_run_would_bill(acme):
    an_account(acme)
    an_account(acme, is_test=True)
    an_account(acme, status=-1)
    pending(acme, 0)
    an_account(acme, start=TODAY + timedelta(days=1))
    assert needs(acme).due_accounts == (1, 1, 2, 0)


def test_all_clear(acme, signed_in):
    an_account(acme, start=TODAY + timedelta(days=1))
    assert is_clear(needs(acme))
    assert "Nothing is pending, failed or overdue" in text_of(signed_in.get("/"))
    assert "Nothing was invoiced in the last twelve months" in text_of(signed_in.get("/"))


def test_a_client_without_accounts_is_told_the_next_step(signed_in):
    assert "There are no accounts yet" in text_of(signed_in.get("/"))


def test_months_add_up_the_ledger(acme, signed_in):
    account = an_account(acme)
    bill(account, PROCESS, JAN_10)
    bill(account, PROCESS, FEB_10)
    pay(account, PROCESS, "12.50", today=FEB_10)
    original = bill(an_account(acme), PROCESS, FEB_10)
    rebilled(original, PROCESS, 1, today=TODAY)
    rows = months(acme, TODAY)["usd"]
    assert (len(rows), rows[0].first, rows[-1].first) == (12, date(2025, 4, 1), date(2026, 3, 1))
    assert [tuple(one)[1:] for one in rows[-3:]] == [(30, 0, 0), (60, D("12.50"), 0), (30, 0, 30)]
    page = text_of(signed_in.get("/"))
    assert "$120.00" in page and "<svg" in page


def test_a_void_takes_back_on_its_own_day(acme):
    invoice = bill(an_account(acme), PROCESS, JAN_10)
    void_invoice(client=acme, invoice_no=invoice.pk, caller=PROCESS, today=TODAY, reason_code=5)
    rows = {one.first: one.invoiced for one in months(acme, TODAY)["usd"]}
    assert (rows[date(2026, 1, 1)], rows[date(2026, 3, 1)]) == (30, -30)


def test_the_address_says_the_currency(acme, signed_in):
    bill(an_account(acme), PROCESS, JAN_10)
    bill(an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy"), PROCESS, JAN_10)
    assert signed_in.get("/").context["currency"] == "jpy"
    page = signed_in.get("/?currency=usd")
    assert (page.context["currency"], page.context["currencies"]) == ("usd", ["jpy", "usd"])
    assert signed_in.get("/?currency=nonsense").context["currency"] == "jpy"


def test_bars_stand_on_a_round_scale_that_holds_them(acme):
    bill(an_account(acme), PROCESS, JAN_10)
    pay(acme.accounts.get(), PROCESS, "12.00", today=FEB_10)
    found = months(acme, TODAY)["usd"]
    chart = chart_of(found, [[f"{one.first} {series}" for series in range(3)] for one in found])
    assert [line.amount for line in chart.scale] == [0, 10, 20, 30]
    assert [bar.address for bar in chart.bars] == ["2026-01-01 0", "2026-02-01 1"]
    assert all(float(bar.y) >= 0 and float(bar.height) >= 0 for bar in chart.bars)


def test_other_clients_rows_do_not_count(acme, umbra):
    pending(umbra, 0)
    account, _invoice = billed(umbra, PROCESS, "sandbox_declined")
    an_account(acme, start=TODAY + timedelta(days=1))
    assert is_clear(needs(acme))
    assert months(acme, TODAY) == {}
    assert not is_clear(needs(umbra))


def test_however_much_there_is_the_queries_are_as_many(acme, signed_in):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            signed_in.get("/")
        return len(captured)

    def more():
        pending(acme, 0)
        billed(acme, PROCESS, "sandbox_declined")
        bill(an_account(acme), PROCESS, JAN_10)

    more()
    few = queries()
    for _ in range(4):
        more()
    assert queries() == few


def test_a_chart_shows_the_whole_year_also_if_only_its_last_months_have_figures():
    year = [Month(date(2025, number, 1)) for number in range(1, 13)]
    found = [*year[:10], year[10]._replace(invoiced=D(5)), year[11]._replace(collected=D(5))]
    chart = chart_of(found, [["/a/", "/b/", "/c/"]] * 12)
    assert [label.month.month for label in chart.months] == list(range(1, 13))
    assert [bar.address for bar in chart.bars] == ["/a/", "/b/"]
