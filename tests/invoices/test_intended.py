"""The next invoice with a change that is only intended is the next invoice after the change."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.kinds import ChargeType
from accounts.rates import RateTerms, TierTerms
from accounts.services.pauses import pause_billing, planned_pause, planned_resumption, resume_billing
from accounts.services.plans import planned_trial, update_plan_instance
from accounts.services.prices import add_price, change_price, planned_end
from billing_site.errors import BillingError, ErrorCode
from invoices.plan.facts import BillingRequest
from invoices.services.billing.coupons import planned_redemption, redeem_coupon
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.one_time_charges import add_one_time_charge, planned_order
from invoices.services.billing.service_credits import add_service_credit, planned_credit
from invoices.services.planning.intended import (
    pausing,
    preview_change,
    with_coupon,
    with_credit,
    with_order,
    with_own_price,
    with_trial,
    with_usage,
)
from invoices.services.planning.rehearsing import next_invoice
from invoices.services.usage.loading import load_usage, planned_usage
from invoices.services.usage.targets import UsageRecord
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.coupons import a_coupon
from tests.support.factories import BY_TEST, ServiceFactory, a_charge, a_plan, an_account

pytestmark = pytest.mark.django_db
TODAY, MAR_10 = date(2026, 2, 15), date(2026, 3, 10)
NOW = datetime(2026, 2, 15, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_february():
    with time_machine.travel("2026-02-15T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    """Charged 30.00 a month in advance, 7.00 in arrears and 0.10 for a call, billed on 10 January and 10 February."""
    plan = a_plan(acme, {"phone": "30.00"})
    a_charge(plan, "desk", "7", ChargeType.ARREARS)
    a_charge(plan, "calls", "0.10", ChargeType.USAGE)
    account = an_account(acme, plan)
    bill(account, BY_TEST, JAN_10)
    bill(account, BY_TEST, FEB_10)
    account.refresh_from_db()
    return account


def test_each_change_is_previewed_as_it_is_made(acme, account, audited):
    instance = account.plan_instances.get()
    charge = instance.plan.charges.get(service__client_service_id="phone")
    calls = instance.plan.charges.get(service__client_service_id="calls")
    coupon = a_coupon(acme, code="TEN", percent=D(10))
    order = {"service": ServiceFactory(client=acme, name="Setup"), "rate_per_unit": D("12.5"), "charge_date": TODAY}
    order |= {"units": D(2), "description": "", "po_num": "", "client_order_id": ""}
    credit = {"amount": D(4), "reason": "Outage", "service": None, "expires_on": None}
    banded = RateTerms("usd", None, "tiered", (TierTerms(D(0), D("0.08")), TierTerms(D(50), D("0.05"))), valid_from=FEB_10)

    def used(day, units, name):
        return UsageRecord(record_id=name, units=D(units), used_at=day, acct_no=account.pk, service=calls.service_id)

    now_used, late = used(datetime(2026, 2, 12, tzinfo=UTC), 100, "now"), used(datetime(2026, 1, 20, tzinfo=UTC), 30, "late")
    by = {"caller": BY_TEST}
    steps = [
        (
            lambda: pausing(account, planned_pause(account, MAR_10, None)),
            lambda: pause_billing(account=account, first_day=MAR_10, **by),
        ),
        (
            lambda: pausing(account, planned_resumption(account, date(2026, 3, 20))),
            lambda: resume_billing(account=account, first_day=date(2026, 3, 20), **by),
        ),
        (
            lambda: with_own_price(instance.pk, charge.pk, RateTerms("usd", D(25), valid_from=MAR_10)),
            lambda: add_price(charge, RateTerms("usd", D(25), valid_from=MAR_10), instance, **by),
        ),
        (lambda: with_own_price(instance.pk, calls.pk, banded), lambda: add_price(calls, banded, instance, **by)),
        (
            lambda: with_order(account, planned_order(account, today=TODAY, **order)),
            lambda: add_one_time_charge(client=acme, account_no=account.pk, today=TODAY, **order, **by),
        ),
        (
            lambda: with_coupon(planned_redemption(account, coupon.code, TODAY)),
            lambda: redeem_coupon(client=acme, account_no=account.pk, code=coupon.code, today=TODAY, **by),
        ),
        (
            lambda: with_credit(planned_credit(account, today=TODAY, **credit)),
            lambda: add_service_credit(client=acme, account_no=account.pk, today=TODAY, **credit, **by),
        ),
        *(
            (
                lambda record=record: with_usage(planned_usage(client=acme, record=record, now=NOW)),
                lambda record=record: load_usage(client=acme, records=[record], now=NOW, **by),
            )
            for record in (now_used, late)
        ),
    ]
    amounts = [next_invoice(acme, account.pk, TODAY).amount]
    for intended, act in steps:
        before = rows_stored()
        seen = preview_change(client=acme, account_no=account.pk, today=TODAY, change=intended())
        assert rows_stored() == before
        assert seen.before.facts == next_invoice(acme, account.pk, TODAY).facts
        act()
        assert seen.after.facts == next_invoice(acme, account.pk, TODAY).facts
        amounts.append(seen.after.amount)
    # 10 of the 31 days from 10 March are paused: 30.00 becomes 20.32, and 25.00 becomes 16.94.
    assert amounts == [
        D(text) for text in ("37.00", "7.00", "27.32", "23.94", "23.94", "48.94", "44.05", "40.05", "45.90", "48.60")
    ]
    invoice = bill(account, BY_TEST, MAR_10)
    assert invoice.net_amount == amounts[-1]


def test_a_price_that_ends_and_a_trial(acme, audited):
    account = an_account(acme, start=TODAY)
    instance = account.plan_instances.get()
    charge = instance.plan.charges.get()
    price = add_price(charge, RateTerms("usd", D(25), valid_from=TODAY), instance, caller=BY_TEST)
    terms = planned_end(price, date(2026, 2, 20), TODAY)
    change = with_own_price(instance.pk, charge.pk, terms, replaces=price.pk)
    seen = preview_change(client=acme, account_no=account.pk, today=TODAY, change=change)
    assert (seen.before.amount, seen.after.amount) == (D("25.00"), D("25.00"))
    change_price(price, terms, caller=BY_TEST, today=TODAY)
    planned = planned_trial(instance, date(2026, 2, 28))
    change = with_trial(account, instance.pk, planned.trial_end)
    seen = preview_change(client=acme, account_no=account.pk, today=TODAY, change=change)
    update_plan_instance(planned, ["trial_end"], caller=BY_TEST)
    assert seen.after.facts == next_invoice(acme, account.pk, TODAY).facts
    assert seen.after.bill_date == date(2026, 3, 1)


def test_an_order_is_due_when_its_cycle_was_billed_in_advance(acme, account, audited):
    generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(TODAY, advance=True), caller=BY_TEST)
    account.refresh_from_db()
    order = {"service": ServiceFactory(client=acme, name="Setup"), "rate_per_unit": D(5), "charge_date": TODAY}
    order |= {"units": D(1), "description": "", "po_num": "", "client_order_id": ""}
    change = with_order(account, planned_order(account, today=TODAY, **order))
    seen = preview_change(client=acme, account_no=account.pk, today=TODAY, change=change)
    add_one_time_charge(client=acme, account_no=account.pk, today=TODAY, caller=BY_TEST, **order)
    assert seen.after.facts == next_invoice(acme, account.pk, TODAY).facts


def test_what_the_act_refuses_its_plan_refuses(acme, account):
    for plan, code in (
        (lambda: planned_pause(account, date(2026, 2, 5), None), ErrorCode.PAUSE),
        (lambda: planned_resumption(account, MAR_10), ErrorCode.PAUSE),
        (lambda: planned_trial(account.plan_instances.get(), MAR_10), ErrorCode.TRIAL),
        (lambda: planned_redemption(account, "NONE", TODAY), ErrorCode.NO_DATA),
    ):
        with pytest.raises(BillingError) as refused:
            plan()
        assert refused.value.code is code
