"""Give accounts plans, and change, replace, end and remove them."""

from collections.abc import Collection, Mapping
from copy import copy
from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.callers import Caller
from accounts.kinds import ARREARS_TYPES, ChargeType
from accounts.models import Account, Plan, PlanCharge, PlanInstance, RateSchedule
from accounts.periods import ONE_DAY, is_end_open
from accounts.periods import trial_end as trial_end_of
from accounts.rates import RateTerms
from accounts.rights import check_may_change
from accounts.services.accounts import lock_account
from accounts.services.plan_dates import plans_changed
from accounts.services.prices import (
    check_offered,
    check_units_not_too_large,
    lock_plan,
    own_prices,
    store_price,
    terms_of,
)
from billing_site.errors import BillingError, Detail, ErrorCode

AS_PLAN = date.min
"""In place of the end of a trial: the trial that the plan has."""


@transaction.atomic
def assign_plan(
    *,
    account: Account,
    plan: Plan,
    start_date: date,
    caller: Caller,
    units: Decimal = Decimal(1),
    end_date: date | None = None,
    billed_through: date | None = None,
    po_num: str = "",
    prices: Mapping[PlanCharge, RateTerms] | None = None,
    replaces: PlanInstance | None = None,
    trial_end: date | None = AS_PLAN,
) -> PlanInstance:
    """Give an account a plan. The account's first plan sets its first bill date and, if it has none, its bill day.

    `billed_through` is the opening position of a customer who was billed elsewhere before. `prices` are the customer's own
    prices by the plan's charge, in place of list prices. `replaces` is the plan instance that this one replaces; if it has the
    same plan, its own prices are kept, except those in `prices`. `trial_end` is the last free day, None for no trial. Refuses a
    charge without a price in the account's currency, (1016) units that are not above 0, (90190) a trial that ends before the
    start or of a customer who was billed elsewhere, and (90009) a caller who may not give plans or, with `prices`, may not add
    prices.
    """
    check_may_change(caller, "add", "accounts.planinstance")
    check_units(units)
    if prices:
        check_may_change(caller, "add", "accounts.rateschedule")
    account = lock_account(account.pk)
    if plan.client_id != account.client_id:
        raise BillingError(ErrorCode.NO_DATA, Detail("plan {plan} does not exist", plan=plan.pk), field="plan")
    if billed_through is not None and billed_through < start_date:
        detail = Detail(
            "billed_through: {billed_through} is before the plan starts on {start_date}",
            billed_through=billed_through,
            start_date=start_date,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="billed_through")
    trial_end = _trial_of(plan, start_date, trial_end, billed_through)
    prices = prices or {}
    kept = [] if replaces is None or replaces.plan_id != plan.pk else own_prices(replaces, except_of=prices)
    lock_plan(plan.pk)
    check_offered(plan, account.currency, {*prices, *(price.charge for price in kept)})
    instance = PlanInstance(
        account=account,
        plan=plan,
        units=units,
        start_date=start_date,
        end_date=end_date,
        billed_through=billed_through,
        billed_elsewhere_through=billed_through,
        trial_end=trial_end,
        po_num=po_num,
        replaces=replaces,
    )
    instance.full_clean()
    instance.save()
    for place, (charge, terms) in enumerate(prices.items()):
        try:
            store_price(RateSchedule(charge=charge, plan_instance=instance), terms)
        except BillingError as error:
            raise error.within(f"prices[{place}]") from error
    for price in kept:
        store_price(RateSchedule(charge=price.charge, plan_instance=instance), terms_of(price))
    check_units_not_too_large(instance, account.currency)
    plans_changed(account)
    return instance


def check_units(units: Decimal) -> None:
    """Refuse (1016) units of a plan that are not above 0: such a plan bills nothing, and nobody would see why."""
    if units <= 0:
        detail = Detail("units: {units} is not above 0. To charge nothing, leave the plan out or end it", units=units)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="units")


def _trial_of(plan: Plan, start_date: date, asked: date | None, billed_through: date | None) -> date | None:
    """Return the last day of the trial of a new plan instance."""
    if asked == AS_PLAN:
        return None if billed_through is not None else trial_end_of(start_date, plan.trial_length, plan.trial_unit)
    if asked is not None and billed_through is not None:
        raise _wrong_trial(
            Detail("trial_end: a customer who was billed elsewhere through {day} has no trial", day=billed_through)
        )
    _check_trial(start_date, asked)
    return asked


