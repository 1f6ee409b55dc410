"""Add, change, end and remove prices: list prices of a charge, and a plan instance's own prices."""

from collections.abc import Collection, Container, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.callers import Caller
from accounts.kinds import ARREARS_TYPES, ChargeType, RateModel
from accounts.models import Plan, PlanCharge, PlanInstance, RateSchedule, RateTier
from accounts.models.rates import FROM_THE_BEGINNING
from accounts.periods import ONE_DAY
from accounts.rates import ZERO, RateTerms, TierTerms, check_terms
from accounts.rights import check_may_change
from accounts.services.accounts import lock_account
from accounts.services.plan_dates import plans_changed
from billing_site.common.currencies import LARGEST_AMOUNT
from billing_site.common.languages import in_english
from billing_site.errors import BillingError, Detail, ErrorCode


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


def check_planned_price(charge: PlanCharge, terms: RateTerms, instance: PlanInstance) -> None:
    """Refuse an own price as `add_price` would, rights aside. Writes nothing."""
    check_price(charge, terms, instance)
    price = _with_terms(RateSchedule(charge=charge, plan_instance=instance), terms)
    price.full_clean()
    for tier in terms.tiers:
        RateTier(from_unit=tier.from_unit, rate_per_unit=tier.rate_per_unit).full_clean(exclude=["schedule"])
    _check_not_too_large(charge, terms, instance.pk)


def planned_end(price: RateSchedule, last_day: date | None, today: date) -> RateTerms:
    """Return the terms of an own price that ends on another day. Writes nothing. Refuses (90067) a day before one that was used
    at the price and is not billed yet."""
    if _was_used(price, today):
        _check_last_day(price, last_day, today)
    terms = terms_of(price)._replace(valid_to=last_day)
    check_terms(terms)
    return terms


@transaction.atomic
def add_price(charge: PlanCharge, terms: RateTerms, instance: PlanInstance | None = None, *, caller: Caller) -> RateSchedule:
    """Add a list price of a charge, or a plan instance's own price. It applies from the first period that begins after it.

    Refuses (90009) a caller who may not add prices, and (90008) a price that no invoice could charge for a customer's units.
    """
    check_may_change(caller, "add", "accounts.rateschedule")
    with _prices_changing(instance):
        return _not_too_large(store_price(RateSchedule(charge=charge, plan_instance=instance), terms))


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
        changed = _price_from_today(stored, terms, today) if _was_used(stored, today) else store_price(price, terms)
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
    kept = terms_of(price)._replace(valid_to=begins - ONE_DAY)
    if terms._replace(valid_from=kept.valid_from, valid_to=kept.valid_to) == kept:
        return _until(price, terms.valid_to, today)
    new = RateSchedule(charge=price.charge, plan_instance=price.plan_instance)
    store_price(new, terms._replace(valid_from=begins))
    store_price(price, kept)
    return new


def _until(price: RateSchedule, last_day: date | None, today: date) -> RateSchedule:
    """Store another last day, which may not be before a day that was used at the price."""
    _check_last_day(price, last_day, today)
    return store_price(price, terms_of(price)._replace(valid_to=last_day))


def _check_last_day(price: RateSchedule, last_day: date | None, today: date) -> None:
    if last_day is not None and last_day < today - ONE_DAY:
        raise _price_was_used(
            price,
            "valid_to",
            Detail("it must end on {day} or later, not on {last_day}", day=today - ONE_DAY, last_day=last_day),
        )


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


def store_price(price: RateSchedule, terms: RateTerms) -> RateSchedule:
    """Write a price and replace all its bands. For an own price the account must be locked."""
    check_price(price.charge, terms, price.plan_instance)
    _with_terms(price, terms)
    price.full_clean()
    price.save()
    price.tiers.all().delete()
    for tier in terms.tiers:
        row = RateTier(schedule=price, from_unit=tier.from_unit, rate_per_unit=tier.rate_per_unit)
        row.full_clean()
        row.save()
    return price


def _with_terms(price: RateSchedule, terms: RateTerms) -> RateSchedule:
    for name in ("currency", "model", "band_edge", "rate_per_unit", "minimum_amount", "maximum_amount", "valid_to"):
        setattr(price, name, getattr(terms, name))
    price.valid_from = terms.valid_from or FROM_THE_BEGINNING
    return price


