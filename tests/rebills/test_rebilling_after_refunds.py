"""When a refund blocks a rebill: only while it has left this invoice unpaid. And invoices of 0.00, which can be rebilled."""

from decimal import Decimal as D

import pytest

from invoices.services.collecting.collecting import collect_due
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.paying import WHY, billed, due
from tests.support.payments import pay, refused_as
from tests.support.rebill_states import collected, refund, zero
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


def taken_back(entry, process):
    """A payment or refund is voided."""
    client = entry.account.client
    return void_transaction(client=client, transaction_id=entry.pk, caller=process, today=JAN_31, reason_code=8)


@pytest.fixture
def taxed(acme, process):
    """An account that owes 120.00 of January, and the invoice."""
    TaxRateFactory(client=acme, percent=D(20))
    return billed(acme, process, rate="100.00")


def test_a_refund_of_money_that_paid_nothing_blocks_nothing(taxed, process):
    account, invoice = taxed
    payment = pay(account, process, "200.00")
    taken_back(refund(payment, process, "100.00").entry, process)
    assert due(invoice) == 0
    refund(payment, process, "80.00")
    assert due(invoice) == 0
    assert rebilled(invoice, process, line(1, rate_per_unit="90")).total_amount == D("108.00")


def test_a_refund_blocks_until_it_is_voided(taxed, process):
    account, invoice = taxed
    back = refund(pay(account, process, "120.00"), process, "20.00")
    assert refused_as(rebilled, invoice, process, 1) == (90036, "invoice_no")
    taken_back(back.entry, process)
    assert rebilled(invoice, process, line(1, rate_per_unit="90")).total_amount == D("108.00")


def test_a_card_refund_blocks_until_the_customer_has_paid_all_of_it_again(acme, process):
    invoice = collected(acme, process)
    payment = invoice.collection_attempts.get().payment
    refund(payment, process, "20.00")
    pay(invoice.account, process, "5.00")
    assert (due(invoice), refused_as(rebilled, invoice, process, 1)) == (15, (90036, "invoice_no"))
    second = pay(invoice.account, process, "15.00")
    assert due(invoice) == 0
    bounced = taken_back(second.entry, process)
    assert (bounced.amount, refused_as(rebilled, invoice, process, 1)) == (15, (90036, "invoice_no"))
    pay(invoice.account, process, "15.00")
    assert rebilled(invoice, process, line(1, po_num="PO-1")).status == "approved"


def test_a_part_that_was_never_paid_is_no_reason_once_the_refund_is_made_good(taxed, process):
    """60.00 of 120.00 were paid, 20.00 refunded and paid again: as much is due as before the refund."""
    account, invoice = taxed
    refund(pay(account, process, "60.00"), process, "20.00")
    assert refused_as(rebilled, invoice, process, 1) == (90036, "invoice_no")
    pay(account, process, "20.00")
    assert (due(invoice), rebilled(invoice, process, 1).total_amount) == (60, 120)


def test_a_voided_refund_that_paid_again_does_not_hide_one_that_was_not_voided(taxed, process):
    account, invoice = taxed
    payment = pay(account, process, "120.00")
    refund(payment, process, "20.00")
    taken_back(refund(payment, process, "30.00").entry, process)
    assert (due(invoice), refused_as(rebilled, invoice, process, 1)) == (20, (90036, "invoice_no"))


def freed_by_a_rebill(one, process):
    rebilled(one, process, line(1, rate_per_unit="60"))


def freed_by_a_memo(one, process):
    memo_of(one, process, amount="40.00")


@pytest.mark.parametrize("free", [freed_by_a_rebill, freed_by_a_memo])
def test_money_that_another_invoice_freed_is_not_the_invoices_own(taxed, process, free):
    account, one = taxed
    payment = pay(account, process, "120.00")
    two = bill(account, process, FEB_10)
    free(one, process)
    assert due(two) == 72
    refund(payment, process, "48.00")
    assert due(two) == 120
    assert rebilled(two, process, line(1, rate_per_unit="55")).total_amount == D("66.00")


def test_a_rebills_own_money_is_what_its_original_held(taxed, process):
    account, invoice = taxed
    payment = pay(account, process, "120.00")
    rebill = rebilled(invoice, process, line(1, rate_per_unit="100"))
    refund(payment, process, "20.00")
    assert refused_as(rebilled, rebill, process, 1) == (90036, "invoice_no")


def test_a_cash_credit_makes_a_refund_good(taxed, process):
    account, invoice = taxed
    refund(pay(account, process, "120.00"), process)
    given = {"client": account.client, "account_no": account.pk, "caller": process, "today": JAN_31, "why": WHY}
    add_cash_credit(amount=D("120.00"), **given)
    assert rebilled(invoice, process, 1).status == "approved"


def test_a_run_collects_again_what_is_due_for_another_reason_than_a_refund(acme, process):
    invoice = collected(acme, process)
    payment = invoice.collection_attempts.get().payment
    refund(payment, process, "20.00")
    assert list(collect_due(client=acme, caller=process, today=JAN_31)) == []
    second = pay(invoice.account, process, "20.00")
    two = bill(invoice.account, process, FEB_10)
    assert [one.invoice_no for one in collect_due(client=acme, caller=process, today=FEB_10)] == [two.pk]
    taken_back(second.entry, process)
    assert list(collect_due(client=acme, caller=process, today=FEB_10)) == []


def test_an_invoice_of_nothing_can_be_rebilled(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "0.00"}))
    invoice = bill(account, process, JAN_10)
    bill(account, process, FEB_10)
    assert rebilled(invoice, process, line(1, rate_per_unit="50")).total_amount == D("50.00")


def test_a_rebill_to_nothing_is_rebilled_again(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "80.00", "tv": "20.00"}))
    invoice = bill(account, process, JAN_10)
    pay(account, process, "100.00")
    nothing = rebilled(invoice, process, line(1, amount="0"), line(2, exclude=True))
    assert nothing.total_amount == 0
    assert rebilled(nothing, process, line(1, rate_per_unit="80")).total_amount == D("80.00")
    assert account_balance(account) == -20


def test_an_invoice_of_nothing_can_be_voided_and_billed_again(acme, process):
    invoice = zero(acme, process)
    void(invoice, process)
    assert bill(invoice.account, process, JAN_10).total_amount == 0
