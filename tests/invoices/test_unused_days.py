"""A plan that is changed or ended within a billed cycle: the charge for its unused days is given back, once."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from accounts.kinds import ChargeType
from accounts.models import Service
from accounts.services.plans import change_plan, end_plan_instance
from invoices.models import Invoice, UnusedCredit
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.billing.coupons import redeem_coupon
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.undoing.voiding import void_invoice
from tests.support.accounts_api import API, with_key
from tests.support.billing import bill
from tests.support.coupons import a_coupon
from tests.support.factories import PlanFactory, ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account, an_instance
from tests.support.unused_days import APR_15, APR_26, APR_27, JUL_15, JUN_14, JUN_15, MAY_14, MAY_15, audited


def lines(invoice):
    return [(line.line_type, line.amount, line.period_start, line.period_end) for line in invoice.lines.exclude(line_type=2)]


def back(invoice):
    """What the invoice gives back."""
    return [line.amount for line in invoice.lines.filter(line_type=3)]


def first_instance(account):
    return account.plan_instances.select_related("account").earliest("pk")


def changed(account, plan, process, start=APR_27, **more):
    return change_plan(
        instance=account.plan_instances.select_related("account").latest("pk"),
        plan=plan,
        start_date=start,
        caller=process,
        **more,
    )


def ended(account, process, last=APR_26, **more):
    return end_plan_instance(first_instance(account), last, caller=process, **{"credit_unused": True, **more})


@pytest.fixture
def billed(acme, process):
    """A customer whose plan of 30.00 is billed from 15 April to 14 May."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    bill(account, process, APR_15)
    return account


@pytest.fixture
def sixty(acme):
    return a_plan(acme, {"phone": "60.00"})


def test_arias_published_example(billed, sixty, process):
    """30 a month, 60 from 27 April, billed on the 15th: 12 used, 18 credited, 36 charged, then 60."""
    changed(billed, sixty, process)
    invoice = bill(billed, process, MAY_15)
    assert lines(invoice) == [
        (1, D("36.00"), APR_27, MAY_14),
        (1, D("60.00"), MAY_15, JUN_14),
        (3, D("-18.00"), APR_27, MAY_14),
    ]
    assert invoice.total_amount == D("78.00")
    line = invoice.lines.get(line_type=3)
    assert (line.description, line.proration_text) == ("Phone, unused days", "18 of 30 days")
    assert line.explanation == f"of line 1 of {Invoice.objects.earliest('pk').document_number}"
    audited()
    assert lines(bill(billed, process, JUN_15)) == [(1, D("60.00"), JUN_15, date(2031, 7, 14))]
    audited()


def test_an_advance_invoice_gives_back_too(billed, sixty, process):
    changed(billed, sixty, process)
    invoice = bill(billed, process, date(2031, 5, 1), advance=True)
    assert (invoice.kind, invoice.total_amount, back(invoice)) == ("advance", D("78.00"), [D("-18.00")])
    audited()


# Taxes.


def test_the_tax_that_was_charged_is_given_back_at_its_rate(acme, process):
    rate = TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    assert bill(account, process, APR_15).tax_amount == D("2.18")
    rate.valid_to = MAY_14
    rate.save()
    TaxRateFactory(client=acme, percent=D("10"), valid_from=MAY_15)
    changed(account, a_plan(acme, {"phone": "60.00"}), process)
    invoice = bill(account, process, MAY_15)
    taxes = [(tax.percent, tax.taxable_amount, tax.amount) for tax in invoice.tax_details.all()]
    assert taxes == [(D(10), D(36), D("3.60")), (D(10), D(60), D("6.00")), (D("7.25"), D(-18), D("-1.31"))]
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("78.00"), D("8.29"), D("86.29"))
    audited()


def test_a_tax_that_the_price_contains_is_given_back_within_it(acme, process):
    TaxRateFactory(client=acme, percent=D("19"))
    plan = a_plan(acme, {"phone": "35.70"})
    Service.objects.update(tax_inclusive=True)
    account = an_account(acme, plan, start=APR_15)
    assert bill(account, process, APR_15).tax_amount == D("5.70")
    changed(account, a_plan(acme, {"phone": "71.40"}), process)
    invoice = bill(account, process, MAY_15)
    assert (back(invoice), invoice.total_amount, invoice.tax_amount) == ([D("-21.42")], D("92.82"), D("14.82"))
    detail = invoice.tax_details.get(amount__lt=0)
    assert (detail.taxable_amount, detail.amount, detail.is_inclusive) == (D("-18.00"), D("-3.42"), True)
    audited()


