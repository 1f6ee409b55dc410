"""A plan that is changed or ends within a billed cycle: what was charged for its unused days is given back, once."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.services import change_plan, end_plan_instance
from invoices.audit import run_audits
from tests.factories import TaxRateFactory, a_plan, an_account
from tests.invoices.billing import bill

APR_15, APR_27, MAY_14, MAY_15, JUN_14, JUN_15 = (
    date(2031, 4, 15),
    date(2031, 4, 27),
    date(2031, 5, 14),
    date(2031, 5, 15),
    date(2031, 6, 14),
    date(2031, 6, 15),
)


def lines(invoice):
    return [(line.line_type, line.amount, line.period_start, line.period_end) for line in invoice.lines.all()]


def only_instance(account):
    return account.plan_instances.select_related("account").get()


def audited():
    assert [report for report in run_audits() if report.findings] == []


def test_arias_published_example(acme, process):
    """30 a month, 60 from 27 April, billed on the 15th: 12 used, 18 credited, 36 charged, then 60."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    assert bill(account, process, APR_15).total_amount == D("30.00")
    change_plan(instance=only_instance(account), plan=a_plan(acme, {"phone": "60.00"}), start_date=APR_27, caller=process)
    invoice = bill(account, process, MAY_15)
    assert lines(invoice) == [
        (1, D("36.00"), APR_27, MAY_14),
        (1, D("60.00"), MAY_15, JUN_14),
        (3, D("-18.00"), APR_27, MAY_14),
    ]
    assert invoice.total_amount == D("78.00")
    audited()
    assert lines(bill(account, process, JUN_15)) == [(1, D("60.00"), JUN_15, date(2031, 7, 14))]
    audited()


def test_the_tax_that_was_charged_is_given_back_at_its_rate(acme, process):
    rate = TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    assert bill(account, process, APR_15).tax_amount == D("2.18")
    rate.valid_to = MAY_14
    rate.save()
    TaxRateFactory(client=acme, percent=D("10"), valid_from=MAY_15)
    change_plan(instance=only_instance(account), plan=a_plan(acme, {"phone": "60.00"}), start_date=APR_27, caller=process)
    invoice = bill(account, process, MAY_15)
    taxes = [(tax.percent, tax.taxable_amount, tax.amount) for tax in invoice.tax_details.all()]
    assert taxes == [(D(10), D(36), D("3.60")), (D(10), D(60), D("6.00")), (D("7.25"), D(-18), D("-1.31"))]
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("78.00"), D("8.29"), D("86.29"))
    audited()


@pytest.mark.parametrize("credit", [None, True, False])
def test_an_end_gives_days_back_where_it_is_asked_for(acme, process, credit):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    an_other = a_plan(acme, {"tv": "5.00"})
    from tests.factories import an_instance

    an_instance(account, an_other, APR_15)
    bill(account, process, APR_15)
    end_plan_instance(account.plan_instances.earliest("pk"), date(2031, 4, 26), caller=process, credit_unused=credit)
    assert bill(account, process, MAY_15).total_amount == (D("0.00") if credit else D("5.00"))
    audited()
