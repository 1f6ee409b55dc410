"""Carol, who may rebill, and acme's invoice of January that she looks at."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account

RATES = {"phone": "30.00", "tv": "20.00", "net": "50.00"}


@pytest.fixture
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def carol(acme, django_user_model):
    """Staff of acme who may rebill."""
    user = django_user_model.objects.create_user("carol", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "rebill_invoice"]))
    acme.staff.add(user)
    return user


@pytest.fixture
def page(client, carol):
    client.force_login(carol)
    return client


@pytest.fixture
def invoice(acme, process):
    """Phone 30.00, tv 20.00, net 50.00 and 10.00 of tax."""
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, RATES)), process, JAN_10)


@pytest.fixture
def carol_caller(carol):
    return Caller(staff=carol)


@pytest.fixture
def carol_approves(carol):
    """Carol, who may approve too."""
    carol.user_permissions.add(Permission.objects.get(codename="approve_invoice"))
    return Caller(staff=carol)
