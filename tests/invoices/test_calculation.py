"""Rounding, line amounts and splits."""

from decimal import ROUND_HALF_EVEN
from decimal import Decimal as D

import pytest
from hypothesis import strategies as st

from billing_site.common.currencies import Currency, currency_of
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import WHOLE, Share, line_amount, rounded, split, tax_amounts, total
from tests.support.random_examples import given

USD = currency_of("usd")


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1.005", "usd", "1.01"),
        ("-1.005", "usd", "-1.01"),
        ("1.0049999", "usd", "1.00"),
        ("0.5", "jpy", "1"),
        ("1234.5", "jpy", "1235"),
        ("1.0005", "kwd", "1.001"),
        ("2.675", "eur", "2.68"),
    ],
)
def test_amounts_are_rounded_half_up_to_the_currency(amount, currency, expected):
    assert rounded(D(amount), currency_of(currency)) == D(expected)
    assert str(rounded(D(amount), currency_of(currency))) == expected


def test_the_currency_says_how_its_amounts_are_rounded():
    even = Currency("usd", 2, ROUND_HALF_EVEN)
    assert (rounded(D("0.125"), even), rounded(D("0.125"), USD)) == (D("0.12"), D("0.13"))
    assert line_amount(D("0.0125"), D(10), WHOLE, even) == D("0.12")
    assert split(D("0.25"), [D(1), D(1)], even) == [D("0.12"), D("0.13")]
    assert split(D("0.25"), [D(1), D(1)], USD) == [D("0.13"), D("0.12")]
    assert tax_amounts(D(5), D(0), [D("2.50"), D("2.50")], even, per_line=True) == [D("0.12"), D("0.12")]


@pytest.mark.parametrize(
    ("rate", "units", "days", "full_days", "currency", "expected"),
    [
        ("30", "1", 30, 30, "usd", "30.00"),
        ("30.00", "1", 12, 30, "usd", "12.00"),
        ("60.00", "1", 18, 30, "usd", "36.00"),
        ("100.00", "1", 5, 31, "usd", "16.13"),
        ("0.0000000001", "10000", 1, 1, "usd", "0.00"),
        ("0.0123456789", "1000", 1, 1, "usd", "12.35"),
        ("9.99", "2.5", 1, 1, "usd", "24.98"),
        ("1000", "1", 10, 31, "jpy", "323"),
        ("10.000", "1", 1, 3, "kwd", "3.333"),
    ],
)
def test_a_line_is_rate_times_units_times_proration_rounded_once(rate, units, days, full_days, currency, expected):
    assert str(line_amount(D(rate), D(units), Share(days, days, full_days), currency_of(currency))) == expected


@pytest.mark.parametrize(
    ("amount", "weights", "currency", "expected"),
    [
        ("10.00", ["1", "1", "1"], "usd", ["3.33", "3.34", "3.33"]),
        ("0.02", ["1", "1", "1", "1"], "usd", ["0.01", "0.00", "0.01", "0.00"]),
        ("100", ["1", "2"], "jpy", ["33", "67"]),
        ("1.000", ["1", "1", "1"], "kwd", ["0.333", "0.334", "0.333"]),
        ("0.00", ["0", "0"], "usd", ["0", "0.00"]),
        ("5.00", ["0", "5"], "usd", ["0.00", "5.00"]),
    ],
)
def test_a_split_adds_up_and_no_part_is_off_by_more_than_a_cent(amount, weights, currency, expected):
    parts = split(D(amount), [D(weight) for weight in weights], currency_of(currency))
    assert [D(part) for part in parts] == [D(one) for one in expected]
    assert sum(parts) == D(amount)


CENTS = st.integers(0, 10**7).map(lambda cents: D(cents) / 100)


@given(amount=CENTS, weights=st.lists(CENTS, min_size=1, max_size=40))
def test_parts_of_any_split_sum_to_the_whole_and_stay_within_a_cent_of_their_share(amount, weights):
    parts = split(amount, weights, USD)
    assert sum(parts) == amount
    whole = sum(weights)
    if whole:
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - amount * weight / whole) <= D("0.01")
            assert part >= 0


def test_an_amount_that_could_not_be_stored_exactly_is_refused():
    with pytest.raises(BillingError) as refused:
        line_amount(D("99999999.99"), D("10000"), WHOLE, USD)
    assert refused.value.code is ErrorCode.AMOUNT_TOO_LARGE
    with pytest.raises(BillingError):
        total([D("99999999999.99")] * 2)


@pytest.mark.parametrize(
    ("rate", "cuts", "expected"),
    [
        ("10.00", [10, 20], ["3.33", "3.34", "3.33"]),
        ("60.00", [12], ["24.00", "36.00"]),
        ("30.00", [12], ["12.00", "18.00"]),
        ("0.01", [10, 20], ["0.00", "0.01", "0.00"]),
    ],
)
def test_the_shares_of_a_period_of_30_days_add_up_to_its_amount(rate, cuts, expected):
    starts, ends = [0, *cuts], [*cuts, 30]
    parts = [
        line_amount(D(rate), D(1), Share(end - start, 30 - start, 30), USD) for start, end in zip(starts, ends, strict=True)
    ]
    assert [str(part) for part in parts] == expected
    assert sum(parts) == D(rate)


@given(
    rate=st.decimals("0", "1000", places=4),
    units=st.integers(0, 10**6).map(lambda number: D(number) / 10000),
    total_days=st.integers(1, 366),
    cuts=st.sets(st.integers(1, 365), max_size=5),
)
def test_the_sum_of_the_prorated_parts_of_a_period_is_the_whole(rate, units, total_days, cuts):
    starts = sorted({0, *(cut for cut in cuts if cut < total_days)})
    parts = [
        line_amount(rate, units, Share(end - start, total_days - start, total_days), USD)
        for start, end in zip(starts, [*starts[1:], total_days], strict=True)
    ]
    assert sum(parts) == rounded(rate * units, USD)
    assert all(part >= 0 for part in parts)
    for part, start, end in zip(parts, starts, [*starts[1:], total_days], strict=True):
        assert abs(part - rate * units * (end - start) / total_days) <= D("0.01")
