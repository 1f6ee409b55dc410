"""Usage and orders that are too large for an invoice are left out by name; the account is billed all the same."""

from decimal import Decimal as D

import pytest
from django.db import transaction

from accounts.models import Event, RateSchedule
from accounts.rates import RateTerms
from accounts.services.prices import add_price, change_price
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.billing.plan_changes import edit_plan
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.usage.removal import remove_usage
from tests.support.billing import FEB_10, JAN_10, MAR_10, USAGE, amounts, bill, metered
from tests.support.factories import (
    BY_TEST,
    AccountFactory,
    ContactFactory,
    ServiceFactory,
    TaxRateFactory,
    a_plan,
    an_account,
    an_instance,
    some_usage,
)
from tests.support.orders import order
from tests.support.outcomes import code_of, error_of

pytestmark = pytest.mark.usefixtures("audited")
LEFT_OUT = 90050


def left_out():
    return list(Event.objects.filter(act="account.left_out", error_code=LEFT_OUT).values_list("invoice_no", "message"))


def test_a_thousand_terabytes_are_billed_to_the_last_byte(acme, process):
    account, instance = metered(acme, rate="0.0000000001")
    for number in range(3):
        some_usage(instance, "calls", "1000000000000000", JAN_10, record_id=str(number))
    some_usage(instance, "calls", "0.3333333333", JAN_10)
    bill(account, process, JAN_10)
    invoice = bill(account, process, FEB_10)
    (line,) = invoice.lines.filter(line_type=USAGE)
    assert (line.units, line.amount) == (D("3000000000000000.3333333333"), D("300000.00"))
    assert left_out() == []


def test_a_sum_of_units_above_the_old_limit_is_billed(acme, process):
    account, instance = metered(acme, rate="0.01")
    for number in range(101):
        some_usage(instance, "calls", "999999999.9999", JAN_10, record_id=str(number))
    bill(account, process, JAN_10)
    assert amounts(bill(account, process, FEB_10), USAGE) == [D("1010000000.00")]


def test_usage_that_is_too_large_is_named_and_the_rest_is_billed(acme, process):
    account, instance = metered(acme, rate="1", minimum_amount=D("20.00"))
    some_usage(instance, "calls", "1000000000000000", JAN_10, record_id="typo")
    some_usage(instance, "calls", "5", JAN_10, record_id="good")
    order(account, ServiceFactory(client=acme, client_service_id="router"))
    bill(account, process, JAN_10)
    invoice = bill(account, process, FEB_10)
    assert amounts(invoice, USAGE) == [D("20.00")]
    ((number, message),) = left_out()
    assert number == invoice.pk
    assert f"2 usage records of Calls under plan instance {instance.pk}, 1000000000000005 units in total; none" in message
    assert not Usage.objects.exclude(invoice=None).exists()
    usage = Usage.objects.get(record_id="typo")
    remove_usage(client=acme, usage_no=usage.pk, caller=process)
    # The five good ones are late by now, and within the minimum that was charged.
    later = bill(account, process, MAR_10)
    assert later.lines.filter(line_type=USAGE, units=5).get().amount == D("5.00")
    assert Usage.objects.get().invoice == later


def test_small_records_are_billed_once_those_that_are_too_large_are_deleted(acme, process):
    account, instance = metered(acme, rate="0.10")
    for name, units in {"a": "1000000000000000", "b": "1000000000000000", "c": "0.3", "d": "0.0000000001"}.items():
        some_usage(instance, "calls", units, JAN_10, record_id=name)
    bill(account, process, JAN_10)
    bill(account, process, FEB_10)
    ((_, message),) = left_out()
    assert f"4 usage records of Calls under plan instance {instance.pk}, " in message
    assert "none is billed until the total fits on an invoice: correct or delete the wrong records" in message
    assert Usage.objects.filter(invoice=None).count() == 4
    for name in ("a", "b"):
        remove_usage(client=acme, usage_no=Usage.objects.get(record_id=name).pk, caller=process)
    later = bill(account, process, MAR_10)
    assert amounts(later, USAGE) == [D("0.03")]
    assert set(Usage.objects.values_list("record_id", "invoice")) == {("c", later.pk), ("d", later.pk)}


