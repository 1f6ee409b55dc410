"""Orders, service credits, coupons and surcharges in the admin: what staff may do with them, by the rules of the services."""

from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Event
from invoices.models import Coupon, CouponRedemption, Invoice, OneTimeCharge, ServiceCredit, Surcharge, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.admin_pages import act, add_url, change_url, delete_url, errors, list_url, no_rows
from tests.support.factories import ClientFactory, ServiceFactory, an_account, some_usage

JAN_10, FEB_10 = date(2026, 1, 10), date(2026, 2, 10)


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    return an_account(acme)


@pytest.fixture
def router(acme):
    return ServiceFactory(client=acme, client_service_id="router")


@pytest.fixture
def strange(db):
    """The service of another client."""
    return ServiceFactory(client=ClientFactory(name="Other"))


def bill(account, caller):
    request = BillingRequest(JAN_10, force_pending=True)
    return Invoice.objects.get(
        pk=generate_invoice(client=account.client, account_no=account.pk, request=request, caller=caller)
    )


def version(account):
    return Account.objects.get(pk=account.pk).billing_version


def acts(user):
    return list(Event.objects.filter(staff=user).order_by("pk").values_list("act", flat=True))


# One-time charges


def an_order(account, service, **fields):
    terms = {"rate_per_unit": D("79.90"), "charge_date": JAN_10, **fields}
    return OneTimeCharge.objects.create(account=account, service=service, **terms)


# Surcharges and coupons


def surcharge_data(client, service, **fields):
    return {
        "client": client.pk,
        "name": "Fee",
        "service": service.pk,
        "percent": "2",
        "valid_from": "2026-01-10",
        **fields,
    }


def coupon_data(client, **fields):
    return {"client": client.pk, "code": "TEN", "name": "Ten", "percent": "10", "valid_from": "2026-01-10", **fields}


def a_coupon(client, **fields):
    return Coupon.objects.create(
        client=client, **{"code": "TEN", "name": "Ten", "percent": D(10), "valid_from": JAN_10} | fields
    )


def test_a_surcharge_is_added_and_changed_with_its_services(admin_client, acme, router):
    assert admin_client.post(add_url(Surcharge), surcharge_data(acme, router)).status_code == 302
    surcharge = Surcharge.objects.get()
    data = surcharge_data(acme, router, percent="", amount="3.50", currency="usd", services=[router.pk])
    assert admin_client.post(change_url(surcharge), data).status_code == 302
    surcharge.refresh_from_db()
    assert (surcharge.percent, surcharge.amount, list(surcharge.services.all())) == (None, D("3.50"), [router])


@pytest.mark.parametrize("field", ["service", "services"])
def test_a_surcharge_is_on_its_own_clients_services(admin_client, acme, router, strange, field):
    response = admin_client.post(add_url(Surcharge), surcharge_data(acme, router) | {field: [strange.pk]})
    assert errors(response)[field] == [f"Not found: {field} {strange.pk}"]
    assert not Surcharge.objects.exists()


def test_a_coupon_is_on_its_own_clients_services(admin_client, acme, strange):
    response = admin_client.post(add_url(Coupon), coupon_data(acme, services=[strange.pk]))
    assert errors(response)["services"] == [f"Not found: services {strange.pk}"]
    assert not Coupon.objects.exists()


PERCENT_OR_AMOUNT = "Give either a percent above 0 and up to 100, or an amount above 0 with its currency."


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"percent": ""}, "percent amount", PERCENT_OR_AMOUNT),
        ({"percent": "0"}, "percent", PERCENT_OR_AMOUNT),
        ({"amount": "5"}, "percent amount", PERCENT_OR_AMOUNT),
        ({"valid_to": "2026-01-09"}, "valid_to", "The last day is before the first day."),
        ({"percent": "", "amount": "5.001", "currency": "usd"}, "amount", "The amount has more decimals than its currency."),
    ],
)
def test_what_is_wrong_with_a_coupon_is_said_on_the_form(admin_client, acme, fields, field, message):
    assert errors(admin_client.post(add_url(Coupon), coupon_data(acme, **fields))) == dict.fromkeys(field.split(), [message])


def test_a_coupon_is_added_and_shows_who_redeemed_it_and_how_often_it_was_used(admin_client, acme, account, process):
    assert admin_client.post(add_url(Coupon), coupon_data(acme, max_redemptions="5")).status_code == 302
    coupon = Coupon.objects.get()
    redemption = CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_10)
    bill(account, process)
    page = admin_client.get(change_url(coupon)).content.decode()
    assert f'href="{change_url(redemption)}"' in page
    assert f'href="{change_url(account)}"' in page
    assert '<span class="amount">1</span>' in page
    assert "1 of 5" in admin_client.get(list_url(Coupon)).content.decode()


