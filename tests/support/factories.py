"""Rows with fixed values. Nothing is random, so every amount in a test is the same in each run."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.callers import Caller
from accounts.kinds import ChargeType
from accounts.models import Account, Client, Contact, Plan, PlanCharge, PlanInstance, Service
from accounts.rates import RateTerms, TierTerms
from accounts.services import add_price, assign_plan
from invoices.models import TaxRate, Usage

BY_TEST = Caller(process="test")


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


class TaxRateFactory(DjangoModelFactory):
    class Meta:
        model = TaxRate

    client = factory.SubFactory(ClientFactory)
    name = "Sales tax"
    country = "US"
    region = "CA"
    percent = Decimal("10")
    valid_from = date(2000, 1, 1)


def a_plan(client: Client, rates: dict[str, str] | None = None, *, currency: str = "usd", **fields: object) -> Plan:
    """Create a plan that charges these rates for these services in advance; by default a phone at 30.00."""
    plan = PlanFactory(client=client, **fields)
    for service_id, rate in (rates or {"phone": "30.00"}).items():
        a_charge(plan, service_id, rate, currency=currency)
    return plan


def a_charge(
    plan: Plan,
    service_id: str,
    rate: str | None = None,
    line_type: ChargeType = ChargeType.RECURRING,
    *,
    currency: str = "usd",
    tiers: dict[str, str] | None = None,
    **terms: Any,
) -> PlanCharge:
    """Create a charge of a plan with one rate, or with bands {beginning: rate}: `tiers={"0": "0.10", "100": "0.05"}`."""
    service = ServiceFactory(client=plan.client, client_service_id=service_id)
    charge = PlanCharge.objects.create(plan=plan, service=service, line_type=line_type)
    bands = tuple(TierTerms(Decimal(start), Decimal(band_rate)) for start, band_rate in (tiers or {}).items())
    if bands:
        terms = {"model": "tiered", **terms}
    add_price(charge, RateTerms(currency, None if rate is None else Decimal(rate), tiers=bands, **terms), caller=BY_TEST)
    return charge


def an_account(
    client: Client, plan: Plan | None = None, *, start: date = date(2026, 1, 10), contact: bool = True, **fields: object
) -> Account:
    """Create an account with an address in California and one plan from `start`; by default phone at 30.00 from 10 January
    2026."""
    account = AccountFactory(client=client, **fields)
    if contact:
        ContactFactory(account=account)
    assign_plan(account=account, plan=plan or a_plan(client, currency=account.currency), start_date=start, caller=BY_TEST)
    account.refresh_from_db()
    return account


def an_instance(account: Account, plan: Plan, start: date, **fields: object) -> PlanInstance:
    instance = assign_plan(account=account, plan=plan, start_date=start, **fields, caller=BY_TEST)
    account.refresh_from_db()
    return instance


def some_usage(instance: PlanInstance, service_id: str, units: str, day: date, record_id: str | None = None) -> Usage:
    """Create usage of a service at noon of a day."""
    client = instance.account.client
    return Usage.objects.create(
        client=client,
        record_id=record_id or f"{service_id} {day} {Usage.objects.count()}",
        account=instance.account,
        plan_instance=instance,
        service=ServiceFactory(client=client, client_service_id=service_id),
        units=Decimal(units),
        used_at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        used_on=day,
    )
