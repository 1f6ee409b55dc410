"""Voiding invoices: what blocks it, and what happens to the period, the holds and the money of a voided invoice."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.kinds import EntryKind
from invoices.models import Coupon, CouponUse, Invoice, LedgerEntry, ServiceCredit, TaxDetail, Usage
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.collecting.collecting import collect_invoices, resume_collecting
from invoices.services.correcting.credit_memos import create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.planning.billing_again import waive_periods
from invoices.services.planning.extras import credits_with_used
from invoices.services.planning.previewing import preview_invoices
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import ARREARS, FEB_5, FEB_10, JAN_10, JAN_31, MAR_10, USAGE, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account, an_instance, some_usage
from tests.support.memos import ALL
from tests.support.orders import order
from tests.support.paying import WHY, billed, due, ledger, unapplied
from tests.support.payments import key_with, pay, refused_as, rows, staff_with
from tests.support.rebilling import rebilled
from tests.support.service_credits import credit

pytestmark = pytest.mark.usefixtures("audited")


def void(invoice, caller, reason_code=5, comments="", today=JAN_31, client=None):
    return void_invoice(
        client=client or invoice.client,
        invoice_no=invoice.pk,
        caller=caller,
        today=today,
        reason_code=reason_code,
        comments=comments,
    )


def memo_of(invoice, caller):
    return create_credit_memo(client=invoice.client, invoice_no=invoice.pk, caller=caller, today=JAN_31, why=WHY, credit=ALL)


# What it leaves.


def test_a_voided_invoice_keeps_its_number_and_lines_and_owes_nothing(acme, process):
    TaxRateFactory(client=acme)
    account, invoice = billed(acme, process)
    lines = list(invoice.lines.values())
    voided = void(invoice, process, 5, "Wrong customer")
    before, invoice = invoice, Invoice.objects.get(pk=invoice.pk)
    assert (invoice.status, invoice.void_reason_code) == ("voided", 5)
    for name in ("document_number", "invoice_date", "due_date", "fingerprint", "total_amount", "approved_by"):
        assert getattr(invoice, name) == getattr(before, name)
    assert list(invoice.lines.values()) == lines
    assert (due(invoice), account_balance(account)) == (0, 0)
    assert ledger(account) == [(EntryKind.INVOICE, D(33), D(33)), (EntryKind.VOID, D(-33), D(0))]
    charge, voiding = LedgerEntry.objects.order_by("pk")
    assert voided == (invoice.pk, charge.pk, voiding.pk)
    assert (voiding.voids, voiding.invoice, voiding.reason_code, voiding.comments, voiding.entry_date) == (
        charge,
        invoice,
        5,
        "Wrong customer",
        JAN_31,
    )
    event = Event.objects.get(act="invoice.voided")
    assert (event.account_id, event.invoice_no, event.before) == (account.pk, invoice.pk, {"status": "approved"})
    said = {"kind": "recurring", "status": "voided", "reason_code": 5, "comments": "Wrong customer", "reopened": True}
    assert event.after == said


def test_what_was_paid_is_unapplied_and_pays_the_invoice_that_is_made_instead(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "20.00")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    void(invoice, process)
    assert (unapplied(account), account_balance(account)) == (D(30), D(-30))
    again = bill(account, process, JAN_31)
    assert (due(again), unapplied(account), account_balance(account)) == (0, 0, 0)


def test_what_was_paid_waits_though_an_older_invoice_is_open(acme, process):
    """Who voids an invoice has its replacement in mind; it can be applied to the older one by hand."""
    account, january = billed(acme, process)
    february = bill(account, process, FEB_10)
    pay(account, process, "30.00", invoices={february: "30.00"}, today=FEB_10)
    void(february, process, today=FEB_10)
    assert (due(january), unapplied(account), account_balance(account)) == (D(30), D(30), 0)


# The period.


def standing(account):
    """Return the billing dates of the account and its plan instances."""
    account.refresh_from_db()
    through = tuple(account.plan_instances.order_by("pk").values_list("billed_through", flat=True))
    return account.next_bill_date, account.last_bill_date, account.arrears_due_from, through


def shown(invoice):
    """What a document says that has nothing to do with when it was made."""
    return (
        invoice.kind,
        invoice.bill_date,
        invoice.period_start,
        invoice.period_end,
        (invoice.net_amount, invoice.tax_amount, invoice.total_amount),
        [
            (line.line_no, line.line_type, line.description, line.units, line.amount, line.period_start, line.period_end)
            for line in invoice.lines.all()
        ],
        list(TaxDetail.objects.filter(invoice=invoice).values_list("taxed_line_no", "taxable_amount", "amount")),
    )


def everything(client):
    """An account that is charged in advance and in arrears, for usage and an order, less a coupon and a service credit."""
    TaxRateFactory(client=client, percent=D("7.25"))
    plan = a_plan(client, {"phone": "30.00"})
    a_charge(plan, "calls", "0.10", USAGE)
    a_charge(plan, "backup", "4.00", ARREARS)
    account = an_account(client, plan)
    a_coupon(client, cycles=2)
    redeem(account)
    return account, account.plan_instances.get()


def test_the_newest_invoice_opens_its_period_and_is_made_again_to_the_same_amounts(acme, process):
    account, instance = everything(acme)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "120", JAN_31)
    order(account, ServiceFactory(client=acme, client_service_id="router"))
    credit(account, "7.77")
    before = standing(account)
    first = bill(account, process, FEB_10)
    after = standing(account)
    assert before == (FEB_10, JAN_10, JAN_10, (date(2026, 2, 9),))
    assert after == (MAR_10, FEB_10, FEB_10, (date(2026, 3, 9),))
    void(first, process, today=FEB_10)
    assert standing(account) == before
    second = bill(account, process, FEB_10)
    assert (standing(account), shown(second)) == (after, shown(first))
    assert second.document_number == "INV-000003"


def test_all_that_a_voided_invoice_held_waits_again(acme, process):
    account, instance = everything(acme)
    bill(account, process, JAN_10)
    some_usage(instance, "calls", "120", JAN_31)
    one = order(account, ServiceFactory(client=acme, client_service_id="router"))
    credit(account, "7.77")
    invoice = bill(account, process, FEB_10)
    assert (Usage.objects.get().invoice, one.__class__.objects.get().invoice) == (invoice, invoice)
    void(invoice, process, today=FEB_10)
    assert (Usage.objects.get().invoice, one.__class__.objects.get().invoice) == (None, None)
    assert [left.used for left in credits_with_used(ServiceCredit.objects.all())] == [0]
    assert Coupon.objects.get().redemptions.get().uses.count() == 2


def test_a_coupon_of_two_invoices_is_taken_off_two_whichever_are_voided(acme, process):
    account, _instance = everything(acme)
    taken = []
    for day in (JAN_10, FEB_10, MAR_10):
        void(bill(account, process, day), process, today=day)
        invoice = bill(account, process, day)
        taken.append(CouponUse.objects.filter(invoice=invoice).exists())
    assert taken == [True, True, False]


def test_the_first_invoice_leaves_an_account_as_if_it_had_never_been_billed(acme, process):
    account, _instance = everything(acme)
    before = standing(account)
    void(bill(account, process, JAN_10), process)
    assert standing(account) == before == (JAN_10, None, None, (None,))


def test_invoices_are_taken_back_one_after_the_other_from_the_newest(acme, process):
    account, _instance = everything(acme)
    stands, invoices = [standing(account)], []
    for day in (JAN_10, FEB_10, MAR_10):
        invoices.append(bill(account, process, day))
        stands.append(standing(account))
    for invoice in reversed(invoices):
        assert standing(account) == stands.pop()
        void(invoice, process, today=MAR_10)
    assert standing(account) == stands.pop()
    again = [bill(account, process, MAR_10) for _ in invoices]
    assert [shown(invoice)[1:4] for invoice in again] == [shown(invoice)[1:4] for invoice in invoices]


def test_an_instance_that_was_caught_up_goes_back_to_its_start(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, process, JAN_10)
    an_instance(account, a_plan(acme, {"tv": "9.00"}), JAN_31)
    before = standing(account)
    first = bill(account, process, FEB_10)
    void(first, process, today=FEB_10)
    assert standing(account) == before
    assert shown(bill(account, process, FEB_10)) == shown(first)


def test_an_advance_invoice_opens_its_period_too(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    bill(account, process, JAN_10)
    before = standing(account)
    advance = bill(account, process, JAN_31, advance=True)
    assert (advance.kind, advance.bill_date) == ("advance", FEB_10)
    void(advance, process)
    assert standing(account) == before
    assert shown(bill(account, process, JAN_31, advance=True)) == shown(advance)


def test_a_recurring_invoice_after_an_advance_one_is_taken_back_to_it(acme, process):
    plan = a_plan(acme, {"phone": "30.00"})
    a_charge(plan, "backup", "4.00", ARREARS)
    account = an_account(acme, plan)
    bill(account, process, JAN_10)
    bill(account, process, JAN_31, advance=True)
    before = standing(account)
    first = bill(account, process, MAR_10)
    void(first, process, today=MAR_10)
    assert standing(account) == before
    assert shown(bill(account, process, MAR_10)) == shown(first)


def test_a_cycle_with_nothing_to_bill_is_not_opened_by_the_invoice_before_it(acme, process):
    """The cycle of the voided invoice stays a hole: the account has moved on."""
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    account.plan_instances.update(end_date=FEB_5)
    january = bill(account, process, JAN_10)
    void(january, process)
    assert standing(account)[0] == JAN_10
    assert bill(account, process, JAN_31).bill_date == JAN_10


def test_an_invoice_that_was_planned_before_one_was_voided_is_not_recorded(acme, process):
    account, invoice = billed(acme, process)
    version = account.billing_version
    void(invoice, process)
    account.refresh_from_db()
    assert account.billing_version == version + 1
    (planned,) = preview_invoices(client=acme, account_nos=[account.pk], request=BillingRequest(JAN_31))
    assert planned.plan.bill_date == JAN_10


def test_a_voided_invoice_of_zero_opens_its_period(acme, process):
    account, invoice = billed(acme, process, rate="0.00")
    void(invoice, process)
    assert (standing(account)[0], account_balance(account)) == (JAN_10, 0)
    assert bill(account, process, JAN_31).total_amount == 0


# What is in the way.


def test_an_invoice_of_another_client_is_unknown(acme, umbra, process):
    _account, invoice = billed(acme, process)
    before = rows()
    assert refused_as(void, invoice, process, client=umbra) == (3004, "invoice_no")
    invoice.pk += 1000
    assert refused_as(void, invoice, process) == (3004, "invoice_no")
    assert rows() == before


def test_an_invoice_is_voided_once(acme, process):
    _account, invoice = billed(acme, process)
    void(invoice, process)
    before = rows()
    assert refused_as(void, invoice, process) == (2003, "invoice_no")
    assert rows() == before


def test_a_memo_is_voided_before_its_invoice(acme, process):
    account, invoice = billed(acme, process)
    memo = memo_of(invoice, process)
    before = rows()
    assert refused_as(void, invoice, process) == (3095, "invoice_no")
    assert rows() == before
    void(memo, process)
    assert refused_as(void, memo, process) == (2003, "invoice_no")
    void(invoice, process)
    assert (account_balance(account), standing(account)[0]) == (0, JAN_10)
    assert ledger(account) == [
        (EntryKind.INVOICE, D(30), D(30)),
        (EntryKind.CREDIT_MEMO, D(-30), D(0)),
        (EntryKind.VOID, D(30), D(30)),
        (EntryKind.VOID, D(-30), D(0)),
    ]


def test_a_voided_memo_moves_no_dates(acme, process):
    account, invoice = billed(acme, process)
    before = standing(account)
    void(memo_of(invoice, process), process)
    assert standing(account) == before


@pytest.mark.parametrize("reason_code", [0, 13])
def test_an_unknown_reason_is_refused(acme, process, reason_code):
    _account, invoice = billed(acme, process)
    before = rows()
    assert refused_as(void, invoice, process, reason_code) == (3024, "reason_code")
    assert rows() == before


def test_a_pending_or_discarded_invoice_is_discarded_not_voided(umbra, process):
    _account, pending = billed(umbra, process)
    before = rows()
    assert refused_as(void, pending, process) == (90017, "invoice_no")
    discard_invoices(client=umbra, invoice_nos=[pending.pk], caller=process)
    assert refused_as(void, pending, process) == (90017, "invoice_no")
    assert rows() == before


def test_an_invoice_that_is_being_collected_is_not_voided(acme, process):
    _account, invoice = billed(acme, process, "sandbox_timeout_after")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    before = rows()
    assert refused_as(void, invoice, process) == (90018, "invoice_no")
    assert rows() == before
    resume_collecting(client=acme, caller=process, today=JAN_31)
    void(invoice, process)
    assert (unapplied(invoice.account), account_balance(invoice.account)) == (D(30), D(-30))


@pytest.mark.parametrize("kind", [EntryKind.WRITE_OFF, EntryKind.DISPUTE])
def test_a_write_off_or_dispute_is_voided_before_its_invoice(acme, process, kind):
    account, invoice = billed(acme, process)
    given = {"client": acme, "caller": process, "today": JAN_31}
    entry = write_off(invoice_no=invoice.pk, why=WHY, amount=D(10), kind=kind, **given)
    before = rows()
    assert refused_as(void, invoice, process) == (90022, "invoice_no")
    assert rows() == before
    void_transaction(transaction_id=entry.pk, reason_code=8, **given)
    void(invoice, process)
    assert account_balance(account) == 0


def test_a_pending_invoice_of_the_next_cycle_is_discarded_before_the_newest_is_voided(umbra, process):
    account, january = billed(umbra, process)
    approve_invoices(client=umbra, invoice_nos=[january.pk], caller=process, today=JAN_31)
    february = bill(account, process, FEB_10)
    before = rows()
    assert refused_as(void, january, process, today=FEB_10) == (90022, "invoice_no")
    assert rows() == before
    discard_invoices(client=umbra, invoice_nos=[february.pk], caller=process)
    void(january, process, today=FEB_10)
    assert standing(account)[0] == JAN_10


def test_who_may_not_correct_voids_nothing_and_leaves_an_event_only(acme, process):
    account, invoice = billed(acme, process)
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(void, invoice, caller) == (90026, None)
    assert (rows(), Event.objects.count(), Invoice.objects.get().status) == (before, events + 2, "approved")
    refused = Event.objects.filter(act="money.refused").values_list("account_id", "invoice_no", "error_code")
    assert set(refused) == {(account.pk, invoice.pk, 90026)}
    assert void(invoice, staff_with("correct_money")).invoice_no == invoice.pk


def test_an_older_invoice_leaves_a_hole_and_moves_no_dates(acme, process):
    account, january = billed(acme, process)
    pay(account, process, "30.00")
    february = bill(account, process, FEB_10)
    before = standing(account)
    void(january, process, today=FEB_10)
    assert Event.objects.get(act="invoice.voided").after["reopened"] is False
    assert (standing(account), due(february), unapplied(account)) == (before, D(30), D(30))
    assert bill(account, process, MAR_10).bill_date == MAR_10
    waive_periods(client=acme, invoice_no=january.pk, caller=process, today=MAR_10)


def test_the_hole_of_an_older_invoice_stays_when_newer_ones_are_voided(acme, process):
    account, january = billed(acme, process)
    first = bill(account, process, FEB_10)
    void(january, process, today=FEB_10)
    void(first, process, today=FEB_10)
    assert standing(account)[0] == FEB_10
    assert shown(bill(account, process, FEB_10)) == shown(first)
    assert standing(account)[0] == MAR_10
    waive_periods(client=acme, invoice_no=january.pk, caller=process, today=MAR_10)


def test_an_invoice_that_was_rebilled_is_not_voided_nor_are_the_rebill_and_its_memo(acme, process):
    _account, invoice = billed(acme, process)
    rebill = rebilled(invoice, process, 1)
    before = rows()
    assert refused_as(void, invoice, process) == (3096, "invoice_no")
    assert refused_as(void, rebill, process) == (90041, "invoice_no")
    assert refused_as(void, rebill.memo, process) == (90041, "invoice_no")
    assert rows() == before


def test_a_cycle_that_is_voided_twice_is_billed_by_the_third_invoice_only(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    for _ in range(2):
        void(bill(account, process, JAN_31), process)
    number = generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(JAN_31), caller=process)
    assert (account_balance(account), due(Invoice.objects.get(pk=number))) == (D(30), D(30))
    assert Invoice.objects.filter(account=account, bill_date=JAN_10).count() == 3
