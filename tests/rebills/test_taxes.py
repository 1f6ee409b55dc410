"""The tax of a rebill: at the original's tax date, at stored rates where nothing has changed, by the addresses of each line."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import Service, ServiceLocation
from invoices.models import TaxRate
from tests.support.billing import JAN_10, bill
from tests.support.credit_memos import each_line_rounded, net_and_gross, two_contained_taxes, two_taxes
from tests.support.factories import ContactFactory, TaxRateFactory, a_plan, an_account
from tests.support.memos import totals
from tests.support.rebilling import a_request, amounts_of, line, previewed, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def account(acme):
    """In California, with a second contact in Nevada; phone 30.00 and TV 20.00."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    ContactFactory(account=account, contact_no=2, role="other", region="NV", city="Reno", name="Reno Office")
    return account


@pytest.fixture
def places(acme):
    """Two locations of the client, in California and Nevada."""
    return [
        ServiceLocation.objects.create(client=acme, client_service_location_id=region, region=region, country="US")
        for region in ("CA", "NV")
    ]


def tax_of(document):
    return [(tax.authority, tax.taxed_line_no, tax.amount) for tax in document.tax_details.order_by("pk")]


@pytest.mark.parametrize(
    ("taxed_at", "name", "numbers"),
    [
        ("ship_to", "ship_to_address_seq", "contacts"),
        ("bill_to", "bill_to_address_seq", "contacts"),
        ("ship_from", "ship_from_location_no", "places"),
        ("bill_from", "bill_from_location_no", "places"),
    ],
)
def test_each_of_the_four_addresses_changes_the_tax_where_jurisdictions_differ(
    acme, process, account, places, taxed_at, name, numbers
):
    Service.objects.filter(client=acme).update(location=places[0])
    TaxRateFactory(client=acme, name="California", region="CA", percent=D(10), taxed_at=taxed_at)
    TaxRateFactory(client=acme, name="Nevada", region="NV", percent=D(5), taxed_at=taxed_at)
    invoice = bill(account, process, JAN_10)
    assert tax_of(invoice) == [("California", 1, D(3)), ("California", 2, D(2))]
    elsewhere = 2 if numbers == "contacts" else places[1].pk
    rebill = rebilled(invoice, process, line(1, **{name: elsewhere}), 2)
    assert tax_of(rebill) == [("California", 2, D(2)), ("Nevada", 1, D("1.5"))]
    others = {"ship_to_address_seq", "bill_to_address_seq", "ship_from_location_no", "bill_from_location_no"} - {name}
    moved = {other: 2 if "address" in other else places[1].pk for other in others}
    assert tax_of(rebilled(rebill, process, line(2, **moved))) == [("California", 1, D(2))]


def test_the_document_is_printed_to_the_bill_to_contact_that_all_lines_have(process, account):
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, bill_to_address_seq=2), line(2, bill_to_address_seq=2))
    assert (invoice.bill_to["name"], rebill.bill_to["name"], rebill.memo.bill_to["name"]) == (
        "Ada Byron",
        "Reno Office",
        "Ada Byron",
    )
    assert rebilled(rebill, process, line(1, bill_to_address_seq=1), 2).bill_to["name"] == "Ada Byron"


def test_unchanged_and_changed_lines_keep_the_rate_of_their_document(acme, process, account):
    rate = TaxRateFactory(client=acme, percent=D(10))
    invoice = bill(account, process, JAN_10)
    TaxRate.objects.filter(pk=rate.pk).update(percent=D(20))
    assert tax_of(rebilled(invoice, process, 1, line(2, rate_per_unit="40.00"))) == [
        ("Sales tax", 1, D(3)),
        ("Sales tax", 2, D(4)),
    ]


def test_tax_is_that_of_the_originals_tax_date(acme, process, account):
    TaxRateFactory(client=acme, percent=D(10), valid_to=date(2026, 1, 20))
    TaxRateFactory(client=acme, percent=D(12), valid_from=date(2026, 1, 21))
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="40.00"), 2, today=date(2026, 3, 1))
    assert (rebill.tax_date, rebill.tax_amount) == (JAN_10, D(6))


def test_a_line_that_was_not_taxed_stays_untaxed_until_its_taxes_are_counted_again(acme, process, account):
    invoice = bill(account, process, JAN_10)
    TaxRateFactory(client=acme, percent=D(10))
    rebill = rebilled(invoice, process, 1, line(2, units="2"))
    assert amounts_of(rebill) == [D(30), D(40)]
    assert amounts_of(rebilled(rebill, process, 1, line(2, retax=True))) == [D(30), D(40), D(4)]


def test_a_tax_that_lines_have_left_is_rounded_over_the_rest(acme, process):
    """10 % of 1.05 and 1.05 is 0.21, of which the first line has 0.11 and the second 0.10; of one of them alone it is 0.11."""
    TaxRateFactory(client=acme, percent=D(10))
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "1.05", "tv": "1.05"})), process, JAN_10)
    assert tax_of(invoice) == [("Sales tax", 1, D("0.11")), ("Sales tax", 2, D("0.10"))]
    assert tax_of(rebilled(invoice, process, 2)) == [("Sales tax", 1, D("0.11"))]


def test_a_tax_that_kept_and_changed_lines_share_is_rounded_once(acme, process):
    """Of 1.05 and 1.06 together 0.211, in all 0.21: not 0.11 and 0.11."""
    TaxRateFactory(client=acme, percent=D(10))
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "1.05", "tv": "1.05"})), process, JAN_10)
    rebill = rebilled(invoice, process, 1, line(2, rate_per_unit="1.06"))
    assert (rebill.tax_amount, rebill.lines.filter(line_type=2).count()) == (D("0.21"), 1)


@pytest.mark.parametrize("make", [two_taxes, two_contained_taxes, net_and_gross, each_line_rounded])
def test_unchanged_lines_have_their_original_taxes_to_the_cent(acme, process, make):
    invoice = bill(make(acme), process, JAN_10)
    TaxRate.objects.all().delete()  # so the engine has no rates
    rebill = rebilled(invoice, process, 1, 2)
    assert (totals(rebill), tax_of(rebill)) == (totals(invoice), tax_of(invoice))


def test_an_inclusive_price_that_changes_contains_its_taxes(acme, process):
    """Phone 30.00 and TV 9.99 with 19 % and 3 % within: of 61.00, 9.50 and 1.50."""
    invoice = bill(two_contained_taxes(acme), process, JAN_10)
    rebill = rebilled(invoice, process, line(1, amount="61.00"))
    assert totals(rebill) == (D(50), D(11), D(61))
    assert sorted(tax.amount for tax in rebill.tax_details.all()) == [D("1.5"), D("9.5")]


def test_a_preview_says_the_tax_of_each_line(acme, account, process):
    TaxRateFactory(client=acme, percent=D(10))
    invoice = bill(account, process, JAN_10)
    plan = previewed(a_request(invoice, line(1, units="2")), acme)
    assert [(row.original.tax, row.rebill.tax, row.difference.total) for row in plan.differences] == [
        (D(3), D(6), D(33)),
        (D(2), D(0), D(-22)),
    ]
    assert plan.rebill.less(plan.original).total == D(11)
