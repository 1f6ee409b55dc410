"""Which price an invoice charges, and what is refused without a price."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import RateSchedule
from accounts.rates import RateTerms, TierTerms
from accounts.services.prices import add_price
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from tests.support.billing import FEB_10, JAN_10, MAR_10, amounts, bill
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account, an_instance

pytestmark = pytest.mark.usefixtures("audited")


def refused(account, caller, day):
    with pytest.raises(BillingError) as error:
        bill(account, caller, day)
    assert not Invoice.objects.exists()
    return error.value


def test_a_new_price_holds_from_the_first_cycle_that_begins_after_it(acme, process):
    account = an_account(acme)
    charge = account.plan_instances.get().plan.charges.get()
    add_price(charge, RateTerms("usd", D("40.00"), valid_from=date(2026, 1, 20)), caller=BY_TEST)
    assert [amounts(bill(account, process, day)) for day in (JAN_10, FEB_10)] == [[D(30)], [D(40)]]


def test_a_plan_has_prices_in_several_currencies(acme, process):
    plan = a_plan(acme)
    add_price(plan.charges.get(), RateTerms("jpy", D("4500")), caller=BY_TEST)
    dollars, yen = an_account(acme, plan), an_account(acme, plan, currency="jpy")
    assert [bill(one, process, JAN_10).total_amount for one in (dollars, yen)] == [D(30), D(4500)]


def test_an_own_price_may_have_bands_and_shows_no_list_rate_where_there_is_not_one(acme, process):
    plan = a_plan(acme, {"seats": "10.00"})
    tiers = (TierTerms(D(0), D("8.00")), TierTerms(D(10), D("6.50")))
    account = an_account(acme)
    prices = {plan.charges.get(): RateTerms("usd", model="tiered", tiers=tiers)}
    an_instance(account, plan, JAN_10, units=D("12.5"), prices=prices)
    lines = bill(account, process, JAN_10).lines.filter(plan_name=plan.name).exclude(description="Phone")
    story = [(one.units, one.rate_per_unit, one.list_rate_per_unit, one.amount) for one in lines]
    assert story == [(10, 8, 10, D(80)), (D("2.5"), D("6.5"), 10, D("16.25"))]
    assert [(one.tier_no, one.tier_from, one.tier_to) for one in lines] == [(1, 0, 10), (2, 10, None)]


def test_a_charge_without_a_price_on_the_day_refuses_the_invoice_and_is_named(acme, process):
    account = an_account(acme)
    RateSchedule.objects.update(valid_from=FEB_10)
    error = refused(account, process, JAN_10)
    assert (error.code, error.message) == (
        ErrorCode.NO_RATE,
        "The charge has no price that is valid on this day: Phone in usd on 2026-01-10",
    )


def test_bands_that_do_not_begin_at_0_refuse_the_invoice(acme, process):
    plan = PlanFactory(client=acme)
    charge = a_charge(plan, "seats", tiers={"0": "1.00"})
    account = an_account(acme, plan)
    charge.rates.get().tiers.update(from_unit=5)
    assert refused(account, process, JAN_10).code is ErrorCode.RATE_TERMS
    charge.rates.get().tiers.update(from_unit=0)


def test_a_charge_that_has_only_a_customers_own_price_is_charged_at_it(acme, process):
    plan = PlanFactory(client=acme)
    charge = a_charge(plan, "special", "1.00")
    account = an_account(acme, plan)
    add_price(charge, RateTerms("usd", D("7.00")), account.plan_instances.get(), caller=BY_TEST)
    other = an_account(acme, plan)
    RateSchedule.objects.filter(plan_instance=None).delete()
    assert amounts(bill(account, process, JAN_10)) == [D(7)]
    with pytest.raises(BillingError) as error:
        bill(other, process, JAN_10)
    assert error.value.code is ErrorCode.NO_RATE


def test_a_price_for_a_month_stands_over_the_one_without_an_end(acme, process):
    account = an_account(acme)
    charge = account.plan_instances.get().plan.charges.get()
    add_price(charge, RateTerms("usd", D("5.00"), valid_from=FEB_10, valid_to=FEB_10), caller=BY_TEST)
    assert [amounts(bill(account, process, day)) for day in (JAN_10, FEB_10, MAR_10)] == [[D(30)], [D(5)], [D(30)]]
