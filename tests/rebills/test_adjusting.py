"""Pending documents are adjusted by hand, before they are issued."""

from decimal import Decimal as D

import pytest

from accounts.models import Event, RateSchedule
from accounts.services.plans import change_plan
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.kinds import DecisionAct
from invoices.models import Adjustment, CouponUse, CreditUse, DocumentVersion, Invoice, UnusedCredit
from invoices.plan.facts import BillingRequest
from invoices.services.approving.deciding import decide_on_one
from invoices.services.billing.generating import generate_invoice
from rebills.services.adjusting import AdjustRequest, adjust_document
from tests.support.adjusting import a_line, adjusted, approved, lines_of, planned, recalculated
from tests.support.approval_rules import on
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.pending import a_pending
from tests.support.service_credits import credit
from tests.support.unused_days import APR_15, APR_27, MAY_15

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def account(acme):
    TaxRateFactory(client=acme)  # 10 percent
    return an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00", "net": "50.00"}))


@pytest.fixture
def pending(acme, process, account):
    """Phone 30.00, tv 20.00, net 50.00, 10.00 of tax."""
    return a_pending(acme, process, account)


def refused(code):
    return pytest.raises(BillingError, match=rf"^{code} ")


def test_a_rate_units_an_amount_and_a_left_out_line(pending, carol_caller, bob):
    invoice = adjusted(
        pending,
        carol_caller,
        a_line(1, rate_per_unit="27"),
        a_line(2, exclude=True),
        a_line(3, amount="40", description="Internet, as agreed", po_num="PO-7"),
    )
    assert (invoice.pk, invoice.version, invoice.status) == (pending.pk, 2, "pending")
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D(67), D("6.70"), D("73.70"))
    assert lines_of(invoice)[:2] == [("Phone", D(1), D(27), D(27)), ("Internet, as agreed", D(1), None, D(40))]
    line = invoice.lines.get(line_no=2)
    assert (line.explanation, line.po_num, line.source_line_no, line.comments) == (
        "amount set before approval",
        "PO-7",
        None,
        "",
    )
    issued = approved(invoice, bob)
    assert (issued.status, issued.total_amount, issued.open_amount) == ("approved", D("73.70"), D("73.70"))


def test_each_adjustment_has_author_reason_before_and_after(pending, carol_caller):
    adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"), a_line(2, exclude=True, comments="not ordered"))
    rate, left_out = Adjustment.objects.all()
    assert (rate.line_no, rate.title, rate.made_by, rate.reason_code, rate.comments) == (
        *(1, "Phone", carol_caller.identity, 1, "agreed by phone"),
    )
    assert rate.changes == [
        {"column": "rate_per_unit", "before": "30", "after": "27"},
        {"column": "amount", "before": "30", "after": "27"},
    ]
    assert left_out.changes == [{"column": "amount", "before": "20", "after": None}]
    assert left_out.comments == "not ordered"
    event = Event.objects.get(act="invoice.adjusted")
    assert (event.before, event.after["total_amount"]) == ({"version": 1, "total_amount": "110.00"}, "84.70")


def test_a_line_is_added_and_a_discount_given(pending, acme, carol_caller, bob):
    setup = ServiceFactory(client=acme, client_service_id="setup")
    invoice = adjusted(
        pending, carol_caller, a_line(6, service_no=setup.pk, amount="15"), a_line(5, service_no=setup.pk, amount="-5")
    )
    assert invoice.total_amount == D("121.00")
    assert [one for one in lines_of(invoice) if one[0] == "Setup"] == [
        ("Setup", None, None, D(-5)),
        ("Setup", None, None, D(15)),
    ]
    assert approved(invoice, bob).total_amount == D("121.00")


def test_an_adjustment_is_withdrawn_and_the_others_keep_their_author(pending, carol_caller, process):
    adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"), a_line(2, exclude=True))
    invoice = Invoice.objects.get(pk=pending.pk)
    invoice = adjusted(invoice, process, a_line(1, rate_per_unit="27"))
    assert invoice.total_amount == D("106.70")
    current = Adjustment.objects.get(through_version=None)
    assert (current.made_by, current.from_version) == (carol_caller.identity, 2)
    assert Adjustment.objects.get(through_version=2).change == {"exclude": True}
    invoice = adjusted(invoice, process)
    assert (invoice.version, invoice.total_amount) == (4, D("110.00"))
    assert lines_of(invoice) == lines_of(pending)


