"""Pause billing of accounts for days, and end a pause."""

from datetime import date

from django.db import transaction

from accounts.callers import Caller
from accounts.models import Account, BillingPause, PlanInstance
from accounts.periods import ONE_DAY, InstanceDates, arrears_cycles
from accounts.rights import check_may_change
from accounts.services.accounts import lock_account
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates, plans_changed
from billing_site.errors import BillingError, Detail, ErrorCode


def planned_pause(account: Account, first_day: date, last_day: date | None) -> BillingPause:
    """Return a pause as it would be stored. Writes nothing. Refuses (90191) days that are billed or in another pause."""
    if last_day is not None and last_day < first_day:
        detail = Detail("it ends on {last_day}, before its first day {first_day}", last_day=last_day, first_day=first_day)
        raise _wrong("last_day", detail)
    _check_free(account, first_day, last_day)
    _check_unbilled(account, first_day)
    pause = BillingPause(account=account, first_day=first_day, last_day=last_day)
    pause.full_clean()
    return pause


@transaction.atomic
def pause_billing(*, account: Account, first_day: date, caller: Caller, last_day: date | None = None) -> BillingPause:
    """Pause billing from a day on, and return the pause. Without `last_day` it goes on until `resume_billing`.

    Recurring charges and minimums are not charged for its days; usage is. Locks the account. Refuses as `planned_pause`, and
    (90009) a caller who may not change customers' plans.
    """
    check_may_change(caller, "change", "accounts.planinstance")
    account = lock_account(account.pk)
    pause = planned_pause(account, first_day, last_day)
    pause.save()
    plans_changed(account)
    return pause


def planned_resumption(account: Account, first_day: date) -> BillingPause:
    """Return the account's pause that is open or ends later, as it would end before `first_day`. Writes nothing.

    Refuses (90191) an account without such a pause, a pause that the account's status began, a day before the pause, and days
    after it that are billed already.
    """
    last_day = first_day - ONE_DAY
    pause = last_pause(account, last_day)
    if pause is None:
        raise _wrong("first_day", Detail("no pause goes on after {last_day}", last_day=last_day))
    if pause.by_status and pause.last_day is None:
        raise _wrong("first_day", Detail("the account's status began the pause; give the account a status that is billed"))
    if last_day < pause.first_day:
        raise _wrong("first_day", Detail("the pause begins on {first_day}; give a later day", first_day=pause.first_day))
    _check_unbilled(account, first_day)
    pause.last_day = last_day
    return pause


def last_pause(account: Account, day: date) -> BillingPause | None:
    """Return the newest pause of an account that goes on after a day."""
    pauses = account.pauses.order_by("-first_day")
    return next((one for one in pauses if one.last_day is None or one.last_day > day), None)


@transaction.atomic
def resume_billing(*, account: Account, first_day: date, caller: Caller) -> BillingPause:
    """End the account's pause that is open or ends later: `first_day` is the first day that is charged again.

    Returns the pause. Locks the account. Refuses as `planned_resumption`, and (90009) a caller who may not change customers'
    plans.
    """
    check_may_change(caller, "change", "accounts.planinstance")
    account = lock_account(account.pk)
    pause = planned_resumption(account, first_day)
    pause.save(update_fields=["last_day"])
    plans_changed(account)
    return pause


def _check_free(account: Account, first_day: date, last_day: date | None) -> None:
    for one in account.pauses.all():
        begins_later = last_day is not None and one.first_day > last_day
        if not begins_later and (one.last_day is None or one.last_day >= first_day):
            raise _wrong("first_day", Detail("billing is paused already from {first_day}", first_day=one.first_day))


def _check_unbilled(account: Account, first_day: date) -> None:
    """Refuse a first day before the end of what invoices have billed."""
    last = billed_to(account)
    if last is not None and first_day <= last:
        raise _wrong("first_day", Detail("days through {last} are billed already; give a later day", last=last))


def billed_to(account: Account) -> date | None:
    """Return the last day of an account that an invoice has billed. It stays charged."""
    rows = instances_with_dates(PlanInstance.objects.filter(account=account)).values_list(*DATE_COLUMNS)
    billed = [_billed_to(account, InstanceDates._make(row)) for row in rows]
    return max((day for day in billed if day is not None), default=None)


def _billed_to(account: Account, dates: InstanceDates) -> date | None:
    """Return the last day of a plan instance that is billed, in advance or in arrears."""
    if account.bill_day is None or dates.billed_through is None:
        return None
    if not dates.in_arrears:
        return dates.billed_through
    opened = next(arrears_cycles(dates, account.bill_day, account.arrears_due_from), None)
    return dates.billed_through if opened is None else opened.start - ONE_DAY


def _wrong(field: str, detail: Detail) -> BillingError:
    return BillingError(ErrorCode.PAUSE, detail, field=field)
