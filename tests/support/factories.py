"""Rows with fixed values. Nothing is random, so every amount in a test is the same in each run.

A new plan and a new account are written as the services write them, but without the services: nearly every test begins
with them. tests/test_factories.py compares both. Like rows that are created in bulk, they have no history until they change.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import factory
from django.db.models import Model
from factory.django import DjangoModelFactory

from accounts.callers import Caller
from accounts.kinds import ARREARS_TYPES, ChargeType
from accounts.models import Account, Client, Contact, Plan, PlanCharge, PlanInstance, RateSchedule, RateTier, Service
from accounts.models.rates import FROM_THE_BEGINNING
from accounts.periods import InstanceDates, next_bill_date
from accounts.rates import RateTerms, TierTerms, check_terms
from accounts.services.plans import assign_plan
from accounts.services.prices import add_price
from invoices.models import TaxRate, Usage

R = TypeVar("R", bound=Model)

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
    plan = _written(PlanFactory.build(client=client, **fields))
    for service_id, rate in (rates or {"phone": "30.00"}).items():
        _a_price(_written(_charge_of(plan, service_id)), RateTerms(currency, Decimal(rate)))
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
    bands = tuple(TierTerms(Decimal(start), Decimal(band_rate)) for start, band_rate in (tiers or {}).items())
    if bands:
        terms = {"model": "tiered", **terms}
    price = RateTerms(currency, None if rate is None else Decimal(rate), tiers=bands, **terms)
    charge = _charge_of(plan, service_id, line_type)
    if plan.instances.exists():
        charge.save()
        add_price(charge, price, caller=BY_TEST)
    else:
        _a_price(_written(charge), price)
    return charge


def an_account(
    client: Client, plan: Plan | None = None, *, start: date = date(2026, 1, 10), contact: bool = True, **fields: object
) -> Account:
    """Create an account with an address in California and one plan from `start`; by default phone at 30.00 from 10 January
    2026."""
    account = AccountFactory.build(client=client, **fields)
    plan = plan or a_plan(client, currency=account.currency)
    in_arrears = plan.charges.filter(line_type__in=ARREARS_TYPES).exists()
    dates = InstanceDates(start, None, None, plan.billing_interval, in_arrears)
    account.bill_day = account.bill_day or start.day
    account.next_bill_date = next_bill_date([dates], account.bill_day, account.last_bill_date, account.arrears_due_from)
    account.billing_version += 1
    _written(account)
    if contact:
        _written(ContactFactory.build(account=account))
    _written(PlanInstance(account=account, plan=plan, start_date=start))
    account.refresh_from_db()
    return account


def _charge_of(plan: Plan, service_id: str, line_type: ChargeType = ChargeType.RECURRING) -> PlanCharge:
    service = Service.objects.filter(client=plan.client, client_service_id=service_id).first()
    service = service or _written(ServiceFactory.build(client=plan.client, client_service_id=service_id))
    return PlanCharge(plan=plan, service=service, line_type=line_type)


def _a_price(charge: PlanCharge, terms: RateTerms) -> None:
    """The list price of a charge that no account has yet."""
    check_terms(terms)
    columns = {**terms._asdict(), "valid_from": terms.valid_from or FROM_THE_BEGINNING}
    tiers = columns.pop("tiers")
    price = _written(RateSchedule(charge=charge, **columns))
    RateTier.objects.bulk_create(
        RateTier(schedule=price, from_unit=one.from_unit, rate_per_unit=one.rate_per_unit) for one in tiers
    )


def _written(row: R) -> R:
    """A row, written without what happens when rows are saved: no history, no note for pending documents."""
    type(row)._default_manager.bulk_create([row])
    return row


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
