"""Create clients and accounts, and manage the accounts' plans and prices. All views and commands use these functions."""

from collections.abc import Collection, Container, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import signals
from accounts.callers import Caller
from accounts.keys import create_key, rights_to_give
from accounts.kinds import ARREARS_TYPES, ELECTRONIC_METHODS, ChargeType, RateModel
from accounts.models import Account, ApiKey, Client, PaymentMethod, Plan, PlanCharge, PlanInstance, RateSchedule, RateTier
from accounts.models.rates import FROM_THE_BEGINNING
from accounts.periods import ONE_DAY, InstanceDates, is_end_open, next_bill_date
from accounts.rates import ZERO, RateTerms, TierTerms, check_terms
from accounts.rights import check_may_change, may_make_keys
from billing_site.common.currencies import LARGEST_AMOUNT
from billing_site.common.languages import in_english
from billing_site.errors import BillingError, Detail, ErrorCode


@transaction.atomic
def create_client(*, name: str, caller: Caller, **settings: Any) -> tuple[Client, ApiKey | None, str]:
    """Create a client, and return it with its first key and the auth_key, which cannot be shown later.

    The key has every right that the caller may give. If the caller may give none, there is no key.
    """
    client = Client(name=name, **settings)
    client.full_clean()
    client.save()
    if not may_make_keys(caller, read_only=True):
        return client, None, ""
    key, auth_key = create_key(client, caller=caller, name="first key", **rights_to_give(caller))
    return client, key, auth_key


def create_account(*, client: Client, caller: Caller, **fields: Any) -> Account:
    """Open an account. It requires approval of its invoices if its client does.

    Refuses (90009) a caller who may not add accounts.
    """
    check_may_change(caller, "add", "accounts.account")
    fields.setdefault("invoice_approval_required", client.invoice_approval_required)
    account = Account(client=client, **fields)
    account.full_clean()
    account.save()
    return account


def find_account_no(
    client: Client, acct_no: int | None, client_acct_id: str | None = None, number_field: str = "acct_no"
) -> int:
    """Return the number of the client's account, named by number or else by the client's own id.

    Refuses (1009) an account that does not exist or is another client's. `number_field` is the name under which the number was
    sent.
    """
    named = {"pk": acct_no} if acct_no is not None else {"client_acct_id": client_acct_id}
    number = Account.objects.filter(client=client, **named).values_list("pk", flat=True).first()
    if number is None:
        field = number_field if acct_no is not None else "client_acct_id"
        raise BillingError(
            ErrorCode.ACCOUNT_NOT_FOUND,
            Detail("{field} {value}", field=field, value=acct_no or client_acct_id),
            field=field,
        )
    return number


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
) -> PlanInstance:
    """Give an account a plan. The account's first plan sets its first bill date and, if it has none, its bill day.

    `billed_through` is the opening position of a customer who was billed elsewhere before. `prices` are the customer's own
    prices by the plan's charge, in place of list prices. `replaces` is the plan instance that this one replaces; if it has the
    same plan, its own prices are kept, except those in `prices`. Refuses a charge without a price in the account's currency,
    and (90009) a caller who may not give plans or, with `prices`, may not add prices.
    """
    check_may_change(caller, "add", "accounts.planinstance")
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
    prices = prices or {}
    kept = [] if replaces is None or replaces.plan_id != plan.pk else _own_prices(replaces, except_of=prices)
    _check_offered(plan, account.currency, {*prices, *(price.charge for price in kept)})
    instance = PlanInstance(
        account=account,
        plan=plan,
        units=units,
        start_date=start_date,
        end_date=end_date,
        billed_through=billed_through,
        billed_elsewhere_through=billed_through,
        po_num=po_num,
        replaces=replaces,
    )
    instance.full_clean()
    instance.save()
    for place, (charge, terms) in enumerate(prices.items()):
        try:
            _store_price(RateSchedule(charge=charge, plan_instance=instance), terms)
        except BillingError as error:
            raise error.within(f"prices[{place}]") from error
    for price in kept:
        _store_price(RateSchedule(charge=price.charge, plan_instance=instance), _terms_of(price))
    _check_not_too_large(instance, account.currency)
    plans_changed(account)
    return instance


