"""Taking transactions back: each kind by its own rule, once, and what it had paid is due again."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.kinds import EntryKind
from invoices.models import LedgerEntry
from invoices.services.correcting.credit_memos import create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import add_cash_credit, apply_unused_credit
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_31, bill
from tests.support.memos import ALL
from tests.support.paying import WHY, billed, due, ledger, unapplied
from tests.support.payments import key_with, pay, refused_as, rows, staff_with
from tests.support.refunds import collected

pytestmark = pytest.mark.usefixtures("audited")


def void(number, client, caller, reason_code=8, comments=""):
    return void_transaction(
        client=client, transaction_id=number, caller=caller, today=JAN_31, reason_code=reason_code, comments=comments
    )


def given(client, caller):
    return {"client": client, "caller": caller, "today": JAN_31, "why": WHY}


def test_a_voided_payment_makes_its_invoices_due_again(acme, process):
    account, january = billed(acme, process)
    february = bill(account, process, FEB_10)
    payment = pay(account, process, "45.00", today=FEB_10)
    assert (due(january), due(february)) == (0, D(15))
    voiding = void(payment.pk, acme, process, 3, "Cheque bounced")
    assert (due(january), due(february), unapplied(account), account_balance(account)) == (D(30), D(30), 0, D(60))
    assert (voiding.kind, voiding.amount, voiding.voids_id, voiding.reason_code, voiding.comments) == (
        "void",
        D(45),
        payment.pk,
        3,
        "Cheque bounced",
    )
    assert ledger(account)[-2:] == [(EntryKind.PAYMENT, D(-45), D(15)), (EntryKind.VOID, D(45), D(60))]
    event = Event.objects.get(act="transaction.voided")
    assert (event.account_id, event.before["transaction_id"], event.after["transaction_id"]) == (
        account.pk,
        payment.pk,
        voiding.pk,
    )


def test_a_voided_overpayment_pays_nothing_later(acme, process):
    account, _january = billed(acme, process)
    payment = pay(account, process, "50.00")
    void(payment.pk, acme, process)
    february = bill(account, process, FEB_10)
    assert (due(february), unapplied(account), account_balance(account)) == (D(30), 0, D(60))


def test_a_voided_payment_is_not_applied(acme, process):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "50.00")
    void(payment.pk, acme, process)
    some = {"client": acme, "transaction_id": payment.pk, "caller": process, "today": JAN_31}
    assert refused_as(apply_unused_credit, invoices={invoice.pk: D(1)}, **some) == (90021, "invoices")
    assert refused_as(apply_unused_credit, **some) == (90435, "transaction_id")
    assert (due(invoice), account_balance(account)) == (D(30), D(30))


def test_a_mistaken_payment_is_voided_and_entered_again_under_its_reference(acme, process):
    account, invoice = billed(acme, process)
    void(pay(account, process, "20.00", reference="CHQ 7").pk, acme, process)
    pay(account, process, "25.00", reference="CHQ 7")
    assert due(invoice) == D(5)
    assert refused_as(pay, account, process, "25.00", reference="CHQ 7") == (90013, "reference")


def test_a_gateways_payment_is_voided_only_where_others_took_it_back(acme, process):
    account, invoice, payment = collected(acme, process)
    before = rows()
    for reason_code in (1, 2, 4, 5, 6, 7, 8, 9, 12):
        assert refused_as(void, payment.pk, acme, process, reason_code) == (90022, "transaction_id")
    assert rows() == before
    void(payment.pk, acme, process, 3)
    assert (due(invoice), account_balance(account)) == (D(30), D(30))


@pytest.mark.parametrize("reason_code", [3, 10, 11])
def test_each_reason_of_money_that_was_taken_back_will_do(acme, process, reason_code):
    account, invoice, payment = collected(acme, process)
    assert void(payment.pk, acme, process, reason_code).amount == D(30)
    assert (due(invoice), account_balance(account)) == (D(30), D(30))


def test_a_gateways_refund_is_not_voided_but_one_by_hand_is(acme, process):
    account, invoice, payment = collected(acme, process)
    electronic = refund_payment(transaction_id=payment.pk, amount=D(10), **given(acme, process))
    assert refused_as(void, electronic.pk, acme, process, 11) == (90380, "transaction_id")
    cheque = pay(account, process, "10.00")
    by_hand = refund_payment(transaction_id=cheque.pk, everything=True, **given(acme, process))
    assert due(invoice) == D(10)
    void(by_hand.pk, acme, process)
    assert (due(invoice), account_balance(account)) == (0, 0)


def test_invoices_and_credit_memos_are_voided_whole(acme, process):
    account, invoice = billed(acme, process)
    create_credit_memo(invoice_no=invoice.pk, credit=ALL, **given(acme, process))
    entries = list(LedgerEntry.objects.filter(account=account).values_list("pk", flat=True))
    before = rows()
    assert [refused_as(void, number, acme, process) for number in entries] == [(3053, "transaction_id")] * 2
    assert rows() == before


def every_kind(account, invoice, caller):
    """One of each kind that is voided by itself."""
    some = given(account.client, caller)
    return [
        pay(account, caller, "1.00").entry,
        add_cash_credit(account_no=account.pk, amount=D(2), **some),
        write_off(invoice_no=invoice.pk, amount=D(3), **some),
        write_off(invoice_no=invoice.pk, amount=D(4), kind=EntryKind.DISPUTE, **some),
        refund_payment(transaction_id=pay(account, caller, "5.00").pk, everything=True, **some).entry,
    ]


def test_each_kind_is_voided_once_and_its_void_never(acme, process):
    account, invoice = billed(acme, process)
    for entry in every_kind(account, invoice, process):
        balance = account_balance(account)
        voiding = void(entry.pk, acme, process)
        assert account_balance(account) == balance - entry.amount
        assert (voiding.amount, voiding.invoice_id) == (-entry.amount, entry.invoice_id)
        before = rows()
        assert refused_as(void, entry.pk, acme, process) == (2003, "transaction_id")
        assert refused_as(void, voiding.pk, acme, process) == (2002, "transaction_id")
        assert rows() == before
    # What is left is the cheque of 5.00, whose refund was voided.
    assert (due(invoice), unapplied(account), account_balance(account)) == (D(25), 0, D(25))


def test_a_transaction_of_another_client_is_unknown(acme, umbra, process):
    account, invoice = billed(acme, process)
    before = rows()
    for number in (pay(account, process, "5.00").pk, LedgerEntry.objects.get(invoice=invoice).pk, 10**9):
        assert refused_as(void, number, umbra, process) == (2001, "transaction_id")
    assert rows()[0] == before[0] + 1


def test_a_refusal_leaves_its_event_in_the_accounts_trail(acme, process):
    account, invoice = billed(acme, process)
    refused_as(void, LedgerEntry.objects.get(invoice=invoice).pk, acme, process)
    event = Event.objects.get(act="money.refused")
    assert (event.account_id, event.error_code, event.process) == (account.pk, 3053, "test")


def test_who_may_not_correct_voids_nothing_and_leaves_an_event_only(acme, process):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "5.00")
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(void, payment.pk, acme, caller) == (90026, None)
    assert (rows(), due(invoice), Event.objects.count()) == (before, D(25), events + 2)
    assert void(payment.pk, acme, staff_with("correct_money")).amount == D(5)