def _check_trial(start_date: date, trial_end: date | None) -> None:
    if trial_end is not None and trial_end < start_date:
        raise _wrong_trial(
            Detail(
                "trial_end: the last free day {trial_end} is before the plan starts on {start_date}",
                trial_end=trial_end,
                start_date=start_date,
            )
        )


def _wrong_trial(detail: Detail) -> BillingError:
    return BillingError(ErrorCode.TRIAL, detail, field="trial_end")


@transaction.atomic
def end_plan_instance(
    instance: PlanInstance, end_date: date, *, caller: Caller, credit_unused: bool | None = None
) -> PlanInstance:
    """Set the last day that is charged, and return the plan instance.

    Later days that were already billed are given back on the next invoice if `credit_unused` says so, or if it is None, the
    client's setting. Refuses (90009) a caller who may not change customers' plans.
    """
    instance.refresh_from_db()
    instance.end_date = end_date
    return update_plan_instance(instance, ["end_date"], caller=caller, credit_unused=credit_unused)


@transaction.atomic
def update_plan_instance(
    instance: PlanInstance, changed: Collection[str], *, caller: Caller, credit_unused: bool | None = None
) -> PlanInstance:
    """Write the changed columns of a plan instance under its account's lock, and update the account.

    If the end is changed, `credit_unused`, or if it is None the client's setting, says whether billed days after it are given
    back. Refuses (90009) a caller who may not change customers' plans, (1016) units that are not above 0, (90008) units that no
    invoice could charge, and (90190) another trial of a plan whose days are billed.
    """
    check_may_change(caller, "change", "accounts.planinstance")
    if "units" in changed:
        check_units(instance.units)
    account = lock_account(instance.account_id)
    written = list(changed)
    stored = PlanInstance.objects.get(pk=instance.pk)
    if "trial_end" in changed:
        _check_trial_change(instance, stored, account)
    if "end_date" in changed:
        _check_end(instance, stored, account)
        credits = account.client.credit_unused_on_end if credit_unused is None else credit_unused
        instance.credited_from = _credited_from(stored.credited_from, instance.end_date, credits=credits)
        instance.end_entered_after = _end_entered_after(instance, stored, account)
        written += ["credited_from", "end_entered_after"]
    instance.full_clean()
    instance.save(update_fields=written)
    if "units" in changed:
        check_units_not_too_large(instance, account.currency)
    plans_changed(account)
    return instance


def planned_trial(instance: PlanInstance, trial_end: date | None) -> PlanInstance:
    """Return a plan instance as it would be with another last free day. Writes nothing. Refuses as `update_plan_instance`."""
    planned = copy(instance)
    planned.trial_end = trial_end
    _check_trial_change(planned, instance, instance.account)
    planned.full_clean()
    return planned


def _check_trial_change(instance: PlanInstance, stored: PlanInstance, account: Account) -> None:
    """Refuse another trial of a plan instance that invoices have billed."""
    _check_trial(instance.start_date, instance.trial_end)
    charged_to = account.arrears_due_from
    in_arrears = instance.plan.charges.filter(line_type__in=ARREARS_TYPES).exists()
    if stored.billed_through is not None or (in_arrears and charged_to is not None and charged_to > instance.start_date):
        raise _wrong_trial(Detail("trial_end: the plan is billed already; rebill its invoices, or give a credit"))


def _credited_from(before: date | None, end_date: date | None, *, credits: bool) -> date | None:
    """Return the first day that is given back when a plan ends on `end_date`, or None.

    If the end is moved to an earlier day without a credit, days already promised are still given back. Days that are used again
    are not.
    """
    if end_date is None or (before is None and not credits):
        return None
    after = end_date + ONE_DAY
    return after if credits or before is None else max(before, after)


def _end_entered_after(instance: PlanInstance, stored: PlanInstance, account: Account) -> date | None:
    """Return the date of the account's last recurring bill if it is after the new end and did not know an end.

    The cycle that the end cuts is then still charged in arrears.
    """
    billed_on, end_date = account.arrears_due_from, instance.end_date
    if billed_on is None or end_date is None or end_date >= billed_on:
        return None
    return billed_on if is_end_open(stored.end_date, stored.end_entered_after, billed_on) else stored.end_entered_after


