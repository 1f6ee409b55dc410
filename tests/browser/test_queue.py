"""The approval queue in a real browser: a mixed selection, two persons, results for each, without JavaScript, by keyboard."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.kinds import FourEyes
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.browser.conftest import PHONE, check_looks
from tests.factories import ClientFactory, a_plan, an_account

RIGHTS = ["view_invoice", "view_account", "generate_invoice", "approve_invoice"]


def staff(client, name):
    user = get_user_model().objects.create(username=name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS))
    client.staff.add(user)
    return user


@pytest.fixture
def two(transactional_db):
    """A client under four eyes with two persons: ann has generated two invoices, ben one."""
    client = ClientFactory(name="Umbra Cable", four_eyes=FourEyes.ANOTHER_PERSON)
    ann, ben = staff(client, "ann"), staff(client, "ben")
    plan = a_plan(client)
    for name, user in (("A-1", ann), ("A-2", ann), ("B-1", ben)):
        account = an_account(client, plan, client_acct_id=name)
        request = BillingRequest(date(2026, 1, 10), force_pending=True)
        generate_invoice(client=client, account_no=account.pk, request=request, caller=Caller(staff=user))
    return client, ann, ben


def test_what_one_has_made_another_approves(opened, two):
    client, ann, ben = two
    page = opened(ann)
    page.goto("/invoices/pending/")
    assert page.locator("[data-row]").count() == 3
    page.get_by_label("Select all on this page").check()
    bar = page.locator(".sticky-bar")
    assert "3 selected" in bar.inner_text()
    assert "$90.00" in bar.inner_text()
    assert "2 for another approver" in bar.inner_text()
    page.get_by_role("button", name="Approve").click()
    assert "2 of them will be refused" in page.locator("main").inner_text()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/invoices/decisions/*/")
    text = page.locator("main").inner_text()
    assert "3 of 3 are done" in text
    assert text.count("You cannot approve your own document or request") == 2
    assert Invoice.objects.filter(status="approved").count() == 1

    other = opened(ben)
    other.goto("/invoices/pending/")
    other.get_by_label("all that match, on all pages").check()
    other.get_by_role("button", name="Approve").click()
    other.get_by_role("button", name="Approve").click()
    other.wait_for_url("**/invoices/decisions/*/")
    assert Invoice.objects.filter(status="approved").count() == 3
    other.goto("/invoices/pending/")
    assert "Nothing is pending" in other.locator("main").inner_text()


def test_lines_open_in_place(opened, two):
    page = opened(two[1])
    page.goto("/invoices/pending/")
    page.get_by_label("compared with the last invoice").first.click()
    page.get_by_text("The account has no earlier invoice to compare with.").wait_for()
    assert page.url.endswith("/invoices/pending/")


def test_without_javascript(opened, two):
    page = opened(two[2], java_script_enabled=False)
    page.goto("/invoices/pending/?tab=flagged")
    page.locator("[data-row] input[type=checkbox]").first.check()
    page.get_by_role("button", name="Discard").click()
    page.get_by_label("Reason").fill("made twice")
    page.get_by_role("button", name="Discard").click()
    assert "1 of 1 are done" in page.locator("main").inner_text()
    assert Invoice.objects.filter(status="discarded").count() == 1


def test_by_keyboard(opened, two):
    page = opened(two[2])
    page.goto("/invoices/pending/")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    assert "1 selected" in page.locator(".sticky-bar").inner_text()
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Reason").wait_for()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/invoices/decisions/*/")
    assert Invoice.objects.filter(status="approved").count() == 1


def test_looks(opened, two):
    client, ann, ben = two
    number = Invoice.objects.first().pk
    page = opened(ben)
    check_looks(page, "/invoices/pending/")
    check_looks(page, f"/invoices/pending/{number}/")
    check_looks(page, f"/invoices/{number}/")
    page.goto("/invoices/pending/")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/invoices/decisions/*/")
    check_looks(page, page.url)
    approved = Invoice.objects.filter(status="approved").first().pk
    check_looks(page, f"/invoices/{approved}/")
    check_looks(page, f"/invoices/{approved}/print/")


def test_an_invoice_is_approved_on_its_page(opened, two):
    client, ann, ben = two
    invoice = Invoice.objects.get(account__client_acct_id="A-1")
    page = opened(ben)
    page.goto(f"/invoices/{invoice.pk}/")
    page.locator("summary", has_text="Approve").click()
    page.get_by_role("button", name="Approve document").click()
    page.get_by_text("Approved as INV-000001.").wait_for()
    mine = Invoice.objects.get(account__client_acct_id="B-1")
    page.goto(f"/invoices/{mine.pk}/")
    assert page.locator("summary", has_text="Approve").count() == 0
    page.get_by_text("What cannot be done, and why").click()
    assert "You cannot approve your own document or request" in page.locator(".refusals").inner_text()


def test_an_act_asks_first_without_scripts_and_by_keyboard_on_a_phone(opened, two):
    invoice = Invoice.objects.get(account__client_acct_id="A-1")
    page = opened(two[2], java_script_enabled=False, viewport=PHONE)
    page.goto(f"/invoices/{invoice.pk}/")
    assert not page.get_by_role("button", name="Discard document").is_visible()
    page.locator("summary", has_text="Discard").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.get_by_role("button", name="Discard document").is_visible()
    invoice.refresh_from_db()
    assert invoice.status == "pending"
    page.keyboard.press("Enter")
    page.get_by_text("Discarded. Nothing is charged.").wait_for()
    invoice.refresh_from_db()
    assert invoice.status == "discarded"


def test_the_sign_in_page_takes_the_place_of_the_whole_queue(opened, two):
    page = opened(two[1])
    page.goto("/invoices/pending/?tab=all")
    page.context.clear_cookies(name="sessionid")
    page.get_by_label("compared with the last invoice").first.click()
    page.wait_for_url("**/login/?next=/invoices/pending/%3Ftab%3Dall")
    assert page.get_by_label("Password").is_visible() and page.locator("[data-row]").count() == 0
