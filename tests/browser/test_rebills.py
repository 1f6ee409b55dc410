"""Rebilling in a browser: amounts that follow what is typed, the review, the resulting documents, and the differences."""

from datetime import date
from decimal import Decimal as D
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import expect

from invoices.models import Invoice, OneTimeCharge
from tests.browser.conftest import DESK, PHONE, check_looks, violations, wider_than_screen
from tests.support.billing import JAN_10, bill
from tests.support.factories import ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of
from tests.support.payments import pay
from tests.support.rebilling import a_request, line, previewed, rebilled

RATES = {"phone": "30.00", "tv": "20.00", "net": "50.00"}


@pytest.fixture
def invoice(transactional_db, acme, process):
    """Phone 30.00, tv 20.00, net 50.00 and 10.00 of tax, of which 110.00 are paid."""
    TaxRateFactory(client=acme)
    invoice = bill(an_account(acme, a_plan(acme, RATES)), process, JAN_10)
    pay(invoice.account, process, "110.00")
    return invoice


@pytest.fixture
def builder(opened, boss, invoice):
    """The builder of this invoice, open."""
    page = opened(boss)
    page.goto(f"/invoices/{invoice.pk}/rebill/")
    return page


def totals(page):
    return page.get_by_role("complementary", name="Result of the rebill")


def of_line(page, number, field):
    return page.locator(f"#line-{number}-{field}")


def test_a_rate_is_changed_the_summary_follows_and_the_rebill_is_made(builder, invoice):
    page = builder
    page.evaluate("window.same = true")
    of_line(page, 3, "rate_per_unit").fill("40")
    expect(totals(page)).to_contain_text("-$11.00")
    expect(page.locator("#result-3")).to_contain_text("$40.00")
    expect(page.locator('[data-line="3"] .rate_per_unit')).to_have_class("rate_per_unit cell is-changed")
    expect(of_line(page, 3, "amount")).to_have_attribute("placeholder", "40.00")
    page.get_by_role("checkbox", name="Include 2").uncheck()
    expect(totals(page)).to_contain_text("-$33.00")
    expect(page.locator("#result-2")).to_contain_text("left out")
    expect(totals(page)).to_contain_text("Left as credit")
    assert page.evaluate("window.same") is True
    page.get_by_label("Reason").select_option(label="Wrong price or quantity")
    page.get_by_role("button", name="Review").click()
    changes = page.get_by_role("region", name="What changes")
    expect(changes).to_contain_text("Line 2 is left out: Tv, $20.00")
    expect(changes).to_contain_text("Line 3, Net: rate 50 → 40, $50.00 → $40.00")
    page.get_by_role("button", name="Issue rebill").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("RB-000001")
    page.get_by_role("link", name="What changed").click()
    expect(page.get_by_role("row", name="3 Net")).to_contain_text("-$11.00")
    rebill = Invoice.objects.get(kind="rebill")
    assert (str(rebill.total_amount), page.url.endswith(f"/invoices/{invoice.pk}/difference/{rebill.pk}/")) == ("77.0000", True)


def sent(page, act):
    """The fields of lines and of usage that the page sends when this is done."""
    with page.expect_request(lambda one: one.method == "POST") as request:
        act()
    request.value.response()  # A request that is not answered yet ends as an error when the page is left.
    fields = parse_qsl(request.value.post_data or "", keep_blank_values=True)
    return [(name, value) for name, value in fields if name.startswith(("line-", "usage-", "added"))]


def test_one_line_of_2000_is_changed_and_only_its_fields_are_sent(acme, opened, boss, process, invoice):
    service = ServiceFactory(client=acme, client_service_id="router")
    account = an_account(acme, a_plan(acme, {"hosting": "30.00"}))
    OneTimeCharge.objects.bulk_create(
        OneTimeCharge(account=account, service=service, rate_per_unit=1, charge_date=date(2026, 1, 1)) for _ in range(1999)
    )
    large = bill(account, process, JAN_10)
    plan = previewed(a_request(large, line(2000, units="0.5"), carries_unlisted=True), acme)
    by_resource = [(one.line_type, one.units, one.rate_per_unit, one.amount, one.description) for one in plan.content.lines]
    page = opened(boss)
    page.set_default_timeout(120_000)
    page.goto(f"/invoices/{large.pk}/rebill/")
    units = ("line-2000-units", "0.5")
    assert sent(page, lambda: of_line(page, 2000, "units").fill("0.5")) == [units]
    expect(totals(page)).to_contain_text("-$0.55", timeout=60_000)
    expect(page.locator("#result-2000")).to_contain_text("$0.50")
    expect(page.locator('[data-line="2000"] .units')).to_have_class("units cell is-changed")
    expect(of_line(page, 2000, "units")).to_be_focused()
    # In its part of the page: Playwright takes minutes to find the labels of all fields.
    page.locator(".why").get_by_label("Reason").select_option("1")
    assert sent(page, totals(page).get_by_role("button", name="Review").click) == [units]
    expect(page.get_by_role("region", name="What changes")).to_contain_text("1999 lines stay as they are.")
    assert sent(page, page.get_by_role("button", name="Issue rebill").click) == [units]
    expect(page.get_by_role("heading", level=1)).to_have_text("RB-000001")
    rebill = Invoice.objects.get(kind="rebill")
    assert rebill.total_amount == large.total_amount - D("0.55")
    assert [*rebill.lines.values_list("line_type", "units", "rate_per_unit", "amount", "description")] == by_resource


