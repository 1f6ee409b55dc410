"""A change of prices for all customers from a day on: what is seen, what is stored, who is left alone."""

import re
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.urls import reverse

from accounts.callers import Caller
from accounts.kinds import ChargeType
from accounts.models import RateSchedule
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from billing_site.errors import BillingError, ErrorCode
from invoices.services.billing import price_changes
from invoices.services.billing.price_changes import PriceChange, change_prices, hits, preview_price_change
from tests.support.act_pages import seen_on, send
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import BY_TEST, ClientFactory, a_charge, a_plan, an_account
from tests.support.invoice_pages import reader

JAN_31, FIRST_OF_FEBRUARY = date(2026, 1, 31), date(2026, 2, 1)
MAY = ("view_plan", "add_rateschedule", "view_account")


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def plan(acme):
    """A telephone at 30.00 with two customers at the list price (1 and 3 units) and one at an own price of 25.00."""
    plan = a_plan(acme)
    an_account(acme, plan, client_acct_id="ONE")
    three = an_account(acme, plan, client_acct_id="THREE")
    three.plan_instances.update(units=3)
    own = an_account(acme, plan, client_acct_id="OWN")
    add_price(plan.charges.get(), RateTerms("usd", D(25)), own.plan_instances.get(), caller=BY_TEST)
    return plan


def asked(plan, **other):
    prices = tuple(
        RateSchedule.objects.filter(charge__plan=plan, plan_instance=None).order_by("pk").values_list("pk", flat=True)
    )
    return PriceChange(**{"prices": prices, "first_day": FIRST_OF_FEBRUARY, "percent": D(10), **other})


def test_the_preview_says_who_pays_how_much_more(acme, plan):
    preview = preview_price_change(acme, asked(plan), JAN_31)
    (row,) = preview.rows
    assert (row.customers, row.before_amount, row.after_amount, row.own) == (2, D("120.00"), D("132.00"), 1)
    (sums,) = preview.totals
    assert (sums.currency, sums.months, sums.customers, sums.difference) == ("usd", 1, 2, D("12.00"))
    listed = {one.client_acct_id: (one.before, one.after, one.has_own_price) for one in hits(acme, asked(plan), JAN_31)}
    assert listed == {
        "ONE": (D("30.00"), D("33.00"), False),
        "THREE": (D("90.00"), D("99.00"), False),
        "OWN": (D("25.00"), D("25.00"), True),
    }


def test_the_change_is_a_dated_price_and_own_prices_stay(acme, plan, audited):
    one = an_account(acme, plan)
    assert bill(one, BY_TEST, JAN_10).total_amount == D("30.00")
    preview = preview_price_change(acme, asked(plan), JAN_31)
    change_prices(acme, asked(plan), seen=preview.seen, caller=BY_TEST, today=JAN_31)
    prices = plan.charges.get().rates.filter(plan_instance=None).order_by("valid_from")
    assert [(price.rate_per_unit, price.valid_from) for price in prices] == [
        (D(30), date(1900, 1, 1)),
        (D(33), FIRST_OF_FEBRUARY),
    ]
    assert bill(one, BY_TEST, FEB_10).total_amount == D("33.00")


def test_own_prices_change_if_they_are_chosen(acme, plan):
    request = asked(plan, own_prices=True)
    preview = preview_price_change(acme, request, JAN_31)
    added = change_prices(acme, request, seen=preview.seen, caller=BY_TEST, today=JAN_31)
    assert sorted((price.rate_per_unit, price.plan_instance is not None) for price in added) == [
        (D("27.5"), True),
        (D(33), False),
    ]


def test_bands_minimum_and_maximum_change_by_the_same_percentage(acme):
    plan = a_plan(acme)
    charge = a_charge(
        plan, "calls", line_type=ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"}, minimum_amount=D(5), maximum_amount=D(50)
    )
    an_account(acme, plan)
    request = PriceChange((charge.rates.get().pk,), FIRST_OF_FEBRUARY, percent=D(-10), decimals=4)
    preview = preview_price_change(acme, request, JAN_31)
    assert (preview.totals, preview.rows[0].before_amount) == ([], None)
    (price,) = change_prices(acme, request, seen=preview.seen, caller=BY_TEST, today=JAN_31)
    assert [one.rate_per_unit for one in price.tiers.all()] == [D("0.09"), D("0.045")]
    assert (price.minimum_amount, price.maximum_amount) == (D("4.5"), D(45))


