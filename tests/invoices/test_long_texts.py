"""Nothing that is put together from the longest names is longer than its column: PostgreSQL would refuse the invoice."""

from decimal import Decimal as D

import pytest

from accounts.models import Service
from invoices.models import InvoiceLine, TaxRate
from tests.factories import PlanFactory, ServiceFactory, TaxRateFactory, a_charge, an_account, some_usage
from tests.invoices.billing import FEB_10, JAN_10, USAGE, bill
from tests.invoices.test_one_time_charges import order

pytestmark = pytest.mark.usefixtures("audited")

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
