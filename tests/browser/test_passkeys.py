"""Passkeys in a real browser, kept by Chrome's virtual authenticator; and the pages of signing in, how they look."""

import pytest
from playwright.sync_api import expect

from accounts.models import Passkey
from tests.browser.conftest import violations, wider_than_screen
from tests.support.signing_in import PASSWORD, a_person

PHONE = {"width": 360, "height": 740}


@pytest.fixture
def ann(transactional_db, acme):
    return a_person(acme)


def with_authenticator(page):
    """Give the browser an authenticator that always says yes, and return what it is controlled by."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    number = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    return devtools, number


def give_password(page):
    page.goto("/login/")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def looks_well(page):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
    page.set_viewport_size(PHONE)
    assert wider_than_screen(page) == 0
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture
def opened_there(opened, live_server):
    """Passkeys belong to a name, so the site is opened by its name, not by its address."""
    return lambda **options: opened(base_url=live_server.url.replace("127.0.0.1", "localhost"), **options)


def test_a_passkey_is_added_signs_in_and_is_removed(opened_there, ann, live_server):
    page = opened_there()
    devtools, number = with_authenticator(page)
    give_password(page)
    page.get_by_role("link", name="ann").click()
    looks_well(page)
    page.get_by_role("link", name="Add a passkey").click()
    looks_well(page)
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add the passkey").click()
    page.get_by_role("heading", name="Your second factor is set up").wait_for()
    assert page.locator(".codes li").count() == 10
    looks_well(page)
    recovery_code = page.locator(".codes li").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Passkey My laptop")).to_be_visible()
    assert Passkey.objects.get().name == "My laptop"

    page.get_by_role("button", name="Sign out", exact=True).click()
    give_password(page)
    page.get_by_role("heading", name="Second factor").wait_for()
    looks_well(page)
    page.get_by_role("button", name="Use your passkey").click()
    page.get_by_role("link", name="ann").wait_for()
    assert Passkey.objects.get().sign_count > 0

    # A passkey that was copied has an older count of uses.
    Passkey.objects.update(sign_count=1000)
    page.get_by_role("button", name="Sign out", exact=True).click()
    give_password(page)
    page.get_by_role("button", name="Use your passkey").click()
    page.get_by_text("The passkey was not accepted").wait_for()

    # Without the device, the browser shows none, and a recovery code helps.
    devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": number})
    page.get_by_label("Code").fill(recovery_code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="ann").click()
    page.get_by_text("Remove the passkey …").click()
    page.locator("details[open]").get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Remove the passkey").click()
    page.get_by_text("The passkey is removed.").wait_for()
    assert Passkey.objects.count() == 0
    page.troubles.clear()  # the browser notes the answer of 422


def test_without_scripts_a_recovery_code_takes_the_place_of_a_passkey(opened_there, ann):
    Passkey.objects.create(user=ann, name="key", credential_id="YQ", public_key="YQ")
    page = opened_there(java_script_enabled=False)
    give_password(page)
    page.get_by_text("Passkeys need JavaScript.").wait_for()
    assert page.get_by_role("button", name="Use your passkey").is_hidden()


def test_setting_up_where_a_role_asks_for_it_looks_well(opened_there, ann, acme):
    acme.second_factor_roles = "Administrator"
    acme.save()
    page = opened_there()
    give_password(page)
    page.get_by_role("heading", name="Set up a second factor").wait_for()
    looks_well(page)
