"""Pages that change what an account is billed for: each shows the next invoice, and then it is just that."""

from decimal import Decimal as D

import pytest
import time_machine
from django.urls import reverse

from accounts.models import PlanInstance
from invoices.models import CouponRedemption, OneTimeCharge, ServiceCredit, Usage
from tests.support.act_pages import send
from tests.support.billing import FEB_10, JAN_10, bill, metered
from tests.support.calling import rows_stored
from tests.support.coupons import a_coupon
from tests.support.factories import BY_TEST, ClientFactory, ServiceFactory, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = (
    "view_account",
    "view_invoice",
    "add_planinstance",
    "change_planinstance",
    "add_onetimecharge",
    "add_couponredemption",
    "add_servicecredit",
    "add_usage",
)


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    """Charged 30.00 a month for a telephone, billed through 9 February."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, BY_TEST, JAN_10)
    return account


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def previewed(staff, address, **fields):
    before = rows_stored()
    text = staff.post(address, {**fields, "act": "preview"}).content.decode()
    after = rows_stored()
    assert {table: count for table, count in after.items() if before[table] != count} == {}
    return text


def test_a_plan_is_added_after_its_next_invoice_was_seen(account, staff, audited):
    plan = a_plan(account.client, {"fax": "7.00"}, name="Fax")
    address = reverse("add-plan", args=[account.pk])
    fields = {"plan": plan.pk, "units": "2", "start_date": "2026-02-10"}
    text = previewed(staff, address, **fields)
    assert "$44.00" in text and "$30.00" in text
    assert "The plan is added." in send(staff, address, **fields).content.decode()
    assert PlanInstance.objects.get(plan=plan).units == 2
    assert bill(account, BY_TEST, FEB_10).total_amount == D("44.00")


def test_a_plan_is_changed_and_ended_with_what_happens_to_billed_days(account, staff, audited):
    instance = account.plan_instances.get()
    address = reverse("change-plan", args=[account.pk, instance.pk])
    fields = {"plan": instance.plan_id, "units": "3", "start_date": "2026-02-05", "credit_unused": "yes"}
    text = previewed(staff, address, **fields)
    assert "Credited on the next invoice" in text
    assert send(staff, address, **fields).redirect_chain
    new = PlanInstance.objects.get(replaces=instance)
    assert (new.units, new.start_date.isoformat()) == (D(3), "2026-02-05")
    address = reverse("end-plan", args=[account.pk, new.pk])
    assert send(staff, address, end_date="2026-03-09").redirect_chain
    new.refresh_from_db()
    assert new.end_date.isoformat() == "2026-03-09"


def test_a_charge_a_coupon_and_a_credit_change_the_next_invoice(account, staff, audited):
    service = ServiceFactory(client=account.client, name="Setup")
    coupon = a_coupon(account.client, code="TEN", percent=D(10))
    order = {"service": service.pk, "rate_per_unit": "12.5", "units": "2", "charge_date": "2026-02-01"}
    assert "$55.00" in previewed(staff, reverse("add-order", args=[account.pk]), **order)
    assert send(staff, reverse("add-order", args=[account.pk]), **order).redirect_chain
    assert "$49.50" in previewed(staff, reverse("redeem-coupon", args=[account.pk]), code=coupon.code)
    assert send(staff, reverse("redeem-coupon", args=[account.pk]), code=coupon.code).redirect_chain
    credit = {"amount": "9.5", "reason": "Outage"}
    assert "$40.00" in previewed(staff, reverse("give-service-credit", args=[account.pk]), **credit)
    assert send(staff, reverse("give-service-credit", args=[account.pk]), **credit).redirect_chain
    counts = [model.objects.count() for model in (OneTimeCharge, CouponRedemption, ServiceCredit)]
    assert counts == [1, 1, 1]
    assert bill(account, BY_TEST, FEB_10).total_amount == D("40.00")


def test_usage_is_added_once_and_refused_at_its_field(acme, staff):
    account, instance = metered(acme, "0.10")
    bill(account, BY_TEST, JAN_10)
    service = instance.plan.charges.get().service_id
    address = reverse("add-usage", args=[account.pk])
    fields = {"service": service, "units": "100", "used_on": "2026-01-20"}
    assert "$10.00" in previewed(staff, address, **fields)
    assert send(staff, address, **fields).redirect_chain
    assert Usage.objects.get().units == 100
    future = staff.post(address, {**fields, "used_on": "2026-02-20", "act": "preview"}).content.decode()
    assert "is in the future" in future


@pytest.mark.parametrize("name", ["add-plan", "add-order", "redeem-coupon", "give-service-credit", "add-usage"])
def test_additions_need_their_right_and_ones_own_client(account, staff, name):
    address = reverse(name, args=[account.pk])
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    viewer = reader(account.client, permissions=MAY[:2], name="viewer")
    assert (stranger.get(address).status_code, stranger.post(address).status_code) == (404, 404)
    assert (viewer.get(address).status_code, viewer.post(address).status_code) == (403, 403)
    page = reverse("account", args=[account.pk])
    assert address not in viewer.get(page).content.decode()
    assert address in staff.get(page).content.decode()
