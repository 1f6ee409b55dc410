"""Orders, service credits, coupons and surcharges in the admin: what staff may do with them, by the rules of the services."""

from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Event
from invoices.admin.unbilled import OneTimeChargeAdmin
from invoices.models import Coupon, CouponRedemption, Invoice, OneTimeCharge, ServiceCredit, Surcharge, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.admin_pages import act, add_url, change_url, delete_url, errors, list_url, no_rows, texts
from tests.support.factories import AccountFactory, ClientFactory, ServiceFactory, an_account, some_usage

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


def order_data(account, service, **fields):
    given = {"account": account.pk, "service": service.pk, "units": "1", "rate_per_unit": "79.90", "charge_date": "2026-01-10"}
    return given | fields


def an_order(account, service, **fields):
    terms = {"rate_per_unit": D("79.90"), "charge_date": JAN_10, **fields}
    return OneTimeCharge.objects.create(account=account, service=service, **terms)


def test_an_order_is_added_and_changed(admin_client, admin_user, account, router):
    assert admin_client.post(add_url(OneTimeCharge), order_data(account, router)).status_code == 302
    order = OneTimeCharge.objects.get()
    assert (order.account, order.rate_per_unit) == (account, D("79.90"))
    other = AccountFactory(client=account.client)
    response = admin_client.post(change_url(order), order_data(other, router, units="2", description="Two routers"))
    assert response.status_code == 302
    order.refresh_from_db()
    assert (order.account, order.units, str(order), version(account)) == (account, D(2), "Two routers", 3)
    assert acts(admin_user) == ["order.added", "order.changed"]


def test_an_order_id_that_is_taken_is_an_error_on_the_form(admin_client, account, router):
    an_order(account, router, client_order_id="PO-1")
    response = admin_client.post(add_url(OneTimeCharge), order_data(account, router, client_order_id="PO-1"))
    assert errors(response) == {"client_order_id": ["The account already has an order with this id."]}


def test_an_order_that_was_billed_a_moment_ago_is_neither_changed_nor_deleted(
    admin_client, account, router, process, monkeypatch
):
    """The page was shown while it still waited."""
    order = an_order(account, router)
    for right in ("change", "delete"):
        monkeypatch.setattr(OneTimeChargeAdmin, f"has_{right}_permission", lambda *_: True)
    invoice = bill(account, process)
    refused = f"Already billed on an invoice; it can no longer be changed: order {order.pk} is on invoice {invoice.pk}"
    assert errors(admin_client.post(change_url(order), order_data(account, router, units="2"))) == {"__all__": [refused]}
    assert texts(admin_client.post(delete_url(order), {"post": "yes"}, follow=True)) == [refused]
    assert refused in texts(act(admin_client, OneTimeCharge, "delete_selected", order.pk, post="yes"))
    assert OneTimeCharge.objects.get().units == 1


def test_an_order_for_another_clients_service_is_an_error_on_the_form(admin_client, account, strange):
    response = admin_client.post(add_url(OneTimeCharge), order_data(account, strange))
    assert errors(response)["service"] == [f"no data found: service {strange.pk}"]
    assert not OneTimeCharge.objects.exists()


def test_an_order_that_an_invoice_holds_can_only_be_read(admin_client, account, router, process):
    order = an_order(account, router)
    invoice = bill(account, process)
    page = admin_client.get(change_url(order))
    assert page.status_code == 200
    assert f'href="{change_url(invoice)}"' in page.content.decode()
    assert admin_client.post(change_url(order), order_data(account, router, units="9")).status_code == 403
    assert admin_client.post(delete_url(order), {"post": "yes"}).status_code == 403
    act(admin_client, OneTimeCharge, "delete_selected", order.pk, post="yes")
    assert OneTimeCharge.objects.get().units == 1


@pytest.mark.parametrize("door", ["page", "list"])
def test_an_order_that_waits_may_be_deleted(admin_client, account, router, door):
    order = an_order(account, router)
    if door == "page":
        admin_client.post(delete_url(order), {"post": "yes"})
    else:
        act(admin_client, OneTimeCharge, "delete_selected", order.pk, post="yes")
    assert not OneTimeCharge.objects.exists()
    assert version(account) == 2


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
    assert errors(response)[field] == [f"no data found: {field} {strange.pk}"]
    assert not Surcharge.objects.exists()


def test_a_coupon_is_on_its_own_clients_services(admin_client, acme, strange):
    response = admin_client.post(add_url(Coupon), coupon_data(acme, services=[strange.pk]))
    assert errors(response)["services"] == [f"no data found: services {strange.pk}"]
    assert not Coupon.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"percent": ""}, "__all__", "Give either a percent above 0 and up to 100, or an amount above 0 with its currency."),
        ({"percent": "0"}, "__all__", "Give either a percent above 0 and up to 100, or an amount above 0 with its currency."),
        ({"amount": "5"}, "__all__", "Give either a percent above 0 and up to 100, or an amount above 0 with its currency."),
        ({"valid_to": "2026-01-09"}, "valid_to", "The last day is before the first day."),
        ({"percent": "", "amount": "5.001", "currency": "usd"}, "amount", "The amount has more decimals than its currency."),
    ],
)
def test_what_is_wrong_with_a_coupon_is_said_on_the_form(admin_client, acme, fields, field, message):
    assert errors(admin_client.post(add_url(Coupon), coupon_data(acme, **fields))) == {field: [message]}