def test_what_is_calculated_from_others_is_calculated_again(acme, process, account, carol_caller, bob):
    coupon = redeem(account, a_coupon(acme, percent=D(10)))
    credit(account, "25.00")
    pending = a_pending(acme, process, account)
    assert pending.total_amount == D("71.50")  # 100 - 10 - 25, and 10 percent
    invoice = adjusted(pending, carol_caller, a_line(3, exclude=True))
    assert invoice.total_amount == D("22.00")  # 50 - 5 - 25, and 10 percent
    assert CouponUse.objects.get().line_no == 4
    issued = approved(invoice, bob)
    assert issued.total_amount == D("22.00")
    assert (CouponUse.objects.get().line_no, CreditUse.objects.get().line_no) == (3, 4)
    assert coupon.uses.count() == 1


def test_a_coupon_that_is_left_out_can_be_used_on_the_next_invoice(acme, process, account, carol_caller, bob):
    redeem(account, a_coupon(acme, percent=None, amount=D(40), currency="usd", cycles=1))
    pending = a_pending(acme, process, account)
    assert pending.total_amount == D("66.00")
    issued = approved(adjusted(pending, carol_caller, a_line(4, exclude=True)), bob)
    assert (issued.total_amount, CouponUse.objects.count()) == (D("110.00"), 0)
    assert bill(account, process, FEB_10).total_amount == D("66.00")


def test_a_period_and_an_address_are_changed(acme, process, account, carol_caller, bob):
    pending = a_pending(acme, process, account)
    invoice = adjusted(pending, carol_caller, a_line(1, period_start=FEB_10, period_end=FEB_10))
    assert (invoice.period_start, invoice.period_end) == (JAN_10, FEB_10)
    assert approved(invoice, bob).total_amount == D("110.00")


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (1008, [a_line(1, exclude=True), a_line(2, exclude=True), a_line(3, exclude=True)]),
        (90042, [a_line(4, amount="1")]),
        (1016, [a_line(1, amount="-200")]),
        (1016, [a_line(1, units="1"), a_line(1, units="2")]),
    ],
)
def test_what_a_rebill_refuses_is_refused(pending, carol_caller, code, lines):
    with refused(code):
        adjusted(pending, carol_caller, *lines)
    assert not DocumentVersion.objects.exists()


def test_only_pending_documents_of_cycles_are_adjusted(acme, process, account, carol_caller, bob):
    issued = bill(account, process, JAN_10)
    with refused(3015):
        planned(issued)


def test_who_may_not_rebill_may_not_adjust(pending, bob):
    with refused(90028):
        adjusted(pending, bob, a_line(1, rate_per_unit="27"))
    assert Event.objects.get(act="invoice.adjustment_refused").error_code == 90028


def test_a_change_by_another_since_the_preview_is_not_lost(pending, carol_caller, process):
    seen = planned(pending, a_line(1, rate_per_unit="27")).fingerprint
    adjusted(pending, process, a_line(2, exclude=True))
    mine = AdjustRequest(pending.pk, (a_line(1, rate_per_unit="27"),), reason_code=1, fingerprint=seen)
    with refused(90003):
        adjust_document(client=pending.client, request=mine, caller=carol_caller, today=JAN_10)
    assert Invoice.objects.get(pk=pending.pk).total_amount == D("88.00")


def test_the_same_adjustments_again_are_refused(pending, carol_caller):
    invoice = adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"))
    with refused(90243):
        adjusted(invoice, carol_caller, a_line(1, rate_per_unit="27"))


def test_who_adjusted_it_may_not_approve_it(acme, pending, carol_approves, bob):
    acme.four_eyes, acme.second_person_for = "another_person", "invoices"
    acme.save()
    invoice = adjusted(pending, carol_approves, a_line(1, rate_per_unit="27"))
    with refused(90002):
        approved(invoice, carol_approves)
    assert approved(invoice, bob).status == "approved"


def test_an_approval_that_was_given_before_an_adjustment_does_not_count(acme, pending, carol_caller, alice, bob):
    on(acme, {"approvers": 2})
    approved(pending, alice)
    invoice = adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"))
    assert approved(invoice, bob).status == "pending"
    assert approved(invoice, alice).status == "approved"


def test_adjusting_below_the_four_eyes_amount_changes_nothing(acme, pending, carol_approves):
    acme.four_eyes, acme.second_person_for, acme.four_eyes_amount = "above_amount", "invoices", D(100)
    acme.save()
    invoice = adjusted(pending, carol_approves, a_line(3, exclude=True))
    assert invoice.total_amount == D("55.00")
    with refused(90002):
        approved(invoice, carol_approves)


