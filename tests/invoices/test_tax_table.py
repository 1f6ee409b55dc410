"""The embedded tax engine: which rates apply, and how their cents are rounded and spread."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction
from hypothesis import strategies as st

from billing_site.common.currencies import currency_of
from invoices.tax_engines.protocol import TaxableLine, TaxAddress, TaxAddresses, TaxRequest
from invoices.tax_engines.table import Rate, quote_from, rates_lookup
from tests.support.accounts_api import API, create, with_key
from tests.support.factories import TaxRateFactory
from tests.support.random_examples import given

FRESNO = TaxAddress(city="Fresno", region="CA", country="US")
RENO = TaxAddress(city="Reno", region="NV", country="US")
BERLIN = TaxAddress(city="Berlin", country="DE")
DAY = date(2026, 1, 15)


def a_rate(
    percent, name="Sales tax", country="US", region="CA", category="standard", start=date(2000, 1, 1), end=None, at="ship_to"
):
    return Rate(name, country, region, category, D(percent), at, start, end)


def a_line(number, amount, category="standard", inclusive=False, address=FRESNO):
    return TaxableLine(number, D(amount), category, inclusive, TaxAddresses(ship_to=address))


def quoted(rates, lines, currency="usd", per_line=False, day=DAY):
    request = TaxRequest(currency_of(currency), day, per_line, tuple(lines))
    return [
        (tax.line_no, tax.authority, tax.taxable_amount, tax.amount) for tax in quote_from(rates_lookup(rates), request).taxes
    ]


def test_a_rate_is_rounded_once_over_the_document_and_spread_over_its_lines():
    lines = [a_line(1, "0.10"), a_line(2, "0.10"), a_line(3, "0.10")]
    assert quoted([a_rate("5")], lines) == [
        (1, "Sales tax", D("0.10"), D("0.01")),
        (2, "Sales tax", D("0.10"), D("0.00")),
        (3, "Sales tax", D("0.10"), D("0.01")),
    ]


def test_each_line_is_rounded_by_itself_where_the_client_asks_for_it():
    lines = [a_line(1, "0.10"), a_line(2, "0.10"), a_line(3, "0.10")]
    assert [tax[3] for tax in quoted([a_rate("5")], lines, per_line=True)] == [D("0.01"), D("0.01"), D("0.01")]


def test_country_and_region_rates_add_up():
    federal = a_rate("3", name="Excise", region="", category="telecom")
    state = a_rate("7.25", category="telecom")
    assert quoted([federal, state], [a_line(1, "20.00", category="telecom")]) == [
        (1, "Excise", D("20.00"), D("0.60")),
        (1, "Sales tax", D("20.00"), D("1.45")),
    ]


def test_inclusive_prices_contain_their_tax():
    vat = a_rate("19", name="VAT", country="DE", region="")
    assert quoted([vat], [a_line(1, "119.00", inclusive=True, address=BERLIN)]) == [(1, "VAT", D("100.00"), D("19.00"))]


def test_an_inclusive_price_contains_all_its_rates_on_one_net_amount():
    rates = [a_rate("5", name="GST", country="CA", region=""), a_rate("7", name="PST", country="CA", region="BC")]
    vancouver = TaxAddress(region="BC", country="CA")
    assert quoted(rates, [a_line(1, "112.00", inclusive=True, address=vancouver)]) == [
        (1, "GST", D("100.00"), D("5.00")),
        (1, "PST", D("100.00"), D("7.00")),
    ]


@pytest.mark.parametrize(
    "currency, amount, expected", [("jpy", "999", "80"), ("kwd", "10.005", "0.800"), ("usd", "9.99", "0.80")]
)
def test_tax_is_rounded_to_the_currency(currency, amount, expected):
    assert quoted([a_rate("8")], [a_line(1, amount)], currency=currency)[0][3] == D(expected)


@pytest.mark.parametrize(
    "line",
    [
        a_line(1, "10.00", category="exempt"),
        a_line(1, "10.00", address=RENO),
        a_line(1, "10.00", address=BERLIN),
        a_line(1, "10.00", address=None),
    ],
)
def test_another_category_or_place_is_not_taxed(line):
    assert quoted([a_rate("10")], [line]) == []


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2025, 12, 31), "0.70"), (date(2026, 1, 1), "0.80"), (date(2026, 6, 30), "0.80"), (date(2026, 7, 1), None)],
)
def test_a_rate_applies_from_its_first_day_through_its_last(day, expected):
    rates = [a_rate("7", end=date(2025, 12, 31)), a_rate("8", start=date(2026, 1, 1), end=date(2026, 6, 30))]
    assert [tax[3] for tax in quoted(rates, [a_line(1, "10.00")], day=day)] == ([D(expected)] if expected else [])


@given(
    amounts=st.lists(st.integers(0, 10**6), min_size=1, max_size=40),
    percent=st.decimals("0", "30", places=2),
    inclusive=st.booleans(),
)
def test_the_document_tax_is_the_rounded_share_of_the_whole(amounts, percent, inclusive):
    lines = [a_line(number, D(amount) / 100, inclusive=inclusive) for number, amount in enumerate(amounts, 1)]
    taxes = quoted([a_rate(percent)], lines)
    base = sum(line.amount for line in lines)
    exact = base * percent / (100 + percent if inclusive else 100)
    assert abs(sum(tax[3] for tax in taxes) - exact) <= D("0.005")
    if inclusive:
        assert sum(tax[2] + tax[3] for tax in taxes) == base


def test_a_rate_of_the_law_is_rounded_once_over_all_categories():
    """10.00 and 15.00 at 7.25 %: 25.00 in all, 1.81. Each category by itself would be 0.73 and 1.09."""
    rates = [a_rate("7.25", category="internet"), a_rate("7.25", category="telephone")]
    lines = [a_line(1, "10.00", category="internet"), a_line(2, "15.00", category="telephone")]
    assert quoted(rates, lines) == [
        (1, "Sales tax", D("10.00"), D("0.72")),
        (2, "Sales tax", D("15.00"), D("1.09")),
    ]
    assert [tax[3] for tax in quoted(rates, lines, per_line=True)] == [D("0.73"), D("1.09")]


def test_gross_prices_of_two_categories_contain_a_rate_that_is_rounded_once():
    """VAT of 19 % in 0.10 and 0.10: of 0.20, 0.03. Each category by itself would be 0.02 and 0.02."""
    rates = [a_rate("19", "VAT", "DE", "", category) for category in ("books", "records")]
    lines = [a_line(number, "0.10", one, True, BERLIN) for number, one in enumerate(("books", "records"), 1)]
    assert [(tax[2], tax[3]) for tax in quoted(rates, lines)] == [(D("0.08"), D("0.02")), (D("0.09"), D("0.01"))]


@pytest.mark.parametrize(
    "other",
    [
        a_rate("7.25", name="County tax", category="telephone"),
        a_rate("7.5", category="telephone"),
        a_rate("7.25", region="", category="telephone"),
    ],
)
def test_rates_of_another_name_percent_or_place_are_rounded_by_themselves(other):
    lines = [a_line(1, "10.00", category="internet"), a_line(2, "15.00", category="telephone")]
    taxes = [tax[3] for tax in quoted([a_rate("7.25", category="internet"), other], lines)]
    assert taxes == [D("0.73"), (15 * other.percent / 100).quantize(D("0.01"), "ROUND_HALF_UP")]


def test_a_rate_that_two_addresses_bring_in_is_taken_once():
    rates = [a_rate("10", at="ship_to"), a_rate("10", at="bill_to")]
    both = TaxableLine(1, D("10.00"), "standard", False, TaxAddresses(bill_to=FRESNO, ship_to=FRESNO))
    billed = TaxableLine(2, D("5.00"), "standard", False, TaxAddresses(bill_to=FRESNO, ship_to=RENO))
    assert quoted(rates, [both, billed]) == [
        (1, "Sales tax", D("10.00"), D("1.00")),
        (2, "Sales tax", D("5.00"), D("0.50")),
    ]


@pytest.mark.parametrize(
    ("day", "percent"), [(date(2020, 12, 31), "16.00"), (date(2021, 1, 1), "19.00"), (date(2021, 7, 1), "19.00")]
)
def test_of_one_tax_the_rate_that_began_last_holds(day, percent):
    """Nobody closed the old row: 16 % from July 2020, 19 % from January 2021."""
    old = a_rate("16", name="VAT", country="DE", region="", start=date(2020, 7, 1))
    new = a_rate("19", name="vat", country="DE", region="", start=date(2021, 1, 1))
    lines = [a_line(1, "100.00", address=BERLIN)]
    for rates in ([old, new], [new, old]):
        assert [amount for *_, amount in quoted(rates, lines, "eur", day=day)] == [D(percent)]


def test_a_rate_for_some_months_holds_over_the_standing_one():
    standing = a_rate("19", name="VAT", country="DE", region="", start=date(2007, 1, 1))
    lowered = a_rate("16", name="VAT", country="DE", region="", start=date(2020, 7, 1), end=date(2020, 12, 31))
    taxes = [
        quoted([standing, lowered], [a_line(1, "100.00", address=BERLIN)], "eur", day=day)[0][-1]
        for day in (date(2020, 6, 30), date(2020, 7, 1), date(2020, 12, 31), date(2021, 1, 1))
    ]
    assert taxes == [D(19), D(16), D(16), D(19)]


def test_rates_of_other_names_places_and_categories_are_others():
    rates = [a_rate("6", name="State"), a_rate("1", name="City"), a_rate("2", name="State", region="")]
    assert [tax[1::2] for tax in quoted(rates, [a_line(1, "100.00")])] == [("State", 6), ("City", 1), ("State", 2)]


def test_the_same_row_of_tax_twice_is_refused_and_the_earlier_one_named(acme):
    api = with_key(acme)
    row = {"name": "VAT", "country": "DE", "percent": "19", "valid_from": "2020-07-01"}
    first = create(api, "tax-rates", row)
    for change in ({}, {"name": "vat"}, {"percent": "16"}, {"valid_to": "2020-12-31"}):
        answer = api.post(f"{API}/tax-rates/", {**row, **change}, "json")
        assert (answer.status_code, answer.data["error_code"]) == (400, 1016)
        said = f"Tax rate {first['id']} already has this name, place, category and first day: 19 %."
        assert answer.data["errors"] == {"valid_from": [said]}
    create(api, "tax-rates", {**row, "valid_from": "2021-01-01"})


def test_the_database_refuses_the_same_row_of_tax_twice(acme):
    TaxRateFactory(client=acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        TaxRateFactory(client=acme, name="SALES TAX", percent=D(9))
