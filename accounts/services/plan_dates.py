"""The dates up to which plan instances are billed, and what follows from them for their account."""

from django.db.models import Exists, OuterRef, QuerySet

from accounts import signals
from accounts.kinds import ARREARS_TYPES
from accounts.models import Account, PlanCharge, PlanInstance
from accounts.periods import InstanceDates, next_bill_date


def instances_with_dates(rows: QuerySet[PlanInstance]) -> QuerySet[PlanInstance]:
    """Return plan instances with `in_arrears`, which completes DATE_COLUMNS to InstanceDates. Excludes removed instances,
    which are never billed."""
    return rows.filter(taken_off_on=None).annotate(
        in_arrears=Exists(PlanCharge.objects.filter(plan=OuterRef("plan"), line_type__in=ARREARS_TYPES))
    )


DATE_COLUMNS = (
    "start_date",
    "end_date",
    "billed_through",
    "plan__billing_interval",
    "in_arrears",
    "billed_elsewhere_through",
    "ahead_since",
    "end_entered_after",
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