def test_what_is_sent_of_boxes_added_lines_and_what_was_typed_before(acme, builder, invoice):
    page = builder
    out = [("line-2-include", "no")]
    box = page.get_by_role("checkbox", name="Include 2")
    assert sent(page, box.uncheck) == out
    expect(totals(page)).to_contain_text("-$22.00")
    added = sent(page, page.get_by_role("button", name="Add a line").click)
    assert added == out
    page.wait_for_selector("#line-5-amount")
    expect(box).not_to_be_checked()
    of_line(page, 5, "service_no").select_option(label="Tv")
    tv = of_line(page, 5, "service_no").input_value()
    assert sent(page, lambda: of_line(page, 5, "amount").fill("7.50")) == [
        *out,
        ("added", "5"),
        ("line-5-service_no", tv),
        ("line-5-amount", "7.50"),
    ]
    sent(page, lambda: page.locator("#line-1-po_num").fill("PO-1"))
    page.get_by_role("button", name="Recalculate").click()
    expect(of_line(page, 1, "po_num")).to_have_value("PO-1")
    back = sent(page, box.check)
    assert ("line-1-po_num", "PO-1") in back
    assert back[1:3] == [*out, ("line-2-include", "yes")]
    sent(page, lambda: of_line(page, 1, "po_num").fill(""))
    page.get_by_label("Reason").select_option("1")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("region", name="What changes")).to_contain_text("3 lines stay as they are.")
    page.get_by_role("button", name="Issue rebill").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("RB-000001")
    assert str(Invoice.objects.get(kind="rebill").total_amount) == "118.2500"


def test_a_refusal_is_shown_at_its_field_while_typing_and_goes_away(builder):
    page = builder
    units = of_line(page, 1, "units")
    units.fill("-1")
    expect(page.locator("#errors-1")).to_have_text(
        "Units: -1 is below 0; to give something back, add a line with a negative amount"
    )
    expect(units).to_have_attribute("aria-invalid", "true")
    expect(totals(page)).to_contain_text("Not calculated")
    expect(page.locator("#result-2")).to_have_text("–")
    units.fill("2")
    expect(totals(page)).to_contain_text("+$33.00")
    expect(page.locator("#result-2")).to_have_text("$20.00")
    expect(page.locator("#errors-1")).to_have_text("")
    assert units.get_attribute("aria-invalid") is None
    assert units.evaluate("element => element === document.activeElement")


def test_what_moved_meanwhile_is_told_and_what_was_typed_is_kept(builder, invoice, process):
    page = builder
    of_line(page, 1, "units").fill("2")
    page.get_by_label("Reason").select_option("1")
    page.get_by_role("button", name="Review").click()
    pay(invoice.account, process, "5.00")
    page.get_by_role("button", name="Issue rebill").click()
    expect(page.get_by_role("alert")).to_contain_text("Changed since your preview: the account's payments and credits.")
    expect(page.get_by_role("region", name="What changes")).to_contain_text("units 1 → 2, $30.00 → $60.00")
    page.get_by_role("button", name="Back to the lines").click()
    expect(of_line(page, 1, "units")).to_have_value("2")
    rebilled(invoice, process, 1)
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("alert").first).to_contain_text("was replaced by RB-000001")
    expect(of_line(page, 1, "units")).to_have_value("2")


def test_all_of_it_works_without_scripts(opened, boss, invoice):
    page = opened(boss, java_script_enabled=False)
    page.goto(f"/invoices/{invoice.pk}/rebill/")
    of_line(page, 3, "rate_per_unit").fill("40")
    page.get_by_role("checkbox", name="Include 2").uncheck()
    page.get_by_role("button", name="Recalculate").click()
    expect(totals(page)).to_contain_text("-$33.00")
    page.get_by_role("button", name="Add a line").click()
    of_line(page, 5, "service_no").select_option(label="Tv")
    of_line(page, 5, "amount").fill("7.50")
    of_line(page, 1, "units").fill("9")
    page.get_by_role("button", name="Revert line 1").click()
    expect(of_line(page, 1, "units")).to_have_value("1")
    page.get_by_text("One PO number or one address").click()
    page.locator("#all-po_num").fill("PO-9")
    page.get_by_role("button", name="Apply to all lines").click()
    expect(of_line(page, 5, "po_num")).to_have_value("PO-9")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_text("Choose a reason for the rebill.")).to_be_visible()
    page.get_by_label("Reason").select_option("2")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("region", name="What changes")).to_contain_text("Added: Tv, $7.50")
    page.get_by_role("button", name="Issue rebill").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("RB-000001")
    assert str(Invoice.objects.get(kind="rebill").total_amount) == "85.2500"