def test_an_adjusted_document_is_recalculated_with_its_adjustments(acme, pending, account, carol_caller, process):
    adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"), a_line(2, exclude=True))
    instance = account.plan_instances.get()
    price = RateSchedule.objects.get(charge=instance.plan.charges.get(service__name="Net"))
    price.rate_per_unit = D(60)
    price.save()
    invoice = recalculated(Invoice.objects.get(pk=pending.pk), process, reason="new price")
    assert (invoice.pk, invoice.version, invoice.total_amount) == (pending.pk, 3, D("95.70"))  # 27 + 60, and 10 percent
    assert [(one.version_no, one.act, one.total_amount, one.comments) for one in DocumentVersion.objects.all()] == [
        (1, "generated", D("110.00"), ""),
        (2, "adjusted", D("84.70"), "agreed by phone"),
        (3, "recalculated", D("95.70"), "new price"),
    ]
    assert {one.why_not for one in Adjustment.objects.all()} == {""}


def test_an_adjustment_that_no_longer_fits_is_named(acme, pending, account, carol_caller, process, bob):
    adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"), a_line(2, amount="5"))
    instance = account.plan_instances.get()
    instance.plan.charges.get(service__name="Tv").delete()
    invoice = recalculated(Invoice.objects.get(pk=pending.pk), process)
    assert invoice.total_amount == D("84.70")  # 27 + 50, and 10 percent
    fits, gone = Adjustment.objects.order_by("place")
    assert (fits.line_no, fits.why_not) == (1, "")
    assert (gone.line_no, gone.why_not) == (None, "The line is not on the recalculated document.")
    assert approved(invoice, bob).total_amount == D("84.70")


def test_a_document_with_adjustments_is_not_regenerated(pending, carol_caller, bob):
    adjusted(pending, carol_caller, a_line(1, rate_per_unit="27"))
    with refused(90241):
        decide_on_one(DecisionAct.REGENERATE, client=pending.client, invoice_no=pending.pk, caller=bob, today=JAN_10)


def test_the_audit_finds_a_line_that_is_not_of_the_newest_version(pending, carol_caller):
    invoice = adjusted(pending, carol_caller, a_line(1, description="Phone, as agreed"))
    invoice.lines.filter(line_no=1).update(description="Phone, otherwise")
    findings = [finding for report in run_audits() for finding in report.findings]
    assert findings == [f"invoice {invoice.pk} of account {invoice.account_id}: differs from its version 2 in its lines"]
    invoice.lines.filter(line_no=1).update(description="Phone, as agreed")


