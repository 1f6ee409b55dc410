"""Dunning ends when nothing is overdue any more, whatever act brought that about."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.models import Account, Event
from invoices.kinds import EntryKind
from invoices.models import Invoice
from invoices.services.approving.acts import approve_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.payments import add_cash_credit, apply_unused_credit
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import TaxRateFactory
from tests.support.memos import memo_of, void
from tests.support.paying import WHY, due, paying
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def declined(acme, process):
    """An account whose card was declined for 120.00: it is in dunning."""
    acme.collect_on_approval = acme.dunning_on_collection_failure = True
    acme.save()
    TaxRateFactory(client=acme, percent=D(20))
    return in_dunning(acme, process)


def in_dunning(acme, process, **fields):
    account = paying(acme, "sandbox_declined", "100.00", **fields)
    number = approve_invoices(
        client=acme,
        invoice_nos=[bill(account, process, JAN_10, force_pending=True).pk],
        caller=process,
        today=JAN_10,
    )[0].invoice_no
    assert status(account) == 11
    acme.collect_on_approval = False
    acme.save()
    return account, Invoice.objects.get(pk=number)


def status(account):
    return Account.objects.get(pk=account.pk).status


def by_payment(account, invoice, process):
    pay(account, process, "120.00")


def by_two_payments(account, invoice, process):
    pay(account, process, "119.99")
    assert status(account) == 11
    pay(account, process, "0.01", reference="the last cent")


def by_credit_memo(account, invoice, process):
    memo_of(invoice, process)


def by_void(account, invoice, process):
    void(invoice, process)


def by_rebill_to_nothing(account, invoice, process):
    rebilled(invoice, process, line(1, amount="0"))


def by_write_off(account, invoice, process, kind=EntryKind.WRITE_OFF):
    by = {"client": account.client, "caller": process, "today": JAN_31}
    write_off(invoice_no=invoice.pk, why=WHY, everything=True, kind=kind, **by)


def by_dispute(account, invoice, process):
    by_write_off(account, invoice, process, EntryKind.DISPUTE)


def by_cash_credit(account, invoice, process):
    given = {"client": account.client, "account_no": account.pk, "caller": process, "today": JAN_31, "why": WHY}
    add_cash_credit(amount=D("120.00"), **given)


def by_a_credit_that_is_applied(account, invoice, process):
    """It was for an invoice that is voided."""
    february = bill(account, process, FEB_10)
    payment = pay(account, process, "120.00", invoices={february: "120.00"}, today=FEB_10)
    by = {"client": account.client, "caller": process, "today": FEB_10}
    void_invoice(invoice_no=february.pk, reason_code=5, **by)
    assert status(account) == 11
    apply_unused_credit(transaction_id=payment.pk, **by)


def by_another_card(account, invoice, process):
    account.payment_methods.update(token="sandbox_approved")
    collect_invoices(client=account.client, invoice_nos=[invoice.pk], caller=process, today=JAN_31)


ACTS = [
    by_payment,
    by_two_payments,
    by_credit_memo,
    by_void,
    by_rebill_to_nothing,
    by_write_off,
    by_dispute,
    by_cash_credit,
    by_a_credit_that_is_applied,
    by_another_card,
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_dunning_ends_with_each_act_that_leaves_nothing_overdue(declined, process, act):
    account, invoice = declined
    act(account, invoice, process)
    assert status(account) == 1
    ended = Event.objects.get(act="account.dunning_ended")
    assert (ended.account_id, ended.before, ended.after) == (account.pk, {"status": 11}, {"status": 1})
    assert account.history.first().status == 1


def test_a_part_that_is_paid_ends_nothing(declined, process):
    account, invoice = declined
    pay(account, process, "119.99")
    assert (due(invoice), status(account)) == (D("0.01"), 11)


def test_a_rebill_of_what_could_not_be_collected_is_overdue_as_well(declined, process):
    account, invoice = declined
    rebill = rebilled(invoice, process, line(1, rate_per_unit="60"), collect=False)
    assert (due(rebill), status(account)) == (72, 11)
    pay(account, process, "72.00")
    assert status(account) == 1


def test_a_later_invoice_is_not_overdue_before_its_day(declined, process):
    account, invoice = declined
    later = bill(account, process, FEB_10)
    assert due(later) == 120
    pay(account, process, "120.00", invoices={invoice: "120.00"}, today=FEB_10)
    assert status(account) == 1


def test_what_is_past_its_due_date_keeps_the_account_in_dunning(declined, process):
    account, invoice = declined
    later = bill(account, process, FEB_10)
    pay(account, process, "120.00", invoices={invoice: "120.00"}, today=date(2026, 3, 1))
    assert (later.due_date, due(later), status(account)) == (date(2026, 2, 24), 120, 11)
    pay(account, process, "120.00", reference="2", today=date(2026, 3, 1))
    assert status(account) == 1


def test_the_day_of_the_act_counts_not_the_day_on_which_the_money_came(declined, process):
    account, invoice = declined
    later = bill(account, process, FEB_10)
    received = {"received_on": date(2026, 2, 11), "today": date(2026, 3, 1)}
    pay(account, process, "120.00", invoices={invoice: "120.00"}, **received)
    assert (due(later), status(account)) == (120, 11)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 2), (3, 3), (10, 1), (21, 21), (22, 22)])
def test_the_status_from_before_comes_back(acme, process, before, after):
    acme.collect_on_approval = acme.dunning_on_collection_failure = True
    acme.save()
    account, _invoice = in_dunning(acme, process, status=before)
    pay(account, process, "100.00")
    assert status(account) == after


@pytest.mark.parametrize("by_hand", [12, 18, -11, -15])
def test_dunning_that_was_set_by_hand_ends_too(acme, process, by_hand):
    account = paying(acme, rate="30.00")
    invoice = bill(account, process, JAN_10)
    Account.objects.filter(pk=account.pk).update(status=by_hand)
    pay(account, process, "10.00", today=FEB_10)
    assert (due(invoice), status(account)) == (20, by_hand)
    pay(account, process, "20.00", today=FEB_10)
    assert status(account) == 1


@pytest.mark.parametrize("other", [-1, -2, 0, 51])
def test_another_status_is_left_as_it_is(acme, process, other):
    account = paying(acme, rate="30.00")
    bill(account, process, JAN_10)
    Account.objects.filter(pk=account.pk).update(status=other)
    pay(account, process, "30.00")
    assert status(account) == other


def test_a_voided_payment_does_not_begin_it_again(declined, process):
    account, invoice = declined
    payment = pay(account, process, "120.00")
    void_transaction(client=account.client, transaction_id=payment.pk, caller=process, today=JAN_31, reason_code=3)
    assert (due(invoice), status(account)) == (120, 1)
