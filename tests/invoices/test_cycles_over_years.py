"""Whatever plans an account has, and however often it is billed ahead: each day is charged once in advance, once in arrears."""

from datetime import date, timedelta
from decimal import Decimal as D

from hypothesis import settings
from hypothesis import strategies as st

from accounts.kinds import ChargeType
from accounts.periods import InstanceDates, next_bill_date
from accounts.rates import Band, Rates
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import InvoiceKind
from invoices.plan import plan_charges
from invoices.plan.facts import AccountFacts, BillingRequest, BillingState, ChargeFacts, InstanceFacts, ServiceFacts
from tests.support.random_examples import given

SERVICE = ServiceFacts(1, "Line", "4000", "standard", False, None)
PRICE = Rates(1, "usd", "per_unit", (Band(1, D(0), None, D("30.00")),))
CHARGES = tuple(ChargeFacts(kind, SERVICE, (PRICE,)) for kind in (ChargeType.RECURRING, ChargeType.ARREARS))
FIRST_DAY = date(2026, 1, 1)


@st.composite
def plan_instances(draw):
    start = FIRST_DAY + timedelta(draw(st.integers(0, 200)))
    length = draw(st.none() | st.integers(0, 300))
    interval = draw(st.sampled_from([1, 1, 3, 6, 12]))
    return InstanceDates(start, None if length is None else start + timedelta(length), None, interval, in_arrears=True)


def account_of(instances, state):
    return AccountFacts(
        state=state,
        approval_required=False,
        payment_terms_days=14,
        instances=tuple(InstanceFacts(number, dates, "Plan", D(1), "", CHARGES) for number, dates in instances.items()),
        orders=(),
        surcharges=(),
        coupons=(),
        credits=(),
        charged_days=(),
        pending_invoice_no=None,
        pending_recurring_date=None,
        approved_invoice_no=None,
        advance_bill_date=None,
        bill_to={},
        bill_to_contact_no=None,
        taxed_contact_no=None,
    )


def days(start, end):
    return range(start.toordinal(), end.toordinal() + 1)


@settings(deadline=None, max_examples=150)
@given(
    plans=st.lists(plan_instances(), min_size=1, max_size=3),
    bill_day=st.integers(1, 31),
    ahead=st.lists(st.booleans(), min_size=1, max_size=8),
    late=st.integers(0, 90),
)
def test_each_day_of_each_plan_is_charged_once_in_advance_and_once_in_arrears(plans, bill_day, ahead, late):
    """Two and a half years of bills, some ahead of their dates. The last plan becomes known `late` days after its start."""
    instances = dict(enumerate(plans))
    hidden = {max(instances): instances.pop(max(instances))} if len(instances) > 1 and late else {}
    state = BillingState(1, 1, False, currency_of("usd"), bill_day, None, None, None, 0)
    state = state._replace(next_bill_date=next_bill_date(instances.values(), bill_day, None, None))
    today = FIRST_DAY
    in_advance, in_arrears = {number: [] for number in range(len(plans))}, {number: [] for number in range(len(plans))}
    round_no, advance_until = 0, FIRST_DAY
    while today < date(2028, 7, 1):
        if hidden and today >= next(iter(hidden.values())).start + timedelta(late):
            instances |= hidden
            hidden = {}
            due = next_bill_date(instances.values(), bill_day, state.last_bill_date, state.arrears_due_from)
            state = state._replace(next_bill_date=due)
        wanted = ahead[round_no % len(ahead)] and advance_until <= today
        round_no += 1
        facts = account_of(instances, state)._replace(advance_bill_date=advance_until)
        try:
            plan = plan_charges(facts, BillingRequest(today, advance=wanted))
        except BillingError as error:
            assert error.code in (ErrorCode.BILL_DATE_IN_FUTURE, ErrorCode.NO_BILLABLE_PLAN)
            today += timedelta(5)
            continue
        if plan.kind is InvoiceKind.ADVANCE:
            advance_until = plan.bill_date
        for period in plan.periods:
            in_advance[period.plan_instance_id] += days(period.start_date, period.end_date)
        instances |= plan.instances_after
        for line in plan.lines:
            if line.line_type == ChargeType.ARREARS:
                in_arrears[line.plan_instance_id] += days(line.period_start, line.period_end)
        last_bill_date, arrears_due_from = plan.billed_to
        state = state._replace(
            next_bill_date=plan.next_bill_date, last_bill_date=last_bill_date, arrears_due_from=arrears_due_from
        )
    for number, dates in instances.items():
        whole = list(days(dates.start, dates.end or date(2099, 1, 1)))
        assert in_advance[number] == whole[: len(in_advance[number])]
        assert in_arrears[number] == whole[: len(in_arrears[number])]
        if dates.end is not None and dates.end < date(2027, 6, 1):
            assert in_advance[number] == in_arrears[number] == whole
        else:
            assert len(in_arrears[number]) > 100