def test_credits_of_unused_days_move_to_the_numbers_that_others_leave(acme, process, carol_caller, bob):
    """Two lines give unused days back. A line that is added before them moves each to the number of the next one."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}), start=APR_15)
    bill(account, process, APR_15)
    instance = account.plan_instances.select_related("account").get()
    change_plan(instance=instance, plan=a_plan(acme, {"net": "50.00"}), start_date=APR_27, caller=process)
    request = BillingRequest(MAY_15, force_pending=True)
    number = generate_invoice(client=acme, account_no=account.pk, request=request, caller=process)
    pending = Invoice.objects.get(pk=number)
    given_back = list(UnusedCredit.objects.filter(invoice=pending).order_by("line_no").values_list("line_no", "amount"))
    setup = ServiceFactory(client=acme, client_service_id="setup")
    extra = a_line(pending.lines.count() + 1, service_no=setup.pk, amount="5")
    issued = approved(adjusted(pending, carol_caller, extra, day=MAY_15), bob, day=MAY_15)
    moved = [(one.line_no, one.amount) for one in UnusedCredit.objects.filter(invoice=issued).order_by("line_no")]
    assert len(given_back) == 2
    assert [amount for _, amount in moved] == [amount for _, amount in given_back]
    assert [-issued.lines.get(line_no=line_no).amount for line_no, _ in moved] == [D(18), D(12)]


def test_a_discount_of_a_line_is_its_rate_less_the_percentage(pending, carol_caller, process, account, bob):
    invoice = adjusted(pending, carol_caller, a_line(1, discount_percent="12.5"), a_line(2, units="2", discount_percent="10"))
    assert lines_of(invoice)[:3] == [
        ("Phone", D(1), D("26.25"), D("26.25")),
        ("Tv", D(2), D(18), D(36)),
        ("Net", D(1), D(50), D(50)),
    ]
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("112.25"), D("11.23"), D("123.48"))
    row = Adjustment.objects.get(line_no=1)
    assert (row.made_by, row.comments, row.change) == (carol_caller.identity, "agreed by phone", {"discount_percent": "12.5"})
    assert row.changes[0] == {"column": "discount_percent", "before": None, "after": "12.5"}
    price = RateSchedule.objects.get(charge__service__name="Phone")
    price.rate_per_unit = D(80)
    price.save()
    again = recalculated(invoice, process, reason="new price")
    assert again.total_amount == D("171.60")  # 70 + 36 + 50, and 10 percent
    assert Adjustment.objects.get(line_no=1).changes[1:] == [
        {"column": "rate_per_unit", "before": "80", "after": "70"},
        {"column": "amount", "before": "80", "after": "70"},
    ]
    assert approved(again, bob).total_amount == D("171.60")


@pytest.mark.parametrize(
    ("rounding", "is_gross", "figures"),
    [
        ("invoice", False, (D("66.66"), D("13.33"), D("79.99"))),
        ("line", False, (D("66.66"), D("13.32"), D("79.98"))),
        ("invoice", True, (D("55.55"), D("11.11"), D("66.66"))),
    ],
)
def test_a_discount_on_all_lines_is_taxed_to_the_cent(acme, process, carol_caller, rounding, is_gross, figures):
    """Three lines of 33.33 less a third are 22.22 each."""
    acme.tax_rounding = rounding
    acme.save()
    TaxRateFactory(client=acme, percent=D(20))
    account = an_account(acme, a_plan(acme, {"phone": "33.33", "tv": "33.33", "net": "33.33"}))
    acme.services.update(tax_inclusive=is_gross)
    pending = a_pending(acme, process, account)
    invoice = adjusted(pending, carol_caller, discount_percent=D("33.3333"))
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == figures
    row = Adjustment.objects.get()
    assert (row.line_no, row.line, row.made_by) == (0, {"document": True}, carol_caller.identity)
    assert row.changes == [{"column": "discount_percent", "before": None, "after": "33.3333"}]
    again = recalculated(invoice, process)
    assert (again.net_amount, again.tax_amount, again.total_amount) == figures
    assert not Adjustment.objects.exclude(why_not="").exists()
    assert adjusted(again, carol_caller).total_amount == pending.total_amount  # withdrawn


def test_a_discount_on_all_lines_leaves_lines_with_one_of_their_own_and_credits(acme, process, account, carol_caller):
    redeem(account, a_coupon(acme, percent=D(10)))
    credit(account, "25.00")
    pending = a_pending(acme, process, account)
    setup = ServiceFactory(client=acme, client_service_id="setup")
    lines = [a_line(1, discount_percent="0"), a_line(3, exclude=True), a_line(9, service_no=setup.pk, amount="10")]
    invoice = adjusted(pending, carol_caller, *lines, discount_percent=D(50))
    # 30 + 10 + 10 of setup, less 10 percent, less 25, and 10 percent of tax.
    assert [amount for *_, amount in lines_of(invoice)] == [D(30), D(10), D(10), D(-5), D(-25), D(2)]
    assert invoice.total_amount == D("22.00")


@pytest.mark.parametrize(
    ("code", "text", "lines", "percent"),
    [
        (1016, "lines[0].discount_percent: 100.01 is more than 100 %", [a_line(1, discount_percent="100.01")], None),
        (1016, "lines[0].discount_percent: -1 is below 0", [a_line(1, discount_percent="-1")], None),
        (1016, "discount_percent: 101 is more than 100 %", [], D(101)),
        (1016, "discount_percent: -0.5 is below 0", [], D("-0.5")),
        (90410, "line 4 is a coupon or credit; change its amount", [a_line(4, discount_percent="5")], None),
        (90410, "line 9 is added; give it the price", [a_line(9, discount_percent="5")], None),
        (90410, "line 2 is left out", [a_line(2, exclude=True, discount_percent="5")], None),
        (90042, "line 5", [a_line(5, discount_percent="5")], None),
    ],
)
def test_an_impossible_discount_is_refused_by_name(acme, process, account, code, text, lines, percent):
    credit(account, "25.00")
    pending = a_pending(acme, process, account)
    with refused(code) as error:
        planned(pending, *lines, discount_percent=percent)
    assert text in str(error.value)


def test_a_whole_discount_leaves_an_invoice_of_nothing(pending, carol_caller, bob):
    invoice = adjusted(pending, carol_caller, discount_percent=D(100))
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (0, 0, 0)
    assert approved(invoice, bob).open_amount == 0
