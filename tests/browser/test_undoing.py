"""The undo of a rebill and the closing of a month in a browser."""

from datetime import date

import pytest
from playwright.sync_api import expect

from invoices.audit.kept import audit_and_keep
from tests.browser.conftest import check_looks
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

FEB_20 = date(2026, 2, 20)


@pytest.fixture
def rebill(transactional_db, acme, process):
    """A paid invoice of 110.00, rebilled at 66.00, while February is open."""
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00", "net": "50.00"}))
    invoice = bill(account, process, JAN_10)
    pay(account, process, "110.00")
    bill(account, process, date(2026, 2, 10))
    return rebilled(invoice, process, line(1, rate_per_unit="0"), line(2, rate_per_unit="10"), 3, today=FEB_20)


def test_a_rebill_is_previewed_and_undone(opened, boss, rebill):
    page = opened(boss)
    check_looks(page, f"/rebills/{rebill.pk}/undo/")
    page.goto(f"/rebills/{rebill.pk}/undo/")
    expect(page.get_by_role("region", name="What is due afterwards")).to_contain_text("+$44.00")
    page.get_by_label("Reason").select_option(label="Charged in error")
    page.get_by_role("button", name="Undo RB-000001").click()
    expect(page.get_by_text("This rebill was undone")).to_be_visible()


def test_a_month_is_closed(opened, boss, rebill, acme):
    audit_and_keep(acme, "process:test")
    page = opened(boss)
    check_looks(page, "/periods/")
    page.goto("/periods/")
    page.get_by_role("button", name="Close through").click()
    expect(page.get_by_role("heading", name="Reopen the period through")).to_be_visible()
