"""Free trials: nothing is charged until the trial ends, and then the days that are left."""

from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import PlanInstance
from accounts.periods import ONE_DAY, InstanceDates, cycles_due, trial_end
from accounts.services.accounts import create_client
from accounts.services.plans import change_plan, end_plan_instance
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import line_amount
from invoices.plan.charges import share_of
from tests.support.accounts_api import API, with_key
from tests.support.billing import ACTIVATION, ARREARS, USAGE, bill, charged
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account, an_instance, some_usage

JAN_1, JAN_14, JAN_15, JAN_31, FEB_1, FEB_28 = (
    date(2031, 1, 1),
    date(2031, 1, 14),
    date(2031, 1, 15),
    date(2031, 1, 31),
    date(2031, 2, 1),
    date(2031, 2, 28),
)


def on_trial(client, plan, start=JAN_1, **fields):
    account = an_account_without_plan(client)
    return account, an_instance(account, plan, start, **fields)


def an_account_without_plan(client, **fields):
    account = an_account(client, start=JAN_1, **fields)
    account.plan_instances.all().delete()
    account.bill_day = account.next_bill_date = None
    account.save()
    return account


def days(invoice, *types):
    return [(amount, first, last) for _, _, amount, first, last in charged(invoice, *types)]


@pytest.mark.usefixtures("audited")
class TestCharges:
    def test_nothing_is_due_in_the_trial_and_its_rest_is_charged_from_the_next_day(self, acme, process):
        account, _ = on_trial(acme, a_plan(acme, {"line": "31.00"}, trial_length=2, trial_unit="weeks"))
        assert (account.next_bill_date, account.bill_day) == (JAN_15, 1)
        with pytest.raises(BillingError) as refused:
            bill(account, process, JAN_14)
        assert refused.value.code is ErrorCode.BILL_DATE_IN_FUTURE
        assert days(bill(account, process, JAN_15)) == [(D(17), JAN_15, JAN_31)]
        assert days(bill(account, process, FEB_1)) == [(D(31), FEB_1, FEB_28)]

    def test_a_charge_in_arrears_has_the_days_after_the_trial(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "support", "31.00", ARREARS)
        account, _ = on_trial(acme, plan, trial_end=JAN_14)
        assert bill(account, process, JAN_15) is None
        assert days(bill(account, process, FEB_1)) == [(D(17), JAN_15, JAN_31)]

    def test_the_activation_is_charged_with_the_first_days_that_cost(self, acme, process):
        plan = a_plan(acme, {"line": "31.00"}, trial_length=14)
        a_charge(plan, "setup", "50.00", ACTIVATION)
        account, _ = on_trial(acme, plan)
        assert days(bill(account, process, JAN_15)) == [(D(50), JAN_15, JAN_15), (D(17), JAN_15, JAN_31)]

    def test_a_plan_that_ends_within_its_trial_is_never_charged(self, acme, process):
        plan = a_plan(acme, {"line": "31.00"}, trial_length=1, trial_unit="months")
        a_charge(plan, "setup", "50.00", ACTIVATION)
        account, instance = on_trial(acme, plan)
        end_plan_instance(instance, date(2031, 1, 20), caller=BY_TEST)
        account.refresh_from_db()
        assert account.next_bill_date is None

    def test_a_quarter_keeps_its_days_after_a_trial(self, acme, process):
        account, _ = on_trial(acme, a_plan(acme, {"line": "90.00"}, billing_interval=3, trial_length=14))
        assert days(bill(account, process, JAN_15)) == [(D(76), JAN_15, date(2031, 3, 31))]
        assert account.next_bill_date == date(2031, 4, 1)

    def test_a_trial_over_a_month_end_skips_the_whole_cycle(self, acme, process):
        account, _ = on_trial(acme, a_plan(acme, {"line": "28.00"}), trial_end=date(2031, 2, 14))
        assert account.next_bill_date == date(2031, 2, 15)
        assert days(bill(account, process, date(2031, 2, 15))) == [(D(14), date(2031, 2, 15), FEB_28)]

    def test_usage_of_the_trial_is_shown_and_costs_nothing(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "calls", None, USAGE, tiers={"0": "1", "10": "0.5"}, minimum_amount=D(31))
        account, instance = on_trial(acme, plan, trial_end=JAN_14)
        some_usage(instance, "calls", "40", date(2031, 1, 10))
        some_usage(instance, "calls", "12", date(2031, 1, 20))
        bill(account, process, JAN_15)
        invoice = bill(account, process, FEB_1)
        assert charged(invoice, USAGE) == [
            ("Calls", D(40), D(0), JAN_1, JAN_14),
            ("Calls", D(10), D(10), JAN_15, JAN_31),
            ("Calls", D(2), D(1), JAN_15, JAN_31),
            ("Calls, minimum", None, D(6), JAN_15, JAN_31),
        ]
        assert invoice.lines.first().explanation == "free in the trial until 2031-01-14"
        assert not instance.usage.filter(invoice=None).exists()

    def test_what_is_left_of_a_trial_goes_on_with_another_plan(self, acme, process):
        account, basic = on_trial(acme, a_plan(acme, {"line": "31.00"}, trial_length=14))
        pro = a_plan(acme, {"pro": "62.00"}, trial_length=30)
        new = change_plan(instance=basic, plan=pro, start_date=date(2031, 1, 8), caller=BY_TEST)
        account.refresh_from_db()
        assert new.trial_end == JAN_14
        assert [row[:3] for row in charged(bill(account, process, JAN_15))] == [("Pro", D(1), D(34))]

    def test_a_trial_of_yen_on_a_month_end_in_a_leap_year(self, acme, process):
        plan = a_plan(acme, {"line": "2900"}, currency="jpy", trial_length=1, trial_unit="months")
        account = an_account_without_plan(acme, currency="jpy")
        instance = an_instance(account, plan, date(2032, 1, 31))
        assert instance.trial_end == date(2032, 2, 28)
        assert days(bill(account, process, date(2032, 2, 29))) == [(D(2900), date(2032, 2, 29), date(2032, 3, 30))]

    def test_a_later_plan_on_a_trial_is_charged_on_the_next_bill_day(self, acme, process):
        account = an_account(acme, start=JAN_1)
        bill(account, process, JAN_1)
        an_instance(account, a_plan(acme, {"line": "28.00"}, trial_length=30), date(2031, 1, 20))
        assert len(days(bill(account, process, FEB_1))) == 1
        found = days(bill(account, process, date(2031, 3, 1)))
        assert found[1:] == [(D(10), date(2031, 2, 19), FEB_28), (D(28), date(2031, 3, 1), date(2031, 3, 31))]