def _check_not_too_large(instance: PlanInstance, currency: str) -> None:
    """Refuse (90008) units that no invoice could charge at the plan's prices, as the account could not be billed any more."""
    _lock_plan(instance.plan_id)
    prices = RateSchedule.objects.filter(charge__plan=instance.plan_id, currency=currency)
    prices = prices.filter(Q(plan_instance=None) | Q(plan_instance=instance)).exclude(model=RateModel.FLAT)
    for price in prices.exclude(charge__line_type=ChargeType.USAGE).prefetch_related("tiers"):
        if _highest_rate(price) * instance.units > LARGEST_AMOUNT:
            detail = Detail(
                "units: {units} at {rate} {currency}",
                units=f"{instance.units:f}",
                rate=f"{_highest_rate(price):f}",
                currency=currency,
            )
            raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, detail, field="units")


def _lock_plan(plan_no: int) -> None:
    """Lock the plan until the end of the transaction. The account must be locked first.

    A simultaneous change of its prices or of a customer's units then sees what was written here. Otherwise each change alone
    could be billed, but both together not.
    """
    Plan.objects.select_for_update(no_key=True).get(pk=plan_no)


def _highest_rate(price: RateSchedule) -> Decimal:
    return max(price.rate_per_unit or ZERO, *(tier.rate_per_unit for tier in price.tiers.all()), ZERO)


def _not_too_large(price: RateSchedule) -> RateSchedule:
    """Return the price. Refuses (90008) one that no invoice could charge for the units of a customer with the plan."""
    if price.model == RateModel.FLAT or price.charge.line_type == ChargeType.USAGE:
        return price
    _lock_plan(price.charge.plan_id)
    running = Q(end_date=None) | Q(end_date__gte=price.valid_from)
    instances = PlanInstance.objects.filter(running, plan=price.charge.plan_id, account__currency=price.currency)
    if price.plan_instance_id is not None:
        instances = instances.filter(pk=price.plan_instance_id)
    most = instances.filter(taken_off_on=None).order_by("-units").first()
    if most is not None and most.units * _highest_rate(price) > LARGEST_AMOUNT:
        detail = Detail(
            "rate_per_unit: {rate} for {units} units of plan instance {instance}",
            rate=f"{_highest_rate(price):f}",
            units=f"{most.units:f}",
            instance=most.pk,
        )
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, detail, field="rate_per_unit")
    return price


def _own_prices(instance: PlanInstance, *, except_of: Collection[PlanCharge]) -> list[RateSchedule]:
    own = RateSchedule.objects.filter(plan_instance=instance).exclude(charge__in=except_of)
    return list(own.select_related("charge").prefetch_related("tiers"))


def _terms_of(price: RateSchedule) -> RateTerms:
    return RateTerms(
        currency=price.currency,
        rate_per_unit=price.rate_per_unit,
        model=price.model,
        tiers=tuple(TierTerms(tier.from_unit, tier.rate_per_unit) for tier in price.tiers.all()),
        minimum_amount=price.minimum_amount,
        maximum_amount=price.maximum_amount,
        valid_from=price.valid_from,
        valid_to=price.valid_to,
    )


def _check_offered(plan: Plan, currency: str, own: Container[PlanCharge]) -> None:
    listed = RateSchedule.objects.filter(charge=OuterRef("pk"), plan_instance=None, currency=currency)
    for charge in plan.charges.filter(~Exists(listed)).select_related("service"):
        if charge not in own:
            detail = Detail(
                "{plan} has no price in {currency} for {charge}", plan=str(plan), currency=currency, charge=in_english(charge)
            )
            raise BillingError(ErrorCode.CURRENCY_MISMATCH, detail, field="plan")


