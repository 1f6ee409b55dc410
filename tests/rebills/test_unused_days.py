"""Rebills of documents whose days are given back later, and of documents that give days back."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.services.plans import change_plan
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.models import UnusedCredit
from invoices.services.billing.plan_changes import end_plan
from tests.support.billing import ARREARS, bill
from tests.support.factories import TaxRateFactory, a_charge, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.rebilling import line, rebilled

APR_15, APR_27, MAY_15, JUN_15 = date(2031, 4, 15), date(2031, 4, 27), date(2031, 5, 15), date(2031, 6, 15)
AUG_14, AUG_15 = date(2031, 8, 14), date(2031, 8, 15)


def back(invoice):
    return [one.amount for one in invoice.lines.filter(line_type=3)]


def audited():
    assert [report for report in run_audits() if report.findings] == []


@pytest.fixture
def account(acme, process):
    """30.00 from 15 April with 7.25 % tax, 60.00 from 27 April."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "5.00"}), start=APR_15)
    bill(account, process, APR_15)
    instance = account.plan_instances.select_related("account").get()
    change_plan(instance=instance, plan=a_plan(acme, {"phone": "60.00", "tv": "5.00"}), start_date=APR_27, caller=process)
    return account


def of(account, number):
    return account.invoices.filter(kind="recurring").order_by("pk")[number]


def test_what_a_rebill_charges_is_given_back(account, process):
    """The line was corrected to 25.00 before the next invoice: 15.00 of it was not used."""
    rebilled(of(account, 0), process, line(1, amount="25.00"), carries_unlisted=True)
    assert back(bill(account, process, MAY_15)) == [D("-15.00"), D("-3.00")]
    audited()


def test_a_line_that_a_rebill_carries_over_is_not_given_back_again(account, process):
    assert back(bill(account, process, MAY_15)) == [D("-18.00"), D("-3.00")]
    rebilled(of(account, 0), process, carries_unlisted=True)
    audited()
    assert back(bill(account, process, JUN_15)) == []
    audited()


def test_what_was_given_back_of_a_line_that_a_rebill_leaves_out_is_charged_again(account, process):
    bill(account, process, MAY_15)
    rebilled(of(account, 0), process, 2)
    invoice = bill(account, process, JUN_15)
    assert back(invoice) == [D("18.00")]
    assert [tax.amount for tax in invoice.tax_details.filter(taxable_amount=18)] == [D("1.31")]
    audited()


def test_a_rebill_that_carries_the_credit_gives_it_back_instead(account, process):
    original = bill(account, process, MAY_15)
    rebill = rebilled(original, process, carries_unlisted=True)
    assert (rebill.total_amount, back(rebill)) == (original.total_amount, [D("-18.00"), D("-3.00")])
    assert list(rebill.unused_credits.values_list("amount", "step")) == [(D("18.00"), 2), (D("3.00"), 2)]
    audited()
    assert back(bill(account, process, JUN_15)) == []


def test_a_credit_that_a_rebill_leaves_out_is_due_again(account, process):
    original = bill(account, process, MAY_15)
    charges = [one.line_no for one in original.lines.filter(line_type=1)]
    rebilled(original, process, *charges)
    audited()
    assert back(bill(account, process, JUN_15)) == [D("-18.00"), D("-3.00")]
    audited()


def test_a_rebill_of_a_credit_alone_is_refused(account, process):
    original = bill(account, process, MAY_15)
    credit = original.lines.filter(line_type=3).first()
    with pytest.raises(BillingError):
        rebilled(original, process, credit.line_no)
    assert UnusedCredit.objects.count() == 2


def test_a_credit_memo_between_an_invoice_that_gave_back_and_its_rebills_changes_nothing_of_that(account, process):
    """What was not used was credited first, and the memo what was left: 12.00 and 2.00, also when rebills carry the credit."""
    original = bill(account, process, MAY_15)
    memo = memo_of(of(account, 0), process)
    assert [one.amount for one in memo.lines.filter(line_type=1)] == [D("-12.00"), D("-2.00")]
    rebill = rebilled(original, process, carries_unlisted=True)
    assert back(rebill) == [D("-18.00"), D("-3.00")]
    audited()
    assert back(rebilled(rebill, process, carries_unlisted=True)) == [D("-18.00"), D("-3.00")]
    audited()
    assert back(bill(account, process, JUN_15)) == []
    audited()


def test_a_part_that_is_given_back_stays_so_where_the_rest_is_credited_otherwise(acme, process):
    """The last invoice has room for 1.00; the memo of the rest is voided, and all that is left is credited."""
    yearly = a_plan(acme, {"phone": "1800.00"}, billing_interval=12)
    a_charge(yearly, "tv", "3.00", ARREARS)
    account = an_account(acme, yearly, start=APR_15)
    first = bill(account, process, APR_15)
    instance = account.plan_instances.select_related("account").get()
    end_plan(instance=instance, end_date=AUG_14, caller=process, today=AUG_14, credit_unused=True)
    account.refresh_from_db()
    second = bill(account, process, account.next_bill_date)
    (part,) = back(second)
    assert (first.total_amount, second.total_amount) == (D("1800.00"), D("0.00"))
    rest = account.invoices.get(kind="credit_memo")
    void(rest, process, AUG_15)
    assert memo_of(first, process, today=AUG_15).total_amount == -1800 - part
    added = line(9, service_no=first.lines.get(line_no=1).service_id, amount="4.00")
    rebill = rebilled(second, process, added, carries_unlisted=True, today=AUG_15)
    assert (back(rebill), rebill.total_amount) == ([part], D("4.00"))
    audited()
