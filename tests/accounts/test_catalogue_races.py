"""A plan that is changed while a customer gets it: one is refused, so that no customer has a charge without a price."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection

from accounts.kinds import ChargeType
from accounts.models import PlanCharge, PlanInstance
from accounts.rates import RateTerms
from accounts.services.catalogue import add_charge
from accounts.services.plans import assign_plan
from tests.support.factories import BY_TEST, AccountFactory, ClientFactory, ServiceFactory, a_plan
from tests.support.money_races import at_once

DAY = date(2026, 1, 10)
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


@pytest.mark.parametrize("number", range(8))
def test_no_customer_gets_a_plan_while_a_charge_without_a_price_is_added(transactional_db, number):
    client = ClientFactory()
    plan, service = a_plan(client, currency="eur"), ServiceFactory(client=client, client_service_id="fax")
    account = AccountFactory(client=client, currency="eur")

    def adding():
        charge = PlanCharge(plan=plan, service=service, line_type=ChargeType.RECURRING)
        add_charge(charge, [RateTerms("usd", D("5"))], caller=BY_TEST, today=DAY)
        return 0

    def assigning():
        assign_plan(account=account, plan=plan, start_date=DAY, caller=BY_TEST)
        return 0

    answers = at_once(adding, assigning)
    assert sorted(answers) in ([0, 90007], [0, 90211])
    assert PlanCharge.objects.filter(service=service).count() + PlanInstance.objects.count() == 1
