"""Plans, their charges and prices in the admin: priced without reading code, by the rules of the services."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.clock import today
from accounts.kinds import ChargeType
from accounts.models import Account, Plan, PlanCharge, PlanInstance, RateSchedule, RateTier
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from tests.support.admin_pages import act, add_url, change_url, delete_url, errors, list_url, no_rows, rows, texts
from tests.support.factories import BY_TEST, ClientFactory, PlanFactory, ServiceFactory, a_charge, a_plan, an_account

JAN_10, FEB_10 = date(2026, 1, 10), date(2026, 2, 10)
BEGINNING = date(1900, 1, 1)


NOT_BEGUN = date(2999, 1, 10)


@pytest.fixture
def phone(acme):
    return an_account(acme)


@pytest.fixture
def charge(acme):
    """The usage of calls, without a price yet."""
    plan = PlanFactory(client=acme, name="Office")
    service = ServiceFactory(client=acme, client_service_id="calls")
    return PlanCharge.objects.create(plan=plan, service=service, line_type=ChargeType.USAGE)


def band(start, rate, **more):
    return {"from_unit": start, "rate_per_unit": rate, **more}


def price_data(charge, *bands, kept=(), **fields):
    given = {"charge": charge.pk, "currency": "usd", "model": "tiered" if bands or kept else "per_unit", **fields}
    return given | rows("tiers", *bands, kept=kept)


def bands_of(price):
    return [(tier.from_unit, tier.rate_per_unit) for tier in price.tiers.all()]


# Plans and their charges


def plan_data(client, *charges):
    fields = {"client": client.pk, "client_plan_id": "p", "name": "P", "billing_interval": 1, "term_months": 0}
    fields |= {"trial_length": 0, "trial_unit": "days", **no_rows("minimums")}
    return fields | rows("charges", *charges)


def test_a_plan_is_saved_with_its_charges(admin_client, acme):
    calls = ServiceFactory(client=acme, client_service_id="calls")
    data = plan_data(acme, {"service": calls.pk, "line_type": 6}, {"service": calls.pk, "line_type": 7})
    assert admin_client.post(add_url(Plan), data).status_code == 302
    assert list(Plan.objects.get().charges.values_list("service", "line_type")) == [(calls.pk, 6), (calls.pk, 7)]


def test_a_plan_charges_only_for_its_own_clients_services(admin_client, acme):
    strange = ServiceFactory(client=ClientFactory(name="Other"))
    response = admin_client.post(add_url(Plan), plan_data(acme, {"service": strange.pk, "line_type": 1}))
    assert response.status_code == 200
    assert "Not found" in response.context["inline_admin_formsets"][0].formset.errors[0]["service"][0]


def test_a_plan_shows_what_its_charges_cost_today_and_leads_to_their_pages(admin_client, acme):
    plan = a_plan(acme, {"line": "30.00"})
    line = plan.charges.get()
    add_price(line, RateTerms("jpy", D(4500), valid_to=date(2000, 1, 1)), caller=BY_TEST)
    add_price(line, RateTerms("usd", D("32.50"), valid_from=date(2900, 6, 1)), caller=BY_TEST)
    calls = a_charge(plan, "calls", None, ChargeType.USAGE, currency="eur", tiers={"0": "0.10", "100": "0.0125"})
    a_charge(plan, "setup", "99", ChargeType.ACTIVATION, model="flat")
    free = PlanCharge.objects.create(plan=plan, service=ServiceFactory(client=acme, client_service_id="free"))
    page = admin_client.get(change_url(plan)).content.decode()
    for text in ("30.00 usd; 32.50 usd from June 1, 2900", "tiered in eur", "flat fee 99.00 usd", "no price"):
        assert text in page
    assert "jpy" not in page
    assert all(change_url(one) in page for one in (line, calls, free))


def test_a_charge_shows_its_list_prices_and_where_to_add_one(admin_client, phone):
    charge = phone.plan_instances.get().plan.charges.get()
    listed = charge.rates.get()
    own = add_price(charge, RateTerms("usd", D("27.50")), phone.plan_instances.get(), caller=BY_TEST)
    page = admin_client.get(change_url(charge)).content.decode()
    assert f'href="{change_url(listed)}"' in page
    assert f'href="{change_url(own)}"' not in page
    assert f'href="{add_url(RateSchedule)}?charge={charge.pk}"' in page


def test_a_charge_stays_in_its_plan_and_with_its_clients_services(admin_client, acme, charge):
    strange = ServiceFactory(client=ClientFactory(name="Other"))
    data = {"plan": a_plan(acme).pk, "service": strange.pk, "line_type": 6} | no_rows("rates")
    response = admin_client.post(change_url(charge), data)
    assert errors(response)["service"] == [f"Not found: service {strange.pk}"]
    admin_client.post(change_url(charge), data | {"service": charge.service_id, "line_type": 7})
    stored = PlanCharge.objects.get(pk=charge.pk)
    assert (stored.plan_id, stored.line_type) == (charge.plan_id, ChargeType.ARREARS)


def test_who_may_not_add_prices_is_not_shown_where_to(client, phone):
    user = get_user_model().objects.create_user("seller", is_staff=True)
    phone.client.staff.add(user)
    rights = ["change_plancharge", "view_rateschedule"]
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    charge = phone.plan_instances.get().plan.charges.get()
    assert add_url(RateSchedule) not in client.get(change_url(charge)).content.decode()


# List prices


def test_a_price_is_prefilled_with_its_charge_and_offers_those_of_its_plan(admin_client, acme, charge):
    sibling = a_charge(charge.plan, "line", "30.00")
    a_plan(acme)
    form = admin_client.get(f"{add_url(RateSchedule)}?charge={charge.pk}").context["adminform"].form
    assert form.initial["charge"] == str(charge.pk)
    assert [label for _, label in form.fields["charge"].choices][1:] == [f"Office: {charge}", f"Office: {sibling}"]


def test_a_list_price_at_one_rate(admin_client, charge):
    data = price_data(charge, rate_per_unit="0.0125", minimum_amount="5", valid_to="2026-12-31")
    assert admin_client.post(add_url(RateSchedule), data).url == change_url(charge)
    price = charge.rates.get()
    assert (price.rate_per_unit, price.minimum_amount, price.plan_instance) == (D("0.0125"), D(5), None)
    assert (price.valid_from, price.valid_to) == (BEGINNING, date(2026, 12, 31))


def test_a_list_price_with_bands(admin_client, charge):
    data = price_data(charge, band("100", "0.05"), band("0", "0.10"), model="volume", valid_from="2026-02-10")
    assert admin_client.post(add_url(RateSchedule), data).status_code == 302
    price = charge.rates.get()
    assert (price.model, price.rate_per_unit, price.valid_from) == ("volume", None, FEB_10)
    assert bands_of(price) == [(D(0), D("0.10")), (D(100), D("0.05"))]


INCOMPLETE = "The price is incomplete or its parts contradict each other: "


@pytest.mark.parametrize(
    ("bands", "fields", "field", "message"),
    [
        ((), {"model": "tiered"}, "__all__", "An entry is missing: tiers"),
        ((), {}, "rate_per_unit", "An entry is missing: rate_per_unit"),
        ([("10", "1")], {}, "__all__", f"{INCOMPLETE}units up to 10 have no band; the first band must start at 0"),
        ([("0", "1"), ("5", "2"), ("5", "3")], {}, "__all__", f"{INCOMPLETE}two bands start at 5"),
        (
            [("0", "1")],
            {"rate_per_unit": "9"},
            "rate_per_unit",
            f"{INCOMPLETE}a tiered price has a price in each band; leave the price of one unit empty",
        ),
        (
            [("0", "1")],
            {"model": "per_unit", "rate_per_unit": "9"},
            "__all__",
            f"{INCOMPLETE}a per_unit price has no bands; leave them out",
        ),
        (
            (),
            {"rate_per_unit": "1", "minimum_amount": "9", "maximum_amount": "8"},
            "maximum_amount",
            "The maximum is below the minimum.",
        ),
        (
            (),
            {"rate_per_unit": "1", "valid_from": "2026-02-10", "valid_to": "2026-01-10"},
            "valid_to",
            "The last day is before the first day.",
        ),
    ],
)
def test_what_is_wrong_with_a_price_is_said_on_the_form(admin_client, charge, bands, fields, field, message):
    response = admin_client.post(add_url(RateSchedule), price_data(charge, *(band(*one) for one in bands), **fields))
    assert response.status_code == 200
    assert errors(response) == {field: [message]}
    assert not RateSchedule.objects.exists()
    assert not RateTier.objects.exists()


def test_a_second_price_from_the_same_day_is_an_error_on_the_form(admin_client, charge):
    add_price(charge, RateTerms("usd", D(1)), caller=BY_TEST)
    response = admin_client.post(add_url(RateSchedule), price_data(charge, rate_per_unit="2"))
    assert errors(response) == {"valid_from": ["The charge already has a list price in this currency from this day on."]}


def test_a_price_of_the_past_may_be_changed_and_keeps_its_charge(admin_client, acme, charge):
    price = add_price(charge, RateTerms("usd", D(1)), caller=BY_TEST)
    form = admin_client.get(change_url(price)).context["adminform"].form
    assert (form.initial["valid_from"], str(form.initial["rate_per_unit"])) == (None, "1")
    data = price_data(a_charge(a_plan(acme), "tv", "3"), rate_per_unit="2.5")
    assert admin_client.post(change_url(price), data).status_code == 302
    price.refresh_from_db()
    assert (price.charge, price.rate_per_unit, price.valid_from) == (charge, D("2.5"), BEGINNING)


def test_the_bands_of_a_price_are_changed_together(admin_client, charge):
    """One band begins where another began before, one is removed, one comes."""
    plan = charge.plan
    price = a_charge(plan, "data", None, ChargeType.USAGE, tiers={"0": "3", "10": "2", "20": "1"}).rates.get()
    first, second, third = price.tiers.all()
    kept = [
        band("0", "3", id=first.pk, schedule=price.pk),
        band("20", "2", id=second.pk, schedule=price.pk),
        band("20", "1", id=third.pk, schedule=price.pk, DELETE="on"),
    ]
    data = price_data(price.charge, band("30", "0.5"), kept=kept)
    assert admin_client.post(change_url(price), data).status_code == 302
    assert bands_of(price) == [(D(0), D(3)), (D(20), D(2)), (D(30), D("0.5"))]


def test_a_refused_change_leaves_the_price_as_it_was(admin_client, charge):
    price = a_charge(charge.plan, "data", None, ChargeType.USAGE, tiers={"0": "3", "10": "2"}).rates.get()
    first, second = price.tiers.all()
    kept = [
        band("0", "3", id=first.pk, schedule=price.pk, DELETE="on"),
        band("10", "2", id=second.pk, schedule=price.pk),
    ]
    response = admin_client.post(change_url(price), price_data(price.charge, kept=kept))
    assert errors(response) == {"__all__": [f"{INCOMPLETE}units up to 10 have no band; the first band must start at 0"]}
    assert bands_of(price) == [(D(0), D(3)), (D(10), D(2))]


def test_who_may_only_read_prices_reads_their_bands_and_changes_nothing(client, charge):
    price = a_charge(charge.plan, "data", None, ChargeType.USAGE, tiers={"0": "3", "10": "0.0625"}).rates.get()
    user = get_user_model().objects.create_user("viewer", is_staff=True)
    charge.plan.client.staff.add(user)
    user.user_permissions.set(Permission.objects.filter(codename="view_rateschedule"))
    client.force_login(user)
    assert "0.0625" in client.get(change_url(price)).content.decode()
    assert client.post(change_url(price), price_data(price.charge)).status_code == 403
    assert price.tiers.count() == 2


def test_who_changes_prices_changes_their_bands_too(client, charge):
    price = a_charge(charge.plan, "data", None, ChargeType.USAGE, tiers={"0": "3"}).rates.get()
    user = get_user_model().objects.create_user("pricer", is_staff=True)
    charge.plan.client.staff.add(user)
    user.user_permissions.set(Permission.objects.filter(codename="change_rateschedule"))
    client.force_login(user)
    kept = [band("0", "4", id=price.tiers.get().pk, schedule=price.pk)]
    assert client.post(change_url(price), price_data(price.charge, kept=kept)).status_code == 302
    assert bands_of(price) == [(D(0), D(4))]


# Own prices


def version(account):
    return Account.objects.get(pk=account.pk).billing_version


def own_price_data(instance, charge=None, **fields):
    return price_data(charge or instance.plan.charges.get(), plan_instance=instance.pk, **{"rate_per_unit": "27.50", **fields})


def test_a_plan_instance_shows_its_own_prices(admin_client, phone):
    instance = phone.plan_instances.get()
    own = add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
    page = admin_client.get(change_url(instance)).content.decode()
    assert f'href="{change_url(own)}" class="text-link">27.50 usd' in page
    link = f"{add_url(RateSchedule)}?plan_instance={instance.pk}&currency=usd"
    form = admin_client.get(link).context["adminform"].form
    assert (form.initial["plan_instance"], form.initial["currency"]) == (str(instance.pk), "usd")
    assert [label for _, label in form.fields["charge"].choices][1:] == ["Basic: Phone, Recurring, in advance"]


def test_an_own_price_moves_the_accounts_version(admin_client, acme):
    phone = an_account(acme, start=NOT_BEGUN)
    instance = phone.plan_instances.get()
    assert admin_client.post(add_url(RateSchedule), own_price_data(instance)).url == change_url(instance)
    price = instance.own_rates.get()
    assert (price.rate_per_unit, version(phone)) == (D("27.50"), 2)
    admin_client.post(change_url(price), own_price_data(instance, rate_per_unit="26"))
    assert (instance.own_rates.get().rate_per_unit, version(phone)) == (D(26), 3)


def test_other_terms_of_an_own_price_begin_today_where_days_were_used_at_it(admin_client, phone):
    instance = phone.plan_instances.get()
    own = add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
    admin_client.post(change_url(own), own_price_data(instance, rate_per_unit="26"))
    day = today(phone.client)
    prices = instance.own_rates.order_by("valid_from").values_list("rate_per_unit", "valid_from", "valid_to")
    assert list(prices) == [(D("27.50"), BEGINNING, day - timedelta(1)), (D(26), day, None)]


def test_an_own_price_at_which_days_were_used_is_not_removed(admin_client, phone):
    instance = phone.plan_instances.get()
    own = add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
    response = admin_client.post(delete_url(own), {"post": "yes"}, follow=True)
    assert "This price is needed for days that are not billed yet" in response.content.decode()
    assert instance.own_rates.get().rate_per_unit == D("27.50")


def test_an_own_price_is_changed_in_place_where_the_days_at_it_are_billed(admin_client, phone):
    instance = phone.plan_instances.get()
    own = add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
    instance.billed_through = date(2999, 1, 9)
    instance.save()
    admin_client.post(change_url(own), own_price_data(instance, rate_per_unit="26"))
    assert instance.own_rates.get().rate_per_unit == D(26)


@pytest.mark.parametrize("door", ["page", "list"])
def test_a_removed_own_price_moves_the_accounts_version(admin_client, acme, door):
    phone = an_account(acme, start=NOT_BEGUN)
    instance = phone.plan_instances.get()
    own = add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
    if door == "page":
        admin_client.post(delete_url(own), {"post": "yes"})
    else:
        act(admin_client, RateSchedule, "delete_selected", own.pk, post="yes")
    assert not instance.own_rates.exists()
    assert version(phone) == 3


def test_a_list_price_moves_no_account(admin_client, phone):
    price = phone.plan_instances.get().plan.charges.get().rates.get()
    admin_client.post(change_url(price), price_data(price.charge, rate_per_unit="31"))
    admin_client.post(delete_url(price), {"post": "yes"})
    assert version(phone) == 1


def test_an_own_price_for_a_charge_of_another_plan_is_an_error_on_the_form(admin_client, phone):
    instance = phone.plan_instances.get()
    strange = a_plan(phone.client, {"tv": "9.00"}).charges.get()
    response = admin_client.post(add_url(RateSchedule), own_price_data(instance, strange))
    assert errors(response) == {"charge": [f"Not found: plan {instance.plan_id} has no charge {strange.pk}"]}
    assert not instance.own_rates.exists()


def test_an_own_price_in_another_currency_is_an_error_on_the_form(admin_client, phone):
    response = admin_client.post(add_url(RateSchedule), own_price_data(phone.plan_instances.get(), currency="eur"))
    assert errors(response) == {
        "currency": ["The currency is not the currency of the account: eur; the account is billed in usd"]
    }


def test_an_own_price_stays_its_plan_instances(admin_client, phone):
    instance = phone.plan_instances.get()
    own = add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
    other = an_account(phone.client, instance.plan).plan_instances.get()
    assert admin_client.post(change_url(own), own_price_data(other)).status_code == 302
    assert PlanInstance.objects.get(own_rates=own) == instance


def test_what_was_done_to_a_price_is_in_its_history(admin_client, charge):
    response = admin_client.post(add_url(RateSchedule), price_data(charge, band("0", "1")), follow=True)
    assert any("was added successfully" in text for text in texts(response))
    price = charge.rates.get()
    assert "above 0 at 1" in admin_client.get(f"{change_url(price).removesuffix('change/')}history/").content.decode()


# Lists


@pytest.mark.parametrize("model", [RateSchedule, PlanCharge], ids=lambda model: model.__name__)
def test_a_list_asks_the_same_queries_however_long_it_is(admin_client, acme, model):
    queries = []
    for more in (2, 8):
        for _ in range(more):
            instance = an_account(acme).plan_instances.get()
            add_price(instance.plan.charges.get(), RateTerms("usd", D("27.50")), instance, caller=BY_TEST)
        with CaptureQueriesContext(connection) as counted:
            assert admin_client.get(list_url(model)).status_code == 200
        queries.append(len(counted))
    assert queries[0] == queries[1]


def test_a_plans_page_asks_one_query_for_the_service_that_each_charge_shows_and_no_more(admin_client, acme):
    queries = []
    plan = a_plan(acme)
    for more in (2, 8):
        for _ in range(more):
            a_charge(plan, f"service {plan.charges.count()}", None, ChargeType.USAGE, tiers={"0": "1", "10": "2"})
        with CaptureQueriesContext(connection) as counted:
            admin_client.get(change_url(plan))
        queries.append(len(counted))
    assert queries[1] == queries[0] + 8
