"""Accounts in a real browser: looking for one, seeing what would be billed, and generating just that."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import RateSchedule
from invoices.models import Invoice
from tests.browser.conftest import check_looks
from tests.support.billing import bill, metered
from tests.support.factories import ClientFactory, TaxRateFactory, a_plan, an_account
from tests.support.payments import pay

PROCESS = Caller(process="test")


@pytest.fixture
def account(boss):
    """Due since yesterday, at 30.00 and 10 % tax."""
    client = ClientFactory()
    TaxRateFactory(client=client)
    return an_account(client, start=timezone.now().date() - timedelta(days=1), client_acct_id="AB-1")


def generate_page(opened, boss, account, **options):
    page = opened(boss, **options)
    page.goto(f"/accounts/{account.pk}/generate/")
    return page


def test_from_the_list_to_an_invoice_that_was_seen(opened, boss, account):
    an_account(account.client, client_acct_id="CD-1")
    page = opened(boss)
    page.goto("/accounts/")
    page.get_by_role("searchbox", name="Search").fill("ab")
    page.get_by_role("button", name="Find").click()
    assert page.get_by_role("link", name="CD-1").count() == 0
    page.get_by_role("link", name="AB-1").click()
    page.get_by_text("Can be billed now").wait_for()
    page.get_by_role("link", name="Generate invoice").click()
    preview = page.locator("#preview")
    assert "$33.00" in preview.inner_text() and "Sales tax 10 %: $3.00" in preview.inner_text()
    page.get_by_role("button", name="Issue invoice").click()
    page.get_by_text("Invoice INV-000001 of $33.00 is issued.").wait_for()
    assert page.url.endswith(f"/invoices/{Invoice.objects.get().pk}/")


def test_a_choice_is_previewed_as_soon_as_it_is_made(opened, boss, account):
    page = generate_page(opened, boss, account)
    page.get_by_label("As pending").check()
    page.get_by_text("will be pending").wait_for()
    assert page.evaluate("document.activeElement.id") == "mode-pending"
    page.get_by_role("button", name="Generate pending invoice").click()
    page.get_by_text(re.compile(r"of \$33\.00 is pending")).wait_for()
    assert Invoice.objects.get().status == "pending"


def test_a_click_after_a_typed_day_is_not_lost(opened, boss, account):
    """The day and the click are two requests: the answer to the first comes last, and takes nothing back."""
    page = generate_page(opened, boss, account)
    page.evaluate("document.querySelector('#generating').marked = true")
    held = []

    def hold(route):
        held.append(route) if "mode=now" in route.request.url else route.continue_()

    page.route(re.compile(r"alt_bill_day=20"), hold)
    page.get_by_label("Alternate bill day").fill("20")
    page.get_by_label("As pending").click()
    page.get_by_text("will be pending").wait_for()
    assert len(held) == 1
    assert page.get_by_label("As pending").is_checked()
    assert page.get_by_label("Alternate bill day").input_value() == "20"
    assert page.evaluate("document.querySelector('#generating').marked") is True
    page.get_by_role("button", name="Generate pending invoice").click()
    page.get_by_text("is pending").first.wait_for()
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.bill_day) == ("pending", 20)
    page.troubles.clear()  # htmx notes the request that it gave up


def test_a_click_is_not_lost_though_the_answer_comes_while_the_button_is_down(opened, boss, account):
    page = generate_page(opened, boss, account)
    page.get_by_label("Alternate bill day").fill("20")
    box = page.locator("label[for=mode-pending]").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    with page.expect_response(re.compile(r"mode=now&alt_bill_day=20")):
        page.mouse.down()
    page.get_by_text("Bill day", exact=True).wait_for()
    page.mouse.up()
    page.get_by_text("will be pending").wait_for()
    assert page.get_by_label("As pending").is_checked()


@pytest.mark.parametrize("scripts", [True, False])
def test_what_was_not_previewed_is_not_issued(opened, boss, account, scripts):
    page = generate_page(opened, boss, account, java_script_enabled=scripts)
    if scripts:
        page.route(re.compile(r"mode=pending"), lambda route: None)  # the preview is still on its way
    page.get_by_label("As pending").check()
    page.get_by_role("button", name="Issue invoice").click()
    page.get_by_text("The document has changed since you saw it").wait_for()
    page.troubles.clear()  # the browser notes an answer of 409
    assert Invoice.objects.count() == 0
    assert page.get_by_label("As pending").is_checked()
    page.get_by_role("button", name="Generate pending invoice").click()
    page.get_by_text("is pending").first.wait_for()
    assert Invoice.objects.get().status == "pending"


def test_what_moved_is_shown_beside_a_new_preview(opened, boss, account):
    page = generate_page(opened, boss, account)
    page.get_by_label("As pending").check()
    page.get_by_text("will be pending").wait_for()
    RateSchedule.objects.update(rate_per_unit=40)
    page.get_by_role("button", name="Generate pending invoice").click()
    page.get_by_text("moved: terms, lines, taxes").wait_for()
    page.troubles.clear()  # the browser notes an answer of 409
    assert page.get_by_label("As pending").is_checked()
    assert "$44.00" in page.locator("#preview").inner_text()
    assert Invoice.objects.count() == 0
    page.get_by_role("button", name="Generate pending invoice").click()
    page.get_by_text(re.compile(r"of \$44\.00 is pending")).wait_for()


def test_a_double_click_makes_one_invoice(opened, boss, account):
    page = generate_page(opened, boss, account)
    page.get_by_role("button", name="Issue invoice").dblclick()
    page.get_by_text("Invoice INV-000001 of $33.00 is issued.").first.wait_for()
    assert Invoice.objects.count() == 1


def test_generating_works_without_scripts(opened, boss, account):
    page = generate_page(opened, boss, account, java_script_enabled=False)
    page.get_by_label("As pending").check()
    page.get_by_label("Alternate bill day").fill("20")
    page.get_by_role("button", name="Preview").click()
    assert "Bill day\n20" in page.locator("#preview").inner_text()
    assert page.get_by_label("Alternate bill day").input_value() == "20"
    page.get_by_role("button", name="Generate pending invoice").click()
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.bill_day) == ("pending", 20)
    page.goto(f"/accounts/{account.pk}/")
    page.get_by_role("link", name="Go to the pending invoice").click()
    assert page.url.endswith(f"/invoices/{invoice.pk}/")


def test_generating_works_with_the_keyboard_alone(opened, boss, account):
    page = generate_page(opened, boss, account)
    page.get_by_label("Now", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.get_by_text("will be pending").wait_for()
    assert page.evaluate("document.activeElement.id") == "mode-pending"
    page.keyboard.press("Control+Enter")
    page.get_by_text(re.compile(r"of \$33\.00 is pending")).wait_for()


def test_a_wrong_bill_day_is_told_at_its_field(opened, boss, account):
    page = generate_page(opened, boss, account, java_script_enabled=False)
    page.goto(f"/accounts/{account.pk}/generate/?mode=now&alt_bill_day=40")
    field = page.get_by_label("Alternate bill day")
    assert (field.input_value(), field.get_attribute("aria-invalid")) == ("40", "true")
    assert page.get_by_text("alternate billing day must be between 1 and 31").is_visible()


def test_the_ledger_turns_its_pages_in_place(opened, boss, account):
    for month in range(12):
        bill(account, PROCESS, timezone.now().date() + timedelta(days=31 * month))
    page = opened(boss)
    page.goto(f"/accounts/{account.pk}/")
    older = page.locator("#ledger-older")
    older.click()
    page.locator("#ledger-newer").wait_for()
    assert "INV-000001" in page.locator("#ledger").inner_text()
    page.go_back()
    page.locator("#ledger-older").wait_for()


def test_pages_of_accounts_look(opened, boss, account):
    page = opened(boss)
    check_looks(page, "/accounts/")
    check_looks(page, "/accounts/?search=nobody")
    check_looks(page, f"/accounts/{account.pk}/")
    check_looks(page, f"/accounts/{account.pk}/generate/")


def test_pages_of_an_account_with_much_on_them_look(opened, boss, account):
    bill(account, PROCESS, timezone.now().date())
    pay(account, PROCESS, "12.50")
    other, _ = metered(account.client, start=timezone.now().date())
    other.client_acct_id = "X" * 50
    other.save()
    waiting = an_account(account.client, a_plan(account.client, name="Long plan " * 10), client_acct_id="EF-1", is_test=True)
    page = opened(boss)
    check_looks(page, "/accounts/")
    check_looks(page, f"/accounts/{account.pk}/")
    check_looks(page, f"/accounts/{account.pk}/generate/?mode=now")
    check_looks(page, f"/accounts/{other.pk}/generate/?mode=now&alt_bill_day=40")
    check_looks(page, f"/accounts/{waiting.pk}/")
