"""Surcharges by the API: a percent or an amount with a service of its own, and the invoices that they are added to."""

from datetime import date
from decimal import Decimal as D

import pytest

from invoices.models import Coupon, Surcharge
from tests.support.accounts_api import API, create, with_key, wrong
from tests.support.billing import bill
from tests.support.factories import ServiceFactory, TaxRateFactory, a_plan, an_account

JAN_10, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)


@pytest.fixture
def api(acme):
    return with_key(acme)


@pytest.fixture
def fee(acme):
    """The service that surcharges are posted under."""
    return ServiceFactory(client=acme, client_service_id="fee", gl_code="4700", tax_category="exempt")


def a_surcharge(fee, **change):
    return {"name": "Recovery fee", "service": fee.pk, "percent": "2", "valid_from": "2026-01-01", **change}


A_COUPON = {"code": "TEN", "name": "Ten percent", "percent": "10", "valid_from": "2026-01-01"}


def an_amount(fee, amount, currency="usd", **change):
    return a_surcharge(fee, percent=None, amount=amount, currency=currency, **change)


def added(invoice):
    return [(line.description, line.amount) for line in invoice.lines.filter(line_type=9)]


# What invoices show.


def test_a_percent_is_of_the_charges_of_its_services(acme, api, fee, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "9.00"}))
    tv = ServiceFactory(client=acme, client_service_id="tv")
    create(api, "surcharges", a_surcharge(fee, percent="2.5", services=[tv.pk]))
    create(api, "surcharges", a_surcharge(fee, name="On all", percent="10"))
    assert added(bill(account, process, JAN_10)) == [("Recovery fee", D("0.23")), ("On all", D("3.90"))]


def test_an_amount_is_added_once_an_invoice_to_accounts_of_its_currency(acme, api, fee, process):
    create(api, "surcharges", an_amount(fee, "1.50"))
    dollars = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "9.00"}))
    euros = an_account(acme, a_plan(acme, currency="eur"), currency="eur")
    assert added(bill(dollars, process, JAN_10)) == [("Recovery fee", D("1.50"))]
    assert added(bill(euros, process, JAN_10)) == []


def test_a_surcharge_is_posted_and_taxed_as_its_own_service(acme, api, fee, process):
    TaxRateFactory(client=acme)
    create(api, "surcharges", an_amount(fee, "1.50"))
    invoice = bill(an_account(acme), process, JAN_10)
    line = invoice.lines.get(line_type=9)
    assert (line.service, line.gl_code, line.tax_category) == (fee, "4700", "exempt")
    assert (invoice.net_amount, invoice.tax_amount) == (D("31.50"), D("3.00"))


def test_its_first_and_last_day_are_bill_dates(acme, api, fee, process):
    create(api, "surcharges", an_amount(fee, "1.50", valid_from="2026-02-10", valid_to="2026-02-10"))
    account = an_account(acme)
    assert [added(bill(account, process, day)) for day in (JAN_10, FEB_10, MAR_10)] == [[], [("Recovery fee", D("1.50"))], []]


def test_another_clients_surcharge_is_on_no_invoice(acme, umbra, fee, process):
    theirs = ServiceFactory(client=umbra, client_service_id="fee")
    create(with_key(umbra), "surcharges", an_amount(theirs, "1.50"))
    assert added(bill(an_account(acme), process, JAN_10)) == []


# What is kept.


def test_a_surcharge_is_shown_as_it_was_taken(acme, api, fee):
    phone, tv = ServiceFactory(client=acme), ServiceFactory(client=acme, client_service_id="tv")
    created = create(api, "surcharges", an_amount(fee, "1.5", services=[tv.pk, phone.pk, tv.pk], valid_to="2026-12-31"))
    assert sorted(created.pop("services")) == sorted([phone.pk, tv.pk])
    assert created == {
        "id": Surcharge.objects.get().pk,
        "name": "Recovery fee",
        "service": fee.pk,
        "percent": None,
        "amount": "1.50",
        "currency": "usd",
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
    }
    shown = api.get(f"{API}/surcharges/{created['id']}/").json()
    assert {name: shown[name] for name in created} == created