def test_what_was_not_seen_is_not_done(acme, plan):
    preview = preview_price_change(acme, asked(plan), JAN_31)
    an_account(acme, plan, client_acct_id="NEW")
    with pytest.raises(BillingError) as refused:
        change_prices(acme, asked(plan), seen=preview.seen, caller=BY_TEST, today=JAN_31)
    assert refused.value.code is ErrorCode.DOCUMENT_MOVED
    assert RateSchedule.objects.filter(valid_from=FIRST_OF_FEBRUARY).count() == 0


@pytest.fixture
def calls(acme):
    """Calls at 0.05 each, and a customer at an own price of 0.0035."""
    plan = a_plan(acme)
    charge = a_charge(plan, "calls", "0.05", ChargeType.USAGE)
    own = an_account(acme, plan, client_acct_id="OWN")
    add_price(charge, RateTerms("usd", D("0.0035")), own.plan_instances.get(), caller=BY_TEST)
    return charge


def asked_of(charge, **other):
    price = charge.rates.get(plan_instance=None).pk
    return PriceChange(**{"prices": (price,), "first_day": FIRST_OF_FEBRUARY, "percent": D(5), "own_prices": True, **other})


def test_own_prices_keep_their_decimals(acme, calls):
    request = asked_of(calls)
    preview = preview_price_change(acme, request, JAN_31)
    (one,) = hits(acme, request, JAN_31)
    assert (one.before, one.price_before, one.price_after, one.has_own_price) == (None, "0.0035", "0.0037", True)
    added = change_prices(acme, request, seen=preview.seen, caller=BY_TEST, today=JAN_31)
    assert [(price.rate_per_unit, price.plan_instance is not None) for price in added] == [
        (D("0.0037"), True),
        (D("0.05"), False),
    ]


def test_no_price_becomes_0_by_rounding(acme, calls):
    calls.rates.filter(plan_instance=None).update(rate_per_unit=D("0.004"))
    with pytest.raises(BillingError, match="Basic, Calls: 0.004 would become 0; give more decimals") as refused:
        preview_price_change(acme, asked_of(calls), JAN_31)
    assert (refused.value.code, refused.value.field) == (ErrorCode.NOT_TO_BE_REPRICED, "decimals")
    calls.rates.filter(plan_instance=None).update(rate_per_unit=D(5))
    with pytest.raises(BillingError, match="Basic, Calls, OWN: 0.0035 would become 0"):
        preview_price_change(acme, asked_of(calls, percent=D(-99), decimals=4), JAN_31)
    assert preview_price_change(acme, asked_of(calls, percent=D(-100)), JAN_31).rows[0].after.bands[0].rate == 0


def test_another_own_price_is_not_the_one_that_was_seen(acme, calls):
    request = asked_of(calls)
    seen = preview_price_change(acme, request, JAN_31).seen
    calls.rates.exclude(plan_instance=None).update(rate_per_unit=D("0.0045"))
    with pytest.raises(BillingError) as refused:
        change_prices(acme, request, seen=seen, caller=BY_TEST, today=JAN_31)
    assert refused.value.code is ErrorCode.DOCUMENT_MOVED
    assert RateSchedule.objects.filter(valid_from=FIRST_OF_FEBRUARY).count() == 0


def test_an_own_price_that_begins_on_the_day_is_refused(acme, calls):
    calls.rates.exclude(plan_instance=None).update(valid_from=FIRST_OF_FEBRUARY)
    with pytest.raises(BillingError, match="Basic, Calls, OWN has a price from this day already") as refused:
        preview_price_change(acme, asked_of(calls), JAN_31)
    assert refused.value.field == "first_day"


