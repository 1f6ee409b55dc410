"""A document holds just what it bills, also when usage comes in while it is made, and when many bill at once."""

from collections import Counter
from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection

from accounts.callers import Caller
from accounts.kinds import ChargeType
from billing_site.errors import BillingError
from invoices.models import (
    Coupon,
    CouponRedemption,
    CouponUse,
    CreditUse,
    Invoice,
    OneTimeCharge,
    ServiceCredit,
    Usage,
)
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.billing import generating
from invoices.services.billing.generating import generate_invoice, generate_invoices
from tests.support.factories import ClientFactory, PlanFactory, ServiceFactory, a_charge, an_account, some_usage
from tests.support.outcomes import code_of
from tests.support.races import at_once

JAN_10, JAN_31, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 1, 31), date(2026, 2, 10), date(2026, 3, 10)
PROCESS = Caller(process="test")

pytestmark = pytest.mark.django_db(transaction=True)


def metered_account(client):
    """An account that is charged 1.00 a call, its first cycle billed, and 10 calls in it."""
    plan = PlanFactory(client=client)
    a_charge(plan, "calls", "1.00", ChargeType.USAGE)
    account = an_account(client, plan)
    generate(account, JAN_10)
    some_usage(account.plan_instances.get(), "calls", "10", JAN_31)
    return account


def generate(account, day, **request):
    return generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day, **request), caller=PROCESS
    )


def usage_comes_in(monkeypatch, account, **columns):
    """Another program loads a record after the invoice was planned and before it is recorded, once."""
    original = generating.record_plans
    instance = account.plan_instances.get()
    service = Usage.objects.filter(plan_instance=instance).first().service

    def load_first(recording, planned):
        monkeypatch.setattr(generating, "record_plans", original)
        row = some_usage(instance, service.client_service_id, "5", JAN_31, record_id=f"between {instance.pk}")
        Usage.objects.filter(pk=row.pk).update(**columns)
        return original(recording, planned)

    monkeypatch.setattr(generating, "record_plans", load_first)


def test_a_record_that_comes_in_meanwhile_waits_for_the_next_invoice(monkeypatch):
    account = metered_account(ClientFactory())
    usage_comes_in(monkeypatch, account)
    invoice = Invoice.objects.get(pk=generate(account, FEB_10))
    assert (invoice.total_amount, list(invoice.usage.values_list("units", flat=True))) == (D(10), [D(10)])
    assert Invoice.objects.get(pk=generate(account, MAR_10)).total_amount == D(5)


def test_a_record_whose_load_was_committed_late_is_never_held_without_being_billed(monkeypatch):
    """Its key is older than those the plan has read, so the document would hold more than it bills: it is not written."""
    account = metered_account(ClientFactory())
    Usage.objects.filter(plan_instance__account=account).update(id=1000)
    usage_comes_in(monkeypatch, account, id=999)
    with pytest.raises(BillingError) as refused:
        generate(account, FEB_10)
    assert refused.value.code.number == 3108
    assert not Usage.objects.exclude(invoice=None).exists()
    assert Invoice.objects.get(pk=generate(account, FEB_10)).total_amount == D(15)


def test_it_harms_no_other_account_of_the_batch(monkeypatch):
    client = ClientFactory()
    accounts = [metered_account(client) for _ in range(5)]
    mine = Usage.objects.get(plan_instance__account=accounts[2])
    Usage.objects.filter(pk=mine.pk).update(id=mine.pk + 1000)
    usage_comes_in(monkeypatch, accounts[2], id=mine.pk + 900)
    outcomes = generate_invoices(
        client=client, account_nos=[one.pk for one in accounts], request=BillingRequest(FEB_10), caller=PROCESS
    )
    assert [code_of(one) for one in outcomes] == [0, 0, 3108, 0, 0]
    assert Counter(Usage.objects.values_list("account_id", "invoice__account_id")) == {
        (account.pk, None if account == accounts[2] else account.pk): 2 if account == accounts[2] else 1 for account in accounts
    }


def an_account_with_everything(client):
    account = an_account(client, start=JAN_10)
    OneTimeCharge.objects.create(
        account=account,
        service=ServiceFactory(client=client, client_service_id="router"),
        rate_per_unit=D("70"),
        charge_date=JAN_10,
    )
    coupon = Coupon.objects.create(
        client=client, code="TEN", name="Ten off", amount=10, currency="usd", valid_from=JAN_10, cycles=1
    )
    CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=1, redeemed_on=JAN_10)
    ServiceCredit.objects.create(account=account, amount=D("100"), reason="Outage")
    return account


def test_what_a_discarded_invoice_has_used_is_free_for_the_next_and_history_stays():
    account = an_account_with_everything(ClientFactory())
    first = generate(account, JAN_10, force_pending=True)
    discard_invoices(client=account.client, invoice_nos=[first], caller=PROCESS)
    assert OneTimeCharge.objects.get().invoice is None
    second = generate(account, JAN_10, force_pending=True)
    for number in (first, second):
        assert CouponUse.objects.get(invoice=number).line_no == 3
        assert CreditUse.objects.get(invoice=number).amount == D(90)
    assert OneTimeCharge.objects.get().invoice_id == second
    approve_invoices(client=account.client, invoice_nos=[second], caller=PROCESS, today=JAN_10)
    third = Invoice.objects.get(pk=generate(account, FEB_10))
    assert [(line.line_type, line.amount) for line in third.lines.all()] == [(1, D(30)), (3, D(-10))]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_twenty_callers_at_once_hold_everything_once():
    account = an_account_with_everything(ClientFactory())
    results = at_once(lambda _: generate(account, JAN_10))
    (number,) = [result for result in results if isinstance(result, int)]
    assert {error.code.number for error in results if error != number} <= {3108, 7007}
    assert Invoice.objects.get().total_amount == D(0)
    assert (CouponUse.objects.get().invoice_id, CreditUse.objects.get().amount) == (number, D(90))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_usage_that_is_loaded_while_invoices_are_made_is_billed_once_each():
    """Ten threads load records of one cycle while ten others bill it: in the end each record is on one invoice, or on none."""
    account = metered_account(ClientFactory())
    instance = account.plan_instances.get()

    def act(number):
        if number % 2:
            return [some_usage(instance, "calls", "1", JAN_31, record_id=f"{number} {n}").pk for n in range(20)]
        return generate(account, FEB_10)

    results = at_once(act)
    assert len([result for result in results if isinstance(result, int)]) <= 1
    if not Invoice.objects.filter(bill_date=FEB_10).exists():
        generate(account, FEB_10)
    generate(account, MAR_10)
    assert not Usage.objects.filter(invoice=None).exists()
    assert sum(Invoice.objects.values_list("total_amount", flat=True)) == D(210)
