"""Write-offs and disputes: at most the amount due. If one is voided, its amount is due again."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from invoices.kinds import EntryKind
from invoices.services.approving.acts import discard_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.collection_results import CollectionResult
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_31, bill
from tests.support.paying import WHY, billed, books, due, ledger, unapplied
from tests.support.payments import billed_in, key_with, pay, refused_as, rows, staff_with

pytestmark = pytest.mark.usefixtures("audited")

KINDS = pytest.mark.parametrize("kind", [EntryKind.WRITE_OFF, EntryKind.DISPUTE])


def write_down(invoice, caller, amount=None, kind=EntryKind.WRITE_OFF, why=WHY):
    return write_off(
        client=invoice.client,
        invoice_no=invoice.pk,
        caller=caller,
        today=JAN_31,
        why=why,
        amount=None if amount is None else D(amount),
        everything=amount is None,
        kind=kind,
    )


def void(entry, caller, reason_code=8):
    client = entry.account.client
    return void_transaction(client=client, transaction_id=entry.pk, caller=caller, today=JAN_31, reason_code=reason_code)


@KINDS
def test_all_that_is_due_is_taken_off_where_it_is_asked_for(acme, process, kind):
    account, invoice = billed(acme, process)
    pay(account, process, "12.00")
    entry = write_down(invoice, process, kind=kind)
    assert (entry.kind, entry.amount, entry.invoice_id, entry.reason_code) == (kind, D(-18), invoice.pk, 1)
    assert (due(invoice), account_balance(account)) == (0, 0)
    event = Event.objects.get(act=f"{kind.value}.added")
    assert (event.invoice_no, event.after["transaction_id"], D(event.after["amount"])) == (invoice.pk, entry.pk, D(18))


@KINDS
def test_up_to_what_is_due_is_taken_off_and_not_a_cent_more(acme, process, kind):
    account, invoice = billed(acme, process)
    pay(account, process, "12.00")
    before = rows()
    assert refused_as(write_down, invoice, process, "18.01", kind) == (90021, "amount")
    assert rows() == before
    write_down(invoice, process, "18.00", kind)
    assert due(invoice) == 0
    assert refused_as(write_down, invoice, process, "0.01", kind) == (90021, "amount")
    assert refused_as(write_down, invoice, process, None, kind) == (90021, "amount")


@KINDS
@pytest.mark.parametrize("amount", ["0", "-1.00", "0.001", "29.999"])
def test_an_amount_that_is_none_is_refused(acme, process, kind, amount):
    _account, invoice = billed(acme, process)
    before = rows()
    assert refused_as(write_down, invoice, process, amount, kind) == (1016, "amount")
    assert rows() == before


def test_parts_are_in_the_invoices_own_smallest_unit(acme, process):
    _account, yen = billed_in("jpy", acme, process, "3000")
    _other, dinars = billed_in("kwd", acme, process, "3.125")
    assert refused_as(write_down, yen, process, "0.5") == (1016, "amount")
    write_down(dinars, process, "3.124")
    assert (due(dinars), due(yen)) == (D("0.001"), D(3000))


@KINDS
def test_voiding_it_makes_the_amount_due_again(acme, process, kind):
    account, invoice = billed(acme, process)
    entry = write_down(invoice, process, "10.00", kind)
    assert (due(invoice), account_balance(account)) == (D(20), D(20))
    void(entry, process)
    assert (due(invoice), account_balance(account)) == (D(30), D(30))
    assert ledger(account)[1:] == [(kind, D(-10), D(20)), (EntryKind.VOID, D(10), D(30))]


@KINDS
def test_what_is_due_again_takes_the_payments_that_wait(acme, process, kind):
    account, invoice = billed(acme, process)
    entry = write_down(invoice, process, kind=kind)
    pay(account, process, "25.00")
    assert unapplied(account) == D(25)
    void(entry, process)
    assert (due(invoice), unapplied(account), account_balance(account)) == (D(5), 0, D(5))


def test_a_disputed_part_and_a_written_off_part_share_what_is_due(acme, process):
    _account, invoice = billed(acme, process)
    write_down(invoice, process, "20.00", EntryKind.DISPUTE)
    assert refused_as(write_down, invoice, process, "10.01") == (90021, "amount")
    write_down(invoice, process, "10.00")
    assert due(invoice) == 0


def test_what_is_taken_off_is_not_collected(acme, process):
    _account, invoice = billed(acme, process)
    write_down(invoice, process, "10.00", EntryKind.DISPUTE)
    (outcome,) = collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    assert (outcome.result, books(), due(invoice)) == (CollectionResult.COLLECTED, [D(20)], 0)


def test_a_write_off_never_goes_to_another_invoice(acme, process):
    account, january = billed(acme, process)
    february = bill(account, process, FEB_10)
    write_down(february, process)
    assert (due(january), due(february), unapplied(account)) == (D(30), 0, 0)


def test_a_pending_or_discarded_invoice_is_not_written_off(umbra, process):
    _account, pending = billed(umbra, process)
    before = rows()
    assert refused_as(write_down, pending, process) == (90017, "invoice_no")
    discard_invoices(client=umbra, invoice_nos=[pending.pk], caller=process)
    assert refused_as(write_down, pending, process, "1.00") == (90017, "invoice_no")
    assert rows() == before


def test_an_invoice_that_is_being_collected_is_not_written_off(acme, process):
    _account, invoice = billed(acme, process, "sandbox_timeout_before")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    before = rows()
    assert refused_as(write_down, invoice, process) == (90018, "invoice_no")
    assert rows() == before


def test_an_invoice_of_another_client_is_unknown(acme, umbra, process):
    _account, invoice = billed(umbra, process)
    given = {"client": acme, "caller": process, "today": JAN_31, "why": WHY}
    assert refused_as(write_off, invoice_no=invoice.pk, **given) == (3004, "invoice_no")
    assert refused_as(write_off, invoice_no=invoice.pk + 1000, **given) == (3004, "invoice_no")


@KINDS
def test_who_may_not_correct_takes_nothing_off_and_leaves_an_event_only(acme, process, kind):
    account, invoice = billed(acme, process)
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(write_down, invoice, caller, kind=kind) == (90026, None)
    assert (rows(), Event.objects.count()) == (before, events + 2)
    refused = Event.objects.filter(act="money.refused").values_list("account_id", "invoice_no", "error_code")
    assert set(refused) == {(account.pk, invoice.pk, 90026)}
    assert write_down(invoice, staff_with("correct_money"), kind=kind).amount == D(-30)
