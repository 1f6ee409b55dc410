"""A price and a customer's units that are changed at the same moment are checked together: on PostgreSQL, in real threads."""

import threading
from decimal import Decimal as D

import pytest
from django.db import connection, connections, transaction

from accounts.models import RateSchedule
from accounts.rates import RateTerms
from accounts.services.plans import update_plan_instance
from accounts.services.prices import add_price
from billing_site.errors import BillingError
from tests.support.billing import JAN_10
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account, an_instance

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


def meanwhile(first, second):
    """Does `second` in another thread, begun while `first` is done and not yet committed; gives the refusal of `second`."""
    refused = []

    def run():
        try:
            second()
        except BillingError as error:
            refused.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=run)
    with transaction.atomic():
        first()
        other.start()
        other.join(timeout=1)
        assert other.is_alive(), "it did not wait"
    other.join(timeout=30)
    (error,) = refused
    return error.code.number, error.field


@pytest.fixture
def seats():
    """A plan of 30.00 a seat, and an instance of it with one seat."""
    client = ClientFactory()
    plan = a_plan(client, {"seats": "30.00"})
    return an_instance(an_account(client), plan, JAN_10)


def test_units_and_a_list_price_that_change_at_once_do_not_both_pass(seats):
    def more_units():
        seats.units = D("1000000000")
        update_plan_instance(seats, ["units"], caller=BY_TEST)

    def higher_price():
        add_price(seats.plan.charges.get(), RateTerms("usd", D(100), valid_from=JAN_10), caller=BY_TEST)

    assert meanwhile(more_units, higher_price) == (90008, "rate_per_unit")
    assert list(RateSchedule.objects.filter(charge__plan=seats.plan).values_list("rate_per_unit", flat=True)) == [D("30")]


def test_a_list_price_and_units_that_change_at_once_do_not_both_pass(seats):
    def more_units():
        seats.units = D("1000000000")
        update_plan_instance(seats, ["units"], caller=BY_TEST)

    def higher_price():
        add_price(seats.plan.charges.get(), RateTerms("usd", D(100), valid_from=JAN_10), caller=BY_TEST)

    assert meanwhile(higher_price, more_units) == (90008, "units")
    seats.refresh_from_db()
    assert seats.units == 1


def test_a_new_customer_and_a_list_price_at_once_do_not_both_pass(seats):
    account = an_account(seats.account.client)

    def higher_price():
        add_price(seats.plan.charges.get(), RateTerms("usd", D(100), valid_from=JAN_10), caller=BY_TEST)

    def another_customer():
        an_instance(account, seats.plan, JAN_10, units=D("1000000000"))

    assert meanwhile(higher_price, another_customer) == (90008, "units")
    assert not account.plan_instances.filter(plan=seats.plan).exists()
