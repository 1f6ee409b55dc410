"""Find out whether an account can be billed, and in which ways. Writes nothing."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.kinds import ChargeType
from accounts.models import Client
from accounts.periods import Period, cycles_due
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.plan import check_billable, plan_charges
from invoices.plan.charges import price_on
from invoices.plan.facts import AccountFacts, BillingRequest, ChargeFacts, InstanceFacts
from invoices.plan.rating import single_rate
from invoices.services.planning.facts import read_facts

FIRST_DAY = 1
"""Any alternate bill day. Whether one may be chosen does not depend on which day it is."""


class Billable(NamedTuple):
    """Why an account cannot be billed now, in advance, with an alternate bill day, or for the last time. None if it can."""

    facts: AccountFacts
    now: BillingError | None
    ahead: BillingError | None
    alternate: BillingError | None
    final: BillingError | None


class PriceShown(NamedTuple):
    """The current price of a charge. `rate` is None if the price has bands or none is valid; `list_rate` is the list price if
    the account has its own price."""

    service: str
    charged: ChargeType
    model: str = ""
    rate: Decimal | None = None
    list_rate: Decimal | None = None


class PlanShown(NamedTuple):
    """A plan of an account, its prices, and the period that is billed next. `period` is None if it is billed to its end."""

    instance: InstanceFacts
    period: Period | None
    prices: tuple[PriceShown, ...]


def billable(*, client: Client, account_no: int, today: date) -> Billable:
    """Return whether the account could be billed now, without asking the tax engine. Refuses an unknown account (1009)."""
    facts = read_facts(client, [account_no]).accounts.get(account_no)
    if facts is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
    return Billable(
        facts,
        now=_refusal(facts, BillingRequest(today)),
        ahead=_refusal(facts, BillingRequest(today, advance=True)),
        alternate=_alternate_refusal(facts, today),
        final=_refusal(facts, BillingRequest(today, final=True)),
    )


def plans_shown(facts: AccountFacts, today: date) -> list[PlanShown]:
    """Return the plans of an account that still run or are not billed to their ends."""
    running = [one for one in facts.instances if one.dates.unbilled_from is not None or (one.dates.end or today) >= today]
    return [PlanShown(one, _next_period(facts, one), _prices(facts, one, today)) for one in running]


def _refusal(facts: AccountFacts, request: BillingRequest) -> BillingError | None:
    try:
        plan_charges(facts, request)
    except BillingError as error:
        return error
    return None


def _alternate_refusal(facts: AccountFacts, today: date) -> BillingError | None:
    try:
        check_billable(facts, BillingRequest(today, alt_bill_day=FIRST_DAY))
    except BillingError as error:
        return error
    return None


def _next_period(facts: AccountFacts, instance: InstanceFacts) -> Period | None:
    start, bill_day = instance.dates.unbilled_from, facts.state.bill_day
    if start is None or bill_day is None:
        return None
    return next(cycles_due(instance.dates, start, bill_day))


def _prices(facts: AccountFacts, instance: InstanceFacts, today: date) -> tuple[PriceShown, ...]:
    return tuple(_price(facts, charge, max(today, instance.dates.start)) for charge in instance.charges)


def _price(facts: AccountFacts, charge: ChargeFacts, day: date) -> PriceShown:
    shown = PriceShown(charge.service.name, ChargeType(charge.line_type))
    try:
        price = price_on(charge, facts.state.currency, day)
    except BillingError:
        return shown
    return shown._replace(model=price.rates.model, rate=single_rate(price.rates), list_rate=price.list_rate)
