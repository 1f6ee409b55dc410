"""What tests begin with is what the services would have written."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.kinds import ChargeType
from accounts.models import Account, PlanCharge, RateSchedule, RateTier
from accounts.rates import RateTerms, TierTerms
from accounts.services.plans import assign_plan
from accounts.services.prices import add_price
from tests.support.factories import BY_TEST, AccountFactory, PlanFactory, ServiceFactory, a_charge, a_plan, an_account

JAN_10, JAN_31 = date(2026, 1, 10), date(2026, 1, 31)


def columns(row, *left_out):
    names = [field.attname for field in row._meta.concrete_fields]
    stored = type(row)._default_manager.values(*names).get(pk=row.pk)
    return {name: value for name, value in stored.items() if name not in {"id", *left_out}}


def by_services(client, service_id, terms, line_type=ChargeType.RECURRING):
    charge = PlanCharge.objects.create(
        plan=PlanFactory(client=client),
        service=ServiceFactory(client=client, client_service_id=service_id),
        line_type=line_type,
    )
    add_price(charge, terms, caller=BY_TEST)
    return charge


def test_a_price_is_as_the_service_stores_it(acme):
    made = a_plan(acme, {"tv": "9.99"}).charges.get()
    served = by_services(acme, "tv", RateTerms("usd", D("9.99")))
    assert columns(made, "plan_id") == columns(served, "plan_id")
    assert columns(made.rates.get(), "charge_id") == columns(served.rates.get(), "charge_id")


def test_bands_are_as_the_service_stores_them(acme):
    terms = {"minimum_amount": D(5), "valid_from": JAN_31}
    made = a_charge(PlanFactory(client=acme), "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"}, **terms)
    bands = (TierTerms(D(0), D("0.10")), TierTerms(D(100), D("0.05")))
    served = by_services(acme, "calls", RateTerms("usd", model="tiered", tiers=bands, **terms), ChargeType.USAGE)
    assert columns(made.rates.get(), "charge_id") == columns(served.rates.get(), "charge_id")
    assert [columns(tier, "schedule_id") for tier in RateTier.objects.filter(schedule=made.rates.get())] == [
        columns(tier, "schedule_id") for tier in RateTier.objects.filter(schedule=served.rates.get())
    ]


@pytest.mark.parametrize(
    ("plan", "start", "fields"),
    [
        ({}, JAN_10, {}),
        ({"billing_interval": 3}, JAN_31, {}),
        ({}, JAN_10, {"bill_day": 25}),
        ({}, JAN_10, {"currency": "eur"}),
    ],
)
@pytest.mark.parametrize("line_type", [ChargeType.RECURRING, ChargeType.ARREARS, ChargeType.USAGE])
def test_an_account_is_as_the_service_leaves_it(acme, plan, start, fields, line_type):
    plan = PlanFactory(client=acme, **plan)
    a_charge(plan, "phone", "30.00", line_type, currency=fields.get("currency", "usd"))
    served = AccountFactory(client=acme, **fields)
    instance = assign_plan(account=served, plan=plan, start_date=start, caller=BY_TEST)
    made = an_account(acme, plan, start=start, **fields)
    left_out = {"client_acct_id", "created_at"} & {field.attname for field in Account._meta.concrete_fields}
    assert columns(made, *left_out) == columns(served, *left_out)
    assert columns(made.plan_instances.get(), "account_id") == columns(instance, "account_id")


def test_a_price_is_added_by_the_service_where_an_account_has_the_plan(acme):
    plan = a_plan(acme)
    an_account(acme, plan)
    charge = a_charge(plan, "tv", "20.00")
    assert RateSchedule.objects.get(charge=charge).history.count() == 1
