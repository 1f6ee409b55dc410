"""A pending document is adjusted and recalculated in a browser, and approved by another person."""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from accounts.models import RateSchedule
from invoices.models import Invoice
from tests.browser.conftest import check_looks
from tests.support.adjusting import a_line, adjusted
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.pending import a_pending


@pytest.fixture
def pending(transactional_db, acme, process):
    """Phone 30.00, tv 20.00, net 50.00 and 10.00 of tax."""
    TaxRateFactory(client=acme)
    return a_pending(acme, process, an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00", "net": "50.00"})))


def test_a_pending_document_is_adjusted_recalculated_and_approved(opened, boss, pending):
    page = opened(boss)
    page.goto(f"/invoices/{pending.pk}/")
    page.get_by_role("link", name="Adjust lines").click()
    totals = page.get_by_role("complementary", name="Result of the adjustment")
    page.locator("#line-1-rate_per_unit").fill("27")
    expect(totals).to_contain_text("-$3.30")
    page.get_by_role("checkbox", name="Include 2").uncheck()
    expect(totals).to_contain_text("-$25.30")
    page.get_by_label("Reason").select_option(label="Wrong price or quantity")
    page.get_by_label("Comments", exact=True).fill("agreed by phone")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("region", name="Compared with what was generated")).to_contain_text("rate 30 → 27")
    page.get_by_role("button", name="Adjust document").click()
    adjustments = page.get_by_role("region", name="Adjustments")
    expect(adjustments.get_by_role("row", name="Tv")).to_contain_text("left out")
    schedule = RateSchedule.objects.get(charge__service__client_service_id="net")
    schedule.rate_per_unit = Decimal(60)
    schedule.save()
    page.reload()
    page.get_by_role("region", name="Out of date").locator("summary").click()
    page.get_by_role("region", name="Out of date").get_by_role("button", name="Recalculate document").click()
    expect(page.get_by_text("Recalculated. The invoice number is the same.")).to_be_visible()
    page.get_by_role("link", name="3, with what changed").click()
    expect(page.get_by_role("region", name="Version 3")).to_contain_text("$50.00 → $60.00")
    invoice = Invoice.objects.get()
    assert (invoice.pk, invoice.version, str(invoice.total_amount)) == (pending.pk, 3, "95.7000")


def test_the_pages_look_right(opened, boss, pending, process):
    adjusted(pending, process, a_line(1, rate_per_unit="27"), a_line(2, exclude=True))
    page = opened(boss)
    for address in ("adjust/", "versions/", ""):
        check_looks(page, f"/invoices/{pending.pk}/{address}")
    check_looks(page, f"/invoices/pending/{pending.pk}/")
