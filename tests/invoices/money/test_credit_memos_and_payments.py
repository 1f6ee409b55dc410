"""The money of a credited invoice: what is due, what is released, and what that pays."""

from decimal import Decimal as D

import pytest

from invoices.kinds import EntryKind, InvoiceStatus
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import FEB_10, JAN_31, MAR_10, bill
from tests.support.factories import TaxRateFactory
from tests.support.memos import memo_of, void
from tests.support.paying import WHY, billed, due, ledger, unapplied
from tests.support.payments import pay, refused_as, rows

pytestmark = pytest.mark.usefixtures("audited")


def test_what_a_memo_leaves_of_an_unpaid_invoice_is_due(acme, process):
    account, invoice = billed(acme, process)
    memo_of(invoice, process, {1: "12.00"})
    assert (due(invoice), account_balance(account)) == (D(18), D(18))
    assert ledger(account)[1:] == [(EntryKind.CREDIT_MEMO, D(-12), D(18))]


def test_payments_that_a_memo_leaves_no_room_for_go_to_the_oldest_open_invoice(acme, process):
    account, january = billed(acme, process)
    february, march = bill(account, process, FEB_10), bill(account, process, MAR_10)
    pay(account, process, "30.00", invoices={march: "30.00"}, today=MAR_10)
    memo_of(march, process, {1: "20.00"}, today=MAR_10)
    assert [due(one) for one in (january, february, march)] == [D(10), D(30), 0]
    assert (unapplied(account), account_balance(account)) == (0, D(40))


def test_payments_that_nothing_takes_stay_unapplied(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "30.00")
    memo_of(invoice, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, D(30), D(-30))
    assert due(bill(account, process, FEB_10)) == 0


def test_only_as_much_of_a_payment_is_freed_as_the_memo_needs(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "25.00")
    memo_of(invoice, process, {1: "12.00"})
    assert (due(invoice), unapplied(account)) == (0, D(7))


def test_after_a_write_off_only_the_rest_can_be_credited(acme, process):
    TaxRateFactory(client=acme)
    account, invoice = billed(acme, process)
    write_off(client=acme, invoice_no=invoice.pk, caller=process, today=JAN_31, why=WHY, amount=D("11.00"))
    before = rows()
    assert refused_as(memo_of, invoice, process, {1: "20.01"}) == (90021, "amount")
    assert refused_as(memo_of, invoice, process, None, "20.01") == (90021, "amount")
    assert rows() == before
    memo = memo_of(invoice, process, {1: "20.00"})
    assert (memo.total_amount, due(invoice), account_balance(account)) == (D(-22), 0, 0)
    assert refused_as(memo_of, invoice, process, {1: "0.10"}) == (90021, "invoice_no")


def test_a_voided_memo_makes_its_amount_due_again_and_can_be_made_again(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "30.00")
    memo = memo_of(invoice, process)
    assert unapplied(account) == D(30)
    void(memo, process)
    memo.refresh_from_db()
    assert (memo.status, memo.document_number, memo.void_reason_code) == (InvoiceStatus.VOIDED, "CM-000001", 8)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
    again = memo_of(invoice, process)
    assert (again.document_number, again.total_amount) == ("CM-000002", D(-30))
    assert (due(invoice), unapplied(account)) == (0, D(30))


def test_a_memo_that_is_voided_gives_its_invoice_the_payment_back_that_has_gone_elsewhere(acme, process):
    account, january = billed(acme, process)
    pay(account, process, "30.00")
    memo = memo_of(january, process)
    february = bill(account, process, FEB_10)
    assert (due(february), unapplied(account)) == (0, 0)
    void(memo, process, FEB_10)
    assert (due(january), due(february), account_balance(account)) == (0, D(30), D(30))


def test_a_memo_of_an_invoice_whose_money_was_given_back_takes_no_payment_from_it(acme, process):
    """The invoice is due again after the refund; the memo pays it, and nobody owes anything."""
    account, invoice = billed(acme, process)
    payment = pay(account, process, "30.00")
    refund_payment(client=acme, transaction_id=payment.pk, caller=process, today=JAN_31, why=WHY, everything=True)
    assert due(invoice) == D(30)
    memo_of(invoice, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