# What is refused, with nothing written.


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"service": None}, 1010, "service"),
        ({"service": "x"}, 1016, "service"),
        ({"name": ""}, 1010, "name"),
        ({"percent": "100.000001"}, 1016, "percent"),
        ({"percent": "0.0000001"}, 1016, "percent"),  # rounded to 0
        ({"percent": "1", "currency": "usd"}, 1016, "currency"),
        ({"valid_to": "2025-12-31"}, 1016, "valid_to"),
        ({"valid_to": "3000-01-01"}, 1016, "valid_to"),
        ({"services": None}, 1010, "services"),
        ({"services": ["x"]}, 1016, "services"),
    ],
)
def test_a_wrong_surcharge_is_refused_by_name(api, fee, change, code, field):
    answer = wrong(api, "surcharges", a_surcharge(fee, **change))
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert not Surcharge.objects.exists()


def test_a_hundred_percent_is_a_percent(api, fee):
    assert create(api, "surcharges", a_surcharge(fee, percent="100"))["percent"] == "100.000000"


@pytest.mark.parametrize(("currency", "amount"), [("jpy", "1.5"), ("usd", "1.505"), ("kwd", "1.5055")])
def test_an_amount_that_its_currency_does_not_have_is_refused(api, fee, currency, amount):
    code, _, errors = wrong(api, "surcharges", an_amount(fee, amount, currency))
    assert (code, list(errors)) == (1016, ["amount"])
    assert not Surcharge.objects.exists()


@pytest.mark.parametrize(
    ("resource", "field"), [("surcharges", "service"), ("surcharges", "services"), ("coupons", "services")]
)
def test_services_of_another_client_do_not_exist(umbra, api, fee, resource, field):
    theirs = ServiceFactory(client=umbra).pk
    change = {"service": theirs} if field == "service" else {"services": [fee.pk, theirs]}
    body = {**(a_surcharge(fee) if resource == "surcharges" else A_COUPON), **change}
    code, message, errors = wrong(api, resource, body)
    assert (code, list(errors)) == (1016, [field])
    assert f"{theirs} does not exist" in message
    assert not Surcharge.objects.exists()
    assert not Coupon.objects.exists()


def test_a_surcharge_is_not_replaced(api, fee):
    number = create(api, "surcharges", a_surcharge(fee))["id"]
    assert api.put(f"{API}/surcharges/{number}/", {}, format="json").status_code == 405


# The same surcharge again.


def test_the_same_surcharge_twice_is_refused_and_charged_once(acme, api, fee, process):
    first = create(api, "surcharges", a_surcharge(fee, name="Recovery fee", percent="10"))
    answer = api.post(f"{API}/surcharges/", a_surcharge(fee, name="recovery FEE", percent="10"), "json")
    assert answer.data["errors"] == {"valid_from": [f"Surcharge {first['id']} already has this name, service and first day."]}
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    assert added(bill(account, process, JAN_10)) == [("Recovery fee", D("10.00"))]


def test_of_one_surcharge_the_one_that_began_last_is_charged(acme, api, fee, process):
    create(api, "surcharges", a_surcharge(fee, percent="10"))
    create(api, "surcharges", a_surcharge(fee, percent="8", valid_from="2026-02-01"))
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    charged = [added(bill(account, process, day)) for day in (JAN_10, FEB_10)]
    assert charged == [[("Recovery fee", D("10.00"))], [("Recovery fee", D("8.00"))]]


def test_a_surcharge_in_two_currencies_is_two(acme, api, fee, process):
    create(api, "surcharges", an_amount(fee, "1.50"))
    create(api, "surcharges", an_amount(fee, "1.20", "eur"))
    euros = an_account(acme, a_plan(acme, currency="eur"), currency="eur")
    assert added(bill(euros, process, JAN_10)) == [("Recovery fee", D("1.20"))]
