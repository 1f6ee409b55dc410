"""Invoices in the admin: explanations of lines, what an invoice holds, and what an account has that is not billed yet."""

from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.kinds import ChargeType
from accounts.models import Account, RateSchedule
from accounts.rates import RateTerms
from accounts.services.prices import add_price, remove_price
from invoices.admin.lines import line_explanation, tier_text
from invoices.models import Coupon, CouponRedemption, Invoice, InvoiceLine, OneTimeCharge, ServiceCredit, Surcharge, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import discard_invoices
from invoices.services.billing.generating import generate_invoice
from tests.support.admin_pages import add_url, change_url, list_url
from tests.support.factories import (
    BY_TEST,
    ServiceFactory,
    TaxRateFactory,
    a_charge,
    a_plan,
    an_account,
    an_instance,
    some_usage,
)

JAN_15, FEB_15, FEB_20 = date(2026, 1, 15), date(2026, 2, 15), date(2026, 2, 20)


@pytest.fixture(autouse=True)
def on_the_twentieth_of_february():
    with time_machine.travel("2026-02-20T12:00:00Z", tick=False):
        yield


def bill(account, caller, day):
    request = BillingRequest(day, force_pending=day == FEB_15)
    number = generate_invoice(client=account.client, account_no=account.pk, request=request, caller=caller)
    account.refresh_from_db()
    return Invoice.objects.get(pk=number)


@pytest.fixture
def invoice(acme, process):
    """Create a pending invoice of 15 February with every line type, and later usage that is not billed yet."""
    TaxRateFactory(client=acme)
    plan = a_plan(acme, {"line": "30.00"}, name="Office")
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05", "500": "0.01"})
    account = an_account(acme, plan, start=JAN_15)
    instance = account.plan_instances.get()
    add_price(
        plan.charges.get(line_type=ChargeType.RECURRING),
        RateTerms("usd", D("27.5"), valid_from=FEB_15),
        instance,
        caller=BY_TEST,
    )
    bill(account, process, JAN_15)
    an_instance(account, a_plan(acme, {"fibre": "50.00"}, name="Fibre"), date(2026, 2, 1))
    some_usage(instance, "calls", "120", date(2026, 1, 20), "R-1")
    some_usage(instance, "calls", "40.5", date(2026, 2, 14), "R-2")
    OneTimeCharge.objects.create(
        account=account,
        service=ServiceFactory(client=acme, client_service_id="router"),
        rate_per_unit=D("79.90"),
        charge_date=FEB_15,
    )
    fee = ServiceFactory(client=acme, client_service_id="fee")
    Surcharge.objects.create(client=acme, service=fee, name="Recovery fee", percent=D(2), valid_from=JAN_15)
    coupon = Coupon.objects.create(client=acme, code="TEN", name="Ten percent off", percent=D(10), valid_from=JAN_15, cycles=3)
    CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_15)
    ServiceCredit.objects.create(account=account, amount=D("1020.00"), service=fee, reason="Outage in January")
    invoice = bill(account, process, FEB_15)
    some_usage(instance, "calls", "150", FEB_20, "S-1")
    return invoice


def page_of(browser, row):
    return browser.get(change_url(row)).content.decode()


# Lines


def test_each_line_tells_where_its_amount_comes_from(invoice):
    stories = {f"{line}": list(line_explanation(line)) for line in invoice.lines.select_related("invoice")}
    assert stories == {
        "1. Line": ["customer price; the list price is 30.00"],
        "2. Calls": ["tier 1: up to 100"],
        "3. Calls": ["tier 2: above 100 to 500"],
        "4. Fibre": ["14 of 31 days"],
        "5. Fibre": [],
        "6. Router": [f"order {OneTimeCharge.objects.get().pk} of 2026-02-15"],
        "7. Recovery fee": ["2 % of 193.01"],
        "8. Ten percent off": ["coupon TEN", "10 % of 196.87"],
        "9. Outage in January": ["of 1020.00, 1016.53 left"],
        "10. Sales tax 10 % (US-CA)": [],
    }


@pytest.mark.parametrize(
    ("begin", "end", "text"),
    [
        (0, 100, "tier 1: up to 100"),
        (100, 500, "tier 1: above 100 to 500"),
        (D("500.5000"), None, "tier 1: above 500.5"),
        (0, None, "tier 1: all units"),
    ],
)
def test_a_tier_is_told_from_where_to_where(begin, end, text):
    tier = {"tier_from": D(begin), "tier_to": None if end is None else D(end)}
    assert tier_text(InvoiceLine(tier_no=1, **tier)) == text


def test_an_invoice_shows_the_story_of_its_lines_and_which_takes_what_off_which(admin_client, invoice):
    page = page_of(admin_client, invoice)
    for text in ("tier 2: above 100 to 500", "14 of 31 days", "coupon TEN<br>10 % of 196.87", "8. Ten percent off"):
        assert text in page
    details = invoice.credit_details.filter(credit_line_no=8)
    assert page.count("8. Ten percent off") == len(details) + 1 == 8


