"""What waits for an account's next invoices is shown on its page, and changed or taken back with its effect seen before."""

from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.urls import reverse

from invoices.models import CouponRedemption, OneTimeCharge, ServiceCredit
from invoices.services.billing.coupons import redeem_coupon
from invoices.services.billing.one_time_charges import add_one_time_charge
from invoices.services.billing.service_credits import add_service_credit
from tests.support.act_pages import send
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.coupons import a_coupon
from tests.support.factories import BY_TEST, ClientFactory, ServiceFactory, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = (
    "view_account",
    "view_invoice",
    "view_onetimecharge",
    "view_couponredemption",
    "view_servicecredit",
    "change_onetimecharge",
    "delete_onetimecharge",
    "delete_couponredemption",
    "change_servicecredit",
)
JAN_31 = date(2026, 1, 31)


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    """Charged 30.00 a month, billed through 9 February, with a charge of 25.00, a coupon of 10 % and a credit of 9.50."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, BY_TEST, JAN_10)
    by = {"client": acme, "account_no": account.pk, "caller": BY_TEST, "today": JAN_31}
    service = ServiceFactory(client=acme, name="Setup")
    add_one_time_charge(**by, service=service, rate_per_unit=D("12.50"), units=D(2), description="Installation")
    a_coupon(acme, code="TEN", percent=D(10))
    redeem_coupon(**by, code="TEN")
    add_service_credit(**by, amount=D("9.50"), reason="Outage")
    return account


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def addresses(account):
    rows = {"change-order": OneTimeCharge, "cancel-order": OneTimeCharge}
    rows |= {"withdraw-coupon": CouponRedemption, "end-service-credit": ServiceCredit}
    return {name: reverse(name, args=[account.pk, model.objects.get().pk]) for name, model in rows.items()}


def previewed(staff, address, **fields):
    before = rows_stored()
    text = staff.post(address, {**fields, "act": "preview"}).content.decode()
    assert rows_stored() == before
    return text


def test_the_page_of_the_account_shows_what_waits_and_how_to_change_it(account, staff):
    page = staff.get(reverse("account", args=[account.pk])).content.decode()
    assert "Waiting for the next invoices" in page
    for text in ("Installation", "$12.50", "TEN", "Outage", "$9.50", *addresses(account).values()):
        assert text in page
    viewer = reader(account.client, permissions=("view_account",), name="viewer")
    assert "Waiting for the next invoices" not in viewer.get(reverse("account", args=[account.pk])).content.decode()


def test_nothing_that_waits_is_nothing_on_the_page(acme, staff):
    page = staff.get(reverse("account", args=[an_account(acme).pk])).content.decode()
    assert "Waiting for the next invoices" not in page


def test_a_charge_is_changed_as_it_was_seen(account, staff, audited):
    """30.00 and 25.00 less 10 % less 9.50 are 40.00; with three units they are 51.25."""
    order, address = OneTimeCharge.objects.get(), addresses(account)["change-order"]
    assert "$40.00" in staff.get(address).content.decode()
    fields = {"service": order.service_id, "rate_per_unit": "12.5", "units": "3", "charge_date": "2026-02-01"}
    assert "$51.25" in previewed(staff, address, **fields)
    assert "The charge is changed." in send(staff, address, **fields).content.decode()
    order.refresh_from_db()
    assert (order.units, order.charge_date) == (D(3), date(2026, 2, 1))
    assert bill(account, BY_TEST, FEB_10).total_amount == D("51.25")


def test_a_charge_is_cancelled_a_coupon_withdrawn_and_a_credit_ended(account, staff, audited):
    named = addresses(account)
    assert "$17.50" in staff.get(named["cancel-order"]).content.decode()
    assert "It is never billed." in send(staff, named["cancel-order"]).content.decode()
    assert "$20.50" in staff.get(named["withdraw-coupon"]).content.decode()
    assert "It can be redeemed again." in send(staff, named["withdraw-coupon"]).content.decode()
    assert "$30.00" in previewed(staff, named["end-service-credit"], expires_on="2026-02-09")
    ended = send(staff, named["end-service-credit"], expires_on="2026-02-09")
    assert "The end of the service credit is set." in ended.content.decode()
    counts = [model.objects.count() for model in (OneTimeCharge, CouponRedemption)]
    assert (counts, ServiceCredit.objects.get().expires_on) == ([0, 0], date(2026, 2, 9))
    assert bill(account, BY_TEST, FEB_10).total_amount == D("30.00")


def test_what_an_invoice_holds_is_refused_and_says_by_which(account, staff):
    named = addresses(account)
    invoice = bill(account, BY_TEST, FEB_10)
    before = rows_stored()
    for name in ("change-order", "cancel-order", "withdraw-coupon"):
        page = staff.get(named[name]).content.decode()
        assert f"is on invoice {invoice.pk}" in page
    refused = previewed(staff, named["end-service-credit"], expires_on="2026-01-31")
    assert f"invoice {invoice.pk} of Feb 10, 2026 already uses the credit" in refused
    assert rows_stored() == before


@pytest.mark.parametrize("name", ["change-order", "cancel-order", "withdraw-coupon", "end-service-credit"])
def test_each_needs_its_right_and_ones_own_client(account, staff, name):
    address = addresses(account)[name]
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    viewer = reader(account.client, permissions=MAY[:5], name="viewer")
    assert (stranger.get(address).status_code, stranger.post(address).status_code) == (404, 404)
    assert (viewer.get(address).status_code, viewer.post(address).status_code) == (403, 403)
    other = an_account(account.client)
    assert staff.get(address.replace(f"/{account.pk}/", f"/{other.pk}/", 1)).status_code == 404
