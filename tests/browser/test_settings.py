"""The pages of the settings in a real browser."""

import pytest

from accounts.keys import create_key
from invoices.models import ReasonCode
from tests.browser.conftest import check_looks
from tests.support.factories import BY_TEST

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_pages_of_the_settings_look_right_everywhere(opened, ana):
    client = ana.account.client
    create_key(client, name="Shop", caller=BY_TEST, may_collect=True, allowed_addresses="192.0.2.7, 2001:db8::/32")
    reason = ReasonCode.objects.create(client=client, type="refund", code=77, name="Late delivery")
    page = opened(ana)
    for address in (
        "/settings/sections/company/",
        "/settings/sections/approval/",
        "/settings/series/",
        "/settings/series/invoice/",
        "/settings/reasons/",
        f"/settings/reasons/{reason.pk}/",
        "/settings/people/",
        "/settings/people/new/",
        f"/settings/people/{ana.pk}/",
        "/settings/keys/",
        "/settings/keys/new/",
    ):
        check_looks(page, address)


def test_a_setting_is_changed_by_keyboard_with_its_effect_seen(opened, ana):
    page = opened(ana)
    page.goto("/settings/sections/billing/")
    page.get_by_label("Payment terms in days").fill("45")
    page.get_by_text("Applies to what is generated from now on").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_text("The settings are saved.").wait_for()
    ana.account.client.refresh_from_db()
    assert ana.account.client.payment_terms_days == 45
