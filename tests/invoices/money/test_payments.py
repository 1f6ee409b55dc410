"""Payments from outside a gateway: what they pay, what stays unapplied, and refusals that write nothing."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import Event
from billing_site.errors import BillingError
from invoices.kinds import EntryKind, PaymentType
from invoices.models import Allocation, LedgerEntry, Payment
from invoices.services.approving.acts import approve_invoices
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import add_cash_credit, apply_unused_credit, record_external_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import FEB_5, FEB_10, JAN_31, MAR_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.outcomes import error_of
from tests.support.paying import WHY, billed, due, ledger, paying, unapplied
from tests.support.payments import billed_in, key_with, pay, refused_as, rows, staff_with, three_months

pytestmark = pytest.mark.usefixtures("audited")


def refusals():
    return list(Event.objects.filter(act="money.refused").values_list("account_id", "error_code"))


# What a payment pays.


def test_a_payment_pays_the_oldest_invoices_first(acme, process):
    account, january, february, march = three_months(acme, process)
    payment = pay(account, process, "45.50", today=MAR_10, reference="CHQ 7", comments="by post")
    assert [due(one) for one in (january, february, march)] == [D("0"), D("14.50"), D("30.00")]
    assert (unapplied(account), account_balance(account)) == (D(0), D("44.50"))
    entry = payment.entry
    assert (entry.kind, entry.amount, entry.balance_after, entry.entry_date) == ("payment", D("-45.50"), D("44.50"), MAR_10)
    assert (entry.comments, entry.created_by, payment.type, payment.reference) == (
        "by post",
        "process:test",
        "check",
        "CHQ 7",
    )


def test_chosen_invoices_are_paid_before_older_ones(acme, process):
    account, january, february, march = three_months(acme, process)
    pay(account, process, "40.00", today=MAR_10, invoices={march: "30.00", february: "10.00"})
    assert [due(one) for one in (january, february, march)] == [D(30), D(20), D(0)]


def test_what_chosen_invoices_leave_of_a_payment_goes_to_the_oldest(acme, process):
    account, january, february, march = three_months(acme, process)
    pay(account, process, "45.00", today=MAR_10, invoices={march: "20.00"})
    assert [due(one) for one in (january, february, march)] == [D("5.00"), D(30), D(10)]


def test_an_overpayment_stays_unapplied_and_is_taken_by_the_next_invoice(acme, process):
    account, january = billed(acme, process)
    pay(account, process, "42.00")
    assert (due(january), unapplied(account), account_balance(account)) == (0, D(12), D(-12))
    february = bill(account, process, FEB_10)
    assert (due(february), unapplied(account), account_balance(account)) == (D(18), 0, D(18))


def test_an_overpayment_is_taken_when_a_pending_invoice_is_approved_and_not_before(umbra, process):
    account, pending = billed(umbra, process)
    pay(account, process, "12.00")
    assert (unapplied(account), account_balance(account)) == (D(12), D(-12))
    (outcome,) = approve_invoices(client=umbra, invoice_nos=[pending.pk], caller=process, today=JAN_31)
    assert (error_of(outcome), due(pending), unapplied(account), account_balance(account)) == (None, D(18), 0, D(18))


def test_two_overpayments_are_taken_in_the_order_in_which_they_came(acme, process):
    account = paying(acme)
    first, second = pay(account, process, "20.00"), pay(account, process, "20.00")
    bill(account, process, JAN_31)
    taken = Allocation.objects.order_by("pk").values_list("credit_id", "amount")
    assert list(taken) == [(first.pk, D(20)), (second.pk, D(10))]
    assert unapplied(account) == D(10)


def test_a_payment_bears_the_day_on_which_it_was_received(acme, process):
    account, _invoice = billed(acme, process)
    assert pay(account, process, "30.00", today=FEB_5, received_on=JAN_31).entry.entry_date == JAN_31


def test_money_in_whole_yen_is_taken(acme, process):
    account, invoice = billed_in("jpy", acme, process, "3000")
    pay(account, process, "2999")
    assert due(invoice) == D(1)


# The same reference.


def test_a_standing_order_pays_three_months_under_one_reference(acme, process):
    account, january, february, march = three_months(acme, process)
    for day in (JAN_31, FEB_10, MAR_10):
        pay(account, process, "30.00", today=MAR_10, received_on=day, reference="STANDING ORDER 1000")
    assert [due(one) for one in (january, february, march)] == [D(0), D(0), D(0)]
    assert Payment.objects.filter(reference="STANDING ORDER 1000").count() == 3


@pytest.mark.parametrize("amount", ["10.00", "10.01"])
def test_the_same_reference_on_the_same_day_is_refused_and_the_earlier_payment_named(acme, process, amount):
    account, invoice = billed(acme, process)
    first = pay(account, process, "10.00", reference="CHQ 7")
    before = rows()
    with pytest.raises(BillingError) as refused:
        pay(account, process, amount, reference="CHQ 7")
    assert (refused.value.code.number, refused.value.field) == (90013, "reference")
    assert f"payment {first.pk} of 10.00 usd, received on 2026-01-31, has the reference CHQ 7" in refused.value.message
    assert (rows(), due(invoice), refusals()) == (before, D(20), [(account.pk, 90013)])


def test_a_reference_is_one_of_its_type_and_account(acme, process):
    account, invoice = billed(acme, process)
    other = paying(acme)
    pay(account, process, "10.00", reference="7")
    pay(account, process, "5.00", reference="7", type=PaymentType.BANK_TRANSFER)
    pay(other, process, "4.00", reference="7")
    pay(account, process, "1.00")
    pay(account, process, "1.00")
    assert (due(invoice), unapplied(other), Payment.objects.count()) == (D(13), D(4), 5)


# What is refused.


@pytest.mark.parametrize("amount", ["0", "-5.00", "0.001", "1.005", "-0.01"])
def test_an_amount_that_cannot_be_paid_in_dollars_is_refused(acme, process, amount):
    account, _invoice = billed(acme, process)
    before = rows()
    assert refused_as(pay, account, process, amount) == (1016, "amount")
    assert (rows(), refusals()) == (before, [(account.pk, 1016)])


@pytest.mark.parametrize(("currency", "amount"), [("jpy", "0.5"), ("jpy", "100.01"), ("kwd", "0.0005")])
def test_parts_of_a_currencys_smallest_unit_are_refused(acme, process, currency, amount):
    account, _invoice = billed_in(currency, acme, process)
    assert refused_as(pay, account, process, amount) == (1016, "amount")


@pytest.mark.parametrize("amount", ["100000000000", "999999999999.99", "1E+20"])
def test_an_amount_that_could_not_be_stored_exactly_is_refused(acme, process, amount):
    account, _invoice = billed(acme, process)
    before = rows()
    assert refused_as(pay, account, process, amount) == (90008, "amount")
    assert rows() == before


def test_a_balance_that_could_not_be_stored_exactly_is_refused(acme, process):
    account = paying(acme)
    pay(account, process, "99999999999.99")
    before = rows()
    assert refused_as(pay, account, process, "0.01") == (90008, "amount")
    assert (rows(), account_balance(account)) == (before, D("-99999999999.99"))


@pytest.mark.parametrize(("amount", "part"), [("40.00", "30.01"), ("20.00", "20.01"), ("20.00", "0"), ("20.00", "-1.00")])
def test_more_than_is_due_on_a_chosen_invoice_or_than_was_paid_is_refused(acme, process, amount, part):
    account, invoice = billed(acme, process)
    before = rows()
    code, field = refused_as(pay, account, process, amount, invoices={invoice: part})
    assert (code, field) == (90021 if D(part) > 0 else 1016, "invoices")
    assert (rows(), due(invoice)) == (before, D(30))


def test_chosen_parts_that_are_more_than_the_payment_together_are_refused(acme, process):
    account, january, february, _march = three_months(acme, process)
    before = rows()
    assert refused_as(pay, account, process, "30.00", invoices={january: "20.00", february: "10.01"}) == (90021, "invoices")
    assert rows() == before


def test_an_invoice_of_another_client_or_account_or_a_pending_one_cannot_be_chosen(acme, umbra, process):
    account, _mine = billed(acme, process)
    _other, of_another_account = billed(acme, process)
    _foreign, pending = billed(umbra, process)
    before = rows()
    for invoice in (of_another_account, pending):
        assert refused_as(pay, account, process, "10.00", invoices={invoice: "10.00"}) == (3004, "invoices")
    approve_invoices(client=umbra, invoice_nos=[pending.pk], caller=process, today=JAN_31)
    assert refused_as(pay, account, process, "10.00", invoices={pending: "10.00"}) == (3004, "invoices")
    assert (rows()[1:5], account_balance(account)) == (before[1:5], D(30))


def test_a_pending_invoice_of_the_account_itself_cannot_be_chosen(umbra, process):
    account, pending = billed(umbra, process)
    assert refused_as(pay, account, process, "10.00", invoices={pending: "10.00"}) == (3004, "invoices")
    assert not Payment.objects.exists()


def test_an_account_of_another_client_is_unknown(acme, umbra, process):
    account = an_account(umbra, a_plan(umbra))
    work = {"client": acme, "account_no": account.pk, "caller": process, "today": JAN_31, "amount": D(1)}
    assert refused_as(record_external_payment, type=PaymentType.CASH, **work) == (1009, "acct_no")
    assert (Payment.objects.count(), Event.objects.filter(account=account, act="money.refused").count()) == (0, 0)


def test_money_that_is_to_come_cannot_be_recorded(acme, process):
    account, _invoice = billed(acme, process)
    before = rows()
    assert refused_as(pay, account, process, "10.00", today=JAN_31, received_on=date(2026, 2, 1)) == (1016, "received_on")
    assert refused_as(pay, account, process, "10.00", today=JAN_31, received_on=date(1900, 1, 1)) == (1016, "received_on")
    assert rows() == before


def test_who_may_not_record_payments_is_refused_and_leaves_an_event_only(acme, process):
    account, invoice = billed(acme, process)
    before, events = rows(), Event.objects.count()
    without = [staff_with("approve_invoice", "correct_money"), key_with(acme, may_approve=True, may_correct=True)]
    for caller in without:
        assert refused_as(pay, account, caller, "10.00") == (90025, None)
        assert refused_as(pay, account, caller, "-1") == (90025, None)
    assert (rows(), due(invoice), Event.objects.count()) == (before, D(30), events + 4)
    refused = Event.objects.filter(act="money.refused").values_list("account_id", "staff_id", "api_key_id", "error_code")
    staff, key = without
    assert set(refused) == {(account.pk, staff.staff.pk, None, 90025), (account.pk, None, key.api_key.pk, 90025)}


def test_who_may_collect_records_payments(acme, process):
    account, invoice = billed(acme, process)
    for caller in (staff_with("collect_money"), key_with(acme, may_collect=True)):
        assert pay(account, caller, "10.00").entry.created_by == caller.identity
    assert due(invoice) == D(10)


# Applying the rest.


def apply(payment, caller, invoices=None, today=JAN_31):
    return apply_unused_credit(
        client=payment.account.client,
        transaction_id=payment.pk,
        caller=caller,
        today=today,
        invoices=invoices and {one.pk: D(part) for one, part in invoices.items()},
    )


def test_what_is_left_of_a_payment_goes_to_a_chosen_invoice_or_to_the_oldest(acme, process):
    """It was for an invoice that is now voided. So it stays unapplied although others are open."""
    account, january, february, march = three_months(acme, process)
    payment = pay(account, process, "30.00", invoices={march: "30.00"}, today=MAR_10)
    void_invoice(client=acme, invoice_no=march.pk, caller=process, today=MAR_10, reason_code=5)
    assert [due(one) for one in (january, february)] == [D(30), D(30)]
    before = rows()
    assert refused_as(apply, payment, process, {january: "30.01"}, MAR_10) == (90021, "invoices")
    assert refused_as(apply, payment, process, {march: "1.00"}, MAR_10) == (90021, "invoices")
    assert rows() == before
    apply(payment, process, {february: "12.00"}, MAR_10)
    assert [due(one) for one in (january, february)] == [D(12), D(18)]
    assert (unapplied(account), account_balance(account)) == (0, D(30))
    event = Event.objects.get(act="payment.applied")
    assert (event.account_id, event.after["transaction_id"], D(event.before["left"])) == (account.pk, payment.pk, D(30))


def test_what_is_left_of_a_payment_cannot_go_to_another_accounts_invoice(acme, process):
    payment = pay(paying(acme), process, "50.00")
    _other, invoice = billed(acme, process)
    before = rows()
    assert refused_as(apply, payment, process, {invoice: "1.00"}) == (3004, "invoices")
    assert refused_as(apply, payment, process, {invoice: "50.01"}) == (90021, "invoices")
    assert rows() == before


def test_a_payment_that_would_pay_nothing_is_not_applied(acme, process):
    """Neither one that is applied already, nor one of a customer who owes nothing: by REST as on the page."""
    account, _invoice = billed(acme, process)
    applied, unused = pay(account, process, "30.00"), pay(account, process, "5.00")
    before = rows()
    assert refused_as(apply, applied, process) == (90435, "transaction_id")
    assert refused_as(apply, unused, process) == (90435, "transaction_id")
    assert rows() == before


def test_an_invoices_own_entry_or_an_unknown_one_is_not_applied(acme, process):
    account, invoice = billed(acme, process)
    entry = LedgerEntry.objects.get(invoice=invoice)
    refused = {"client": acme, "transaction_id": entry.pk, "caller": process, "today": JAN_31}
    assert refused_as(apply_unused_credit, **refused) == (2001, "transaction_id")
    assert refused_as(apply_unused_credit, **{**refused, "transaction_id": entry.pk + 1000}) == (2001, "transaction_id")
    assert account_balance(account) == D(30)


def test_a_cash_credit_and_a_payment_are_taken_together(acme, process):
    account = paying(acme)
    pay(account, process, "10.00")
    add_cash_credit(client=acme, account_no=account.pk, caller=process, today=JAN_31, amount=D("5.00"), why=WHY)
    invoice = bill(account, process, JAN_31)
    assert due(invoice) == D(15)
    assert ledger(account) == [
        (EntryKind.PAYMENT, D(-10), D(-10)),
        (EntryKind.CASH_CREDIT, D(-5), D(-15)),
        (EntryKind.INVOICE, D(30), D(15)),
    ]


def test_an_allocation_counts_from_the_day_of_the_act_but_never_before_the_invoice(acme, process):
    """Recorded on 31 January: received on the 5th, before the invoice of the 10th. Its void of 5 February releases it then."""
    account, invoice = billed(acme, process)
    early = pay(account, process, "10", received_on=date(2026, 1, 5))
    late = pay(account, process, "5", received_on=date(2026, 1, 20), reference="late")
    void_transaction(client=acme, transaction_id=early.pk, caller=process, today=date(2026, 2, 5), reason_code=1)
    days = Allocation.objects.filter(debit__invoice=invoice).order_by("pk").values_list("credit", "amount", "day")
    assert list(days) == [
        (early.pk, D(10), date(2026, 1, 10)),
        (late.pk, D(5), date(2026, 1, 20)),
        (early.pk, D(-10), date(2026, 2, 5)),
    ]