# What was really charged.


def test_what_a_coupon_had_left_is_given_back(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    coupon = a_coupon(acme, percent=D(10), cycles=1)
    redeem_coupon(client=acme, account_no=account.pk, code=coupon.code, caller=process, today=APR_15)
    assert bill(account, process, APR_15).total_amount == D("27.00")
    changed(account, a_plan(acme, {"phone": "60.00"}), process)
    assert back(bill(account, process, MAY_15)) == [D("-16.20")]
    audited()


@pytest.mark.parametrize(("credited", "given"), [("10.00", ["-12.00"]), ("30.00", [])])
def test_what_a_credit_memo_has_credited_is_not_given_back_again(billed, sixty, process, credited, given):
    memo(billed, process, credited)
    changed(billed, sixty, process)
    assert back(bill(billed, process, MAY_15)) == [D(one) for one in given]
    audited()


def memo(account, process, amount=None, invoice=None):
    invoice = invoice or account.invoices.earliest("pk")
    asked = CreditRequest(everything=True) if amount is None else CreditRequest(amount=D(amount))
    why = Why(1, "Test")
    return create_credit_memo(client=account.client, invoice_no=invoice.pk, caller=process, today=MAY_15, why=why, credit=asked)


def test_a_credit_memo_credits_what_unused_days_have_left(billed, sixty, process):
    changed(billed, sixty, process)
    bill(billed, process, MAY_15)
    assert memo(billed, process).total_amount == D("-12.00")
    audited()
    assert back(bill(billed, process, JUN_15)) == []


def test_a_credit_memo_of_all_of_the_invoice_that_gave_back_makes_it_due_again(billed, sixty, process):
    changed(billed, sixty, process)
    invoice = bill(billed, process, MAY_15)
    assert memo(billed, process, invoice=invoice).total_amount == D("-78.00")
    audited()
    assert back(bill(billed, process, JUN_15)) == [D("-18.00")]
    audited()


def test_every_charge_and_unit_of_the_plan_is_given_back(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "seat", None, tiers={"0": "10", "3": "5"})
    a_charge(plan, "support", "9.00")
    a_charge(plan, "setup", "50.00", ChargeType.ACTIVATION)
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}), start=APR_15)
    instance = an_instance(account, plan, APR_15, units=D(5))
    bill(account, process, APR_15)
    end_plan_instance(instance, APR_26, caller=process, credit_unused=True)
    assert back(bill(account, process, MAY_15)) == [D("-18.00"), D("-6.00"), D("-27.00")]
    audited()


def test_a_year_is_given_back_by_its_days(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "365.00"}, billing_interval=12), start=date(2031, 1, 1))
    bill(account, process, date(2031, 1, 1))
    changed(account, a_plan(acme, {"phone": "10.00"}), process, date(2031, 12, 25))
    invoice = bill(account, process, date(2032, 1, 1))
    assert (back(invoice), invoice.total_amount) == ([D("-7.00")], D("5.26"))
    audited()


# What the invoice has no room for.


def test_a_credit_above_the_invoice_is_kept_for_the_next(acme, process):
    TaxRateFactory(client=acme, percent=D(10))
    account = an_account(acme, a_plan(acme, {"phone": "365.00"}, billing_interval=12), start=date(2031, 1, 1))
    bill(account, process, date(2031, 1, 1))
    changed(account, a_plan(acme, {"phone": "150.00"}), process, date(2031, 2, 1))
    first = bill(account, process, date(2031, 2, 1))
    assert (back(first), first.total_amount) == ([D("-150.00")], D("0.00"))
    assert first.lines.get(line_type=3).explanation.endswith("; 184.00 is kept for later")
    second, third = bill(account, process, date(2031, 3, 1)), bill(account, process, date(2031, 4, 1))
    assert (back(second), second.total_amount) == ([D("-150.00")], D("0.00"))
    assert (back(third), third.total_amount) == ([D("-34.00")], D("127.60"))
    assert sum(tax.amount for tax in account.invoices.earliest("pk").tax_details.all()) == D("36.50")
    assert back(bill(account, process, date(2031, 5, 1))) == []
    audited()