def test_orders_that_are_too_large_together_are_billed_one_by_one(acme, process):
    account, _instance = metered(acme)
    router = ServiceFactory(client=acme, client_service_id="router")
    first = order(account, router, rate_per_unit=D("40000000"), units=D(1000))
    second = order(account, router, rate_per_unit=D("40000000"), units=D(1000))
    one = bill(account, process, JAN_10)
    assert list(one.lines.values_list("order_no", flat=True)) == [first.pk]
    assert left_out() == [(one.pk, f"The amount is too large for an invoice and was not billed: order {second.pk}")]
    two = bill(account, process, FEB_10)
    assert two.lines.filter(order_no=second.pk).exists()
    assert Invoice.objects.count() == 2


def test_a_plan_with_more_units_than_an_invoice_can_charge_is_refused(acme):
    account = an_account(acme)
    plan = a_plan(acme, {"seats": "30.00"})
    with pytest.raises(BillingError) as refused:
        an_instance(account, plan, JAN_10, units=D("1000000000000"))
    assert (refused.value.code, refused.value.field) == (ErrorCode.AMOUNT_TOO_LARGE, "units")
    assert account.plan_instances.count() == 1
    assert an_instance(account, plan, JAN_10, units=D("1000000000")).units == 1000000000


@pytest.mark.parametrize("own", [False, True])
def test_a_price_that_no_invoice_could_charge_for_a_customers_units_is_refused(acme, process, own):
    """At 99 a billion units can be charged, at 100 not: that price is refused."""
    plan = a_plan(acme, {"seats": "30.00"})
    account = an_account(acme)
    instance = an_instance(account, plan, JAN_10, units=D("1000000000"))
    charge = plan.charges.get()
    of = instance if own else None
    with pytest.raises(BillingError) as refused, transaction.atomic():
        add_price(charge, RateTerms("usd", D(100), valid_from=JAN_10), of, caller=process)
    assert (refused.value.code, refused.value.field) == (ErrorCode.AMOUNT_TOO_LARGE, "rate_per_unit")
    assert f"100 for 1000000000.0000 units of plan instance {instance.pk}" in refused.value.message
    add_price(charge, RateTerms("usd", D(99), valid_from=JAN_10), of, caller=process)
    assert bill(account, process, JAN_10).lines.get(plan_instance=instance).amount == D("99000000000.00")


def test_a_list_price_that_is_raised_above_it_is_refused(acme):
    plan = a_plan(acme, {"seats": "30.00"})
    instance = an_instance(an_account(acme), plan, JAN_10, units=D("1000000000"))
    price = RateSchedule.objects.get(charge__plan=plan)
    with pytest.raises(BillingError) as refused, transaction.atomic():
        change_price(price, RateTerms("usd", D(100)), caller=BY_TEST, today=JAN_10)
    assert (refused.value.code, refused.value.field) == (ErrorCode.AMOUNT_TOO_LARGE, "rate_per_unit")
    assert RateSchedule.objects.get(pk=price.pk).rate_per_unit == D("30.00")
    instance.end_date = JAN_10
    instance.save()
    change_price(price, RateTerms("usd", D(100), valid_from=FEB_10), caller=BY_TEST, today=JAN_10)


