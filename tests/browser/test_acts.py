"""Everyday acts on money in a real browser: seen before, bound to what was seen, told after; and the clicks that they take."""

from invoices.models import Invoice, LedgerEntry, Payment, Refund
from tests.browser.conftest import check_looks
from tests.support.clicks import Clicks
from tests.support.factories import BY_TEST
from tests.support.paying import due, unapplied
from tests.support.payments import pay


def test_a_payment_over_two_invoices_is_recorded_with_4_clicks(opened, ana):
    page = opened(ana)
    page.goto(f"/accounts/{ana.account.pk}/")
    clicks = Clicks(page)
    clicks.press("link", "Record payment")
    clicks.fill("Amount", "50")
    page.locator("#outcome").get_by_text("INV-000002").wait_for()
    assert "Balance after\n$16.00" in page.locator("#outcome").inner_text()
    clicks.press("button", "Record payment")
    page.get_by_text("The payment of $50.00 is recorded. $33.00 pays INV-000001. $17.00 pays INV-000002.").wait_for()
    assert clicks.count <= 4
    assert (due(ana.january), due(ana.february)) == (0, 16)


def test_lines_are_credited_with_4_clicks(opened, ana):
    page = opened(ana)
    page.goto(f"/invoices/{ana.january.pk}/")
    clicks = Clicks(page)
    clicks.press("link", "Credit lines")
    page.get_by_role("checkbox").first.check()
    clicks.count += 1

    page.locator("#outcome").get_by_text("$33.00").first.wait_for()
    clicks.choose("Reason")
    page.get_by_label("Comments").fill("agreed")
    clicks.press("button", "Issue credit memo")
    page.get_by_text("Credit memo CM-000001 of $33.00 is issued. It reduces INV-000001.").wait_for()
    assert clicks.count <= 4
    assert due(ana.january) == 0


def test_a_payment_is_refunded_with_3_clicks(opened, ana):
    pay(ana.account, BY_TEST, "40")
    page = opened(ana)
    page.goto(f"/accounts/{ana.account.pk}/")
    clicks = Clicks(page)
    page.get_by_role("link", name="Refund").click()
    clicks.count += 1
    page.locator("#outcome").get_by_role("columnheader", name="Open again").wait_for()
    clicks.choose("Reason")
    clicks.press("button", "Refund payment")
    page.get_by_text("is refunded.").wait_for()
    assert clicks.count <= 3
    assert Refund.objects.get().entry.amount == 40


def test_a_payment_is_recorded_without_scripts_after_it_was_seen(opened, ana):
    page = opened(ana, java_script_enabled=False)
    page.goto(f"/accounts/{ana.account.pk}/payments/new/?invoice={ana.february.pk}")
    assert page.get_by_label("Amount").input_value() == "33.00"
    page.get_by_label("Amount").fill("70")
    page.get_by_role("button", name="Record payment").click()
    page.get_by_text("Nothing was written yet.").wait_for()
    assert Payment.objects.count() == 0
    assert "Unapplied credit\n$4.00" in page.locator("#outcome").inner_text()
    page.troubles.clear()  # the browser notes an answer of 409
    page.get_by_role("button", name="Record payment").click()
    page.get_by_text("$4.00 is unapplied credit.").wait_for()
    assert unapplied(ana.account) == 4


def test_what_was_seen_and_has_changed_is_not_done(opened, ana):
    page = opened(ana)
    page.goto(f"/accounts/{ana.account.pk}/payments/new/?invoice={ana.january.pk}")
    page.locator("#outcome").get_by_text("INV-000001").wait_for()
    pay(ana.account, BY_TEST, "10")
    page.get_by_role("button", name="Record payment").click()
    page.get_by_text("Nothing was written yet.").wait_for()
    page.troubles.clear()  # the browser notes an answer of 409
    assert Payment.objects.count() == 1


def test_a_payment_is_recorded_with_the_keyboard_alone(opened, ana):
    page = opened(ana)
    page.goto(f"/accounts/{ana.account.pk}/payments/new/")
    assert page.evaluate("document.activeElement.name") == "amount"
    page.keyboard.type("5")
    page.locator("#outcome").get_by_text("INV-000001").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_text("The payment of $5.00 is recorded.").wait_for()


def test_a_wrong_field_has_the_focus(opened, ana):
    page = opened(ana, java_script_enabled=False)
    page.goto(f"/invoices/{ana.january.pk}/write-off/")
    page.get_by_role("button", name="Write off").click()
    reason = page.get_by_label("Reason")
    assert (reason.get_attribute("aria-invalid"), reason.get_attribute("autofocus")) == ("true", "")
    assert LedgerEntry.objects.count() == 2
    page.troubles[:] = [one for one in page.troubles if "422" not in one]  # the browser notes the answer


def test_pages_of_acts_look(opened, ana):
    payment = pay(ana.account, BY_TEST, "40")
    page = opened(ana)
    account, invoice = ana.account.pk, Invoice.objects.get(document_number="INV-000002").pk
    check_looks(page, f"/accounts/{account}/")
    check_looks(page, f"/accounts/{account}/payments/new/?invoice={invoice}")
    check_looks(page, f"/accounts/{account}/cash-credits/new/")
    for act in ("credit", "write-off", "dispute", "refund"):
        check_looks(page, f"/invoices/{invoice}/{act}/")
    for act in ("refund", "void", "apply"):
        check_looks(page, f"/transactions/{payment.pk}/{act}/")


def test_a_customer_with_a_plan_is_created_on_2_pages(opened, ana):
    page = opened(ana)
    page.goto("/accounts/")
    page.get_by_role("link", name="New customer").click()
    page.get_by_label("Client account id").fill("CD-2")
    page.locator("[name=name]").fill("Grace Hopper")
    page.locator("select[name=plan]").select_option(index=1)
    page.locator("#outcome").get_by_text("Total before tax").wait_for()
    assert "$30.00" in page.locator("#outcome").inner_text()
    page.get_by_role("button", name="Create customer").click()
    page.get_by_text("Customer CD-2 is created.").wait_for()
    assert page.get_by_role("link", name="Change Basic").count() == 1


def test_the_page_of_a_new_customer_looks(opened, ana):
    page = opened(ana)
    check_looks(page, "/accounts/new/")
