"""The search over everything, by keyboard, and the list of keys."""

from tests.browser.conftest import check_looks


def test_a_document_is_found_and_opened_by_keyboard(opened, ana):
    page = opened(ana)
    page.goto("/accounts/")
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.id") == "site-search"
    page.keyboard.type("inv-000002")
    page.locator("#found").get_by_text("INV-000002").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/invoices/{ana.february.pk}/")
    page.keyboard.press("/")
    page.keyboard.type("ab-")
    page.locator("#found").get_by_text("AB-1").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#found a").count() == 0
    assert page.evaluate("document.activeElement.id") == "site-search"
    page.troubles.clear()  # htmx notes a request that a new page ends


def test_the_search_works_without_scripts(opened, ana):
    page = opened(ana, java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Find anything").fill("66")
    page.get_by_label("Find anything").press("Enter")
    page.get_by_text("Nothing was found").wait_for()
    page.get_by_label("Find anything").fill("33,00")
    page.get_by_label("Find anything").press("Enter")
    page.get_by_role("link", name="INV-000001").click()
    page.wait_for_url(f"**/invoices/{ana.january.pk}/")


def test_the_keys_are_listed(opened, ana):
    page = opened(ana)
    page.goto("/invoices/")
    page.keyboard.press("?")
    page.get_by_text("Next and previous row").wait_for()
    page.keyboard.press("?")
    page.get_by_text("Next and previous row").wait_for(state="hidden")


def test_what_is_found_looks(opened, ana):
    page = opened(ana)
    check_looks(page, "/search/?q=AB-1")
    check_looks(page, "/search/")
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("ab-")
    page.locator("#found").get_by_text("AB-1").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path="/tmp/shot-search-phone.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.screenshot(path="/tmp/shot-search-desk.png")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_pages_of_additions_look(opened, ana):
    page = opened(ana)
    account, instance = ana.account.pk, ana.account.plan_instances.get().pk
    for act in ("plans/new", f"plans/{instance}/change", f"plans/{instance}/end", "charges/new", "usage/new", "coupons/new"):
        check_looks(page, f"/accounts/{account}/{act}/")
    check_looks(page, f"/accounts/{account}/service-credits/new/")
