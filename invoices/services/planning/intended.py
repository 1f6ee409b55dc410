"""The next invoice of an account with a change that is not written yet: the change is made in the facts. Writes nothing.

The services that make such a change return its rows before they are stored (`planned_...`), with the same refusals. The tax
engine is not asked, so lines are before tax.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.models import Account, BillingPause, Client, Service
from accounts.periods import next_bill_date
from accounts.rates import RateTerms, rates_of
from billing_site.errors import BillingError
from invoices.document import Line
from invoices.models import CouponRedemption, OneTimeCharge, ServiceCredit
from invoices.plan import plan_charges
from invoices.plan.facts import (
    AccountFacts,
    BillingRequest,
    ChargeFacts,
    CouponFacts,
    CreditFacts,
    InstanceFacts,
    OrderFacts,
    ServiceFacts,
    UsageTotal,
)
from invoices.services.documents.orders_due import orders_due_of
from invoices.services.planning.extras import references_of
from invoices.services.planning.facts import read_facts
from invoices.services.planning.instance_facts import Metered
from invoices.services.usage.loading import PlannedUsage
from invoices.services.usage.usage_storage import billed_usage

NOT_STORED = 0
"""The number of a row that is not stored yet."""

Change = Callable[[AccountFacts], AccountFacts]


class NextInvoice(NamedTuple):
    """The charges and credits of an account's next invoice, before tax. `why_not` says why it cannot be planned."""

    bill_date: date | None
    lines: Sequence[Line]
    amount: Decimal
    currency: str
    why_not: BillingError | None = None

    @property
    def facts(self) -> tuple[object, ...]:
        """What of it a preview shows."""
        lines = [(one.description, one.units, one.amount, one.period_start, one.period_end) for one in self.lines]
        return self.bill_date, lines, self.amount, self.why_not and self.why_not.code.number


class NextInvoices(NamedTuple):
    """The next invoice of an account as it is now, and after a change."""

    before: NextInvoice
    after: NextInvoice


def preview_change(*, client: Client, account_no: int, today: date, change: Change) -> NextInvoices:
    """Return the next invoice of an account of the client before and after a change of its facts."""
    facts = read_facts(client, [account_no], all_usage=True).accounts[account_no]
    return NextInvoices(next_invoice_of(facts, today), next_invoice_of(change(facts), today))


def next_invoice_of(facts: AccountFacts, today: date) -> NextInvoice:
    """Return what an account's next invoice has if nothing changes until its bill date."""
    due, currency = facts.state.next_bill_date, facts.state.currency.code
    try:
        plan = plan_charges(facts, BillingRequest(max(today, due or today)))
    except BillingError as error:
        return NextInvoice(due, (), Decimal(0), currency, error)
    return NextInvoice(plan.bill_date, plan.lines, plan.net_amount, currency)


def with_instances(facts: AccountFacts, instances: Sequence[InstanceFacts], orders_due: date | None) -> AccountFacts:
    """Return the facts with these plan instances, and with the bill date that follows from them."""
    state = facts.state
    if state.bill_day is not None:
        dates = [one.dates for one in instances]
        due = next_bill_date(dates, state.bill_day, state.last_bill_date, state.arrears_due_from, orders_due)
        state = state._replace(next_bill_date=due)
    return facts._replace(state=state, instances=tuple(instances))


def pausing(account: Account, pause: BillingPause) -> Change:
    """Return the change that a pause makes: a new one, or a stored one with another last day."""
    others = [(one.first_day, one.last_day) for one in account.pauses.all() if one.pk != pause.pk]
    pauses = tuple(sorted([*others, (pause.first_day, pause.last_day)], key=lambda one: one[0]))

    def change(facts: AccountFacts) -> AccountFacts:
        return facts._replace(instances=tuple(one._replace(pauses=pauses) for one in facts.instances))

    return change


def with_trial(account: Account, instance_no: int, trial_end: date | None) -> Change:
    """Return the change that another last free day of a plan instance makes."""

    def changed(one: InstanceFacts) -> InstanceFacts:
        return one._replace(dates=one.dates._replace(trial_end=trial_end)) if one.plan_instance_no == instance_no else one

    return lambda facts: with_instances(facts, [changed(one) for one in facts.instances], account.orders_due)


def with_po_number(instance_no: int, po_num: str) -> Change:
    """Return the change that another PO number of a plan instance makes."""

    def changed(one: InstanceFacts) -> InstanceFacts:
        return one._replace(po_num=po_num) if one.plan_instance_no == instance_no else one

    return lambda facts: facts._replace(instances=tuple(changed(one) for one in facts.instances))


