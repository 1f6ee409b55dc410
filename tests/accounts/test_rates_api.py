"""Prices added to existing charges and plan instances: what is stored, what is refused, and under which field."""

from datetime import date

import pytest

from accounts.kinds import ChargeType
from accounts.models import Account, Plan, PlanInstance, RateSchedule, RateTier
from tests.support.accounts_api import API, create, with_key, wrong
from tests.support.factories import AccountFactory, ServiceFactory, a_charge, a_plan, an_account

BANDS = [{"from_unit": "0", "rate_per_unit": "0.10"}, {"from_unit": "100", "rate_per_unit": "0.05"}]
TIERED = {"currency": "eur", "model": "tiered", "tiers": BANDS}
FLAT_LATER = {"currency": "usd", "model": "flat", "rate_per_unit": "25", "valid_from": "2026-07-01", "valid_to": "2026-12-31"}


@pytest.fixture
def api(acme):
    return with_key(acme)


@pytest.fixture
def charge(acme):
    """A phone at 30.00 usd."""
    return a_plan(acme).charges.get()


@pytest.fixture
def instance(acme, charge):
    return an_account(acme, charge.plan).plan_instances.get()


# Adding and reading.


def test_a_list_price_is_added_to_a_charge_and_stands_beside_the_first(api, charge):
    created = create(api, "rates", {"charge": charge.pk, **FLAT_LATER, "minimum_amount": "5", "maximum_amount": "50"})
    assert created == {
        "charge": charge.pk,
        "plan_instance": None,
        "id": charge.rates.latest("pk").pk,
        "currency": "usd",
        "model": "flat",
        "band_edge": "above",
        "rate_per_unit": "25.0000000000",
        "tiers": [],
        "minimum_amount": "5.0000",
        "maximum_amount": "50.0000",
        "valid_from": "2026-07-01",
        "valid_to": "2026-12-31",
    }
    assert api.get(f"{API}/rates/{created['id']}/").json() == created
    plan = api.get(f"{API}/plans/{charge.plan_id}/").json()
    assert [rate["valid_from"] for rate in plan["charges"][0]["rates"]] == ["1900-01-01", "2026-07-01"]


def test_bands_are_shown_with_where_each_ends(api, charge):
    created = create(api, "rates", {"charge": charge.pk, **TIERED})
    assert created["rate_per_unit"] is None
    assert created["tiers"] == [
        {"from_unit": "0.0000", "to_unit": "100.0000", "rate_per_unit": "0.1000000000"},
        {"from_unit": "100.0000", "to_unit": None, "rate_per_unit": "0.0500000000"},
    ]


def test_an_own_price_has_the_accounts_currency_and_voids_what_was_planned_before(acme, api, charge, instance):
    before = Account.objects.get().billing_version
    created = create(api, "rates", {"charge": charge.pk, "plan_instance": instance.pk, "rate_per_unit": "28"})
    assert (created["currency"], created["plan_instance"]) == ("usd", instance.pk)
    assert Account.objects.get().billing_version == before + 1
    shown = api.get(f"{API}/plan-instances/{instance.pk}/").json()
    assert [price["rate_per_unit"] for price in shown["prices"]] == ["28.0000000000"]
    assert len(api.get(f"{API}/plans/{charge.plan_id}/").json()["charges"][0]["rates"]) == 1


def test_a_list_price_leaves_the_accounts_alone(api, charge, instance):
    before = Account.objects.get().billing_version
    create(api, "rates", {"charge": charge.pk, **FLAT_LATER})
    assert Account.objects.get().billing_version == before


def test_prices_are_found_by_charge_and_by_plan_instance(acme, api, charge, instance):
    own = create(api, "rates", {"charge": charge.pk, "plan_instance": instance.pk, "rate_per_unit": "28"})
    other = a_plan(acme).charges.get()

    def found(query=""):
        return [row["id"] for row in api.get(f"{API}/rates/?{query}").json()["results"]]

    listed, others = charge.rates.earliest("pk").pk, other.rates.get().pk
    assert sorted(found()) == sorted([listed, own["id"], others])
    assert sorted(found(f"charge={charge.pk}")) == sorted([listed, own["id"]])
    assert found(f"plan_instance={instance.pk}") == [own["id"]]
    assert api.get(f"{API}/rates/?charge=x").json()["error_code"] == 1016


