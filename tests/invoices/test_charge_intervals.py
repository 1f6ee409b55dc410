"""Charges of one plan that cover different numbers of months."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction

from accounts.kinds import ChargeType
from accounts.models import PlanCharge
from accounts.services.plans import end_plan_instance
from invoices.services.undoing.voiding import void_invoice
from tests.support.accounts_api import API, with_key
from tests.support.billing import ARREARS, USAGE, bill, charged
from tests.support.factories import BY_TEST, PlanFactory, a_charge, an_account, an_instance, some_usage

JAN_1, FEB_1, MAR_1, APR_1 = (date(2031, month, 1) for month in (1, 2, 3, 4))
JAN_31, FEB_28, MAR_31, DEC_31 = date(2031, 1, 31), date(2031, 2, 28), date(2031, 3, 31), date(2031, 12, 31)


def a_charge_of(plan, months, *of, **terms):
    charge = a_charge(plan, *of, **terms)
    PlanCharge.objects.filter(pk=charge.pk).update(billing_interval=months)


def rows(invoice):
    return [(name, amount, first, last) for name, _, amount, first, last in charged(invoice)] if invoice else None


@pytest.mark.usefixtures("audited")
class TestCharges:
    def test_a_yearly_fee_with_monthly_usage(self, acme, process):
        plan = PlanFactory(client=acme, billing_interval=12)
        a_charge(plan, "fee", "120.00")
        a_charge_of(plan, 1, "calls", "1.00", USAGE)
        account = an_account(acme, plan, start=JAN_1)
        (instance,) = account.plan_instances.all()
        assert rows(bill(account, process, JAN_1)) == [("Fee", D(120), JAN_1, DEC_31)]
        some_usage(instance, "calls", "7", date(2031, 1, 5))
        some_usage(instance, "calls", "5", date(2031, 2, 5))
        account.refresh_from_db()
        assert account.next_bill_date == FEB_1
        assert rows(bill(account, process, FEB_1)) == [("Calls", D(7), JAN_1, JAN_31)]
        assert rows(bill(account, process, MAR_1)) == [("Calls", D(5), FEB_1, FEB_28)]
        for month in range(4, 13):
            assert bill(account, process, date(2031, month, 1)) is None
        assert rows(bill(account, process, date(2032, 1, 1))) == [("Fee", D(120), date(2032, 1, 1), date(2032, 12, 31))]

    def test_a_monthly_plan_with_a_fee_of_each_quarter_in_advance_and_one_in_arrears(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "line", "10.00")
        a_charge_of(plan, 3, "rent", "90.00")
        a_charge_of(plan, 3, "care", "60.00", ARREARS)
        account = an_account(acme, plan, start=JAN_1)
        found = [rows(bill(account, process, day)) for day in (JAN_1, FEB_1, MAR_1, APR_1)]
        assert found[0] == [("Line", D(10), JAN_1, JAN_31), ("Rent", D(90), JAN_1, MAR_31)]
        assert [len(one) for one in found[1:3]] == [1, 1]
        assert found[3] == [
            ("Line", D(10), APR_1, date(2031, 4, 30)),
            ("Rent", D(90), APR_1, date(2031, 6, 30)),
            ("Care", D(60), JAN_1, MAR_31),
        ]

    def test_each_charge_has_a_stub_up_to_the_next_bill_day(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "line", "31.00")
        a_charge_of(plan, 12, "rent", "365.00")
        account = an_account(acme, plan, start=date(2031, 1, 20), bill_day=1)
        stub = rows(bill(account, process, date(2031, 1, 20)))
        assert stub == [("Line", D(12), date(2031, 1, 20), JAN_31), ("Rent", D(12), date(2031, 1, 20), JAN_31)]
        assert rows(bill(account, process, FEB_1))[1] == ("Rent", D(365), FEB_1, date(2032, 1, 31))
        assert len(rows(bill(account, process, MAR_1))) == 1

    def test_a_voided_invoice_with_both_is_billed_again(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "line", "10.00")
        a_charge_of(plan, 3, "rent", "90.00")
        account = an_account(acme, plan, start=JAN_1)
        first, second = bill(account, process, JAN_1), bill(account, process, FEB_1)
        void_invoice(client=acme, invoice_no=first.pk, caller=process, today=FEB_1, reason_code=5)
        again = bill(account, process, FEB_1, again_for=first.pk)
        assert rows(again) == [("Line", D(10), JAN_1, JAN_31), ("Rent", D(90), JAN_1, MAR_31)]
        assert rows(second) == [("Line", D(10), FEB_1, FEB_28)]

    def test_the_end_of_a_plan_gives_back_the_rest_of_its_year(self, acme, process):
        acme.credit_unused_on_end = True
        acme.save()
        plan = PlanFactory(client=acme)
        a_charge(plan, "line", "10.00")
        a_charge_of(plan, 12, "rent", "365.00")
        account = an_account(acme, plan, start=JAN_1)
        other = PlanFactory(client=acme)
        a_charge(other, "other", "400.00")
        bill(account, process, JAN_1)
        an_instance(account, other, FEB_1)
        end_plan_instance(account.plan_instances.first(), JAN_31, caller=BY_TEST)
        account.refresh_from_db()
        assert [row[1] for row in rows(bill(account, process, FEB_1))] == [D(400), D(-334)]

    def test_usage_of_a_quarter_with_a_minimum_among_monthly_usage(self, acme, process):
        plan = PlanFactory(client=acme)
        a_charge(plan, "calls", "1.00", USAGE)
        a_charge_of(plan, 3, "data", "1.00", USAGE, minimum_amount=D(20))
        account = an_account(acme, plan, start=JAN_1)
        (instance,) = account.plan_instances.all()
        for day in (date(2031, 1, 5), date(2031, 2, 5)):
            some_usage(instance, "calls", "3", day)
            some_usage(instance, "data", "4", day)
        assert bill(account, process, JAN_1) is None
        assert rows(bill(account, process, FEB_1)) == [("Calls", D(3), JAN_1, JAN_31)]
        assert rows(bill(account, process, MAR_1)) == [("Calls", D(3), FEB_1, FEB_28)]
        assert rows(bill(account, process, APR_1)) == [("Data", D(8), JAN_1, MAR_31), ("Data, minimum", D(12), JAN_1, MAR_31)]
        some_usage(instance, "data", "5", date(2031, 1, 7))
        assert rows(bill(account, process, date(2031, 5, 1))) == [
            ("Data", D(5), JAN_1, MAR_31),
            ("Data, minimum", D(-5), JAN_1, MAR_31),
        ]


@pytest.mark.django_db
def test_the_interval_of_a_charge_is_1_3_6_or_12_and_an_activation_has_none(acme):
    plan = PlanFactory(client=acme)
    charge = a_charge(plan, "line", "1.00")
    setup = a_charge(plan, "setup", "1.00", ChargeType.ACTIVATION)
    for row, months in ((charge, 2), (setup, 12)):
        with pytest.raises(IntegrityError), transaction.atomic():
            PlanCharge.objects.filter(pk=row.pk).update(billing_interval=months)


@pytest.mark.django_db
def test_rest_reads_and_writes_the_interval_of_a_charge(acme):
    api = with_key(acme)
    service = api.post(f"{API}/services/", {"client_service_id": "s", "name": "S", "gl_code": "1"}, format="json").json()["id"]
    charges = [{"service": service, "line_type": 6, "billing_interval": 1, "rate_per_unit": "1"}]
    body = {"client_plan_id": "p", "name": "P", "currency": "usd", "billing_interval": 12, "charges": charges}
    plan = api.post(f"{API}/plans/", body, format="json").json()
    assert api.get(f"{API}/plans/{plan['id']}/").json()["charges"][0]["billing_interval"] == 1
    charges[0]["billing_interval"] = 5
    wrong = api.post(f"{API}/plans/", body | {"client_plan_id": "q"}, format="json")
    assert wrong.status_code == 400 and "billing_interval" in str(wrong.json()["errors"])