def with_own_price(instance_no: int, charge_no: int, terms: RateTerms, *, replaces: int | None = None) -> Change:
    """Return the change that an own price of a plan instance makes: a new one, or the stored one that `replaces` names."""

    def priced(charge: ChargeFacts) -> ChargeFacts:
        if charge.charge_no != charge_no:
            return charge
        kept = [one for one in charge.own if one.schedule_no != replaces]
        return charge._replace(own=(*kept, rates_of(terms)))

    def changed(one: InstanceFacts) -> InstanceFacts:
        if one.plan_instance_no != instance_no:
            return one
        return one._replace(charges=tuple(priced(charge) for charge in one.charges))

    return lambda facts: facts._replace(instances=tuple(changed(one) for one in facts.instances))


def with_order(account: Account, order: OneTimeCharge) -> Change:
    """Return the change that a one-time charge makes. One that is stored changes nothing."""
    if order.pk is not None:
        return lambda facts: facts
    due = orders_due_of(account.pk, with_one_on=order.charge_date)
    return lambda facts: with_instances(facts._replace(orders=(*facts.orders, _order_facts(order))), facts.instances, due)


def with_changed_order(account: Account, order: OneTimeCharge) -> Change:
    """Return the change that other terms of a stored one-time charge make."""
    due = orders_due_of(account.pk, with_one_on=order.charge_date, without=order.pk)

    def change(facts: AccountFacts) -> AccountFacts:
        orders = tuple(_order_facts(order) if one.order_no == order.pk else one for one in facts.orders)
        return with_instances(facts._replace(orders=orders), facts.instances, due)

    return change


def without_order(account: Account, order_no: int) -> Change:
    """Return the change that the cancelling of a one-time charge makes."""
    due = orders_due_of(account.pk, without=order_no)

    def change(facts: AccountFacts) -> AccountFacts:
        kept = tuple(one for one in facts.orders if one.order_no != order_no)
        return with_instances(facts._replace(orders=kept), facts.instances, due)

    return change


def with_coupon(redemption: CouponRedemption) -> Change:
    """Return the change that a redeemed coupon makes."""
    coupon = redemption.coupon
    services = frozenset(coupon.services.values_list("pk", flat=True))
    added = CouponFacts(NOT_STORED, coupon.code, coupon.name, coupon.gl_code, coupon.percent, coupon.amount, services)
    return lambda facts: facts._replace(coupons=(*facts.coupons, added))


def without_coupon(redemption_no: int) -> Change:
    """Return the change that the withdrawal of a redeemed coupon makes."""
    return lambda facts: facts._replace(coupons=tuple(one for one in facts.coupons if one.redemption_no != redemption_no))


def with_credit(credit: ServiceCredit) -> Change:
    """Return the change that a service credit makes."""
    added = CreditFacts(
        NOT_STORED, credit.reason, credit.gl_code, credit.service_id, credit.expires_on, credit.amount, credit.amount
    )
    return lambda facts: facts._replace(credits=(*facts.credits, added))


def with_expiry(credit_no: int, expires_on: date | None) -> Change:
    """Return the change that another last day of a service credit makes."""

    def changed(one: CreditFacts) -> CreditFacts:
        return one._replace(expires_on=expires_on) if one.credit_no == credit_no else one

    return lambda facts: facts._replace(credits=tuple(changed(one) for one in facts.credits))


def with_usage(used: PlannedUsage) -> Change:
    """Return the change that a usage record makes. If it is late, what its cycle has billed is read too."""
    added = UsageTotal(used.service_no, used.used_on, used.units, 1, NOT_STORED)

    def change(facts: AccountFacts) -> AccountFacts:
        def changed(one: InstanceFacts) -> InstanceFacts:
            if one.plan_instance_no != used.plan_instance_no:
                return one
            usage = (*one.usage, added)
            late = Metered(one, facts.state, facts.state.bill_day).late_from(usage)
            billed = {} if late is None else billed_usage({one.plan_instance_no: late}, ())
            return one._replace(usage=usage, billed_usage=tuple(billed.get(one.plan_instance_no, ())))

        return facts._replace(instances=tuple(changed(one) for one in facts.instances))

    return change


def _order_facts(order: OneTimeCharge) -> OrderFacts:
    return OrderFacts(
        order.pk or NOT_STORED,
        order.client_order_id,
        order.description,
        _service_facts(order.service),
        order.units,
        order.rate_per_unit,
        order.charge_date,
        order.po_num,
        references_of(order),
    )


def _service_facts(service: Service) -> ServiceFacts:
    return ServiceFacts(
        service.pk, service.name, service.gl_code, service.tax_category, service.tax_inclusive, service.location_id
    )
