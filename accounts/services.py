"""Opening accounts and giving them plans. Every door that does either comes through here."""

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
from billing_site.errors import BillingError, ErrorCode


@transaction.atomic
def create_client(*, name: str, caller: Caller, **settings: Any) -> tuple[Client, ApiKey | None, str]:
    """A new client with its first key, which has every right that its maker may give; without one, where that is none. The
    auth_key can be shown only now."""
    client = Client(name=name, **settings)
    client.full_clean()
    client.save()
    if not may_make_keys(caller, read_only=True):
        return client, None, ""
    key, auth_key = create_key(client, caller=caller, name="first key", **rights_to_give(caller))
    return client, key, auth_key


def create_account(*, client: Client, caller: Caller, **fields: Any) -> Account:
    """Opens an account. It requires approval of its invoices if the client does (a new account inherits the setting).

    Refuses (90009) who may not add accounts."""
    check_may_change(caller, "add", "accounts.account")
    fields.setdefault("invoice_approval_required", client.invoice_approval_required)
    account = Account(client=client, **fields)
    account.full_clean()
    account.save()
    return account


def find_account_no(
    client: Client, acct_no: int | None, client_acct_id: str | None = None, number_field: str = "acct_no"
) -> int:
    """The number of the client's account that is meant by its number or, where none is given, by the client's own id. One that
    is not the client's is refused (1009). `number_field` is the name under which the number was sent."""
    named = {"pk": acct_no} if acct_no is not None else {"client_acct_id": client_acct_id}
    number = Account.objects.filter(client=client, **named).values_list("pk", flat=True).first()
    if number is None:
        field = number_field if acct_no is not None else "client_acct_id"
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, f"{field} {acct_no or client_acct_id}", field=field)
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
    """Gives an account a plan. The account's first plan sets its bill day, where it has none, and its first bill date.

    `billed_through` is the opening position of a customer who was billed elsewhere before. `prices` are the customer's own
    prices, in place of the list's, by the plan's charge. A charge that has no price in the account's currency is refused.
    `replaces` is the plan instance whose place this one takes: where it is of the same plan, the customer's own prices of it
    are kept, except those that are given. Refuses (90009) who may not give plans, or, with `prices`, who may not add prices.
    """
    check_may_change(caller, "add", "accounts.planinstance")
    if prices:
        check_may_change(caller, "add", "accounts.rateschedule")
    account = lock_account(account.pk)
    if plan.client_id != account.client_id:
        raise BillingError(ErrorCode.NO_DATA, f"plan {plan.pk} does not exist", field="plan")
    if billed_through is not None and billed_through < start_date:
        detail = f"billed_through: {billed_through} is before the plan starts on {start_date}"
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
    """Refuses (90008) units that no invoice could charge at the plan's prices: the account could not be billed any more."""
    _lock_plan(instance.plan_id)
    prices = RateSchedule.objects.filter(charge__plan=instance.plan_id, currency=currency)
    prices = prices.filter(Q(plan_instance=None) | Q(plan_instance=instance)).exclude(model=RateModel.FLAT)
    for price in prices.exclude(charge__line_type=ChargeType.USAGE).prefetch_related("tiers"):
        if _highest_rate(price) * instance.units > LARGEST_AMOUNT:
            detail = f"units: {instance.units:f} at {_highest_rate(price):f} {currency}"
            raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, detail, field="units")


def _lock_plan(plan_no: int) -> None:
    """Locks the plan, to the end of the transaction, behind the account: another who changes its prices or a customer's units
    of it waits, and then finds what was written here. Each alone could be charged, and both together not."""
    Plan.objects.select_for_update(no_key=True).get(pk=plan_no)


def _highest_rate(price: RateSchedule) -> Decimal:
    return max(price.rate_per_unit or ZERO, *(tier.rate_per_unit for tier in price.tiers.all()), ZERO)


def _not_too_large(price: RateSchedule) -> RateSchedule:
    """Gives the price. Refuses (90008) one that no invoice could charge for the units of a customer who has the plan."""
    if price.model == RateModel.FLAT or price.charge.line_type == ChargeType.USAGE:
        return price
    _lock_plan(price.charge.plan_id)
    running = Q(end_date=None) | Q(end_date__gte=price.valid_from)
    instances = PlanInstance.objects.filter(running, plan=price.charge.plan_id, account__currency=price.currency)
    if price.plan_instance_id is not None:
        instances = instances.filter(pk=price.plan_instance_id)
    most = instances.filter(taken_off_on=None).order_by("-units").first()
    if most is not None and most.units * _highest_rate(price) > LARGEST_AMOUNT:
        detail = f"rate_per_unit: {_highest_rate(price):f} for {most.units:f} units of plan instance {most.pk}"
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
            raise BillingError(ErrorCode.CURRENCY_MISMATCH, f"{plan} has no price in {currency} for {charge}", field="plan")