def tab_to(page, selector):
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_all_of_it_works_by_keyboard(builder):
    page = builder
    tab_to(page, "#reason_code")
    page.keyboard.type("Wrong pr")
    tab_to(page, "#line-1-units")
    page.keyboard.type("2")
    expect(totals(page)).to_contain_text("+$33.00")
    tab_to(page, '[data-line="2"] input[type=checkbox]')
    page.keyboard.press("Space")
    expect(totals(page)).to_contain_text("+$11.00")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="What changes")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("RB-000001")


def test_enter_in_a_field_counts_and_sends_nothing_off(builder):
    page = builder
    of_line(page, 1, "units").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Review")).to_be_visible()
    expect(of_line(page, 1, "units")).to_have_value("2")
    expect(totals(page)).to_contain_text("+$33.00")


def test_on_a_phone_the_figures_stand_below_the_lines(opened, boss, invoice):
    page = opened(boss, viewport=PHONE)
    page.goto(f"/invoices/{invoice.pk}/rebill/")
    assert wider_than_screen(page) <= 0
    below = totals(page).bounding_box()["y"] > page.locator('[data-line="3"]').bounding_box()["y"]
    of_line(page, 3, "rate_per_unit").fill("40")
    expect(totals(page)).to_contain_text("-$11.00")
    page.get_by_label("Reason").select_option("1")
    page.get_by_role("button", name="Review").click()
    assert (below, wider_than_screen(page) <= 0) == (True, True)


def test_review_and_refusals_look(builder):
    page = builder
    of_line(page, 1, "amount").fill("25.00")
    page.get_by_role("checkbox", name="Include 2").uncheck()
    expect(page.locator("#result-1")).to_contain_text("overridden")
    page.locator('[data-line="1"] summary').click()
    page.get_by_text("One PO number or one address").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert violations(page) == []
    of_line(page, 3, "units").fill("x")
    expect(page.locator("#errors-3")).to_have_text("Units: Enter a number.")
    assert violations(page) == []
    of_line(page, 3, "units").fill("3")
    page.get_by_label("Reason").select_option("1")
    page.get_by_role("button", name="Review").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            assert violations(page) == []
            assert wider_than_screen(page) <= 0


def test_pages_look(acme, opened, boss, invoice, process):
    page = opened(boss)
    check_looks(page, f"/invoices/{invoice.pk}/rebill/")
    check_looks(page, "/rebills/")
    rebill = rebilled(invoice, process, line(1, units="2"), 3, comments="as agreed")
    check_looks(page, f"/invoices/{invoice.pk}/rebill/")
    check_looks(page, f"/rebills/{rebill.pk}/")
    check_looks(page, "/rebills/")
    check_looks(page, f"/invoices/{invoice.pk}/difference/{rebill.pk}/")
    acme.rebill_approval_required = True
    acme.save()
    other = bill(invoice.account, process, invoice.account.next_bill_date)
    other.client.refresh_from_db()
    held = rebilled(other, process, 1)
    check_looks(page, f"/rebills/{held.pk}/")


def test_what_changed_can_be_printed(opened, boss, invoice, process):
    rebill = rebilled(invoice, process, line(1, units="2"), 2, 3)
    page = opened(boss)
    page.goto(f"/invoices/{invoice.pk}/difference/{rebill.pk}/")
    page.evaluate("window.print = () => { window.printed = true }")
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed") is True
    page.emulate_media(media="print")
    expect(page.get_by_text("2 Side Street")).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    expect(page.get_by_role("heading", name="Chain of corrections")).to_be_hidden()
    assert page.get_by_role("row", name="1 Phone").is_visible()


def test_an_invoice_that_is_credited_says_why_it_is_not_rebilled(opened, boss, invoice, process):
    memo = memo_of(invoice, process, {1: "5.00"})
    page = opened(boss)
    page.goto(f"/invoices/{invoice.pk}/rebill/")
    expect(page.get_by_role("alert")).to_contain_text("The invoice has a credit memo that is not voided")
    page.get_by_role("link", name="Show CM-000001").click()
    assert page.url.endswith(f"/invoices/{memo.pk}/")


def test_on_a_phone_the_total_stays_in_sight_while_lines_are_changed(builder):
    page = builder
    page.set_viewport_size(PHONE)
    total = page.locator("#live-total")
    of_line(page, 3, "rate_per_unit").fill("40")
    expect(total).to_contain_text("-$11.00")
    of_line(page, 1, "rate_per_unit").scroll_into_view_if_needed()
    expect(total).to_be_in_viewport()
    assert violations(page) == []
    assert wider_than_screen(page) <= 0
    page.set_viewport_size(DESK)
    assert (page.locator("#rebill-summary").is_visible(), total.is_visible()) == (True, DESK["width"] < 1200)
