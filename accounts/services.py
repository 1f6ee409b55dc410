"""Opening accounts and giving them plans. Every door that does either comes through here."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.keys import create_key
from accounts.models import Account, ApiKey, Client, Plan, PlanCharge, PlanInstance, PlanInstancePrice
from accounts.periods import InstanceDates, next_bill_date
from billing_site.errors import BillingError, ErrorCode


@transaction.atomic
def create_client(*, name: str, **settings: Any) -> tuple[Client, ApiKey, str]:
    """A new client with its first key, which may approve. The auth_key can be shown only now."""
    client = Client(name=name, **settings)
    client.full_clean()
    client.save()
    key, auth_key = create_key(client, name="first key", may_approve=True)
    return client, key, auth_key


def create_account(*, client: Client, **fields: Any) -> Account:
    """Opens an account. It requires approval of its invoices if the client does (a new account inherits the setting)."""
    fields.setdefault("invoice_approval_required", client.invoice_approval_required)
    account = Account(client=client, **fields)
    account.full_clean()
    account.save()
    return account


@transaction.atomic
def assign_plan(
    *,
    account: Account,
    plan: Plan,
    start_date: date,
    units: Decimal = Decimal(1),
    end_date: date | None = None,
    billed_through: date | None = None,
    po_num: str = "",
    prices: Mapping[PlanCharge, Decimal] | None = None,
) -> PlanInstance:
    """Gives an account a plan. The account's first plan sets its bill day, where it has none, and its first bill date.

    `billed_through` is the opening position of a customer who was billed elsewhere before. `prices` are the customer's own
    rates per unit, in place of the plan's, by the plan's charge.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if plan.client_id != account.client_id:
        raise BillingError(ErrorCode.NO_DATA, f"plan {plan.pk}", field="plan")
    if plan.currency != account.currency:
        raise BillingError(ErrorCode.CURRENCY_MISMATCH, f"{plan.currency} and {account.currency}", field="plan")
    instance = PlanInstance(
        account=account,
        plan=plan,
        units=units,
        start_date=start_date,
        end_date=end_date,
        billed_through=billed_through,
        po_num=po_num,
    )
    instance.full_clean()
    instance.save()
    for charge, rate in (prices or {}).items():
        set_own_price(instance, charge, rate)
    plans_changed(account)
    return instance


def set_own_price(instance: PlanInstance, charge: PlanCharge, rate_per_unit: Decimal) -> PlanInstancePrice:
    """Replaces the list price of one charge for one plan instance."""
    if charge.plan_id != instance.plan_id:
        raise BillingError(ErrorCode.NO_DATA, f"charge {charge.pk} of plan {instance.plan_id}", field="charge")
    price = PlanInstancePrice(plan_instance=instance, charge=charge, rate_per_unit=rate_per_unit)
    price.full_clean()
    price.save()
    return price


@transaction.atomic
def end_plan_instance(instance: PlanInstance, end_date: date) -> PlanInstance:
    """Sets the last day that is charged. Days that were billed already get no automatic credit."""
    account = Account.objects.select_for_update(no_key=True).get(pk=instance.account_id)
    instance.end_date = end_date
    instance.full_clean()
    instance.save(update_fields=["end_date"])
    plans_changed(account)
    return instance


def instance_dates(instances: Iterable[PlanInstance]) -> list[InstanceDates]:
    return [InstanceDates(instance.start_date, instance.end_date, instance.billed_through) for instance in instances]


def plans_changed(account: Account) -> None:
    """Brings the account in line with its plan instances after one of them has changed. Call it under the account's lock."""
    dates = instance_dates(account.plan_instances.all())
    if account.bill_day is None and dates:
        account.bill_day = min(one.start for one in dates).day
    if account.bill_day is not None:
        account.next_bill_date = next_bill_date(dates, account.bill_day, account.last_bill_date)
    account.plans_version += 1
    account.save(update_fields=["bill_day", "next_bill_date", "plans_version"])
