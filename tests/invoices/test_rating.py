"""What units cost at a price: literal cases of each model, both sides of each band, and what holds for any price."""

from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import strategies as st

from accounts.kinds import ChargeType
from accounts.periods import InstanceDates, arrears_due
from accounts.rates import Band, Rates, RateTerms, TierTerms, bands_of, check_terms, rates_on
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, ErrorCode
from invoices.basis import Billed
from invoices.calculation import WHOLE, Share
from invoices.plan.charges import add_usage
from invoices.plan.drafts import Lines
from invoices.plan.facts import ChargeFacts, InstanceFacts, ServiceFacts, UsageTotal
from invoices.plan.rating import rated, rated_late, unused
from tests.support.random_examples import given

USD = currency_of("usd")


def a_price(model="per_unit", rate=None, tiers=None, minimum=None, maximum=None):
    bands = bands_of((D(start), D(band_rate)) for start, band_rate in (tiers or {"0": rate}).items())
    return Rates(1, "usd", model, bands, minimum and D(minimum), maximum and D(maximum))


def parts(price, units, currency=USD, **options):
    return [(part.units, part.band.tier_no, part.amount) for part in rated(price, D(units), currency, **options).parts]


def in_its_time(price, units):
    """As an invoice bills a cycle: with nothing used, its minimum only."""
    return rated(price, D(units), USD) if D(units) else unused(price, WHOLE, USD)


def late(price, units, billed):
    """Units that come in after others of their cycle were billed at the same price."""
    first = in_its_time(price, billed)
    charged = Billed(D(billed), sum(part.amount for part in first.parts), first.adjustment)
    return rated_late(price, D(units), charged, USD)


def late_parts(price, units, billed):
    return [(part.units, part.band.tier_no, part.amount) for part in late(price, units, billed).parts]


BANDS = {"0": "0.10", "100": "0.05", "1000.5": "0.01"}


@pytest.mark.parametrize(
    ("rate", "units", "currency", "amount"),
    [
        ("0.10", "0", "usd", "0.00"),
        ("0.10", "1", "usd", "0.10"),
        ("0.10", "12.5", "usd", "1.25"),
        ("0.0000000001", "999999999", "usd", "0.10"),
        ("0.0123456789", "1000", "usd", "12.35"),
        ("0.005", "1", "usd", "0.01"),
        ("0.0049999999", "1", "usd", "0.00"),
        ("1.5", "3", "jpy", "5"),
        ("0.3335", "3", "kwd", "1.001"),
    ],
)
def test_per_unit_every_unit_costs_the_same(rate, units, currency, amount):
    assert rated(a_price(rate=rate), D(units), currency_of(currency)).amount == D(amount)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("0", [("0", 1, "0.00")]),
        ("0.0001", [("0.0001", 1, "0.00")]),
        ("1", [("1", 1, "0.10")]),
        ("99.9999", [("99.9999", 1, "10.00")]),
        ("100", [("100", 1, "10.00")]),
        ("100.0001", [("100", 1, "10.00"), ("0.0001", 2, "0.00")]),
        ("101", [("100", 1, "10.00"), ("1", 2, "0.05")]),
        ("1000.5", [("100", 1, "10.00"), ("900.5", 2, "45.03")]),
        ("1000.5001", [("100", 1, "10.00"), ("900.5", 2, "45.03"), ("0.0001", 3, "0.00")]),
        ("1100.5", [("100", 1, "10.00"), ("900.5", 2, "45.03"), ("100", 3, "1.00")]),
    ],
)
def test_tiered_each_band_has_its_own_rate_and_line(units, expected):
    assert parts(a_price("tiered", tiers=BANDS), units) == [(D(u), tier, D(amount)) for u, tier, amount in expected]


@pytest.mark.parametrize(
    ("units", "tier", "amount"),
    [
        ("0", 1, "0.00"),
        ("99.9999", 1, "10.00"),
        ("100", 1, "10.00"),
        ("100.0001", 2, "5.00"),
        ("1000.5", 2, "50.03"),
        ("1000.5001", 3, "10.01"),
        ("100000", 3, "1000.00"),
    ],
)
def test_volume_all_units_have_the_rate_of_the_band_they_reach(units, tier, amount):
    assert parts(a_price("volume", tiers=BANDS), units) == [(D(units), tier, D(amount))]


@pytest.mark.parametrize("units", ["0", "1", "100000.5"])
def test_a_flat_fee_is_the_same_for_any_units(units):
    assert parts(a_price("flat", rate="25.00"), units) == [(D(1), 1, D("25.00"))]


@pytest.mark.parametrize(
    ("units", "adjustment", "amount", "reason"),
    [
        ("99", "0.10", "10.00", "up to the minimum of 10.00"),
        ("0", "10.00", "10.00", "up to the minimum of 10.00"),
        ("100", "0", "10.00", ""),
        ("101", "0", "10.10", ""),
        ("399", "0", "39.90", ""),
        ("400", "0", "40.00", ""),
        ("401", "-0.10", "40.00", "above the maximum of 40.00"),
        ("9999", "-959.90", "40.00", "above the maximum of 40.00"),
    ],
)
def test_a_charge_is_held_between_its_minimum_and_its_maximum(units, adjustment, amount, reason):
    result = rated(a_price(rate="0.10", minimum="10", maximum="40"), D(units), USD)
    assert (result.adjustment, result.amount, result.reason) == (D(adjustment), D(amount), reason)