@pytest.mark.django_db
class TestDoors:
    @pytest.fixture
    def api(self, acme):
        return with_key(acme)

    def post(self, api, path, body):
        answer = api.post(f"{API}/{path}/", body, format="json")
        return answer.status_code, answer.json()

    def test_a_plan_has_a_trial_and_a_customer_may_have_another(self, api, acme):
        plan = a_plan(acme, trial_length=2, trial_unit="weeks")
        shown = api.get(f"{API}/plans/{plan.pk}/").json()
        assert (shown["trial_length"], shown["trial_unit"]) == (2, "weeks")
        account = an_account(acme)
        body = {"acct_no": account.pk, "plan": plan.pk, "start_date": "2031-01-01"}
        ends = [
            self.post(api, "plan-instances", {**body, **more})[1]["trial_end"]
            for more in ({}, {"trial_end": None}, {"trial_end": "2031-03-31"})
        ]
        assert ends == ["2031-01-14", None, "2031-03-31"]

    def test_a_trial_ends_on_its_first_day_or_later(self, api, acme):
        body = {"acct_no": an_account(acme).pk, "plan": a_plan(acme).pk, "start_date": "2031-01-02", "trial_end": "2031-01-01"}
        status, answer = self.post(api, "plan-instances", body)
        assert (status, answer["error_code"], list(answer["errors"])) == (409, 90190, ["trial_end"])
        body |= {"trial_end": "2031-01-20", "billed_through": "2031-01-15"}
        assert self.post(api, "plan-instances", body)[1]["error_code"] == 90190

    def test_a_trial_is_made_longer_until_it_is_billed(self, api, acme, process):
        account, instance = on_trial(acme, a_plan(acme, {"line": "31.00"}, trial_length=14))
        path = f"plan-instances/{instance.pk}/trial"
        assert self.post(api, path, {"trial_end": "2031-01-21"})[1]["trial_end"] == "2031-01-21"
        account.refresh_from_db()
        assert account.next_bill_date == date(2031, 1, 22)
        bill(account, process, date(2031, 1, 22))
        status, answer = self.post(api, path, {"trial_end": None})
        assert (status, answer["error_code"]) == (409, 90190)
        assert PlanInstance.objects.get(pk=instance.pk).trial_end == date(2031, 1, 21)

    def test_another_client_and_a_key_without_rights_change_no_trial(self, acme, process):
        _, instance = on_trial(acme, a_plan(acme, {"line": "31.00"}, trial_length=14))
        other, _, _ = create_client(name="Other", caller=BY_TEST)
        path = f"plan-instances/{instance.pk}/trial"
        assert self.post(with_key(other), path, {"trial_end": None})[0] == 404
        assert self.post(with_key(acme, may_change_customers=False), path, {"trial_end": None})[1]["error_code"] == 90009


@given(
    start=st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    length=st.integers(1, 400),
    bill_day=st.integers(1, 31),
    interval=st.sampled_from([1, 3, 6, 12]),
    rate=st.decimals(1, 5000, places=2),
)
def test_the_trial_and_the_rest_are_the_whole(start, length, bill_day, interval, rate):
    """What is charged after a trial, and what its days would have cost, add up to the price without a trial."""
    until = trial_end(start, length, "days")
    usd = currency_of("usd")

    def cost(dates, bill_date):
        return sum(line_amount(rate, D(1), share_of(one), usd) for one in cycles_due(dates, bill_date, bill_day))

    last = until + 500 * ONE_DAY
    whole = cost(InstanceDates(start, None, None, interval), last)
    rest = cost(InstanceDates(start, None, None, interval, trial_end=until), last)
    trial = cost(InstanceDates(start, until, None, interval), last)
    assert trial + rest == whole