def test_another_clients_charges_prices_and_plan_instances_do_not_exist(umbra, api, charge):
    theirs = an_account(umbra).plan_instances.get()
    their_charge = theirs.plan.charges.get()
    rows = RateSchedule.objects.count()
    for body, field in [
        ({"charge": their_charge.pk}, "charge"),
        ({"charge": charge.pk, "plan_instance": theirs.pk}, "plan_instance"),
        ({"charge": 999999}, "charge"),
    ]:
        code, _, errors = wrong(api, "rates", {"currency": "usd", "rate_per_unit": "1", **body})
        assert (code, list(errors)) == (1016, [field])
    assert api.get(f"{API}/rates/{their_charge.rates.get().pk}/").status_code == 404
    assert [row["charge"] for row in api.get(f"{API}/rates/").json()["results"]] == [charge.pk]
    assert RateSchedule.objects.count() == rows


# What is refused, by name, with nothing written.

PER_UNIT = {"currency": "usd", "rate_per_unit": "1", "valid_from": "2026-02-01"}


def band(from_unit, to_unit=None, rate="1"):
    return {"from_unit": from_unit, "rate_per_unit": rate, **({} if to_unit is None else {"to_unit": to_unit})}


def tiered(*bands, model="tiered", **change):
    return {"currency": "eur", "model": model, "tiers": list(bands), **change}


BAD_RATES = [
    (tiered(band("0", "100"), band("90")), 90010, "tiers", "bands overlap: one ends at 100, the next starts at 90"),
    (tiered(band("0", "100"), band("110")), 90010, "tiers", "units from 100 to 110 have no band"),
    (tiered(band("0"), band("0")), 90010, "tiers", "two bands start at 0"),
    (tiered(band("1")), 90010, "tiers", "units up to 1 have no band; the first band must start at 0"),
    (tiered(band("0", "100")), 90010, "tiers", "units above 100 have no band; leave the end of the last band empty"),
    (tiered(band("0", "100"), band("100", "100"), model="volume"), 90010, "tiers", "units above 100 have no band"),
    (tiered(), 1010, "tiers", "tiers"),
    ({"currency": "eur", "model": "volume"}, 1010, "tiers", "tiers"),
    (
        tiered(band("0"), rate_per_unit="1"),
        90010,
        "rate_per_unit",
        "a tiered price has a rate in each band; leave rate_per_unit out",
    ),
    ({**PER_UNIT, "tiers": BANDS}, 90010, "tiers", "a per_unit price has no bands; leave them out"),
    ({**PER_UNIT, "model": "flat", "tiers": BANDS}, 90010, "tiers", "a flat price has no bands; leave them out"),
    ({"currency": "usd"}, 1010, "rate_per_unit", "rate_per_unit"),
    (
        {**PER_UNIT, "minimum_amount": "5", "maximum_amount": "4.99"},
        90010,
        "maximum_amount",
        "the minimum 5 is above the maximum 4.99",
    ),
    ({**PER_UNIT, "valid_to": "2026-01-31"}, 90010, "valid_to", "it starts on 2026-02-01 but ends on 2026-01-31"),
    ({**PER_UNIT, "currency": "zzz"}, 1016, "currency", "currency"),
    ({**PER_UNIT, "currency": "USD"}, 1016, "currency", "currency"),
    ({**PER_UNIT, "model": "stepped"}, 1016, "model", "stepped"),
    ({**PER_UNIT, "rate_per_unit": "-1"}, 1016, "rate_per_unit", "rate_per_unit"),
    ({**PER_UNIT, "rate_per_unit": "NaN"}, 1016, "rate_per_unit", "rate_per_unit"),
    ({**PER_UNIT, "rate_per_unit": "12345678901"}, 1012, "rate_per_unit", "before the decimal point"),
    ({**PER_UNIT, "minimum_amount": "-1"}, 1016, "minimum_amount", "minimum_amount"),
    ({**PER_UNIT, "valid_from": "2026-02-30"}, 1024, "valid_from", "valid_from"),
    (tiered(band("-1"), band("0")), 1016, "tiers[0].from_unit", "from_unit"),
    (tiered(band("0", rate="-1")), 1016, "tiers[0].rate_per_unit", "rate_per_unit"),
    (tiered({"from_unit": "0"}), 1010, "tiers[0].rate_per_unit", "rate_per_unit"),
]