def check_price(charge: PlanCharge, terms: RateTerms, instance: PlanInstance | None = None) -> None:
    """Refuse a price that is inconsistent, or an own price whose charge or currency does not match its plan instance."""
    if instance is not None and charge.plan_id != instance.plan_id:
        raise BillingError(
            ErrorCode.NO_DATA,
            Detail("plan {plan} has no charge {charge}", plan=instance.plan_id, charge=charge.pk),
            field="charge",
        )
    if instance is not None and terms.currency != instance.account.currency:
        detail = Detail(
            "{given}; the account is billed in {currency}", given=terms.currency, currency=instance.account.currency
        )
        raise BillingError(ErrorCode.CURRENCY_MISMATCH, detail, field="currency")
    check_terms(terms)


@transaction.atomic
def add_price(charge: PlanCharge, terms: RateTerms, instance: PlanInstance | None = None, *, caller: Caller) -> RateSchedule:
    """Add a list price of a charge, or a plan instance's own price. It applies from the first period that begins after it.

    Refuses (90009) a caller who may not add prices, and (90008) a price that no invoice could charge for a customer's units.
    """
    check_may_change(caller, "add", "accounts.rateschedule")
    with _prices_changing(instance):
        return _not_too_large(_store_price(RateSchedule(charge=charge, plan_instance=instance), terms))


@transaction.atomic
def change_price(price: RateSchedule, terms: RateTerms, *, caller: Caller, today: date) -> RateSchedule:
    """Change the terms of a price, replacing all its bands, and return the price that has them. Existing invoices do not
    change.

    If unbilled days were used at a customer's own price, it ends before `today`, and a new price begins with the new terms.
    Refuses (90009) a caller who may not change prices, other terms for used days (90067), and (90008) a price that no invoice
    could charge for a customer's units.
    """
    check_may_change(caller, "change", "accounts.rateschedule")
    with _prices_changing(price.plan_instance):
        stored = RateSchedule.objects.get(pk=price.pk)
        changed = _price_from_today(stored, terms, today) if _was_used(stored, today) else _store_price(price, terms)
        return _not_too_large(changed)


def _price_from_today(price: RateSchedule, terms: RateTerms, today: date) -> RateSchedule:
    """End a price whose days were used, and let a new price with the other terms begin on the next day."""
    begins = terms.valid_from or FROM_THE_BEGINNING
    if begins == price.valid_from:
        begins = today
    if begins < today:
        raise _price_was_used(
            price,
            "valid_from",
            Detail("the new terms must start on {today} or later, not on {begins}", today=today, begins=begins),
        )
    kept = _terms_of(price)._replace(valid_to=begins - ONE_DAY)
    if terms._replace(valid_from=kept.valid_from, valid_to=kept.valid_to) == kept:
        return _until(price, terms.valid_to, today)
    new = RateSchedule(charge=price.charge, plan_instance=price.plan_instance)
    _store_price(new, terms._replace(valid_from=begins))
    _store_price(price, kept)
    return new


def _until(price: RateSchedule, last_day: date | None, today: date) -> RateSchedule:
    """Store another last day, which may not be before a day that was used at the price."""
    if last_day is not None and last_day < today - ONE_DAY:
        raise _price_was_used(
            price,
            "valid_to",
            Detail("it must end on {day} or later, not on {last_day}", day=today - ONE_DAY, last_day=last_day),
        )
    return _store_price(price, _terms_of(price)._replace(valid_to=last_day))


def _was_used(price: RateSchedule, today: date) -> bool:
    """Whether a plan instance's own price was used on days before `today` that no invoice has billed yet."""
    instance = price.plan_instance
    if instance is None or price.valid_from >= today:
        return False
    first = instance.start_date
    if price.charge.line_type in ARREARS_TYPES:
        first = max(first, instance.account.arrears_due_from or first)
    elif instance.billed_through is not None:
        first = instance.billed_through + ONE_DAY
    last = min(today - ONE_DAY, instance.end_date or today)
    return first <= last


