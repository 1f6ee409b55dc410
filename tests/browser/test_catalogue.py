"""The pages of the catalogue in a real browser."""

import pytest

from accounts.kinds import ChargeType
from accounts.models import RateSchedule
from invoices.models import Surcharge
from tests.browser.conftest import check_looks
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import a_charge

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_pages_of_the_catalogue_look_right_everywhere(opened, ana):
    plan = ana.account.plan_instances.get().plan
    calls = a_charge(plan, "calls", line_type=ChargeType.USAGE, tiers={"0": "0.10", "1000": "0.05", "10000": "0.0125"})
    charge = plan.charges.first()
    price = RateSchedule.objects.filter(charge=charge).first()
    page = opened(ana)
    for address in (
        "/catalogue/",
        "/catalogue/services/",
        "/catalogue/services/new/",
        f"/catalogue/services/{charge.service_id}/",
        f"/catalogue/plans/{plan.pk}/change/",
        f"/catalogue/plans/{plan.pk}/charges/new/",
        f"/catalogue/plans/{plan.pk}/minimum/",
        f"/catalogue/charges/{calls.pk}/prices/new/",
        f"/catalogue/prices/{price.pk}/change/",
        f"/catalogue/prices/change/?plan={plan.pk}",
    ):
        check_looks(page, address)


def test_the_pages_of_coupons_surcharges_and_tax_rates_look_right_everywhere(opened, ana):
    client, service = ana.account.client, ana.account.plan_instances.get().plan.charges.first().service
    coupon, rate = a_coupon(client), client.tax_rates.get()
    redeem(ana.account)
    surcharge = Surcharge.objects.create(client=client, name="Fee", service=service, percent=2, valid_from="2026-01-01")
    page = opened(ana)
    for name, row in (("coupons", coupon), ("surcharges", surcharge), ("tax-rates", rate)):
        for address in (
            f"/{name}/",
            f"/{name}/new/",
            f"/{name}/{row.pk}/",
            f"/{name}/{row.pk}/change/",
            f"/{name}/{row.pk}/remove/",
        ):
            check_looks(page, f"/catalogue{address}")


def test_a_tax_rate_is_replaced_by_keyboard(opened, ana):
    rate = ana.account.client.tax_rates.get()
    page = opened(ana)
    page.goto(f"/catalogue/tax-rates/{rate.pk}/")
    page.get_by_role("link", name="New rate from a day on").press("Enter")
    page.get_by_label("Percent").fill("12")
    page.get_by_label("First day").fill("2030-01-01")
    page.get_by_text("it replaces the rate of 10 %").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_text("The tax rate is added.").wait_for()
    assert [one.percent for one in ana.account.client.tax_rates.order_by("pk")] == [10, 12]


def test_a_coupon_is_added_without_scripts(opened, ana):
    page = opened(ana, java_script_enabled=False)
    page.goto("/catalogue/coupons/")
    page.get_by_role("link", name="New coupon").click()
    page.get_by_label("Code (required)").fill("TEN")
    page.get_by_label("Name").fill("Ten")
    page.get_by_label("Percent").fill("10")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("No customer has redeemed it yet.").wait_for()
    page.get_by_role("button", name="Add coupon").click()
    page.get_by_text("The coupon is added.").wait_for()


def test_a_price_change_is_made_by_keyboard(opened, ana):
    plan = ana.account.plan_instances.get().plan
    page = opened(ana)
    page.goto(f"/catalogue/prices/change/?plan={plan.pk}")
    page.get_by_label("Change by percent").fill("10")
    page.get_by_text("$33.00").first.wait_for()
    assert page.get_by_role("row", name="AB-1").is_visible()
    page.keyboard.press("Control+Enter")
    page.get_by_text("Prices added: 1.").wait_for()
    assert RateSchedule.objects.filter(charge__plan=plan).count() == 2


def test_the_calculator_answers_while_typing(opened, ana):
    plan = ana.account.plan_instances.get().plan
    page = opened(ana)
    page.goto(f"/catalogue/plans/{plan.pk}/")
    page.get_by_label("Units of the plan").fill("7")
    page.get_by_text("$210.00").first.wait_for()