@pytest.mark.parametrize(("terms", "code", "field", "words"), BAD_RATES)
def test_a_bad_price_of_a_charge_is_refused_by_name(api, charge, terms, code, field, words):
    answer = wrong(api, "rates", {"charge": charge.pk, **terms})
    assert (answer[0], list(answer[2])) == (code, [field]), answer
    assert words in answer[1]
    assert (RateSchedule.objects.count(), RateTier.objects.count()) == (1, 0)


@pytest.mark.parametrize(("terms", "code", "field", "words"), BAD_RATES)
def test_a_bad_price_of_a_plan_is_refused_by_the_path_to_it(acme, api, terms, code, field, words):
    charges = [{"service": ServiceFactory(client=acme).pk, "rates": [{"currency": "gbp", "rate_per_unit": "2"}, terms]}]
    answer = wrong(api, "plans", {"client_plan_id": "p", "name": "P", "charges": charges})
    assert (answer[0], list(answer[2])) == (code, [f"charges[0].rates[1].{field}"]), answer
    assert words in answer[1]
    assert not Plan.objects.exists()


@pytest.mark.parametrize(("terms", "code", "field", "words"), BAD_RATES)
def test_a_bad_own_price_is_refused_by_the_path_to_it(acme, api, terms, code, field, words):
    plan = a_plan(acme, currency=terms["currency"] if terms["currency"] == "eur" else "usd")
    account = AccountFactory(client=acme, currency=terms["currency"] if terms["currency"] == "eur" else "usd")
    body = {"acct_no": account.pk, "plan": plan.pk, "start_date": "2026-01-10"}
    answer = wrong(api, "plan-instances", {**body, "prices": [{"charge": plan.charges.get().pk, **terms}]})
    assert (answer[0], list(answer[2])) == (code, [f"prices[0].{field}"]), answer
    assert words in answer[1]
    assert not PlanInstance.objects.exists()


def test_a_second_price_of_the_same_day_is_refused(api, charge, instance):
    rows = RateSchedule.objects.count()
    assert wrong(api, "rates", {"charge": charge.pk, "currency": "usd", "rate_per_unit": "1"})[0] == 1016
    own = {"charge": charge.pk, "plan_instance": instance.pk, "rate_per_unit": "28"}
    create(api, "rates", own)
    assert wrong(api, "rates", own)[0] == 1016
    assert RateSchedule.objects.count() == rows + 1


def test_a_list_price_names_its_currency(api, charge):
    assert wrong(api, "rates", {"charge": charge.pk, "rate_per_unit": "1"})[:2] == (
        1010,
        "Missing required parameter: currency",
    )


def test_an_own_price_in_another_currency_is_refused(api, charge, instance):
    body = {"charge": charge.pk, "plan_instance": instance.pk, "currency": "eur", "rate_per_unit": "1"}
    code, message, errors = wrong(api, "rates", body)
    assert (code, list(errors)) == (90007, ["currency"])
    assert "eur; the account is billed in usd" in message
    assert not instance.own_rates.exists()


def test_an_own_price_is_of_a_charge_of_its_plan(acme, api, instance):
    other = a_charge(a_plan(acme), "tv", "5", ChargeType.ARREARS)
    code, _, errors = wrong(api, "rates", {"charge": other.pk, "plan_instance": instance.pk, "rate_per_unit": "1"})
    assert (code, list(errors)) == (1002, ["charge"])
    assert not instance.own_rates.exists()


def test_a_price_is_not_put_and_its_rate_is_not_patched(api, charge):
    price = charge.rates.get()
    assert api.put(f"{API}/rates/{price.pk}/", {}, format="json").status_code == 405
    tiers = [{"from_unit": "0", "rate_per_unit": "99"}]
    refused = api.patch(f"{API}/rates/{price.pk}/", {"tiers": tiers}, format="json")
    assert (refused.status_code, list(refused.json()["errors"])) == (409, ["tiers"])


def test_a_customer_who_was_billed_elsewhere_is_taken_over_with_an_opening_position(acme, api):
    body = {"acct_no": AccountFactory(client=acme).pk, "plan": a_plan(acme).pk, "start_date": "2025-06-10"}
    for wrong_day, code in (("2025-06-09", 1016), ("abc", 1024), ([], 1024)):
        answer = wrong(api, "plan-instances", {**body, "billed_through": wrong_day})
        assert (answer[0], list(answer[2])) == (code, ["billed_through"])
    shown = create(api, "plan-instances", {**body, "billed_through": "2026-01-09"})
    assert shown["billed_through"] == "2026-01-09"
    assert Account.objects.get().next_bill_date == date(2026, 1, 10)