def test_units_that_no_invoice_could_charge_are_refused_when_they_are_edited(acme, process):
    instance = an_instance(an_account(acme), a_plan(acme, {"seats": "30.00"}), JAN_10)
    for day in (JAN_10, FEB_10):
        instance.units = D("1000000000000")
        with pytest.raises(BillingError) as refused, transaction.atomic():
            edit_plan(instance=instance, changed=["units"], caller=process, today=JAN_10, units_from=day)
        assert (refused.value.code, refused.value.field) == (ErrorCode.AMOUNT_TOO_LARGE, "units")
        instance.refresh_from_db()
        assert instance.units == 1
    assert instance.account.plan_instances.count() == 2


def tenfold(client, rates):
    """An account with ten units of a plan, and nothing else."""
    account = AccountFactory(client=client)
    ContactFactory(account=account)
    an_instance(account, a_plan(client, rates), JAN_10, units=D(10))
    return account


def refused_at(account, process, day):
    with pytest.raises(BillingError) as refused:
        bill(account, process, day)
    assert refused.value.code is ErrorCode.AMOUNT_TOO_LARGE
    return refused.value.message


def test_recurring_lines_that_are_too_large_together_are_named_and_nobody_else_is_harmed(acme, process):
    rates = {"seats": "6000000000.00", "disks": "5000000000.00", "phone": "3.00", "tv": "0.10"}
    account, neighbour = tenfold(acme, rates), an_account(acme)
    largest = "Seats 60000000000.00, Disks 50000000000.00, Phone 30.00"
    reason = f"account {account.pk}: 110000000031.00; the largest lines in usd are {largest}"
    advice = "lower their units or prices, or end a plan"
    expected = f"The amount is too large to be stored exactly: {reason}; {advice}"
    assert refused_at(account, process, JAN_10) == expected
    outcomes = generate_invoices(
        client=acme, account_nos=[account.pk, neighbour.pk], request=BillingRequest(JAN_10), caller=process
    )
    assert [error_of(one) and error_of(one).message for one in outcomes] == [expected, None]
    change_price(
        RateSchedule.objects.get(charge__service__client_service_id="seats"),
        RateTerms("usd", D("4000000000")),
        caller=BY_TEST,
        today=JAN_10,
    )
    assert bill(account, process, JAN_10).total_amount == D("90000000031.00")


def test_a_tax_that_makes_the_total_too_large_names_the_lines(acme, process):
    TaxRateFactory(client=acme, percent=D(50))
    account = tenfold(acme, {"seats": "6000000000.00", "disks": "2000000000.00"})
    message = refused_at(account, process, JAN_10)
    assert "120000000000.00; the largest lines in usd are Seats 60000000000.00, Disks 20000000000.00; lower" in message


def test_a_balance_that_would_be_too_large_is_said_and_can_be_lowered(acme, process):
    account, neighbour = tenfold(acme, {"seats": "6000000000.00"}), an_account(acme)
    bill(account, process, JAN_10)
    advice = f"account {account.pk}: its balance would be 120000000000; record payments or credits first"
    assert refused_at(account, process, FEB_10).endswith(advice)
    outcomes = generate_invoices(
        client=acme, account_nos=[account.pk, neighbour.pk], request=BillingRequest(FEB_10), caller=process
    )
    assert [code_of(one) for one in outcomes] == [90008, 0]
    credit = {"client": acme, "account_no": account.pk, "caller": process, "today": FEB_10, "why": Why(1, "settled")}
    add_cash_credit(**credit, amount=D("60000000000"))
    assert bill(account, process, FEB_10).total_amount == D("60000000000.00")


def test_credits_that_would_make_a_balance_too_large_are_refused_with_it(acme, process):
    account = an_account(acme)
    credit = {"client": acme, "account_no": account.pk, "caller": process, "today": JAN_10, "why": Why(1, "settled")}
    add_cash_credit(**credit, amount=D("60000000000"))
    with pytest.raises(BillingError) as refused:
        add_cash_credit(**credit, amount=D("60000000000"))
    advice = f"account {account.pk}: its balance would be -120000000000; refund or void payments or credits first"
    assert refused.value.message == f"The amount is too large to be stored exactly: {advice}"