def test_the_last_plan_gives_back_by_credit_memo(acme, process):
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    invoice = bill(account, process, APR_15)
    with time_machine.travel(datetime(2031, 4, 27, 12, tzinfo=UTC), tick=False):
        answer = with_key(acme).post(
            f"{API}/plan-instances/{first_instance(account).pk}/end/",
            {"end_date": "2031-04-26", "credit_unused": True},
            format="json",
        )
    assert answer.status_code == 200, answer.json()
    (days,) = answer.json()["unused_days"]
    assert (days["outcome"], days["amount"], days["tax_amount"]) == ("credit_memo", "18.00", "1.31")
    credit = Invoice.objects.get(kind="credit_memo")
    assert (credit.corrects_id, credit.total_amount) == (invoice.pk, D("-19.31"))
    assert credit.comments == "Unused days of Phone: 2031-04-27 to 2031-05-14"
    audited()


def test_what_the_last_invoice_has_no_room_for_is_given_back_by_credit_memo(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "365.00"}, billing_interval=12), start=date(2031, 1, 1))
    bill(account, process, date(2031, 1, 1))
    other = an_instance(account, a_plan(acme, {"tv": "4.00"}), date(2031, 2, 1))
    ended(account, process, date(2031, 1, 31))
    end_plan_instance(other, date(2031, 2, 28), caller=process)
    account.refresh_from_db()
    last = bill(account, process, date(2031, 2, 1))
    assert (back(last), last.total_amount, account.next_bill_date) == ([D("-4.00")], D("0.00"), None)
    assert Invoice.objects.get(kind="credit_memo").total_amount == D("-330.00")
    audited()


# Ends that move, and documents that go.


@pytest.mark.parametrize("credit", [None, True, False])
def test_an_end_gives_days_back_where_it_is_asked_for(billed, acme, process, credit):
    an_instance(billed, a_plan(acme, {"tv": "5.00"}), MAY_15)
    ended(billed, process, credit_unused=credit)
    assert back(bill(billed, process, MAY_15)) == ([D("-5.00")] if credit else [])
    audited()


def test_an_end_that_is_taken_back_before_the_next_invoice_gives_nothing_back(billed, process):
    ended(billed, process)
    end_plan_instance(first_instance(billed), date(2999, 1, 1), caller=process)
    billed.refresh_from_db()
    assert lines(bill(billed, process, MAY_15)) == [(1, D("30.00"), MAY_15, JUN_14)]
    assert not UnusedCredit.objects.exists()


def test_days_that_were_given_back_and_are_used_again_are_charged_again(billed, acme, process):
    an_instance(billed, a_plan(acme, {"tv": "50.00"}), APR_15)
    ended(billed, process)
    assert back(bill(billed, process, MAY_15)) == [D("-18.00")]
    end_plan_instance(first_instance(billed), date(2031, 5, 4), caller=process)
    again = bill(billed, process, JUN_15)
    assert back(again) == [D("8.00")]
    assert again.lines.get(line_type=3).description == "Phone, days used again"
    audited()
    end_plan_instance(first_instance(billed), date(2999, 1, 1), caller=process)
    last = bill(billed, process, JUL_15)
    assert back(last) == [D("10.00")]
    phone = [line.amount for line in last.lines.filter(line_type=1, description="Phone").order_by("period_start")]
    assert phone == [D("30.00"), D("30.00"), D("30.00")]
    audited()


def test_a_change_of_a_change(billed, sixty, acme, process):
    changed(billed, sixty, process)
    changed(billed, a_plan(acme, {"phone": "90.00"}), process, date(2031, 5, 5))
    invoice = bill(billed, process, MAY_15)
    assert lines(invoice) == [
        (1, D("16.00"), APR_27, date(2031, 5, 4)),
        (1, D("30.00"), date(2031, 5, 5), MAY_14),
        (1, D("90.00"), MAY_15, JUN_14),
        (3, D("-18.00"), APR_27, MAY_14),
    ]
    audited()


