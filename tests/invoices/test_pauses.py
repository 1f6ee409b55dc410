"""Pauses of billing, and the status of accounts: suspended days are not charged."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.kinds import AccountStatus
from accounts.models import Account, BillingPause
from accounts.models.history import change_many
from accounts.periods import Period, outside_pauses
from accounts.services.accounts import create_client
from accounts.services.pauses import pause_billing, resume_billing
from billing_site.errors import BillingError, ErrorCode
from tests.support.accounts_api import API, with_key
from tests.support.billing import ARREARS, USAGE, bill, charged
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account, some_usage

JAN_1, FEB_1, MAR_1, MAR_20, APR_1 = (
    date(2031, 1, 1),
    date(2031, 2, 1),
    date(2031, 3, 1),
    date(2031, 3, 20),
    date(2031, 4, 1),
)
MAR_31 = date(2031, 3, 31)


def on(day):
    return time_machine.travel(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), tick=False)


def set_status(account, status, day):
    with on(day):
        account.status = status
        account.save()
    account.refresh_from_db()


def days(invoice, *types):
    return invoice and [(amount, first, last) for _, _, amount, first, last in charged(invoice, *types)]


def bill_all(account, process, *bill_dates):
    return [days(bill(account, process, day)) for day in bill_dates]


@pytest.fixture
def account(acme):
    return an_account(acme, a_plan(acme, {"line": "10.00"}), start=JAN_1)


@pytest.mark.usefixtures("audited")
class TestStatus:
    @pytest.mark.parametrize("write", ["save", "update", "change_many"])
    def test_suspended_days_are_not_charged_however_the_status_is_written(self, account, process, write):
        bill(account, process, JAN_1)
        rows = Account.objects.filter(pk=account.pk)
        for day, status in ((FEB_1, AccountStatus.SUSPENDED), (MAR_20, AccountStatus.ACTIVE)):
            if write == "save":
                set_status(account, status, day)
                continue
            with on(day):
                rows.update(status=status) if write == "update" else change_many(rows, status=status)
        account.refresh_from_db()
        found = bill_all(account, process, MAR_20, MAR_20, APR_1)
        assert found == [None, [(D("3.87"), MAR_20, MAR_31)], [(D(10), APR_1, date(2031, 4, 30))]]
        (pause,) = BillingPause.objects.all()
        assert (pause.first_day, pause.last_day, pause.by_status) == (FEB_1, date(2031, 3, 19), True)

    def test_days_that_were_billed_in_advance_stay_billed(self, account, process):
        bill(account, process, JAN_1)
        set_status(account, AccountStatus.SUSPENDED, date(2031, 1, 10))
        set_status(account, AccountStatus.ACTIVE, date(2031, 2, 15))
        assert bill_all(account, process, date(2031, 2, 15)) == [[(D(5), date(2031, 2, 15), date(2031, 2, 28))]]

    def test_a_customer_who_is_reinstated_to_be_billed_back_has_no_pause(self, account, process):
        bill(account, process, JAN_1)
        set_status(account, AccountStatus.SUSPENDED, FEB_1)
        set_status(account, AccountStatus.REINSTATED_BACK_BILL, MAR_20)
        assert not BillingPause.objects.exists()
        assert [one[0][0] for one in bill_all(account, process, MAR_20, MAR_20)] == [D(10), D(10)]

    def test_dunning_and_a_day_there_and_back_are_no_pause(self, account):
        set_status(account, AccountStatus.ACTIVE_DUNNING_1, JAN_1)
        set_status(account, AccountStatus.SUSPENDED, JAN_1)
        set_status(account, AccountStatus.CANCELLED, JAN_1)
        set_status(account, AccountStatus.ACTIVE, JAN_1)
        assert not BillingPause.objects.exists()

    def test_arrears_of_a_half_month_twice(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "support", "31.00", ARREARS)
        account = an_account(acme, plan, start=MAR_1)
        bill(account, process, MAR_1)
        for first, back in ((date(2031, 3, 5), date(2031, 3, 9)), (MAR_20, date(2031, 3, 22))):
            set_status(account, AccountStatus.SUSPENDED, first)
            set_status(account, AccountStatus.ACTIVE, back)
        assert bill_all(account, process, APR_1) == [
            [
                (D(4), MAR_1, date(2031, 3, 4)),
                (D(11), date(2031, 3, 9), date(2031, 3, 19)),
                (D(10), date(2031, 3, 22), MAR_31),
            ]
        ]

    def test_the_clock_of_the_client_says_the_day(self, acme, account):
        acme.time_zone = "Pacific/Kiritimati"
        acme.save()
        with time_machine.travel(datetime(2031, 1, 31, 20, tzinfo=UTC), tick=False):
            account.status = AccountStatus.SUSPENDED
            account.save()
        assert BillingPause.objects.get().first_day == FEB_1


@pytest.mark.usefixtures("audited")
class TestPauses:
    def test_a_minimum_is_of_the_days_that_are_not_paused_and_usage_is_charged(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "calls", "1.00", USAGE, minimum_amount=D(31), maximum_amount=D(310))
        account = an_account(acme, plan, start=MAR_1)
        bill(account, process, MAR_1)
        pause_billing(account=account, first_day=date(2031, 3, 11), last_day=MAR_20, caller=BY_TEST)
        some_usage(account.plan_instances.get(), "calls", "5", date(2031, 3, 15))
        assert [row[2] for row in charged(bill(account, process, APR_1), USAGE)] == [D(5), D(16)]
        pause_billing(account=account, first_day=APR_1, caller=BY_TEST)
        account.refresh_from_db()
        assert bill(account, process, date(2031, 5, 1)) is None

    def test_a_pause_of_a_whole_year_leaves_nothing_behind(self, account, process):
        bill(account, process, JAN_1)
        pause_billing(account=account, first_day=FEB_1, last_day=date(2032, 1, 31), caller=BY_TEST)
        account.refresh_from_db()
        months = [date(2031 + month // 12, month % 12 + 1, 1) for month in range(1, 13)]
        assert bill_all(account, process, *months) == [None] * 12
        assert bill_all(account, process, date(2032, 2, 1)) == [[(D(10), date(2032, 2, 1), date(2032, 2, 29))]]

    def test_refusals_name_the_day_and_write_nothing(self, account, process):
        bill(account, process, JAN_1)
        wrong = [
            lambda: pause_billing(account=account, first_day=date(2031, 1, 20), caller=BY_TEST),
            lambda: pause_billing(account=account, first_day=MAR_1, last_day=FEB_1, caller=BY_TEST),
            lambda: resume_billing(account=account, first_day=MAR_1, caller=BY_TEST),
        ]
        for act in wrong:
            with pytest.raises(BillingError) as refused:
                act()
            assert refused.value.code is ErrorCode.PAUSE
        assert not BillingPause.objects.exists()
        pause_billing(account=account, first_day=MAR_1, caller=BY_TEST)
        with pytest.raises(BillingError):
            pause_billing(account=account, first_day=APR_1, caller=BY_TEST)
        with pytest.raises(BillingError):
            resume_billing(account=account, first_day=MAR_1, caller=BY_TEST)
        assert resume_billing(account=account, first_day=MAR_20, caller=BY_TEST).last_day == date(2031, 3, 19)


@pytest.mark.django_db
def test_rest_pauses_and_resumes_and_shows_it(acme):
    account = an_account(acme, start=JAN_1)
    api = with_key(acme)

    def post(act, body, who=api):
        answer = who.post(f"{API}/accounts/{account.pk}/{act}/", body, format="json")
        return answer.status_code, answer.json()

    assert post("pause", {"first_day": "2031-02-01"})[1]["pauses"] == [
        {"first_day": "2031-02-01", "last_day": None, "by_status": False}
    ]
    assert post("resume", {"first_day": "2031-03-20"})[1]["pauses"][0]["last_day"] == "2031-03-19"
    assert api.get(f"{API}/accounts/{account.pk}/").json()["pauses"][0]["first_day"] == "2031-02-01"
    status, answer = post("pause", {"first_day": "2031-03-01"})
    assert (status, answer["error_code"], list(answer["errors"])) == (409, 90191, ["first_day"])
    other, _, _ = create_client(name="Other", caller=BY_TEST)
    assert post("pause", {"first_day": "2031-06-01"}, with_key(other))[1]["error_code"] == 1009
    assert post("pause", {"first_day": "2031-06-01"}, with_key(acme, may_change_customers=False))[1]["error_code"] == 90009


def test_parts_outside_pauses_belong_to_one_full_period():
    march = Period(MAR_1, MAR_31, 31)
    assert outside_pauses(march, []) == [march]
    parts = outside_pauses(
        march, [(MAR_20, date(2031, 3, 22)), (date(2031, 3, 5), date(2031, 3, 21)), (date(2031, 5, 1), None)]
    )
    assert [(one.start, one.end, one.full_days, one.remaining_days) for one in parts] == [
        (MAR_1, date(2031, 3, 4), 31, 31),
        (date(2031, 3, 23), MAR_31, 31, 9),
    ]
    assert outside_pauses(march, [(FEB_1, None)]) == []