def test_an_invoice_without_credits_has_no_table_of_them(admin_client, acme, process):
    plain = bill(an_account(acme, start=JAN_15), process, JAN_15)
    assert "credit_details" not in page_of(admin_client, plain)


def test_the_page_of_a_line_leads_to_its_price_and_its_order(admin_client, invoice):
    calls, order = invoice.lines.get(line_no=3), invoice.lines.get(line_no=6)
    price = RateSchedule.objects.get(pk=calls.rate_schedule_no)
    assert f'href="{change_url(price)}"' in page_of(admin_client, calls)
    assert f'href="{change_url(OneTimeCharge.objects.get())}"' in page_of(admin_client, order)
    remove_price(price, caller=BY_TEST, today=date(2026, 1, 10))
    assert f'href="{change_url(calls.plan_instance)}"' in page_of(admin_client, calls)


# What an invoice holds


def test_an_invoice_shows_what_it_holds(admin_client, invoice):
    page = page_of(admin_client, invoice)
    row = '<td>Calls</td><td><span class="amount">2</span></td><td><span class="amount">160.5</span></td>'
    assert row in page
    assert f'href="{list_url(Usage)}?invoice__id__exact={invoice.pk}"' in page
    for held in (OneTimeCharge.objects.get(), CouponRedemption.objects.get(), ServiceCredit.objects.get()):
        assert f'href="{change_url(held)}"' in page
    assert "(line 8)" in page


def test_a_discarded_invoice_holds_nothing(admin_client, invoice, process):
    discard_invoices(client=invoice.client, invoice_nos=[invoice.pk], caller=process)
    page = page_of(admin_client, invoice)
    for released in (OneTimeCharge.objects.get(), CouponRedemption.objects.get(), ServiceCredit.objects.get()):
        assert f'href="{change_url(released)}"' not in page
    assert list_url(Usage) + "?" not in page


def test_the_usage_of_an_invoice_is_listed(admin_client, invoice):
    shown = admin_client.get(list_url(Usage), {"invoice__id__exact": invoice.pk}).context["cl"].result_list
    assert {usage.record_id for usage in shown} == {"R-1", "R-2"}


@pytest.mark.parametrize(("billed", "records"), [("no", {"S-1"}), ("yes", {"R-1", "R-2"}), ("", {"S-1", "R-1", "R-2"})])
def test_usage_is_filtered_by_whether_it_is_billed(admin_client, invoice, billed, records):
    shown = admin_client.get(list_url(Usage), {"billed": billed} if billed else {}).context["cl"].result_list
    assert {usage.record_id for usage in shown} == records


@pytest.mark.parametrize(("sought", "records"), [("R-2", {"R-2"}), ("R", set()), ("nobody", set())])
def test_usage_is_found_by_its_record_id(admin_client, invoice, sought, records):
    shown = admin_client.get(list_url(Usage), {"q": sought}).context["cl"].result_list
    assert {usage.record_id for usage in shown} == records


def test_usage_is_found_by_its_account(admin_client, invoice):
    for sought in (invoice.account.client_acct_id, invoice.account_id):
        assert len(admin_client.get(list_url(Usage), {"q": sought}).context["cl"].result_list) == 3


# Accounts


def test_an_account_shows_its_usage_so_far_and_what_it_comes_to(admin_client, invoice):
    page = page_of(admin_client, invoice.account)
    assert '<span class="amount">12.50</span>' in page
    assert f'href="{list_url(Usage)}?account__id__exact={invoice.account_id}&amp;billed=no"' in page


def test_usage_that_cannot_be_rated_is_told_on_the_page(admin_client, invoice):
    price = RateSchedule.objects.get(model="tiered")
    remove_price(price, caller=BY_TEST, today=date(2026, 1, 10))
    add_price(price.charge, RateTerms("eur", D(1)), caller=BY_TEST)
    assert "The charge has no price that is valid on this day: Calls in usd" in page_of(admin_client, invoice.account)


def test_an_account_shows_its_orders_credits_and_coupons(admin_client, invoice):
    page = page_of(admin_client, invoice.account)
    for row in (OneTimeCharge.objects.get(), ServiceCredit.objects.get(), CouponRedemption.objects.get()):
        assert f'href="{change_url(row)}"' in page
    assert '<span class="amount">1,016.53</span>' in page
    for name in ("add-order", "give-service-credit", "redeem-coupon"):
        assert f'href="{reverse(name, args=[invoice.account_id])}"' in page


def test_who_may_not_see_usage_or_add_anything_is_shown_neither(client, invoice):
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    invoice.client.staff.add(user)
    user.user_permissions.set(Permission.objects.filter(codename="view_account"))
    client.force_login(user)
    page = page_of(client, invoice.account)
    assert list_url(Usage) not in page
    assert reverse("add-order", args=[invoice.account_id]) not in page


def test_a_new_accounts_page_has_nothing_to_bill_yet(admin_client, acme):
    assert "unbilled_usage" not in admin_client.get(add_url(Account)).content.decode()