def test_the_own_prices_of_the_day_are_chosen_before_they_are_counted(acme, calls, monkeypatch):
    """Ended own prices of customers with lower numbers take nobody's place, and too many that apply are refused."""
    monkeypatch.setattr(price_changes, "MOST_PRICES", 1)
    kept = calls.rates.exclude(plan_instance=None).get()
    kept.valid_to = date(2026, 1, 15)
    kept.save()
    for name in ("ENDED", "LAST"):
        account = an_account(acme, calls.plan, client_acct_id=name)
        ended = date(2026, 1, 15) if name == "ENDED" else None
        add_price(calls, RateTerms("usd", D("0.02"), valid_to=ended), account.plan_instances.get(), caller=BY_TEST)
    request = asked_of(calls)
    preview = preview_price_change(acme, request, JAN_31)
    added = change_prices(acme, request, seen=preview.seen, caller=BY_TEST, today=JAN_31)
    own = [price.plan_instance.account.client_acct_id for price in added if price.plan_instance]
    assert own == ["LAST"]


def test_too_many_own_prices_are_refused(acme, calls, monkeypatch):
    monkeypatch.setattr(price_changes, "MOST_PRICES", 1)
    account = an_account(acme, calls.plan)
    add_price(calls, RateTerms("usd", D("0.02")), account.plan_instances.get(), caller=BY_TEST)
    with pytest.raises(BillingError, match="there are more than 1 own prices of customers") as refused:
        preview_price_change(acme, asked_of(calls), JAN_31)
    assert (refused.value.code, refused.value.field) == (ErrorCode.NOT_TO_BE_REPRICED, "own_prices")


def test_a_later_own_price_that_applies_on_the_day_is_the_one_that_changes(acme, calls):
    first = calls.rates.exclude(plan_instance=None).get()
    terms = RateTerms("usd", D("0.004"), valid_from=date(2026, 1, 20))
    add_price(calls, terms, first.plan_instance, caller=BY_TEST)
    (own,) = preview_price_change(acme, asked_of(calls), JAN_31).own_changes
    assert (own.before.bands[0].rate, own.after.bands[0].rate) == (D("0.004"), D("0.004"))


def test_many_prices_take_no_more_queries_than_one(acme, plan, django_assert_num_queries):
    for number in range(5):
        charge = a_charge(plan, f"more {number}", "7.00")
        instance = plan.instances.order_by("pk").last()
        add_price(charge, RateTerms("usd", D(number + 1)), instance, caller=BY_TEST)
    every = asked(plan, own_prices=True)
    assert len(every.prices) == 6
    for request in (every._replace(prices=every.prices[:1]), every):
        with django_assert_num_queries(8):
            preview = preview_price_change(acme, request, JAN_31)
        assert (preview.rows[0].customers, preview.rows[0].own) == (2, 1)
    assert [(row.customers, row.own) for row in preview.rows] == [(2, 1)] * 6


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"first_day": date(2026, 1, 30)}, "first_day"),
        ({"prices": ()}, "prices"),
        ({"prices": (999,)}, "prices"),
        ({"first_day": date(1900, 1, 1)}, "first_day"),
    ],
)
def test_what_cannot_be_changed_is_refused(acme, plan, other, field):
    with pytest.raises(BillingError) as refused:
        preview_price_change(acme, asked(plan, **other), JAN_31)
    assert (refused.value.code, refused.value.field) == (ErrorCode.NOT_TO_BE_REPRICED, field)


def test_a_price_that_begins_on_the_day_or_applies_no_more_is_refused(acme, plan):
    first = asked(plan)
    preview = preview_price_change(acme, first, JAN_31)
    change_prices(acme, first, seen=preview.seen, caller=BY_TEST, today=JAN_31)
    for day, words in ((FIRST_OF_FEBRUARY, "has a price from this day already"), (date(2026, 3, 1), "another price of Basic")):
        with pytest.raises(BillingError, match=words):
            preview_price_change(acme, first._replace(first_day=day), JAN_31)
    later = preview_price_change(acme, first._replace(first_day=JAN_31), JAN_31)
    assert later.rows[0].replaced_on == FIRST_OF_FEBRUARY


def test_others_prices_and_bands_by_a_rate_are_refused(acme, plan):
    foreign = a_plan(ClientFactory(name="Other"))
    with pytest.raises(BillingError, match="choose one of the listed prices"):
        preview_price_change(acme, asked(foreign), JAN_31)
    a_charge(plan, "calls", line_type=ChargeType.USAGE, tiers={"0": "0.10"})
    with pytest.raises(BillingError, match="a price with bands changes by a percentage"):
        preview_price_change(acme, asked(plan, percent=None, rate=D(1)), JAN_31)


