"""Cash credits: given to an account, applied to its invoices like payments, and voided."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.kinds import EntryKind
from invoices.models import LedgerEntry
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import add_cash_credit, apply_unused_credit
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_31, MAR_10, bill
from tests.support.factories import TaxRateFactory
from tests.support.paying import WHY, billed, due, ledger, paying, unapplied
from tests.support.payments import key_with, pay, refused_as, rows, staff_with, three_months

pytestmark = pytest.mark.usefixtures("audited")


def credit(account, caller, amount, *, invoices=None, today=JAN_31, why=WHY):
    return add_cash_credit(
        client=account.client,
        account_no=account.pk,
        caller=caller,
        today=today,
        amount=D(amount),
        why=why,
        invoices=invoices and {one.pk: D(part) for one, part in invoices.items()},
    )


def void(entry, caller, reason_code=8):
    return void_transaction(
        client=entry.account.client, transaction_id=entry.pk, caller=caller, today=JAN_31, reason_code=reason_code
    )


def test_a_credit_is_taken_after_tax(acme, process):
    TaxRateFactory(client=acme)
    account, invoice = billed(acme, process)
    entry = credit(account, process, "10.00", why=Why(2, "Outage in January"))
    assert (invoice.total_amount, due(invoice), account_balance(account)) == (D(33), D(23), D(23))
    assert (entry.kind, entry.amount, entry.reason_code, entry.comments) == ("cash_credit", D(-10), 2, "Outage in January")
    event = Event.objects.get(act="cash_credit.added")
    assert event.after == {"transaction_id": entry.pk, "amount": "10.00", "reason_code": 2, "comments": "Outage in January"}


def test_a_credit_goes_to_the_oldest_or_as_it_is_chosen_and_its_rest_waits(acme, process):
    account, january, february, march = three_months(acme, process)
    credit(account, process, "35.00", today=MAR_10)
    assert [due(one) for one in (january, february, march)] == [0, D(25), D(30)]
    credit(account, process, "60.00", invoices={march: "30.00"}, today=MAR_10)
    assert [due(one) for one in (january, february, march)] == [0, 0, 0]
    assert (unapplied(account), account_balance(account)) == (D(5), D(-5))


def test_a_credit_before_any_invoice_is_taken_by_the_first(acme, process):
    account = paying(acme)
    credit(account, process, "40.00")
    january = bill(account, process, JAN_31)
    february = bill(account, process, FEB_10)
    assert (due(january), due(february), unapplied(account)) == (0, D(20), 0)


def test_a_cent_more_than_is_due_on_a_chosen_invoice_is_refused(acme, process):
    account, invoice = billed(acme, process)
    before = rows()
    assert refused_as(credit, account, process, "40.00", invoices={invoice: "30.01"}) == (90021, "invoices")
    assert rows() == before
    credit(account, process, "40.00", invoices={invoice: "30.00"})
    assert (due(invoice), unapplied(account)) == (0, D(10))


@pytest.mark.parametrize("amount", ["0", "-1", "0.001"])
def test_an_amount_that_is_none_is_refused(acme, process, amount):
    account, _invoice = billed(acme, process)
    before = rows()
    assert refused_as(credit, account, process, amount) == (1016, "amount")
    assert rows() == before


def test_a_voided_credit_makes_its_invoice_due_again(acme, process):
    account, invoice = billed(acme, process)
    entry = credit(account, process, "12.00")
    voiding = void(entry, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (D(30), 0, D(30))
    assert (voiding.voids_id, voiding.kind, voiding.amount, voiding.reason_code) == (entry.pk, "void", D(12), 8)
    assert ledger(account)[1:] == [(EntryKind.CASH_CREDIT, D(-12), D(18)), (EntryKind.VOID, D(12), D(30))]


def test_a_voided_credit_leaves_room_for_a_payment_that_waits(acme, process):
    account, invoice = billed(acme, process)
    entry = credit(account, process, "12.00")
    pay(account, process, "25.00")
    assert (due(invoice), unapplied(account)) == (0, D(7))
    void(entry, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (D(5), 0, D(5))


def test_what_is_left_of_a_credit_can_be_applied_to_a_chosen_invoice(acme, process):
    """February's invoice takes it before January's, whose payment bounced."""
    account, january = billed(acme, process)
    payment = pay(account, process, "30.00")
    entry = credit(account, process, "10.00")
    void(LedgerEntry.objects.get(pk=payment.pk), process, reason_code=3)
    assert (due(january), unapplied(account)) == (D(20), 0)
    assert refused_as(
        apply_unused_credit,
        client=acme,
        transaction_id=entry.pk,
        caller=process,
        today=JAN_31,
        invoices={january.pk: D("0.01")},
    ) == (90021, "invoices")


def test_who_may_not_correct_gives_no_credit_and_leaves_an_event_only(acme, process):
    account, invoice = billed(acme, process)
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(credit, account, caller, "10.00") == (90026, None)
    assert (rows(), due(invoice), Event.objects.count()) == (before, D(30), events + 2)
    for caller in (staff_with("correct_money"), key_with(acme, may_correct=True)):
        assert credit(account, caller, "10.00").created_by == caller.identity
    assert due(invoice) == D(10)
