"""Rows with fixed values: nothing random, so that every amount in a test is the same on every run."""

from datetime import date
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from accounts.models import Account, Client, Contact, Plan, PlanCharge, PlanInstance, Service
from accounts.services import assign_plan
from invoices.models import TaxRate


class ClientFactory(DjangoModelFactory):
    class Meta:
        model = Client

    name = "Acme Telecom"
    address1 = "1 Main Street"
    city = "Springfield"
    region = "CA"
    postal_code = "90210"
    country = "US"
    payment_terms_days = 14


class AccountFactory(DjangoModelFactory):
    class Meta:
        model = Account

    client = factory.SubFactory(ClientFactory)
    client_acct_id = factory.Sequence(lambda n: f"A-{n}")
    currency = "usd"


class ContactFactory(DjangoModelFactory):
    class Meta:
        model = Contact

    account = factory.SubFactory(AccountFactory)
    contact_no = 1
    role = "account"
    name = "Ada Byron"
    address1 = "2 Side Street"
    city = "Fresno"
    region = "CA"
    postal_code = "93650"
    country = "US"


class ServiceFactory(DjangoModelFactory):
    class Meta:
        model = Service
        django_get_or_create = ("client", "client_service_id")

    client = factory.SubFactory(ClientFactory)
    client_service_id = "phone"
    name = factory.LazyAttribute(lambda service: service.client_service_id.capitalize())
    gl_code = "4000"


class PlanFactory(DjangoModelFactory):
    class Meta:
        model = Plan

    client = factory.SubFactory(ClientFactory)
    client_plan_id = factory.Sequence(lambda n: f"plan-{n}")
    name = "Basic"
    currency = "usd"


class TaxRateFactory(DjangoModelFactory):
    class Meta:
        model = TaxRate

    client = factory.SubFactory(ClientFactory)
    name = "Sales tax"
    country = "US"
    region = "CA"
    percent = Decimal("10")
    valid_from = date(2000, 1, 1)


def a_plan(client: Client, rates: dict[str, str] | None = None, **fields: object) -> Plan:
    """A plan that charges these rates for these services; a phone at 30.00 where none are given."""
    plan = PlanFactory(client=client, **fields)
    for service_id, rate in (rates or {"phone": "30.00"}).items():
        service = ServiceFactory(client=client, client_service_id=service_id)
        PlanCharge.objects.create(plan=plan, service=service, rate_per_unit=Decimal(rate))
    return plan


def an_account(
    client: Client, plan: Plan | None = None, *, start: date = date(2026, 1, 10), contact: bool = True, **fields: object
) -> Account:
    """An account with an address in California and one plan from `start`, by default phone at 30.00 from 10 January 2026."""
    account = AccountFactory(client=client, **fields)
    if contact:
        ContactFactory(account=account)
    assign_plan(account=account, plan=plan or a_plan(client, currency=account.currency), start_date=start)
    account.refresh_from_db()
    return account


def an_instance(account: Account, plan: Plan, start: date, **fields: object) -> PlanInstance:
    instance = assign_plan(account=account, plan=plan, start_date=start, **fields)
    account.refresh_from_db()
    return instance