def test_part_of_a_period_has_its_part_of_the_minimum_and_of_the_maximum():
    price = a_price(rate="1", minimum="31", maximum="62")
    assert rated(price, D(3), USD, bounds_share=Share(5, 5, 31)).amount == D("5.00")
    assert rated(price, D(30), USD, bounds_share=Share(5, 5, 31)).amount == D("10.00")


def test_proration_is_of_the_amount_and_rounded_once_a_band():
    price = a_price("tiered", tiers={"0": "1.00", "10": "0.50"})
    assert parts(price, "15", share=Share(10, 10, 30)) == [(D(10), 1, D("3.33")), (D(5), 2, D("0.83"))]


# Units of a period that comes in late: on top of what was billed.


@pytest.mark.parametrize(
    ("billed", "units", "expected"),
    [
        ("0", "50", [("50", 1, "5.00")]),
        ("90", "20", [("10", 1, "1.00"), ("10", 2, "0.50")]),
        ("100", "20", [("20", 2, "1.00")]),
        ("99.5", "0.5", [("0.5", 1, "0.05")]),
    ],
)
def test_late_units_go_on_in_the_band_where_the_billed_ones_stopped(billed, units, expected):
    got = late_parts(a_price("tiered", tiers=BANDS), units, billed)
    assert got == [(D(u), tier, D(amount)) for u, tier, amount in expected]


def test_late_units_at_a_volume_price_have_the_rate_that_all_together_reach():
    assert late_parts(a_price("volume", tiers=BANDS), "20", "90") == [(D(20), 2, D("1.00"))]


def test_a_flat_fee_is_charged_once_a_period():
    assert late(a_price("flat", rate="25"), "5", billed="3").amount == 0
    assert late(a_price("flat", rate="25"), "5", billed="0").amount == 25


@pytest.mark.parametrize(
    ("billed", "units", "amount", "reason"),
    [
        ("42", "5", "0.00", "within the minimum that was charged before"),
        ("42", "10", "2.00", "within the minimum that was charged before"),
        ("60", "5", "5.00", ""),
        ("98", "5", "2.00", "above the maximum of 100.00"),
        ("120", "5", "0.00", "above the maximum of 100.00"),
    ],
)
def test_a_minimum_and_maximum_hold_for_the_whole_period(billed, units, amount, reason):
    result = late(a_price(rate="1", minimum="50", maximum="100"), units, billed)
    assert (result.amount, result.reason) == (D(amount), reason)


def test_more_units_than_can_be_stored_are_refused():
    with pytest.raises(BillingError) as refused:
        late(a_price(rate="0.0000000001"), "999999999999999999", "1")
    assert refused.value.code is ErrorCode.AMOUNT_TOO_LARGE


# What holds for any price.

CENTS = st.integers(0, 500).map(lambda cents: D(cents) / 100)
WHOLE_STARTS = st.integers(1, 50)
WHOLE_UNITS = st.integers(0, 60)
UNITS = st.integers(0, 10**6).map(lambda number: D(number) / 10000)


@st.composite
def banded(draw, model="tiered", starts=WHOLE_STARTS, rates=CENTS):
    begin = sorted(draw(st.sets(starts, max_size=5)))
    return a_price(model, tiers={str(start): str(draw(rates)) for start in [0, *begin]})


@given(price=banded(), units=WHOLE_UNITS)
def test_a_tiered_total_is_the_sum_over_its_single_units(price, units):
    single = [late(price, 1, number).amount for number in range(units)]
    assert rated(price, D(units), USD).amount == sum(single)


@given(price=banded(rates=st.decimals("0", "3", places=10)), one=UNITS, other=UNITS)
def test_a_tiered_total_never_falls_when_units_rise(price, one, other):
    assert rated(price, min(one, other), USD).amount <= rated(price, max(one, other), USD).amount


@given(price=banded(), before=WHOLE_UNITS, after=WHOLE_UNITS, least=CENTS, range_=CENTS)
def test_late_units_cost_what_they_would_have_cost_in_time(price, before, after, least, range_):
    price = price._replace(minimum=least, maximum=least + range_)
    in_time = rated(price, D(before + after), USD).amount
    assert in_its_time(price, before).amount + late(price, after, before).amount == in_time


@given(price=banded("volume"), units=UNITS)
def test_a_volume_price_has_one_part_with_all_units(price, units):
    (part,) = rated(price, units, USD).parts
    assert part.units == units
    assert part.band.from_unit < units or part.band.tier_no == 1
    assert part.band.to_unit is None or units <= part.band.to_unit


@given(price=banded(starts=st.integers(1, 10**6).map(lambda n: D(n) / 10000)), units=UNITS)
def test_the_parts_of_a_tiered_price_have_all_units(price, units):
    assert sum(part.units for part in rated(price, units, USD).parts) == units


