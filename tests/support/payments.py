"""Record payments in one line, with invoices to pay, rights, and refusals."""

from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.keys import create_key
from billing_site.errors import BillingError
from invoices.kinds import PaymentType
from invoices.models import Allocation, CollectionAttempt, Invoice, InvoiceLine, LedgerEntry, NumberSeries, Payment, Refund
from invoices.services.money.ledger.payments import record_external_payment
from tests.support.billing import FEB_10, JAN_10, JAN_31, MAR_10, bill
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.paying import billed

MONEY = (LedgerEntry, Allocation, Payment, Refund, CollectionAttempt, Invoice, InvoiceLine, NumberSeries)


def rows():
    """Return the number of rows of each table about money."""
    return [model.objects.count() for model in MONEY]


def refused_as(work, *arguments, **options):
    with pytest.raises(BillingError) as refused:
        work(*arguments, **options)
    return refused.value.code.number, refused.value.field


def pay(account, caller, amount, *, invoices=None, today=JAN_31, **fields):
    given = {"type": PaymentType.CHECK, "invoices": invoices and {one.pk: D(part) for one, part in invoices.items()}, **fields}
    return record_external_payment(
        client=account.client, account_no=account.pk, caller=caller, today=today, amount=D(amount), **given
    )


def billed_in(currency, client, caller, rate="30"):
    """Create an account that is charged `rate` a month in a currency, and return its invoice."""
    account = an_account(client, a_plan(client, {"phone": rate}, currency=currency), currency=currency)
    return account, bill(account, caller, JAN_10)


def three_months(client, caller):
    """Create an account with 30.00 due for each of January, February and March."""
    account, january = billed(client, caller)
    return account, january, bill(account, caller, FEB_10), bill(account, caller, MAR_10)


def staff_with(*rights):
    user = get_user_model().objects.create_user(f"staff {' '.join(rights)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return Caller(staff=user)


def key_with(client, **rights):
    return Caller(api_key=create_key(client, name="integrator", **rights, caller=BY_TEST)[0])
