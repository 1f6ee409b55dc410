"""Reports in a real browser: reached by the menu, looked at in all sizes and colours, and followed to what is behind."""

from datetime import date

import pytest
from playwright.sync_api import expect

from accounts.models import Service
from invoices.services.collecting.collecting import collect_invoices
from tests.browser.conftest import DESK, PHONE, check_looks, wider_than_screen
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import TaxRateFactory
from tests.support.paying import paying
from tests.support.payments import pay

NAMES = ("receivables", "credit", "months", "taxes", "journal", "failed-collections", "transactions")
ALL_YEAR = "?first=2026-01-01&last=2026-12-31"


@pytest.fixture
def books(transactional_db, acme, process):
    """Two invoices of one account, of which one is overdue and could not be collected; another account paid too much."""
    TaxRateFactory(client=acme)
    account = paying(acme, "sandbox_declined", "1234.50", client_acct_id="AB-1")
    Service.objects.update(gl_code="4000")
    invoice = bill(account, process, JAN_10)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
    bill(account, process, FEB_10)
    other = paying(acme, rate="5.00", client_acct_id="CD-2")
    bill(other, process, FEB_10)
    pay(other, process, "99.00", today=date(2026, 2, 11))
    return acme


def test_reports_look(opened, boss, books):
    page = opened(boss)
    check_looks(page, "/reports/")
    for name in NAMES:
        check_looks(page, f"/reports/{name}/{ALL_YEAR if name in ('taxes', 'journal', 'transactions') else ''}")
    check_looks(page, "/reports/taxes/?first=2026-02-01&last=2026-01-01")
    check_looks(page, "/reports/taxes/?first=2020-01-01&last=2020-01-31")


def test_from_the_menu_to_what_is_behind_a_figure(opened, boss, books):
    page = opened(boss)
    page.goto("/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Reports").click()
    page.get_by_role("link", name="Receivables by age").click()
    page.get_by_role("row", name="AB-1").get_by_role("link", name="$2,715.90").click()
    expect(page.get_by_role("heading", name="Invoices of AB-1")).to_be_visible()
    assert page.locator("tbody tr[data-row]").count() == 2
    page.goto("/reports/months/")
    bars = page.locator(".chart a")
    with page.expect_navigation():
        bars.first.click()
    assert "flow=invoiced" in page.url
    expect(page.locator("tbody tr[data-row]")).to_have_count(1)


def test_the_menu_is_whole_on_a_phone_without_scripts_and_by_keyboard(opened, boss, books):
    page = opened(boss, viewport=PHONE, java_script_enabled=False)
    page.goto("/reports/")
    nav = page.get_by_role("navigation", name="Pages")
    links = nav.get_by_role("link")
    assert links.count() == 0
    page.get_by_role("button", name="Menu").press("Enter")
    expect(links.first).to_be_visible()
    inside = "element => { const box = element.getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth; }"
    assert links.count() >= 9
    assert all(link.evaluate(inside) for link in links.all())
    assert wider_than_screen(page) <= 0
    page.set_viewport_size(DESK)
    assert all(link.is_visible() for link in links.all())
