"""The dates up to which plan instances are billed, and what follows from them for their account."""

from collections.abc import Collection

from django.db.models import BooleanField, Case, Exists, ExpressionWrapper, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Least

from accounts import signals
from accounts.kinds import ARREARS_TYPES, ChargeType
from accounts.models import Account, PlanCharge, PlanInstance, PlanMinimum
from accounts.periods import InstanceDates, next_bill_date


def instances_with_dates(rows: QuerySet[PlanInstance]) -> QuerySet[PlanInstance]:
    """Return plan instances with `in_arrears`, which completes DATE_COLUMNS to InstanceDates. Excludes removed instances,
    which are never billed."""
    return rows.filter(taken_off_on=None).annotate(
        in_arrears=ExpressionWrapper(_charges(ARREARS_TYPES) | _MINIMUM, BooleanField()),
        advance_interval=_shortest([ChargeType.RECURRING]),
        arrears_interval=Case(
            When(_MINIMUM, then=Least(_shortest(ARREARS_TYPES), "plan__billing_interval")), default=_shortest(ARREARS_TYPES)
        ),
    )


_MINIMUM = Exists(PlanMinimum.objects.filter(plan=OuterRef("plan")))
"""True for plans with a minimum. What is missing of it is charged when its cycle has ended."""


def _charges(types: Collection[ChargeType]) -> Exists:
    return Exists(PlanCharge.objects.filter(plan=OuterRef("plan"), line_type__in=types))


def _shortest(types: Collection[ChargeType]) -> Coalesce:
    """The shortest interval of a plan's charges of these types, in months. All others are multiples of it."""
    charges = PlanCharge.objects.filter(plan=OuterRef("plan"), line_type__in=types)
    months = charges.annotate(months=Coalesce("billing_interval", "plan__billing_interval")).order_by("months")
    return Coalesce(Subquery(months.values("months")[:1]), "plan__billing_interval")


DATE_COLUMNS = (
    "start_date",
    "end_date",
    "billed_through",
    "advance_interval",
    "in_arrears",
    "billed_elsewhere_through",
    "ahead_since",
    "end_entered_after",
    "trial_end",
    "arrears_interval",
)
"""The columns of InstanceDates, in its order."""


def plans_changed(account: Account) -> None:
    """Update the account after one of its plan instances changed, and signal other apps. The account must be locked."""
    rows = instances_with_dates(PlanInstance.objects.filter(account=account)).values_list(*DATE_COLUMNS)
    dates = [InstanceDates._make(row) for row in rows]
    moved = ["next_bill_date", "billing_version"]
    if account.bill_day is None and dates:
        account.bill_day = min(one.start for one in dates).day
        moved.append("bill_day")
    if account.bill_day is not None:
        account.next_bill_date = next_bill_date(
            dates, account.bill_day, account.last_bill_date, account.arrears_due_from, account.orders_due
        )
    account.billing_version += 1
    account.save(update_fields=moved)
    signals.plans_changed.send(sender=Account, account_no=account.pk)