def _check_end(instance: PlanInstance, stored: PlanInstance, account: Account) -> None:
    """Refuse an end before the plan's start, and an end after one up to which the last cycle was charged in arrears.

    Otherwise the days after it would be charged with the wrong cycle, or not at all.
    """
    end_date, old_end = instance.end_date, stored.end_date
    if end_date is not None and end_date < instance.start_date:
        begins = instance.start_date
        detail = Detail(
            "end_date: the plan starts on {begins}; end it on {begins} or later, or remove it before {begins}", begins=begins
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")
    if instance.taken_off_on is not None:
        detail = Detail(
            "end_date: the plan was removed on {day}; add the plan to the account again",
            day=instance.taken_off_on,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")
    charged_to = account.arrears_due_from
    if old_end is None or charged_to is None or (end_date is not None and end_date <= old_end):
        return
    if stored.billed_through is not None and stored.billed_through >= old_end and _has_longer_charges(instance.plan):
        detail = Detail(
            "end_date: charges of several months are billed up to {old_end}; for later days, add the plan to the account again",
            old_end=old_end,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")
    if is_end_open(old_end, stored.end_entered_after, charged_to):
        return
    if instance.plan.charges.filter(line_type__in=ARREARS_TYPES).exists():
        detail = Detail(
            "end_date: the plan is billed in arrears up to {old_end}; for later days, add the plan to the account again",
            old_end=old_end,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")


def _has_longer_charges(plan: Plan) -> bool:
    """Whether charges in advance of the plan have different intervals. Then only the shortest says how far it is billed."""
    charges = plan.charges.filter(line_type=ChargeType.RECURRING)
    return len({charge.billing_interval or plan.billing_interval for charge in charges}) > 1


@transaction.atomic
def remove_plan_instance(instance: PlanInstance, today: date, *, caller: Caller) -> PlanInstance:
    """Remove a plan that has not begun. It is never billed, not even its activation, but stays readable with `taken_off_on`.

    If it is already removed, nothing changes. Refuses a plan that has begun, which must be ended instead (90062), and (90009) a
    caller who may not change customers' plans.
    """
    account = lock_account(instance.account_id)
    check_may_change(caller, "change", "accounts.planinstance")
    instance.refresh_from_db()
    if instance.taken_off_on is not None:
        return instance
    if instance.start_date <= today:
        detail = Detail(
            "plan instance {instance} started on {start_date}; instead, end it on that day or later",
            instance=instance.pk,
            start_date=instance.start_date,
        )
        raise BillingError(ErrorCode.PLAN_HAS_BEGUN, detail, field="plan_instance")
    instance.taken_off_on = today
    instance.save(update_fields=["taken_off_on"])
    plans_changed(account)
    return instance


@transaction.atomic
def change_plan(
    *,
    instance: PlanInstance,
    plan: Plan,
    start_date: date,
    caller: Caller,
    units: Decimal | None = None,
    prices: Mapping[PlanCharge, RateTerms] | None = None,
    credit_unused: bool | None = None,
    trial_end: date | None = AS_PLAN,
) -> PlanInstance:
    """Replace a plan instance from a day on, and return the new one. The old one ends on the day before.

    The new one has the same units unless `units` is set, the end that the old one had, and what is left of its trial unless
    `trial_end` is set: the trial of a plan is for new customers of it. Each is charged for its days. Days
    of the old one that were already billed are given back on the next invoice if `credit_unused` says so, or if it is None, the
    client's setting. With the same plan, the customer's own prices are kept, except those in `prices`. Refuses (90009) a caller
    who may not change and give customers' plans or, with `prices`, may not add prices.
    """
    check_may_change(caller, "change", "accounts.planinstance")
    client = lock_account(instance.account_id).client
    instance.refresh_from_db()
    if start_date <= instance.start_date:
        detail = Detail(
            "start_date: {start_date} must be after {old_start}, when the old plan starts",
            start_date=start_date,
            old_start=instance.start_date,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="start_date")
    if instance.end_date is not None and instance.end_date < start_date:
        detail = Detail(
            "start_date: {start_date} is after {end_date}, when the old plan ends",
            start_date=start_date,
            end_date=instance.end_date,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="start_date")
    end_date = instance.end_date
    credits = client.credit_unused_on_change if credit_unused is None else credit_unused
    # The new one is created first, so that usage of its days goes to it and to no other plan.
    new = assign_plan(
        account=instance.account,
        plan=plan,
        start_date=start_date,
        caller=caller,
        end_date=end_date,
        units=instance.units if units is None else units,
        po_num=instance.po_num,
        prices=prices,
        replaces=instance,
        trial_end=_rest_of_trial(instance, start_date) if trial_end == AS_PLAN else trial_end,
    )
    end_plan_instance(instance, start_date - ONE_DAY, caller=caller, credit_unused=credits)
    return new


def _rest_of_trial(instance: PlanInstance, start_date: date) -> date | None:
    """Return the end of the trial of a plan instance, if it goes on from `start_date`."""
    return instance.trial_end if instance.trial_end is not None and instance.trial_end >= start_date else None