@given(price=st.one_of(banded(), banded("volume")), units=UNITS, least=CENTS, range_=CENTS, billed=st.none() | UNITS)
def test_an_amount_is_never_below_zero_nor_outside_its_bounds(price, units, least, range_, billed):
    price = price._replace(minimum=least, maximum=least + range_)
    if billed is None:
        assert least <= rated(price, units, USD).amount <= least + range_
    else:
        assert 0 <= late(price, units, billed).amount <= least + range_


CALLS = ServiceFacts(1, "Calls", "4000", "standard", False, None)
FEB_9, FEB_10 = date(2026, 2, 9), date(2026, 2, 10)


def usage_lines(price, totals):
    charge = ChargeFacts(ChargeType.USAGE, CALLS, (price,))
    dates = InstanceDates(date(2026, 1, 10), None, FEB_9, in_arrears=True)
    instance = InstanceFacts(1, dates, "Plan", D(1), "", (charge,), usage=tuple(totals))
    lines = Lines(USD)
    (claim,) = add_usage(lines, instance, list(arrears_due(dates, FEB_10, 10, dates.start)), 10, lambda _: FEB_9)
    return lines.drafts, claim.records


@given(
    price=st.one_of(banded(), banded("volume")),
    day=st.integers(10, 31),
    other_day=st.integers(10, 31),
    units=UNITS.filter(bool),
    cut=st.decimals("0", "1", places=4),
)
def test_splitting_usage_in_two_changes_no_line(price, day, other_day, units, cut):
    """Whether the records are of one day, or of two days of the cycle."""
    first = (units * cut).quantize(D("0.0001"))
    days = sorted([date(2026, 1, day), date(2026, 1, other_day)])
    whole, records = usage_lines(price, [UsageTotal(1, days[0], units, 1, 7)])
    split, parts = usage_lines(price, [UsageTotal(1, days[0], first, 1, 7), UsageTotal(1, days[1], units - first, 1, 8)])
    assert split == whole
    assert (records, parts) == (1, 2)


# Which price holds, and which are refused.


def test_bands_run_to_where_the_next_begins():
    assert bands_of([(D(100), D("0.05")), (D(0), D("0.10"))]) == (
        Band(1, D(0), D(100), D("0.10")),
        Band(2, D(100), None, D("0.05")),
    )


@pytest.mark.parametrize(
    ("day", "schedule"),
    [
        (date(2025, 12, 31), 1),
        (date(2026, 1, 1), 2),
        (date(2026, 1, 31), 2),
        (date(2026, 2, 1), 1),
        (date(2026, 3, 1), 3),
        (date(2019, 12, 31), None),
    ],
)
def test_of_the_prices_that_are_valid_the_one_that_began_last_holds(day, schedule):
    always = a_price(rate="1")._replace(valid_from=date(2020, 1, 1))
    january = always._replace(schedule_no=2, valid_from=date(2026, 1, 1), valid_to=date(2026, 1, 31))
    march = always._replace(schedule_no=3, valid_from=date(2026, 3, 1))
    found = rates_on(day, "usd", [march, always, january])
    assert (found and found.schedule_no) == schedule
    assert rates_on(day, "eur", [march, always, january]) is None


def tier(start, end=None):
    return TierTerms(D(start), D(1), None if end is None else D(end))


@pytest.mark.parametrize(
    ("terms", "code", "message"),
    [
        (RateTerms("usd"), 1010, "Missing required parameter: rate_per_unit"),
        (RateTerms("usd", model="flat"), 1010, "rate_per_unit"),
        (RateTerms("usd", model="tiered"), 1010, "Missing required parameter: tiers"),
        (
            RateTerms("usd", D(1), "volume", (tier("0"),)),
            90010,
            "a volume price has a rate in each band; leave rate_per_unit out",
        ),
        (RateTerms("usd", D(1), "per_unit", (tier("0"),)), 90010, "a per_unit price has no bands; leave them out"),
        (RateTerms("usd", None, "tiered", (tier("1"),)), 90010, "units up to 1 have no band; the first band must start at 0"),
        (RateTerms("usd", None, "tiered", (tier("0"), tier("5"), tier("5"))), 90010, "two bands start at 5"),
        (RateTerms("usd", None, "tiered", (tier("0", "6"), tier("5"))), 90010, "overlap: one ends at 6, the next starts at 5"),
        (RateTerms("usd", None, "tiered", (tier("0", "4"), tier("5"))), 90010, "units from 4 to 5 have no band"),
        (RateTerms("usd", None, "tiered", (tier("0", "5"), tier("5", "9"))), 90010, "units above 9 have no band"),
    ],
)
def test_prices_that_contradict_themselves_are_refused_by_name(terms, code, message):
    with pytest.raises(BillingError) as refused:
        check_terms(terms)
    assert refused.value.code.number == code
    assert message in refused.value.message


def test_bands_may_come_in_any_order_and_say_where_they_end():
    check_terms(RateTerms("usd", None, "tiered", (tier("5"), tier("0", "5"))))