def terms_of(price: RateSchedule) -> RateTerms:
    return RateTerms(
        currency=price.currency,
        rate_per_unit=price.rate_per_unit,
        model=price.model,
        tiers=tuple(TierTerms(tier.from_unit, tier.rate_per_unit) for tier in price.tiers.all()),
        minimum_amount=price.minimum_amount,
        maximum_amount=price.maximum_amount,
        valid_from=price.valid_from,
        valid_to=price.valid_to,
        band_edge=price.band_edge,
    )


def own_prices(instance: PlanInstance, *, except_of: Collection[PlanCharge]) -> list[RateSchedule]:
    own = RateSchedule.objects.filter(plan_instance=instance).exclude(charge__in=except_of)
    return list(own.select_related("charge").prefetch_related("tiers"))


def _not_too_large(price: RateSchedule) -> RateSchedule:
    """Return the price. Refuses (90008) one that no invoice could charge for the units of a customer with the plan."""
    lock_plan(price.charge.plan_id)
    _check_not_too_large(price.charge, terms_of(price), price.plan_instance_id)
    return price


def _check_not_too_large(charge: PlanCharge, terms: RateTerms, instance_no: int | None) -> None:
    if terms.model == RateModel.FLAT or charge.line_type == ChargeType.USAGE:
        return
    running = Q(end_date=None) | Q(end_date__gte=terms.valid_from or FROM_THE_BEGINNING)
    instances = PlanInstance.objects.filter(running, plan=charge.plan_id, account__currency=terms.currency)
    if instance_no is not None:
        instances = instances.filter(pk=instance_no)
    most = instances.filter(taken_off_on=None).order_by("-units").first()
    highest = max(terms.rate_per_unit or ZERO, *(tier.rate_per_unit for tier in terms.tiers), ZERO)
    if most is not None and most.units * highest > LARGEST_AMOUNT:
        detail = Detail(
            "rate_per_unit: {rate} for {units} units of plan instance {instance}",
            rate=highest,
            units=most.units,
            instance=most.pk,
        )
        raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, detail, field="rate_per_unit")


def check_units_not_too_large(instance: PlanInstance, currency: str) -> None:
    """Refuse (90008) units that no invoice could charge at the plan's prices, as the account could not be billed any more."""
    lock_plan(instance.plan_id)
    prices = RateSchedule.objects.filter(charge__plan=instance.plan_id, currency=currency)
    prices = prices.filter(Q(plan_instance=None) | Q(plan_instance=instance)).exclude(model=RateModel.FLAT)
    for price in prices.exclude(charge__line_type=ChargeType.USAGE).prefetch_related("tiers"):
        if _highest_rate(price) * instance.units > LARGEST_AMOUNT:
            detail = Detail(
                "units: {units} at {rate} {currency}",
                units=instance.units,
                rate=_highest_rate(price),
                currency=currency,
            )
            raise BillingError(ErrorCode.AMOUNT_TOO_LARGE, detail, field="units")


def lock_plan(plan_no: int) -> None:
    """Lock the plan until the end of the transaction. The account must be locked first.

    A simultaneous change of its prices or of a customer's units then sees what was written here. Otherwise each change alone
    could be billed, but both together not.
    """
    Plan.objects.select_for_update(no_key=True).get(pk=plan_no)


def _highest_rate(price: RateSchedule) -> Decimal:
    return max(price.rate_per_unit or ZERO, *(tier.rate_per_unit for tier in price.tiers.all()), ZERO)


def check_offered(plan: Plan, currency: str, own: Container[PlanCharge]) -> None:
    listed = RateSchedule.objects.filter(charge=OuterRef("pk"), plan_instance=None, currency=currency)
    for charge in plan.charges.filter(~Exists(listed)).select_related("service"):
        if charge not in own:
            detail = Detail(
                "{plan} has no price in {currency} for {charge}", plan=str(plan), currency=currency, charge=in_english(charge)
            )
            raise BillingError(ErrorCode.CURRENCY_MISMATCH, detail, field="plan")
