"""Ways on from where work got stuck: a declined collection, a discard by mistake, and an address that the builder lacks."""

from decimal import Decimal as D

import pytest
from playwright.sync_api import expect

from accounts.models import Contact, PaymentMethod
from invoices.models import Invoice
from tests.browser.conftest import check_looks, violations
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.paying import paying


@pytest.fixture
def invoice(transactional_db, acme, process):
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"})), process, JAN_10)


def test_after_a_declined_collection_it_is_tried_again_with_another_method(opened, boss, acme, process):
    invoice = bill(paying(acme, "sandbox_declined"), process, JAN_10)
    page = opened(boss)
    page.goto(f"/invoices/{invoice.pk}/")
    page.get_by_text("Collect open amount …").click()
    page.get_by_role("button", name="Collect $30.00").click()
    stuck = page.get_by_role("region", name="Not collected: $30.00 is open")
    expect(stuck).to_contain_text("The card was declined")
    assert "authorization" not in page.content()
    assert page.get_by_role("link", name="Record payment").first.is_visible()
    check_looks(page, f"/invoices/{invoice.pk}/")
    PaymentMethod.objects.create(account=invoice.account, type="card", token="sandbox_approved", label="New card")
    page.goto(f"/invoices/{invoice.pk}/")
    stuck.get_by_text("Try again …").click()
    expect(stuck).to_contain_text("New card")
    stuck.get_by_role("button", name="Collect $30.00").click()
    page.get_by_text("Collected.", exact=True).wait_for()
    assert stuck.count() == 0


def test_a_discard_is_undone_by_generating_again(opened, boss, acme, process):
    invoice = bill(an_account(acme), process, JAN_10, force_pending=True)
    page = opened(boss)
    page.goto(f"/invoices/{invoice.pk}/")
    page.get_by_text("Discard …").click()
    page.get_by_role("button", name="Discard document").click()
    page.get_by_text("Discarded. Nothing is charged.").wait_for()
    page.get_by_role("link", name="Generate again").click()
    assert page.get_by_label("As pending").is_checked()
    page.get_by_role("button", name="Generate pending invoice").click()
    page.get_by_text("is pending").first.wait_for()
    assert [one.status for one in Invoice.objects.order_by("pk")] == ["discarded", "pending"]


@pytest.mark.parametrize("scripts", [True, False])
def test_an_address_is_added_in_the_builder_and_nothing_typed_is_lost(opened, boss, acme, invoice, scripts):
    TaxRateFactory(client=acme, country="US", region="NY", name="NY tax", percent=D(8))
    page = opened(boss, java_script_enabled=scripts)
    page.goto(f"/invoices/{invoice.pk}/rebill/")
    assert "The address that is taxed: Ship-to address." in page.locator(".taxed-at").inner_text()
    page.locator("#line-1-rate_per_unit").fill("40")
    page.get_by_text("Ship to a new address").click()
    page.get_by_label("Name").fill("Branch")
    page.get_by_role("button", name="Add the address, and ship all lines to it").click()
    wrong = page.get_by_label("Country")
    wrong.wait_for()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    assert page.get_by_label("Name").input_value() == "Branch"
    if scripts:
        assert violations(page) == []
    page.get_by_label("City").fill("Albany")
    page.get_by_label("State or province").fill("New York")
    wrong.fill("US")
    page.get_by_role("button", name="Add the address, and ship all lines to it").click()
    page.get_by_text("The address was added.").wait_for()
    contact = Contact.objects.get(name="Branch")
    assert (contact.account, contact.contact_no, contact.role, contact.region) == (invoice.account, 2, "other", "NY")
    assert page.locator("#line-1-rate_per_unit").input_value() == "40"
    # 60.00 net at 8 % instead of 50.00 at 10 %.
    summary = page.get_by_role("complementary", name="Result of the rebill")
    expect(summary).to_contain_text("$64.80")
    expect(summary).to_contain_text("NY tax 8 % (US-NY)")