def check_price(charge: PlanCharge, terms: RateTerms, instance: PlanInstance | None = None) -> None:
    """A price is whole; and a plan instance's own price is of a charge of its plan, in its account's currency."""
    if instance is not None and charge.plan_id != instance.plan_id:
        raise BillingError(ErrorCode.NO_DATA, f"plan {instance.plan_id} has no charge {charge.pk}", field="charge")
    if instance is not None and terms.currency != instance.account.currency:
        detail = f"{terms.currency}; the account is billed in {instance.account.currency}"
        raise BillingError(ErrorCode.CURRENCY_MISMATCH, detail, field="currency")
    check_terms(terms)


@transaction.atomic
def add_price(charge: PlanCharge, terms: RateTerms, instance: PlanInstance | None = None, *, caller: Caller) -> RateSchedule:
    """Adds a price of a charge: to the list, or as a plan instance's own. It holds from the first period after it begins.

    Refuses (90009) who may not add prices, and (90008) a price that no invoice could charge for a customer's units."""
    check_may_change(caller, "add", "accounts.rateschedule")
    with _prices_changing(instance):
        return _not_too_large(_store_price(RateSchedule(charge=charge, plan_instance=instance), terms))


@transaction.atomic
def change_price(price: RateSchedule, terms: RateTerms, *, caller: Caller, today: date) -> RateSchedule:
    """Gives a price other terms, its bands all anew. Invoices that were made keep the price that they had. Where days were used
    at a customer's own price and are not billed yet, it ends before `today`, and a new price begins with the other terms.

    Gives the price that has them. Refuses (90009) who may not change prices, other terms for used days (90067), and (90008) a
    price that no invoice could charge for a customer's units."""
    check_may_change(caller, "change", "accounts.rateschedule")
    with _prices_changing(price.plan_instance):
        stored = RateSchedule.objects.get(pk=price.pk)
        changed = _price_from_today(stored, terms, today) if _was_used(stored, today) else _store_price(price, terms)
        return _not_too_large(changed)


def _price_from_today(price: RateSchedule, terms: RateTerms, today: date) -> RateSchedule:
    """A price that days were used at ends on the day before other terms begin, as a price of their own."""
    begins = terms.valid_from or FROM_THE_BEGINNING
    if begins == price.valid_from:
        begins = today
    if begins < today:
        raise _price_was_used(price, "valid_from", f"the new terms must start on {today} or later, not on {begins}")
    kept = _terms_of(price)._replace(valid_to=begins - ONE_DAY)
    if terms._replace(valid_from=kept.valid_from, valid_to=kept.valid_to) == kept:
        return _until(price, terms.valid_to, today)
    new = RateSchedule(charge=price.charge, plan_instance=price.plan_instance)
    _store_price(new, terms._replace(valid_from=begins))
    _store_price(price, kept)
    return new


def _until(price: RateSchedule, last_day: date | None, today: date) -> RateSchedule:
    """The same price with another last day, which is not before a day that was used at it."""
    if last_day is not None and last_day < today - ONE_DAY:
        raise _price_was_used(price, "valid_to", f"it must end on {today - ONE_DAY} or later, not on {last_day}")
    return _store_price(price, _terms_of(price)._replace(valid_to=last_day))


def _was_used(price: RateSchedule, today: date) -> bool:
    """Whether days before `today` were used at a plan instance's own price that no invoice has billed yet."""
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


def _price_was_used(price: RateSchedule, field: str, detail: str) -> BillingError:
    return BillingError(ErrorCode.PRICE_USED, f"{field}: {price}, {detail}", field=field)


@transaction.atomic
def remove_price(price: RateSchedule, *, caller: Caller, today: date) -> None:
    """Removes a price: a plan instance is charged the list price where it has no price of its own any more.

    Refuses (90009) who may not remove prices; and to remove one at which days were used that are not billed yet (90067)."""
    check_may_change(caller, "delete", "accounts.rateschedule")
    with _prices_changing(price.plan_instance):
        if _was_used(price, today):
            raise _price_was_used(price, "valid_to", f"instead, end it on {today - ONE_DAY} or later")
        price.delete()


@contextmanager
def _prices_changing(instance: PlanInstance | None) -> Iterator[None]:
    """An own price changes what its account is billed for: under the account's lock, and counted in its billing version."""
    account = None if instance is None else lock_account(instance.account_id)
    yield
    if account is not None:
        plans_changed(account)


def _store_price(price: RateSchedule, terms: RateTerms) -> RateSchedule:
    """Writes a price with its bands, all anew. An own price is stored under its account's lock."""
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
    """Sets the last day that is charged. Later days that were billed already are given back on the next invoice where
    `credit_unused` or else the client's setting says so.

    Refuses (90009) who may not change customers' plans."""
    instance.refresh_from_db()
    instance.end_date = end_date
    return update_plan_instance(instance, ["end_date"], caller=caller, credit_unused=credit_unused)


