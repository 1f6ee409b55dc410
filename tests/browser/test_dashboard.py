"""The dashboard, the list of invoices and billing runs in a real browser: with and without scripts, and how they look."""

from datetime import date, timedelta

import pytest
from playwright.sync_api import expect

from accounts.callers import Caller
from accounts.clock import today
from invoices.kinds import ScheduledAct
from invoices.models import BillingRun, Invoice, Schedule
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.runs import runs
from invoices.services.runs.runs import continue_run, start_run
from invoices.services.work.schedules import set_schedule
from tests.browser.conftest import check_looks
from tests.support.billing import bill
from tests.support.factories import ClientFactory, a_plan, an_account
from tests.support.paying import billed

PROCESS = Caller(process="test")


@pytest.fixture
def client(transactional_db):
    return ClientFactory()


@pytest.fixture
def one_account_at_a_time(monkeypatch):
    monkeypatch.setattr(runs, "ACCOUNTS_OF_A_PAGE", 1)
    monkeypatch.setattr("invoices.pages.runs.SECONDS_OF_A_REQUEST", 0)


def due_accounts(client, count):
    plan = a_plan(client)
    return [an_account(client, plan, start=today(client)) for _ in range(count)]


def with_work(client):
    """Something of each kind that needs a person."""
    day = today(client)
    plan = a_plan(client)
    bill(an_account(client, plan, start=day - timedelta(days=3)), PROCESS, day - timedelta(days=3), force_pending=True)
    bill(an_account(client, plan, start=day - timedelta(days=60)), PROCESS, day - timedelta(days=60))
    _account, invoice = billed(client, PROCESS, "sandbox_declined", day=day, start=day)
    collect_invoices(client=client, invoice_nos=[invoice.pk], caller=PROCESS, today=day)
    run = start_run(client=client, today=day, caller=PROCESS)
    continue_run(run, caller=PROCESS)
    due_accounts(client, 2)
    return run


def test_the_dashboard_leads_to_the_lists(opened, boss, client):
    with_work(client)
    page = opened(boss)
    page.goto("/")
    tiles = page.locator(".tile")
    expect(tiles.filter(has_text="Pending invoices")).to_contain_text("$30.00")
    expect(tiles.filter(has_text="Failed collections").locator(".count")).to_have_text("1")
    page.get_by_role("link", name="Failed collections").click()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    check_looks(page, "/")


def test_a_client_with_nothing_to_do_and_an_empty_one(opened, boss, client):
    page = opened(boss)
    check_looks(page, "/")
    expect(page.locator(".empty-title")).to_have_text("There are no accounts yet")
    an_account(client, start=today(client) + timedelta(days=9))
    check_looks(page, "/")
    expect(page.get_by_role("status")).to_contain_text("Nothing is pending, failed or overdue")


def test_a_run_is_started_and_goes_on_until_it_is_finished(opened, boss, client, one_account_at_a_time):
    due_accounts(client, 4)
    page = opened(boss)
    page.goto("/")
    page.get_by_role("link", name="Accounts due to bill").click()
    page.get_by_role("button", name="Start billing run for 4 accounts").click()
    expect(page.locator("#messages")).to_contain_text("The billing run is finished.", timeout=30_000)
    expect(page.locator("#progress")).to_contain_text("4 Invoiced")
    expect(page.locator("main")).to_contain_text("$120.00")
    assert Invoice.objects.count() == 4


def test_a_run_that_was_interrupted_goes_on(opened, boss, client):
    due_accounts(client, 2)
    run = start_run(client=client, today=today(client), caller=PROCESS)
    page = opened(boss)
    page.goto(f"/billing-runs/{run.pk}/")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#messages")).to_contain_text("The billing run is finished.", timeout=30_000)


def test_without_scripts_a_run_is_continued_by_its_button(opened, boss, client, one_account_at_a_time):
    due_accounts(client, 2)
    page = opened(boss, java_script_enabled=False)
    page.goto("/billing-runs/new/")
    page.get_by_role("button", name="Start billing run for 2 accounts").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#progress")).to_contain_text("1 of 2 accounts")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#messages")).to_contain_text("The billing run is finished.")
    assert BillingRun.objects.get().finished_at is not None


def test_without_scripts_invoices_are_searched(opened, boss, client):
    with_work(client)
    page = opened(boss, java_script_enabled=False)
    page.goto("/invoices/")
    page.get_by_role("search", name="Search invoices").get_by_label("Status", exact=True).select_option("pending")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Total").click()
    assert "ordering=-total_amount" in page.url


def test_schedules_are_set_without_scripts(opened, boss, client):
    page = opened(boss, java_script_enabled=False)
    page.goto("/schedules/")
    expect(page.locator(".empty-title")).to_have_text("No schedule is on")
    page.get_by_label("Hour of: Audit").select_option("03:00")
    page.get_by_role("button", name="Switch on: Audit").click()
    expect(page.locator("#messages")).to_contain_text("Done each day from 03:00 on: Audit.")
    expect(page.get_by_label("Hour of: Audit")).to_have_value("3")
    page.get_by_role("button", name="Switch off: Audit").click()
    expect(page.locator("#messages")).to_contain_text("Switched off: Audit.")
    assert [(one.hour, one.is_on) for one in Schedule.objects.all()] == [(3, False)]


def test_looks_of_schedules(opened, boss, client):
    page = opened(boss)
    check_looks(page, "/schedules/")
    for act in (ScheduledAct.BILL, ScheduledAct.RESUME_COLLECTIONS):
        set_schedule(client=client, act=act, hour=6, caller=PROCESS)
    Schedule.objects.update(message="Billing run 7 is paused. Resume or cancel it.", next_day=date(2026, 1, 1))
    check_looks(page, "/schedules/")


def test_looks_of_lists_and_runs(opened, boss, client):
    run = with_work(client)
    page = opened(boss)
    for address in ("/invoices/", "/invoices/?bill_date_from=soon", "/invoices/?state=discarded", "/billing-runs/"):
        check_looks(page, address)
    for address in (f"/billing-runs/{run.pk}/", "/billing-runs/new/"):
        check_looks(page, address)
    start_run(client=client, today=today(client), caller=PROCESS)
    check_looks(page, f"/billing-runs/{BillingRun.objects.latest('pk').pk}/")