def _price_was_used(price: RateSchedule, field: str, detail: Detail) -> BillingError:
    why = Detail("{field}: {price}, {detail}", field=field, price=in_english(price), detail=detail)
    return BillingError(ErrorCode.PRICE_USED, why, field=field)


@transaction.atomic
def remove_price(price: RateSchedule, *, caller: Caller, today: date) -> None:
    """Remove a price. A plan instance without an own price is charged the list price.

    Refuses (90009) a caller who may not remove prices, and (90067) a price whose used days are not billed yet.
    """
    check_may_change(caller, "delete", "accounts.rateschedule")
    with _prices_changing(price.plan_instance):
        if _was_used(price, today):
            raise _price_was_used(price, "valid_to", Detail("instead, end it on {day} or later", day=today - ONE_DAY))
        price.delete()


@contextmanager
def _prices_changing(instance: PlanInstance | None) -> Iterator[None]:
    """Change own prices under the account's lock, and count the account's billing version up."""
    account = None if instance is None else lock_account(instance.account_id)
    yield
    if account is not None:
        plans_changed(account)


def _store_price(price: RateSchedule, terms: RateTerms) -> RateSchedule:
    """Write a price and replace all its bands. For an own price the account must be locked."""
    check_price(price.charge, terms, price.plan_instance)
    for name in ("currency", "model", "rate_per_unit", "minimum_amount", "maximum_amount", "valid_to"):
        setattr(price, name, getattr(terms, name))
    price.valid_from = terms.valid_from or FROM_THE_BEGINNING
    price.full_clean()
    price.save()
    price.tiers.all().delete()
    for tier in terms.tiers:
        row = RateTier(schedule=price, from_unit=tier.from_unit, rate_per_unit=tier.rate_per_unit)
        row.full_clean()
        row.save()
    return price


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
    back. Refuses (90009) a caller who may not change customers' plans, and (90008) units that no invoice could charge.
    """
    check_may_change(caller, "change", "accounts.planinstance")
    account = lock_account(instance.account_id)
    written = list(changed)
    if "end_date" in changed:
        stored = PlanInstance.objects.get(pk=instance.pk)
        _check_end(instance, stored, account)
        credits = account.client.credit_unused_on_end if credit_unused is None else credit_unused
        instance.credited_from = _credited_from(stored.credited_from, instance.end_date, credits=credits)
        instance.end_entered_after = _end_entered_after(instance, stored, account)
        written += ["credited_from", "end_entered_after"]
    instance.full_clean()
    instance.save(update_fields=written)
    if "units" in changed:
        _check_not_too_large(instance, account.currency)
    plans_changed(account)
    return instance


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
    if is_end_open(old_end, stored.end_entered_after, charged_to):
        return
    if instance.plan.charges.filter(line_type__in=ARREARS_TYPES).exists():
        detail = Detail(
            "end_date: the plan is billed in arrears up to {old_end}; for later days, add the plan to the account again",
            old_end=old_end,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")


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
) -> PlanInstance:
    """Replace a plan instance from a day on, and return the new one. The old one ends on the day before.

    The new one has the same units unless `units` is set, and the end that the old one had. Each is charged for its days. Days
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
    )
    end_plan_instance(instance, start_date - ONE_DAY, caller=caller, credit_unused=credits)
    return new


def electronic_methods() -> QuerySet[PaymentMethod]:
    """Return the payment methods with a token, by which a gateway can collect."""
    return PaymentMethod.objects.filter(type__in=ELECTRONIC_METHODS).exclude(token="")


def lock_account(account_no: int) -> Account:
    """Lock the account until the end of the transaction. Bills that are planned meanwhile must be planned again."""
    return Account.objects.select_for_update(no_key=True).get(pk=account_no)


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
