"""The main job from end to end, by three: generate, approve, rebill with another rate, see the difference, collect."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from accounts.clock import offset_to
from accounts.models import PaymentMethod
from invoices.audit import run_audits
from invoices.models import Invoice
from invoices.services.money.ledger.entries import account_balance
from tests.browser.conftest import PHONE, violations, wider_than_screen
from tests.support.factories import ClientFactory, a_plan, an_account

JANUARY_10 = date(2026, 1, 10)

ROLES = ("Biller", "Approver", "Collector")


@pytest.fixture
def world(transactional_db, settings):
    settings.VIRTUAL_CLOCK = True
    client = ClientFactory(clock_offset=offset_to(JANUARY_10, "UTC"), invoice_approval_required=True)
    people = {}
    for role in ROLES:
        people[role] = get_user_model().objects.create(username=role.lower(), is_staff=True)
        people[role].groups.add(Group.objects.get(name=role))
        client.staff.add(people[role])
    account = an_account(client, a_plan(client, {"phone": "30.00", "internet": "50.00"}), client_acct_id="A-1")
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved", label="Card")
    return account, people


def test_generate_approve_rebill_and_collect(opened, world):
    account, people = world
    biller = opened(people["Biller"])
    biller.goto("/accounts/")
    biller.get_by_role("link", name="A-1").first.click()
    biller.get_by_role("link", name="Generate invoice").click()
    biller.get_by_role("button", name="Preview").click()
    biller.get_by_text("will be pending").first.wait_for()
    biller.get_by_role("button", name="Generate pending invoice").click()
    biller.get_by_text("is pending").first.wait_for()
    assert biller.get_by_role("button", name="Approve").count() == 0
    first = Invoice.objects.get()

    approver = opened(people["Approver"])
    approver.goto("/invoices/pending/")
    approver.get_by_label(f"Select invoice {first.pk}").check()
    approver.get_by_role("button", name="Approve").click()
    assert violations(approver) == []
    approver.set_viewport_size(PHONE)
    assert wider_than_screen(approver) <= 0
    approver.get_by_role("button", name="Approve").click()
    approver.get_by_text("1 of 1 are done").wait_for()

    biller.goto(f"/invoices/{first.pk}/")
    biller.get_by_role("link", name="Rebill", exact=True).click()
    biller.locator("select[name=reason_code]").select_option(label="Wrong price or quantity")
    rate = biller.locator("#line-2-rate_per_unit")
    rate.fill("40")
    rate.press("Tab")
    biller.get_by_text("-$10.00").first.wait_for()
    biller.get_by_role("button", name="Review").click()
    biller.get_by_text("rate 50 → 40").first.wait_for()
    assert violations(biller) == []
    biller.get_by_role("button", name="Issue rebill").click()
    biller.wait_for_url("**/rebills/*/")
    rebill = Invoice.objects.get(kind="rebill")
    assert (rebill.status, rebill.total_amount, rebill.corrects_id) == ("approved", 70, first.pk)

    biller.goto(f"/invoices/{first.pk}/difference/{rebill.pk}/")
    text = biller.locator("main").inner_text()
    assert "rate 50 → 40" in text and "-$10.00" in text

    collector = opened(people["Collector"])
    collector.goto(f"/invoices/{rebill.pk}/")
    collector.locator("summary", has_text="Collect open amount").click()
    collector.get_by_text("$70.00 is charged to the customer's Card now.").wait_for()
    collector.get_by_role("button", name="Collect $70.00").click()
    collector.get_by_text("Collected.").wait_for()
    assert account_balance(account) == 0
    assert [report for report in run_audits() if report.findings] == []


def test_pages_that_are_not_there_look(opened, boss, world):
    page = opened(boss)
    page.goto("/invoices/999999/")
    assert "This page does not exist" in page.locator("main").inner_text()
    assert violations(page) == []
    stranger = get_user_model().objects.create(username="stranger", is_staff=True)
    other = opened(stranger)
    other.goto("/")
    assert "You are not assigned to any client." in other.locator("main").inner_text()
    assert violations(other) == []
    page.troubles.clear()
    other.troubles.clear()
