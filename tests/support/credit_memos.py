"""Invoices to credit, with taxes included in prices and added to prices."""

from decimal import Decimal as D

from accounts.models import Service
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.service_credits import credit


def exclusive(client):
    TaxRateFactory(client=client, percent=D("7.25"))
    return an_account(client, a_plan(client, {"phone": "30.00", "tv": "9.99"}))


def inclusive(client):
    TaxRateFactory(client=client, percent=D(19))
    account = an_account(client, a_plan(client, {"phone": "30.00", "tv": "9.99"}))
    Service.objects.filter(client=client).update(tax_inclusive=True)
    return account


def two_taxes(client):
    TaxRateFactory(client=client, name="Excise", region="", percent=D(3))
    return exclusive(client)


def two_contained_taxes(client):
    TaxRateFactory(client=client, name="Excise", region="", percent=D(3))
    return inclusive(client)


def net_and_gross(client):
    account = two_taxes(client)
    Service.objects.filter(client=client, client_service_id="tv").update(tax_inclusive=True)
    return account


def each_line_rounded(client):
    client.tax_rounding = "line"
    client.save()
    return two_taxes(client)


def with_coupons_and_credits(client):
    account = two_taxes(client)
    a_coupon(client)
    a_coupon(client, code="FIVE", percent=None, amount=D(5), currency="usd")
    redeem(account)
    redeem(account, "FIVE")
    credit(account, "7.77")
    return account
