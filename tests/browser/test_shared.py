"""What all pages share: signing in, the choice of client and colours, and pages that are not there."""

from tests.browser.conftest import check_looks
from tests.support.factories import ClientFactory


def test_signing_in_leads_to_the_page_that_was_asked_for(opened, boss):
    ClientFactory()
    boss.set_password("a long pass phrase")
    boss.save()
    page = opened()
    page.goto("/accounts/")
    page.get_by_label("Username").fill("boss")
    page.get_by_label("Password").fill("a long pass phrase")
    page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith("/accounts/")


def test_sign_in_page_looks(opened, db):
    check_looks(opened(), "/login/")