@transaction.atomic
def update_plan_instance(
    instance: PlanInstance, changed: Collection[str], *, caller: Caller, credit_unused: bool | None = None
) -> PlanInstance:
    """Writes the columns of a plan instance that were changed, under its account's lock, and brings the account in line.

    Where the end is changed, `credit_unused` or else the client's setting says whether billed days after it are given back.
    Refuses (90009) who may not change customers' plans, and (90008) units that no invoice could charge."""
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
    """The first day that is given back of a plan that ends on a day. What is promised stays promised where the end is moved
    in without a credit; days that are used again are not given back."""
    if end_date is None or (before is None and not credits):
        return None
    after = end_date + ONE_DAY
    return after if credits or before is None else max(before, after)


def _end_entered_after(instance: PlanInstance, stored: PlanInstance, account: Account) -> date | None:
    """The date of the account's last recurring bill, where that bill lies after the new end and did not know of any: the cycle
    that the end cuts short is still to be charged in arrears."""
    billed_on, end_date = account.arrears_due_from, instance.end_date
    if billed_on is None or end_date is None or end_date >= billed_on:
        return None
    return billed_on if is_end_open(stored.end_date, stored.end_entered_after, billed_on) else stored.end_entered_after


def _check_end(instance: PlanInstance, stored: PlanInstance, account: Account) -> None:
    """A plan ends when it has begun. An end up to which a last cycle was charged in arrears is not moved out any more: the
    days after it would be charged with the wrong cycle or not at all."""
    end_date, stood = instance.end_date, stored.end_date
    if end_date is not None and end_date < instance.start_date:
        begins = instance.start_date
        detail = f"end_date: the plan starts on {begins}; end it on {begins} or later, or remove it before {begins}"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")
    if instance.taken_off_on is not None:
        detail = f"end_date: the plan was removed on {instance.taken_off_on}; add the plan to the account again"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")
    charged_to = account.arrears_due_from
    if stood is None or charged_to is None or (end_date is not None and end_date <= stood):
        return
    if is_end_open(stood, stored.end_entered_after, charged_to):
        return
    if instance.plan.charges.filter(line_type__in=ARREARS_TYPES).exists():
        detail = f"end_date: the plan is billed in arrears up to {stood}; for later days, add the plan to the account again"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")


@transaction.atomic
def take_plan_off(instance: PlanInstance, today: date, *, caller: Caller) -> PlanInstance:
    """Takes a plan off before it begins: it is never billed, not a day of it nor its activation. It stays readable, with
    `taken_off_on`; one that was taken off already stays as it is.

    Refuses a plan that has begun, which is ended instead (90062), and (90009) who may not change customers' plans."""
    account = lock_account(instance.account_id)
    check_may_change(caller, "change", "accounts.planinstance")
    instance.refresh_from_db()
    if instance.taken_off_on is not None:
        return instance
    if instance.start_date <= today:
        detail = f"plan instance {instance.pk} started on {instance.start_date}; instead, end it on that day or later"
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
    """Replaces a plan instance from a day on: the old one ends on the day before, the new one begins, with the same units where
    no others are given, and the end that the old one would have had.

    Each is charged for its days. Days of the old one that were billed already are given back on the next invoice where
    `credit_unused` or else the client's setting says so. An instance of the same plan keeps the customer's own prices, except
    those that are given. Refuses (90009) who may not change and give customers' plans, or, with `prices`, who may not add
    prices.
    """
    check_may_change(caller, "change", "accounts.planinstance")
    client = lock_account(instance.account_id).client
    instance.refresh_from_db()
    if start_date <= instance.start_date:
        detail = f"start_date: {start_date} must be after {instance.start_date}, when the old plan starts"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="start_date")
    if instance.end_date is not None and instance.end_date < start_date:
        detail = f"start_date: {start_date} is after {instance.end_date}, when the old plan ends"
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="start_date")
    end_date = instance.end_date
    credits = client.credit_unused_on_change if credit_unused is None else credit_unused
    # In this order, so that usage of the days of the new one goes to it and to no other plan.
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
    """The methods that a gateway can collect by: those that it has a token for."""
    return PaymentMethod.objects.filter(type__in=ELECTRONIC_METHODS).exclude(token="")


def lock_account(account_no: int) -> Account:
    """The account under its lock, to the end of the transaction. Whoever plans a bill of it meanwhile has to plan again."""
    return Account.objects.select_for_update(no_key=True).get(pk=account_no)


def instances_with_dates(rows: QuerySet[PlanInstance]) -> QuerySet[PlanInstance]:
    """Plan instances with `in_arrears`, which together with DATE_COLUMNS makes their InstanceDates. Those that were taken off
    before they began are never billed, and not among them."""
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
    """Brings the account in line with its plan instances after one of them has changed, and tells other apps. Call it under the
    account's lock."""
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
