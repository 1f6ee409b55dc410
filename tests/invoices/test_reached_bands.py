"""Volume prices whose bands begin when their number of units is reached."""

from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.rates import Rates, bands_of
from billing_site.common.currencies import currency_of
from invoices.plan.rating import rated
from tests.support.accounts_api import API, with_key
from tests.support.billing import FEB_10, JAN_10, MAR_10, USAGE, bill, charged, metered
from tests.support.factories import ServiceFactory, some_usage

BANDS = {"0": "2", "100": "1", "500": "0.5"}


def cost(units, edge):
    rates = Rates(1, "usd", "volume", bands_of((D(a), D(b)) for a, b in BANDS.items()), edge=edge)
    return rated(rates, D(units), currency_of("usd")).amount


@pytest.mark.parametrize(
    ("units", "above", "reached"),
    [
        ("0", 0, 0),
        ("99.9999", "200", "200"),
        ("100", 200, 100),
        ("100.0001", 100, 100),
        ("500", 500, 250),
        ("501", "250.5", "250.5"),
    ],
)
def test_the_edge_says_which_band_has_its_own_units(units, above, reached):
    assert (cost(units, "above"), cost(units, "reached")) == (D(above), D(reached))


@given(st.decimals(0, 2000, places=4))
def test_both_edges_agree_but_at_the_edges(units):
    if units not in (100, 500):
        assert cost(units, "above") == cost(units, "reached")


@pytest.mark.usefixtures("audited")
def test_usage_at_the_edge_and_late_usage(acme, process):
    account, instance = metered(acme, tiers=BANDS, model="volume", band_edge="reached")
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "100", date(2026, 1, 12))
    assert charged(bill(account, process, FEB_10), USAGE)[0][1:3] == (D(100), D(100))
    some_usage(instance, "calls", "400", date(2026, 1, 13))
    assert charged(bill(account, process, MAR_10), USAGE)[0][1:3] == (D(400), D(200))


@pytest.mark.django_db
def test_rest_reads_and_writes_the_edge(acme):
    api = with_key(acme)
    tiers = [{"from_unit": a, "rate_per_unit": b} for a, b in BANDS.items()]
    rate = {"currency": "usd", "model": "volume", "band_edge": "reached", "tiers": tiers}
    charge = {"service": ServiceFactory(client=acme).pk, "line_type": 6, "rates": [rate]}
    body = {"client_plan_id": "p", "name": "P", "charges": [charge]}
    answer = api.post(f"{API}/plans/", body, format="json").json()
    assert answer["charges"][0]["rates"][0]["band_edge"] == "reached"
    rate["model"] = "tiered"
    wrong = api.post(f"{API}/plans/", body | {"client_plan_id": "q"}, format="json").json()
    assert (wrong["error_code"], list(wrong["errors"])) == (90010, ["charges[0].rates[0].band_edge"])