def test_a_change_that_is_dated_back_over_two_bills(billed, sixty, process):
    bill(billed, process, MAY_15)
    changed(billed, sixty, process)
    invoice = bill(billed, process, JUN_15)
    assert back(invoice) == [D("-18.00"), D("-30.00")]
    assert invoice.total_amount == D("36.00") + 60 + 60 - 48
    audited()


def test_a_change_in_a_later_cycle_gives_nothing_back(billed, sixty, process):
    changed(billed, sixty, process, date(2031, 5, 25))
    assert back(bill(billed, process, MAY_15)) == []
    audited()


def test_arrears_that_a_change_dated_back_comes_too_late_for(acme, process):
    plan = PlanFactory(client=acme)
    a_charge(plan, "line", "30.00", ChargeType.ARREARS)
    after = PlanFactory(client=acme)
    a_charge(after, "line", "60.00", ChargeType.ARREARS)
    account = an_account(acme, plan, start=APR_15)
    bill(account, process, APR_15)
    assert bill(account, process, MAY_15).total_amount == D("30.00")
    changed(account, after, process)
    invoice = bill(account, process, JUN_15)
    assert (back(invoice), invoice.total_amount) == ([D("-18.00")], D("36.00") + 60 - 18)
    audited()


def void(account, invoice, process, day):
    void_invoice(client=account.client, invoice_no=invoice.pk, caller=process, today=day, reason_code=5)
    account.refresh_from_db()


def test_what_a_voided_invoice_gave_back_is_given_back_by_the_next(billed, sixty, process):
    changed(billed, sixty, process)
    void(billed, bill(billed, process, MAY_15), process, MAY_15)
    assert bill(billed, process, MAY_15).total_amount == D("78.00")
    audited()


def test_nothing_is_given_back_of_an_invoice_that_was_voided(billed, sixty, process):
    changed(billed, sixty, process)
    void(billed, billed.invoices.get(), process, MAY_15)
    invoice = bill(billed, process, APR_15)
    assert lines(invoice) == [(1, D("12.00"), APR_15, APR_26)]
    assert back(bill(billed, process, MAY_15)) == []
    audited()


def test_a_pending_invoice_holds_what_it_gives_back(billed, sixty, process, alice):
    changed(billed, sixty, process)
    pending = bill(billed, process, MAY_15, force_pending=True)
    assert back(pending) == [D("-18.00")]
    discard_invoices(client=billed.client, invoice_nos=[pending.pk], caller=alice)
    again = bill(billed, process, MAY_15, force_pending=True)
    assert back(again) == [D("-18.00")]
    approve_invoices(client=billed.client, invoice_nos=[again.pk], caller=alice, today=MAY_15)
    billed.refresh_from_db()
    assert back(bill(billed, process, JUN_15)) == []
    audited()


def test_units_change_in_mid_cycle_at_the_customers_own_price(acme, process):
    account = an_account(acme, start=APR_15)
    plan = a_plan(acme, {"seat": "10.00"})
    api = with_key(acme)
    prices = [{"service": ServiceFactory(client=acme, client_service_id="seat").pk, "rate_per_unit": "8"}]
    body = {"acct_no": account.pk, "plan": plan.pk, "units": "5", "start_date": "2031-04-15", "prices": prices}
    instance = api.post(f"{API}/plan-instances/", body, format="json").json()
    bill(account, process, APR_15)
    answer = api.post(
        f"{API}/plan-instances/{instance['id']}/change/",
        {"plan": plan.pk, "start_date": "2031-04-30", "units": "8"},
        format="json",
    ).json()
    assert (answer["units"], [price["rate_per_unit"][:4] for price in answer["prices"]]) == ("8.0000", ["8.00"])
    assert [(one["outcome"], one["amount"]) for one in answer["unused_days"]] == [("next_invoice", "20.00")]
    invoice = bill(account, process, MAY_15)
    seats = invoice.lines.filter(service=prices[0]["service"])
    assert sum(line.amount for line in seats) == D("32.00") + 64 - 20
    audited()
