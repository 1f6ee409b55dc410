"""What units cost at the prices of a charge of a customer. Writes nothing."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.models import PlanInstance, RateSchedule
from accounts.rates import RateTerms, rates_of, rates_on
from billing_site.common.currencies import currency_of
from invoices.plan.facts import ChargeFacts
from invoices.plan.rating import RatedCharge, rated
from invoices.services.planning.instance_facts import read_charges


class PriceCost(NamedTuple):
    """What units cost at a price: in each band, and in total. `is_own`: the customer's own price, not the list price."""

    is_own: bool
    units: Decimal
    rated: RatedCharge


def price_costs(
    instance: PlanInstance, charge_no: int, terms: RateTerms, units: Sequence[Decimal], day: date
) -> list[PriceCost]:
    """Return what these numbers of units cost for a whole period at the list price of a day, if there is one, and at own terms,
    in the order given."""
    currency = currency_of(terms.currency)
    listed = rates_on(day, terms.currency, charge_of(instance, charge_no).listed)
    found = []
    for number in units:
        if listed is not None:
            found.append(PriceCost(False, number, rated(listed, number, currency)))
        found.append(PriceCost(True, number, rated(rates_of(terms), number, currency)))
    return found


def charge_of(instance: PlanInstance, charge_no: int) -> ChargeFacts:
    """Return a charge of the plan of an instance, with its prices."""
    _, charges = read_charges([instance.account_id])[instance.pk]
    return next(one for one in charges if one.charge_no == charge_no)


def own_prices_of(instance: PlanInstance) -> list[RateSchedule]:
    """Return the own prices of a plan instance, by charge and day."""
    prices = RateSchedule.objects.filter(plan_instance=instance).select_related("charge__service", "plan_instance__account")
    return list(prices.prefetch_related("tiers").order_by("charge", "valid_from", "pk"))
