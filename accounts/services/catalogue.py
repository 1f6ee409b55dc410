"""Change the catalogue: plans, their charges and their minimums."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.callers import Caller
from accounts.models import Plan, PlanCharge, PlanInstance, PlanMinimum
from accounts.rates import RateTerms
from accounts.rights import check_may_change
from accounts.services.changing import change_row, check_unused
from accounts.services.prices import add_price, lock_plan
from billing_site.errors import BillingError, Detail, ErrorCode

OF_BILLED_PERIODS = ("service", "line_type", "billing_interval")
"""The columns of a charge that say what is billed for which days."""


def running_instances(plan: Plan, today: date) -> QuerySet[PlanInstance]:
    """Return the plan instances of a plan that have not ended, also those that begin later."""
    return running(today).filter(plan=plan)


def running(today: date) -> QuerySet[PlanInstance]:
    """Return the plan instances of all plans that have not ended, also those that begin later."""
    going_on = Q(end_date=None) | Q(end_date__gte=today)
    return PlanInstance.objects.filter(going_on, taken_off_on=None)


@transaction.atomic
def change_plan_terms(plan: Plan, values: Mapping[str, Any], *, caller: Caller) -> list[str]:
    """Write the values that differ from those of a locked plan, and return their names.

    Refuses (90009) a caller who may not change plans, and (90210) another billing interval of a plan that customers have.
    """
    if values.get("billing_interval", plan.billing_interval) != plan.billing_interval:
        _check_no_customer(plan, "billing_interval")
    return change_row(plan, values, caller=caller)


@transaction.atomic
def add_charge(charge: PlanCharge, prices: Sequence[RateTerms], *, caller: Caller, today: date) -> PlanCharge:
    """Add a charge with its list prices to a plan. Customers who have the plan are charged from their next period on.

    Locks the plan, so that nobody gets it meanwhile in a currency without a price. Refuses (90009) a caller who may not change
    plans and add prices, and (90211) a charge without a price in a currency of the plan's customers.
    """
    check_may_change(caller, "change", "accounts.plan")
    lock_plan(charge.plan_id)
    priced = {terms.currency for terms in prices}
    instances = running_instances(charge.plan, today)
    missing = sorted(set(instances.values_list("account__currency", flat=True).distinct()) - priced)
    if missing:
        detail = Detail("customers have this plan in {currency}; give a price in it too", currency=", ".join(missing))
        raise BillingError(ErrorCode.CHARGE_WITHOUT_PRICE, detail, field="currency")
    charge.full_clean()
    charge.save()
    for terms in prices:
        add_price(charge, terms, caller=caller)
    return charge


@transaction.atomic
def change_charge(charge: PlanCharge, values: Mapping[str, Any], *, caller: Caller) -> list[str]:
    """Write the values that differ from those of a charge, and return their names.

    Refuses (90009) a caller who may not change plans, and (90210) another service, type or interval if customers have the plan.
    """
    check_may_change(caller, "change", "accounts.plan")
    changed = [name for name, value in values.items() if getattr(charge, name) != value]
    for name in changed:
        if name in OF_BILLED_PERIODS:
            _check_no_customer(charge.plan, name)
        setattr(charge, name, values[name])
    if changed:
        charge.full_clean()
        charge.save(update_fields=changed)
    return changed


@transaction.atomic
def remove_charge(charge: PlanCharge, *, caller: Caller) -> None:
    """Remove a charge with its prices. Refuses (90009) a caller who may not change plans, and (90210) if customers have the
    plan."""
    check_may_change(caller, "change", "accounts.plan")
    _check_no_customer(charge.plan, "")
    check_unused(charge)
    charge.delete()


@transaction.atomic
def set_minimum(plan: Plan, currency: str, amount: Decimal | None, service: Any = None, *, caller: Caller) -> None:
    """Set the minimum of all charges of a plan in one currency. None removes it. Locks the plan.

    Refuses (90009) a caller who may not change plans, and (1002) to remove a minimum that does not exist.
    """
    check_may_change(caller, "change", "accounts.plan")
    Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
    stored = PlanMinimum.objects.filter(plan=plan, currency=currency).first()
    if amount is None:
        if stored is None:
            raise BillingError(
                ErrorCode.NO_DATA, Detail("the plan has no minimum in {currency}", currency=currency), field="currency"
            )
        stored.delete()
        return
    minimum = stored or PlanMinimum(plan=plan, currency=currency)
    minimum.amount, minimum.service = amount, service
    minimum.full_clean()
    minimum.save()


def _check_no_customer(plan: Plan, field: str) -> None:
    lock_plan(plan.pk)
    count = PlanInstance.objects.filter(plan=plan, taken_off_on=None).count()
    if count:
        detail = Detail("plan {plan} has {count} customers", plan=plan.client_plan_id, count=count)
        raise BillingError(ErrorCode.PLAN_HAS_CUSTOMERS, detail, field=field or None)
