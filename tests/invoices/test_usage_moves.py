"""Usage is billed at the plan of its day, whether it was loaded before a plan was changed with a day in the past or after."""

from datetime import date

import pytest

from accounts.services.plans import assign_plan, change_plan, end_plan_instance, remove_plan_instance, update_plan_instance
from invoices.models import Invoice, Usage
from invoices.services.approving.acts import approve_invoices, discard_invoices, regenerate_invoices
from tests.support.billing import USAGE, bill
from tests.support.factories import PlanFactory, a_charge, an_account, some_usage
from tests.support.memos import void
from tests.support.outcomes import error_of

pytestmark = pytest.mark.usefixtures("audited")

APRIL_1, APRIL_15, APRIL_16, APRIL_18 = (date(2031, 4, day) for day in (1, 15, 16, 18))
MAY_1 = date(2031, 5, 1)


def plan_at(acme, rate, service="calls"):
    plan = PlanFactory(client=acme, name=f"at {rate}")
    a_charge(plan, service, rate, USAGE)
    return plan


@pytest.fixture
def instance(acme):
    """A customer whose calls cost 1.00 each from 1 April on."""
    return an_account(acme, plan_at(acme, "1.00"), start=APRIL_1).plan_instances.get()


def changed(instance, process, rate="2.00", service="calls"):
    plan = plan_at(instance.account.client, rate, service)
    return change_plan(instance=instance, plan=plan, start_date=APRIL_16, caller=process)


def ended_and_begun(instance, process):
    end_plan_instance(instance, APRIL_15, caller=process)
    return assign_plan(
        account=instance.account, plan=plan_at(instance.account.client, "2.00"), start_date=APRIL_16, caller=process
    )


def ten_calls(instance, day=APRIL_18):
    return some_usage(instance, "calls", "10", day)


def billed(instance, process, **request):
    return bill(instance.account, process, MAY_1, **request)


def first_bill(instance, process):
    """Nothing is charged on 1 April: usage is charged when its month has ended."""
    assert bill(instance.account, process, APRIL_1) is None


@pytest.mark.parametrize("change", [changed, ended_and_begun])
def test_usage_that_was_loaded_before_the_change_costs_what_it_costs_after_it(instance, process, change):
    first_bill(instance, process)
    ten_calls(instance)
    new = change(instance, process)
    assert Usage.objects.get().plan_instance == new
    assert billed(instance, process).total_amount == 20


def test_usage_of_days_before_the_change_stays_at_the_old_price(instance, process):
    first_bill(instance, process)
    for day in (APRIL_15, APRIL_16):
        some_usage(instance, "calls", "10", day)
    changed(instance, process)
    assert billed(instance, process).total_amount == 30


def test_usage_that_no_other_plan_charges_for_stays_with_the_last_cycle_of_its_own(instance, process):
    first_bill(instance, process)
    ten_calls(instance)
    changed(instance, process, service="data")
    assert Usage.objects.get().plan_instance == instance
    assert billed(instance, process).total_amount == 10


def test_of_two_plans_that_charge_for_it_the_one_that_follows_has_it(acme, instance, process):
    first_bill(instance, process)
    ten_calls(instance)
    assign_plan(account=instance.account, plan=plan_at(acme, "5.00"), start_date=APRIL_1, caller=process)
    assert Usage.objects.get().plan_instance == instance
    new = changed(instance, process)
    assert Usage.objects.get().plan_instance == new


def test_usage_goes_back_when_the_change_is_taken_back(instance, process):
    ten_calls(instance)
    new = changed(instance, process)
    assert Usage.objects.get().plan_instance == new
    remove_plan_instance(new, APRIL_1, caller=process)
    assert Usage.objects.get().plan_instance == new, "no other plan runs on its day yet"
    instance.refresh_from_db()
    instance.end_date = None
    update_plan_instance(instance, ["end_date"], caller=process)
    assert Usage.objects.get().plan_instance == instance


def held(instance, process):
    """A pending invoice of 10.00 that holds ten calls of the 18th; then the plan is changed from the 16th."""
    first_bill(instance, process)
    ten_calls(instance)
    pending = billed(instance, process, force_pending=True)
    assert pending.total_amount == 10
    changed(instance, process)
    return pending


def test_what_a_pending_invoice_holds_stays_on_it(acme, instance, process):
    pending = held(instance, process)
    assert Usage.objects.get().plan_instance == instance
    approve_invoices(client=acme, invoice_nos=[pending.pk], caller=process, today=MAY_1)
    pending.refresh_from_db()
    assert (pending.status, pending.total_amount) == ("approved", 10)


def test_a_pending_invoice_that_is_recalculated_bills_the_new_price(acme, instance, process):
    pending = held(instance, process)
    (outcome,) = regenerate_invoices(client=acme, invoice_nos=[pending.pk], caller=process, today=MAY_1)
    assert (error_of(outcome), Invoice.objects.get(pk=outcome.invoice_no).total_amount) == (None, 20)
    assert Usage.objects.get().invoice_id == outcome.invoice_no


def test_a_pending_invoice_that_is_discarded_lets_the_next_bill_the_new_price(acme, instance, process):
    pending = held(instance, process)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    assert billed(instance, process).total_amount == 20


def test_an_issued_invoice_that_is_voided_lets_the_next_bill_the_new_price(acme, instance, process):
    first_bill(instance, process)
    ten_calls(instance)
    invoice = billed(instance, process)
    changed(instance, process)
    assert Usage.objects.get().plan_instance == instance
    void(invoice, process, MAY_1)
    assert billed(instance, process).total_amount == 20


def test_another_accounts_usage_is_left_alone(acme, instance, process):
    other = an_account(acme, instance.plan, start=APRIL_1).plan_instances.get()
    ten_calls(other)
    changed(instance, process)
    assert Usage.objects.get().plan_instance == other