def test_the_limits_of_a_coupon_are_not_lowered_below_what_is_used(admin_client, acme, account, process):
    coupon = a_coupon(acme, cycles=3, max_redemptions=5)
    for number, one in enumerate([account, an_account(acme)], 1):
        CouponRedemption.objects.create(coupon=coupon, account=one, redemption_no=number, redeemed_on=JAN_10)
    for day in (JAN_10, date(2026, 2, 10)):
        generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(day), caller=process)
    for limits, field in (({"cycles": "1"}, "cycles"), ({"max_redemptions": "1"}, "max_redemptions")):
        data = coupon_data(acme, **{"cycles": "3", "max_redemptions": "5", **limits}) | no_rows("redemptions")
        response = admin_client.post(change_url(coupon), data)
        assert "are already used; give" in errors(response)[field][0]
    data = coupon_data(acme, cycles="2", max_redemptions="2") | no_rows("redemptions")
    assert admin_client.post(change_url(coupon), data).status_code == 302
    coupon.refresh_from_db()
    assert (coupon.cycles, coupon.max_redemptions) == (2, 2)


# Service credits


def test_a_service_credit_shows_what_is_used_and_left_and_by_which_invoices(admin_client, account, process):
    credit = ServiceCredit.objects.create(account=account, amount=D("1234.50"), reason="Outage")
    invoice = bill(account, process)
    for page in (change_url(credit), list_url(ServiceCredit)):
        shown = admin_client.get(page).content.decode()
        assert '<span class="amount">30.00</span>' in shown
        assert '<span class="amount">1,204.50</span>' in shown
    assert f'href="{change_url(invoice)}"' in admin_client.get(change_url(credit)).content.decode()


@pytest.mark.parametrize("model", [OneTimeCharge, CouponRedemption, ServiceCredit])
def test_what_waits_is_read_here_and_changed_on_pages(admin_client, account, router, model):
    rows = {
        OneTimeCharge: lambda: an_order(account, router),
        CouponRedemption: lambda: CouponRedemption.objects.create(
            coupon=a_coupon(account.client), account=account, redemption_no=1, redeemed_on=JAN_10
        ),
        ServiceCredit: lambda: ServiceCredit.objects.create(account=account, amount=D(20), reason="Outage"),
    }
    row = rows[model]()
    assert admin_client.get(change_url(row)).status_code == 200
    for address in (add_url(model), change_url(row), delete_url(row)):
        assert admin_client.post(address, {"post": "yes"}).status_code == 403
    act(admin_client, model, "delete_selected", row.pk, post="yes")
    assert model.objects.get() == row


# Lists


@pytest.mark.parametrize(
    "model",
    [Usage, OneTimeCharge, ServiceCredit, Coupon, CouponRedemption, Surcharge],
    ids=lambda model: model.__name__,
)
def test_a_list_asks_the_same_queries_however_long_it_is(admin_client, acme, router, process, model):
    queries = []
    for more in (2, 8):
        for _ in range(more):
            account = an_account(acme)
            coupon = a_coupon(acme, code=f"C{account.pk}")
            CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_10)
            ServiceCredit.objects.create(account=account, amount=D(5), reason="Outage", service=router)
            Surcharge.objects.create(client=acme, service=router, name=f"Fee {account.pk}", percent=D(1), valid_from=JAN_10)
            an_order(account, router)
            bill(account, process)
            some_usage(account.plan_instances.get(), "calls", "1", JAN_10)
        with CaptureQueriesContext(connection) as counted:
            page = admin_client.get(list_url(model))
        assert len(page.context["cl"].result_list) == len(model.objects.all())
        queries.append(len(counted))
    assert queries[0] == queries[1]


def test_an_accounts_page_asks_the_same_queries_however_much_waits(admin_client, account, router):
    admin_client.get(change_url(account))
    queries = []
    for more in (1, 6):
        for number in range(more):
            coupon = a_coupon(account.client, code=f"C{more}{number}")
            CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_10)
            ServiceCredit.objects.create(account=account, amount=D(5), reason="Outage", service=router)
            an_order(account, router)
            some_usage(account.plan_instances.get(), "phone", "1", FEB_10)
        with CaptureQueriesContext(connection) as counted:
            admin_client.get(change_url(account))
        queries.append(len(counted))
    assert queries[0] == queries[1]
