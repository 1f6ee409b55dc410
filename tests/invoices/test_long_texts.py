"""Nothing that is put together from the longest names is longer than its column: PostgreSQL would refuse the invoice."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import Service
from accounts.services.plans import change_plan
from invoices.models import InvoiceLine, TaxRate
from tests.support.billing import FEB_10, JAN_10, JAN_31, MAR_10, USAGE, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import PlanFactory, ServiceFactory, TaxRateFactory, a_charge, an_account, some_usage
from tests.support.memos import memo_of
from tests.support.orders import order
from tests.support.rebilling import line, rebilled
from tests.support.service_credits import credit

pytestmark = pytest.mark.usefixtures("audited")

MAR_1 = date(2026, 3, 1)
LONG = "".join(chr(0x4E00 + n) for n in range(200))
BOUNDS = [{"minimum_amount": D(9999999)}, {"maximum_amount": D(1)}]


@pytest.mark.parametrize("bounds", BOUNDS)
def test_an_invoice_of_the_longest_names_is_stored(acme, process, bounds):
    TaxRateFactory(client=acme, name=LONG[:100], percent=D("12.345678"))
    plan = PlanFactory(client=acme, name=LONG)
    a_charge(plan, "calls", "1", USAGE, **bounds)
    a_charge(plan, "line", "999999.99", **bounds)
    Service.objects.update(name=LONG, tax_inclusive=True)
    account = an_account(acme, plan)
    some_usage(account.plan_instances.get(), "calls", "12345.6789", JAN_10)
    order(account, ServiceFactory(client=acme, client_service_id="calls"), client_order_id=LONG[:100], description=LONG)
    bill(account, process, JAN_10)
    bill(account, process, FEB_10)
    lines = list(InvoiceLine.objects.all())
    assert max(len(line.description) for line in lines) == 200
    assert {line.description for line in lines if line.description.startswith(LONG[:199])} >= {LONG, f"{LONG[:199]}…"}
    assert all(len(line.explanation) <= 200 for line in lines)
    assert TaxRate.objects.get().name in {line.description[:100] for line in lines}


def test_corrections_of_the_longest_names_are_stored(acme, process):
    """A rebill that counts lines again, a credit memo, unused days that go back, and an exemption with its reason."""
    TaxRateFactory(client=acme, name=LONG[:100], percent=D("12.345678"))
    plan = PlanFactory(client=acme, name=LONG)
    a_charge(plan, "calls", "1", USAGE, maximum_amount=D(40))
    a_charge(plan, "line", "31")
    a_coupon(acme, name=LONG, percent=D(10))
    account = an_account(acme, plan)
    redeem(account)
    credit(account, "1.00", reason=LONG)
    Service.objects.update(name=LONG)
    some_usage(account.plan_instances.get(), "calls", "500", JAN_31)
    first = bill(account, process, JAN_10)
    memo_of(first, process, amount="1.00")
    second = bill(account, process, FEB_10)
    usage = second.lines.filter(line_type=USAGE).first()
    rebill = rebilled(second, process, line(usage.line_no, units="900", comments=LONG), carries_unlisted=True)
    assert rebill.lines.get(line_no=usage.line_no).units == 900
    other = PlanFactory(client=acme, name=LONG, client_plan_id="other")
    a_charge(other, "line", "62")
    Service.objects.update(name=LONG)
    account.refresh_from_db()
    account.tax_exemption, account.tax_exemption_reason = "exempt", LONG
    account.save()
    instance = account.plan_instances.select_related("account").get()
    change_plan(instance=instance, plan=other, start_date=MAR_1, caller=process)
    third = bill(account, process, MAR_10)
    assert third.tax_answer.reason == LONG
    assert third.lines.filter(description__endswith=", unused days").exists()
    rows = InvoiceLine.objects.values_list("description", "explanation", "comments", "plan_name")
    assert max(len(text) for row in rows for text in row) == 200
