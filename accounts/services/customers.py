"""Open a customer in one act: account, contact and first plans."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from accounts.callers import Caller
from accounts.models import Account, Client, Contact, Plan, PlanInstance
from accounts.rights import check_may_change
from accounts.services.accounts import create_account, planned_account
from accounts.services.plans import assign_plan, check_units
from accounts.services.prices import check_offered


class FirstPlan(NamedTuple):
    """The plan that a new customer begins with."""

    plan: Plan
    units: Decimal
    start_date: date
    po_num: str = ""


@transaction.atomic
def open_customer(
    *, client: Client, caller: Caller, account: Mapping[str, Any], contact: Mapping[str, Any], plans: Sequence[FirstPlan] = ()
) -> Account:
    """Create an account with its first contact and its first plans. Returns the account.

    Refuses (90009) a caller who may not add each of them, and a plan as `assign_plan` does. A wrong value is a
    validation error.
    """
    opened = create_account(client=client, caller=caller, **account)
    check_may_change(caller, "add", "accounts.contact")
    row = Contact(account=opened, contact_no=1, **contact)
    row.full_clean()
    row.save()
    for first in plans:
        assign_plan(
            account=opened,
            plan=first.plan,
            units=first.units,
            start_date=first.start_date,
            po_num=first.po_num,
            caller=caller,
        )
    return Account.objects.get(pk=opened.pk)


def check_customer(
    *, client: Client, caller: Caller, account: Mapping[str, Any], contact: Mapping[str, Any], plans: Sequence[FirstPlan] = ()
) -> None:
    """Refuse what `open_customer` would refuse of these values. Writes nothing."""
    planned = planned_account(client=client, caller=caller, **account)
    check_may_change(caller, "add", "accounts.contact")
    Contact(account=planned, contact_no=1, **contact).full_clean(exclude=["account"])
    for first in plans:
        check_may_change(caller, "add", "accounts.planinstance")
        check_offered(first.plan, planned.currency, ())
        check_units(first.units)
        instance = PlanInstance(plan=first.plan, units=first.units, start_date=first.start_date, po_num=first.po_num)
        instance.full_clean(exclude=["account"])
