"""A session that ends in mid-work, and a network that goes away: nothing that is typed is lost."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from accounts.models import StaffSession
from invoices.models import Invoice
from tests.browser.conftest import violations
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account


@pytest.fixture
def clerk(transactional_db):
    return get_user_model().objects.create_user("clerk", password="safe and sound", is_staff=True, is_superuser=True)


@pytest.fixture
def invoice(clerk, acme, process):
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"})), process, JAN_10)


def test_the_builder_signs_in_by_a_dialog_and_keeps_what_is_typed(opened, clerk, invoice):
    page = opened(clerk)
    page.goto(f"/invoices/{invoice.pk}/rebill/")
    page.get_by_label("Comments", exact=True).fill("half typed")
    StaffSession.objects.all().delete()
    page.locator("#line-1-rate_per_unit").fill("40")
    dialog = page.get_by_role("dialog", name="Your session has ended")
    dialog.wait_for()
    assert violations(page) == []
    assert page.evaluate("document.activeElement.id") == "again-password"
    dialog.get_by_label("Password").fill("safe and sound")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Result of the rebill")).to_contain_text("$11.00")
    assert page.locator("#line-1-rate_per_unit").input_value() == "40"
    assert page.get_by_label("Comments", exact=True).input_value() == "half typed"
    page.get_by_label("Reason").select_option(index=1)
    page.get_by_role("button", name="Review").click()  # with the new token
    page.get_by_role("button", name="Issue rebill").click()
    page.get_by_text("The rebill was made.").wait_for()
    assert Invoice.objects.filter(kind="rebill").count() == 1
    page.troubles.clear()  # the browser notes the answers of 401


@pytest.mark.parametrize("scripts", [True, False])
def test_a_form_that_is_sent_too_late_is_kept_by_the_sign_in_page(opened, clerk, invoice, scripts):
    page = opened(clerk, java_script_enabled=scripts)
    page.goto(f"/invoices/{invoice.pk}/")
    page.get_by_text("Void …").click()
    page.get_by_label("Reason").first.select_option(index=1)
    page.get_by_label("Comments").fill("wrong customer")
    StaffSession.objects.all().delete()
    page.get_by_role("button", name="Void INV-000001").click()
    page.get_by_text("Your session has ended.").wait_for()
    page.get_by_label("Username").fill("clerk")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Password").fill("safe and sound")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Signed in again").wait_for()
    assert violations(page) == [] if scripts else True
    assert Invoice.objects.get().status == "approved"
    page.get_by_role("button", name="Send what you typed").click()
    page.get_by_text("Voided.", exact=False).first.wait_for()
    assert Invoice.objects.get().status == "voided"
    page.troubles.clear()  # the browser notes the answer of 401


def test_a_network_that_goes_and_comes_back(opened, clerk, acme):
    TaxRateFactory(client=acme)
    account = an_account(acme, start=date(2026, 1, 10))
    page = opened(clerk)
    page.goto(f"/accounts/{account.pk}/generate/")
    page.context.set_offline(True)
    page.get_by_label("Alternate bill day").fill("20")
    page.get_by_label("As pending").check()
    warning = page.locator("#network")
    expect(warning).to_contain_text("The server cannot be reached.")
    struck = "getComputedStyle(document.querySelector('#preview .num:not(input)')).textDecorationLine"
    assert page.evaluate(struck) == "line-through"
    page.context.set_offline(False)
    page.get_by_text("will be pending").wait_for()  # the request was sent again
    expect(warning).to_have_text("")
    assert page.evaluate(struck) == "none"
    assert page.get_by_label("As pending").is_checked()
    assert page.get_by_label("Alternate bill day").input_value() == "20"
    page.troubles.clear()  # the browser notes what it could not send


def test_what_another_site_sends_is_not_kept(client, db):
    kept = '["https://evil.example/", [["a", "b"]], false]'
    get_user_model().objects.create_user("ann", password="safe and sound", is_staff=True)
    answer = client.post("/login/", {"username": "ann", "password": "safe and sound", "kept": kept})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    for nonsense in ("{}", "[1]", '["/x", 5, 1]', "no"):
        client.logout()
        assert client.post("/login/", {"username": "ann", "password": "safe and sound", "kept": nonsense}).status_code == 302