def test_nobody_without_the_right_changes_prices(acme, plan, django_user_model):
    nobody = Caller(staff=django_user_model.objects.create(username="nobody", is_staff=True))
    seen = preview_price_change(acme, asked(plan), JAN_31).seen
    with pytest.raises(BillingError) as refused:
        change_prices(acme, asked(plan), seen=seen, caller=nobody, today=JAN_31)
    assert refused.value.code is ErrorCode.PERMISSION


def test_the_page_shows_the_change_and_then_does_just_that(acme, plan):
    staff = reader(acme, permissions=MAY)
    address = reverse("change-prices") + f"?plan={plan.pk}"
    opened = staff.get(address).content.decode()
    assert "Basic · Phone, Recurring, in advance: 30.00 USD" in opened
    fields = {"prices": asked(plan).prices, "percent": "10", "decimals": "2", "first_day": "2026-02-01"}
    preview = staff.post(address, {**fields, "act": "preview"})
    text = preview.content.decode()
    assert "$120.00" in text and "$132.00" in text and "+$12.00" in text
    assert "Customers with own prices keep them" in text and "OWN" in text
    file = staff.get(next(one for one in text.split('"') if "format=csv" in one).replace("&amp;", "&"))
    lines = b"".join(file.streaming_content).decode().splitlines()
    assert (
        lines[0] == "account_no,client_acct_id,plan,service,units,currency,before,after,price_before,price_after,has_own_price"
    )
    assert len(lines) == 4 and seen_on(preview)
    assert "Prices added: 1." in send(staff, address, **fields).content.decode()
    assert RateSchedule.objects.get(valid_from=FIRST_OF_FEBRUARY).rate_per_unit == 33


def ticked(page):
    return re.findall(r'name="prices" value="(\d+)"[^>]* checked', page)


def test_the_page_opens_with_nothing_ticked_unless_the_address_names_a_plan(acme, plan):
    staff, address, listed = reader(acme, permissions=MAY), reverse("change-prices"), [str(one) for one in asked(plan).prices]
    charge = a_charge(plan, "calls", line_type=ChargeType.USAGE, tiers={"0": "0.10"})
    old, tiered = listed[0], str(charge.rates.get().pk)
    future = add_price(plan.charges.first(), RateTerms("usd", D("31.5"), valid_from=FIRST_OF_FEBRUARY), caller=BY_TEST)
    opened = staff.get(address).content.decode()
    assert ticked(opened) == [] and "0 of 3 prices are ticked." in opened and 'name="seen"' not in opened
    assert "31.50 USD from Feb 1, 2026" in opened and "Calls, Usage, in arrears: tiered USD" in opened
    assert sorted(ticked(staff.get(f"{address}?plan={plan.pk}").content.decode())) == sorted([old, tiered])
    fields = {"prices": [], "percent": "10", "decimals": "2", "first_day": "2026-03-01"}
    every = staff.post(address, {**fields, "act": "tick_all"}).content.decode()
    assert sorted(ticked(every)) == sorted([str(future.pk), tiered])
    assert "2 of 3 prices are ticked." in every and "$126.00" in every and "$138.60" in every
    none = staff.post(address, {**fields, "prices": listed, "act": "tick_none"}).content.decode()
    assert ticked(none) == [] and "0 of 3 prices are ticked." in none and RateSchedule.objects.count() == 4


def test_the_page_needs_a_percentage_or_a_price(acme, plan):
    staff = reader(acme, permissions=MAY)
    fields = {"prices": asked(plan).prices, "decimals": "2", "first_day": "2026-02-01", "once": "a" * 32, "seen": "x"}
    for typed in ({}, {"percent": "1", "rate": "2"}):
        answer = staff.post(reverse("change-prices"), {**fields, **typed})
        assert answer.status_code == 422
        assert "give a percentage or a new price, not both" in answer.content.decode()
    refused = staff.get(reverse("change-prices"), {**fields, "percent": "1", "first_day": "2020-01-01", "format": "csv"})
    assert refused.status_code in (400, 422)