def test_a_coupon_is_added_and_shows_who_redeemed_it_and_how_often_it_was_used(admin_client, acme, account, process):
    assert admin_client.post(add_url(Coupon), coupon_data(acme, max_redemptions="5")).status_code == 302
    coupon = Coupon.objects.get()
    redemption = CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_10)
    bill(account, process)
    page = admin_client.get(change_url(coupon)).content.decode()
    assert f'href="{change_url(redemption)}"' in page
    assert f'href="{change_url(account)}"' in page
    assert '<span class="amount">1</span>' in page
    assert f'href="{add_url(CouponRedemption)}?coupon={coupon.pk}"' in page
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


def test_a_coupon_is_redeemed_by_adding_a_redemption(admin_client, admin_user, account):
    coupon = a_coupon(account.client)
    data = {"coupon": coupon.pk, "account": account.pk}
    assert admin_client.post(add_url(CouponRedemption), data).status_code == 302
    redemption = CouponRedemption.objects.get()
    assert (redemption.coupon, redemption.account, redemption.redemption_no) == (coupon, account, 1)
    assert (redemption.redeemed_on, acts(admin_user)) == (JAN_10, ["coupon.redeemed"])
    assert admin_client.get(f"{add_url(CouponRedemption)}?coupon={coupon.pk}").status_code == 200


def test_a_coupon_that_has_ended_is_an_error_on_the_form(admin_client, account):
    coupon = a_coupon(account.client, valid_from=date(2025, 1, 1), valid_to=date(2025, 12, 31))
    response = admin_client.post(add_url(CouponRedemption), {"coupon": coupon.pk, "account": account.pk})
    assert errors(response) == {"coupon": ["The coupon cannot be redeemed: coupon TEN, it ended on 2025-12-31"]}


def test_another_clients_coupon_is_an_error_on_the_form(admin_client, account):
    """Also where the account's client has a coupon of the same code."""
    a_coupon(account.client)
    strange = a_coupon(ClientFactory(name="Other"))
    response = admin_client.post(add_url(CouponRedemption), {"coupon": strange.pk, "account": account.pk})
    assert errors(response) == {"coupon": [f"no data found: coupon {strange.pk}"]}


def test_ticked_redemptions_are_withdrawn_unless_an_invoice_has_used_them(admin_client, account, process):
    coupon, other = a_coupon(account.client), AccountFactory(client=account.client)
    used, free = (
        CouponRedemption.objects.create(coupon=coupon, account=one, redemption_no=number, redeemed_on=JAN_10)
        for number, one in enumerate((account, other), 1)
    )
    invoice = bill(account, process)
    told = texts(act(admin_client, CouponRedemption, "withdraw", used.pk, free.pk))
    assert told == [
        f"TEN by account {account.pk}: 90016 Already billed on an invoice; it can no longer be changed: "
        f"coupon TEN is on invoice {invoice.pk}",
        "Redemptions withdrawn: 1",
    ]
    assert CouponRedemption.objects.get() == used


def test_a_redemption_stays_as_it_is(admin_client, account):
    redemption = CouponRedemption.objects.create(
        coupon=a_coupon(account.client), account=account, redemption_no=1, redeemed_on=JAN_10
    )
    assert admin_client.post(change_url(redemption), {}).status_code == 403
    assert admin_client.post(delete_url(redemption), {"post": "yes"}).status_code == 403


# Service credits


def credit_data(account, **fields):
    return {"account": account.pk, "amount": "20", "reason": "Outage", **fields} | no_rows("uses")


def test_a_service_credit_is_added(admin_client, admin_user, account):
    assert admin_client.post(add_url(ServiceCredit), credit_data(account)).status_code == 302
    credit = ServiceCredit.objects.get()
    assert (credit.account, credit.amount, credit.reason) == (account, D(20), "Outage")
    assert acts(admin_user) == ["credit.added"]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"amount": "1.005"}, "amount", "invalid input: amount: 1.005 must be above 0"),
        ({"expires_on": "2026-01-09"}, "expires_on", "invalid input: expires_on: 2026-01-09"),
    ],
)
def test_what_is_wrong_with_a_service_credit_is_said_on_the_form(admin_client, account, fields, field, message):
    response = admin_client.post(add_url(ServiceCredit), credit_data(account, **fields))
    ((named, (said,)),) = errors(response).items()
    assert named == field
    assert said.startswith(message)
    assert not ServiceCredit.objects.exists()


def test_a_service_credit_keeps_its_terms_and_is_ended_by_its_last_day(admin_client, admin_user, account):
    credit = ServiceCredit.objects.create(account=account, amount=D(20), reason="Outage")
    data = credit_data(AccountFactory(client=account.client), amount="99", reason="Gift", expires_on="2026-02-10")
    assert admin_client.post(change_url(credit), data).status_code == 302
    credit.refresh_from_db()
    assert (credit.account, credit.amount, credit.reason, credit.expires_on) == (account, D(20), "Outage", FEB_10)
    assert (acts(admin_user), version(account)) == (["credit.expired"], 2)
    assert admin_client.post(delete_url(credit), {"post": "yes"}).status_code == 403


def test_a_service_credit_on_another_clients_service_is_an_error_on_the_form(admin_client, account, strange):
    response = admin_client.post(add_url(ServiceCredit), credit_data(account, service=strange.pk))
    assert errors(response)["service"] == [f"no data found: service {strange.pk}"]


def test_a_service_credit_shows_what_is_used_and_left_and_by_which_invoices(admin_client, account, process):
    credit = ServiceCredit.objects.create(account=account, amount=D("1234.50"), reason="Outage")
    invoice = bill(account, process)
    for page in (change_url(credit), list_url(ServiceCredit)):
        shown = admin_client.get(page).content.decode()
        assert '<span class="amount">30.00</span>' in shown
        assert '<span class="amount">1,204.50</span>' in shown
    assert f'href="{change_url(invoice)}"' in admin_client.get(change_url(credit)).content.decode()


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
