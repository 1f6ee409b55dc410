"""A client with due accounts."""

from datetime import date

from tests.support.factories import TaxRateFactory, a_plan, an_account


def a_world(client):
    """Create two accounts to bill, one test account, one with nothing to bill, one not due, and one of another client."""
    TaxRateFactory(client=client)
    bare = a_plan(client)
    bare.charges.all().delete()
    billed = [an_account(client), an_account(client, a_plan(client, {"phone": "10.00"}))]
    an_account(client, is_test=True)
    an_account(client, bare)
    an_account(client, start=date(2026, 1, 11))
    return billed
