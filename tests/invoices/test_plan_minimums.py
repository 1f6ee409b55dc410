"""The minimum of a whole plan: what its charges of a cycle lack is added when the cycle has ended."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import PlanMinimum
from accounts.services.pauses import pause_billing
from accounts.services.plans import end_plan_instance
from invoices.services.undoing.voiding import void_invoice
from tests.support.accounts_api import API, with_key
from tests.support.billing import ARREARS, USAGE, bill
from tests.support.factories import BY_TEST, PlanFactory, ServiceFactory, a_charge, an_account, an_instance, some_usage
from tests.support.rebilling import line, rebilled

JAN_1, FEB_1, MAR_1, APR_1 = (date(2031, month, 1) for month in (1, 2, 3, 4))
JAN_5, JAN_31, FEB_5 = date(2031, 1, 5), date(2031, 1, 31), date(2031, 2, 5)


def a_minimum(client, amount, fee=None, in_arrears=False, currency="usd", start=JAN_1, **fields):
    """An account with usage at 1.00, maybe a fee, and a minimum of the whole plan."""
    plan = PlanFactory(client=client, name="Pro", **fields)
    if fee:
        a_charge(plan, "fee", fee, *([ARREARS] if in_arrears else []), currency=currency)
    a_charge(plan, "calls", "1.00", USAGE, currency=currency)
    PlanMinimum.objects.create(plan=plan, currency=currency, amount=D(amount))
    account = an_account(client, plan, start=start, currency=currency)
    return account, account.plan_instances.get()


def rows(invoice):
    shown = invoice.lines.exclude(line_type=2) if invoice else []
    return [(one.description, one.amount, one.period_start) for one in shown]


def added(invoice):
    return [one.amount for one in invoice.lines.all() if one.description == "Pro, minimum"]


@pytest.mark.usefixtures("audited")
class TestMinimum:
    def test_a_fee_in_advance_and_usage_are_raised_together(self, acme, process):
        account, instance = a_minimum(acme, "100", "50.00")
        assert rows(bill(account, process, JAN_1)) == [("Fee", D(50), JAN_1)]
        some_usage(instance, "calls", "30", JAN_5)
        invoice = bill(account, process, FEB_1)
        assert rows(invoice) == [("Fee", D(50), FEB_1), ("Calls", D(30), JAN_1), ("Pro, minimum", D(20), JAN_1)]
        shown = invoice.lines.get(description="Pro, minimum")
        assert (shown.line_type, shown.service.client_service_id) == (7, "fee")
        assert shown.explanation == "charges of 80.00, up to the plan's minimum of 100.00"

    def test_a_plan_that_reaches_its_minimum_gets_no_line_and_one_without_usage_all_of_it(self, acme, process):
        account, instance = a_minimum(acme, "100", "50.00", in_arrears=True)
        bill(account, process, JAN_1)
        some_usage(instance, "calls", "50", JAN_5)
        assert added(bill(account, process, FEB_1)) == []
        assert added(bill(account, process, MAR_1)) == [D(50)]

    def test_late_usage_is_within_the_minimum_that_was_charged(self, acme, process):
        account, instance = a_minimum(acme, "100", "50.00")
        bill(account, process, JAN_1)
        assert added(bill(account, process, FEB_1)) == [D(50)]
        some_usage(instance, "calls", "30", JAN_5)
        some_usage(instance, "calls", "60", FEB_5)
        march = bill(account, process, MAR_1)
        assert [row[1:] for row in rows(march)] == [(D(50), MAR_1), (D(30), JAN_1), (D(60), FEB_1), (D(-30), JAN_1)]
        some_usage(instance, "calls", "25", JAN_5, "still later")
        assert added(bill(account, process, APR_1)) == [D(-20), D(50)]

    def test_the_first_and_the_last_part_of_a_cycle_have_their_part_of_the_minimum(self, acme, process):
        account, instance = a_minimum(acme, "31")
        bill(account, process, JAN_1)
        end_plan_instance(instance, date(2031, 1, 10), caller=BY_TEST)
        account.refresh_from_db()
        assert added(bill(account, process, FEB_1)) == [D(10)]
        assert account.next_bill_date is None

    def test_paused_and_free_days_have_none(self, acme, process):
        account, instance = a_minimum(acme, "31")
        bill(account, process, JAN_1)
        pause_billing(account=account, first_day=date(2031, 1, 11), last_day=date(2031, 1, 20), caller=BY_TEST)
        assert added(bill(account, process, FEB_1)) == [D(21)]
        free = an_instance(account, instance.plan, FEB_1, trial_end=date(2031, 2, 27))
        end_plan_instance(instance, JAN_31, caller=BY_TEST)
        account.refresh_from_db()
        assert added(bill(account, process, MAR_1)) == [D("1.11")]
        assert free.trial_end

    def test_a_quarter_of_yen_with_monthly_charges(self, acme, process):
        account, instance = a_minimum(acme, "9000", "500", in_arrears=True, currency="jpy", billing_interval=3)
        instance.plan.charges.update(billing_interval=1)
        bill(account, process, JAN_1)
        for month in (1, 2, 3):
            some_usage(instance, "calls", "1000", date(2031, month, 7))
        found = [rows(bill(account, process, day)) for day in (FEB_1, MAR_1, APR_1)]
        assert [[row[1] for row in one] for one in found] == [[D(500), D(1000)], [D(500), D(1000)], [D(500), D(1000), D(4500)]]

    def test_a_voided_invoice_does_not_count(self, acme, process):
        account, _ = a_minimum(acme, "100", "50.00")
        bill(account, process, JAN_1)
        february = bill(account, process, FEB_1)
        void_invoice(client=acme, invoice_no=february.pk, caller=process, today=FEB_1, reason_code=5)
        account.refresh_from_db()
        assert added(bill(account, process, FEB_1)) == [D(50)]

    def test_another_currency_has_no_minimum(self, acme, process):
        account, instance = a_minimum(acme, "100", "50.00")
        PlanMinimum.objects.update(currency="eur")
        bill(account, process, JAN_1)
        assert added(bill(account, process, FEB_1)) == []


@pytest.mark.usefixtures("audited")
class TestRebills:
    @pytest.fixture
    def invoice(self, acme, process):
        account, instance = a_minimum(acme, "100", "50.00")
        bill(account, process, JAN_1)
        some_usage(instance, "calls", "30", JAN_5)
        return bill(account, process, FEB_1)

    def test_it_is_recalculated_if_usage_changes(self, invoice, process):
        again = rebilled(invoice, process, line(2, units="45"), carries_unlisted=True)
        assert [row[1] for row in rows(again)] == [D(50), D(45), D(5)]

    def test_it_falls_away_and_comes_back(self, invoice, process):
        more = rebilled(invoice, process, line(2, units="60"), carries_unlisted=True)
        assert [row[1] for row in rows(more)] == [D(50), D(60)]
        less = rebilled(more, process, line(2, units="10"), carries_unlisted=True)
        assert [row[1] for row in rows(less)] == [D(50), D(10), D(40)]

    def test_an_amount_that_a_person_gives_stays(self, invoice, process):
        again = rebilled(invoice, process, line(2, units="45"), line(3, amount="7.00"), carries_unlisted=True)
        assert [row[1] for row in rows(again)] == [D(50), D(45), D(7)]
        assert added(rebilled(again, process, line(1, amount="40.00"), carries_unlisted=True)) == [D(7)]

    def test_unchanged_and_without_it(self, invoice, process):
        same = rebilled(invoice, process, line(1), line(2), line(3))
        assert rows(same) == rows(invoice)
        assert [row[1] for row in rows(rebilled(same, process, line(1), line(2)))] == [D(50), D(30)]

    def test_a_rebill_of_the_advance_fee_is_what_counts_later(self, acme, process):
        account, instance = a_minimum(acme, "100", "50.00")
        january = bill(account, process, JAN_1)
        rebilled(january, process, line(1, amount="80.00"))
        account.refresh_from_db()
        assert added(bill(account, process, FEB_1)) == [D(20)]


@pytest.mark.django_db
def test_rest_reads_and_writes_minimums(acme):
    api = with_key(acme)
    charge = {"service": ServiceFactory(client=acme).pk, "line_type": 6, "rate_per_unit": "1"}
    body = {"client_plan_id": "p", "name": "P", "currency": "usd", "minimum_amount": "100", "charges": [charge]}
    made = api.post(f"{API}/plans/", body, format="json").json()
    assert made["minimums"] == [{"currency": "usd", "amount": "100.0000", "service": None}]
    assert api.get(f"{API}/plans/{made['id']}/").json()["minimums"] == made["minimums"]
    body |= {"client_plan_id": "q", "minimums": [{"currency": "usd", "amount": "5"}]}
    twice = api.post(f"{API}/plans/", body, format="json")
    assert twice.status_code == 400 and PlanMinimum.objects.count() == 1
    del body["minimums"], body["currency"]
    assert api.post(f"{API}/plans/", body, format="json").json()["errors"].keys() == {"currency"}
