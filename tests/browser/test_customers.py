"""Customers are changed in a real browser: by keyboard, without scripts, and how the pages look."""

from accounts.models import Contact
from tests.browser.conftest import DESK, PHONE, check_looks, wider_than_screen
from tests.support.factories import ContactFactory, an_account


def test_an_account_is_changed_by_keyboard(opened, ana):
    page = opened(ana)
    page.goto(f"/accounts/{ana.account.pk}/")
    page.get_by_role("link", name="Change account").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Note").focus()
    page.keyboard.type("Calls on Mondays")
    page.locator("#outcome").get_by_text("Calls on Mondays").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_text("The account is changed.").wait_for()
    ana.account.refresh_from_db()
    assert ana.account.note == "Calls on Mondays"
    page.get_by_role("link", name="Changes").click()
    page.get_by_role("cell", name="Calls on Mondays").wait_for()


def test_a_contact_is_changed_without_scripts_after_it_was_seen(opened, ana):
    contact = ana.account.contacts.get()
    page = opened(ana, java_script_enabled=False)
    page.goto(f"/accounts/{ana.account.pk}/contacts/{contact.pk}/")
    page.get_by_label("City").fill("Reno")
    page.get_by_role("button", name="Save changes").click()
    assert "Nothing was written yet." in page.locator("#outcome").inner_text()
    assert Contact.objects.get(pk=contact.pk).city == "Fresno"
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("The contact is changed.").wait_for()
    assert Contact.objects.get(pk=contact.pk).city == "Reno"


def test_pages_of_customers_look_right(opened, ana):
    page = opened(ana)
    account, bare = ana.account, an_account(ana.account.client, contact=False)
    contact, instance = account.contacts.get(), account.plan_instances.get()
    for address in (
        f"/accounts/{account.pk}/edit/",
        f"/accounts/{account.pk}/contacts/{contact.pk}/",
        f"/accounts/{account.pk}/payment-methods/new/",
        f"/accounts/{account.pk}/history/",
        f"/accounts/{account.pk}/pause/",
        f"/accounts/{account.pk}/plans/{instance.pk}/prices/new/",
        f"/accounts/{account.pk}/one-off/",
        "/usage/load/",
        f"/accounts/{bare.pk}/",
    ):
        check_looks(page, address)


def test_a_contact_whose_name_is_one_long_word_makes_no_page_wider_than_the_screen(opened, ana):
    ContactFactory(account=ana.account, contact_no=2, role="billing", name="x" * 200)
    page = opened(ana)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        page.goto(f"/accounts/{ana.account.pk}/")
        assert page.locator("details.ask").filter(has_text="x" * 200).count() == 1
        assert wider_than_screen(page) <= 0
