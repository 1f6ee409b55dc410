"""Refunds: through the gateway that was paid by, or by hand; never more than was paid; and what the gateway's own books say."""

from decimal import Decimal as D

import pytest

from accounts.models import Event
from billing_site.common.guards import lifted
from invoices.gateways.protocol import RefundRequest
from invoices.gateways.sandbox import SandboxGateway
from invoices.kinds import AllocationKind, EntryKind, PaymentType
from invoices.models import Allocation, LedgerEntry, Payment, Refund
from invoices.services.collecting.collecting import collect_due, collect_invoices, resume_collecting
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.refunds import record_refund, refund_payment
from invoices.services.money.ledger.voids import void_transaction
from tests.support.billing import FEB_10, JAN_31, MAR_10, bill
from tests.support.paying import WHY, billed, books, due, ledger, paying, unapplied
from tests.support.payments import key_with, pay, refused_as, rows, staff_with
from tests.support.refunds import collected

pytestmark = pytest.mark.usefixtures("audited")

PAID_TWICE = Why(2, "Paid twice")


def refund(payment, caller, amount=None, why=PAID_TWICE, today=JAN_31):
    return refund_payment(
        client=payment.account.client,
        transaction_id=payment.pk,
        caller=caller,
        today=today,
        why=why,
        amount=None if amount is None else D(amount),
        everything=amount is None,
    )


def resume(client, caller):
    return resume_collecting(client=client, caller=caller, today=JAN_31)


def statuses():
    return list(Refund.objects.order_by("pk").values_list("status", "entry__amount"))


# By the gateway.


def test_a_gateways_payment_is_refunded_by_it_and_its_invoice_is_due_again(acme, process):
    account, invoice, payment = collected(acme, process)
    made = refund(payment, process)
    assert (made.status, made.payment, made.proc_status_code) == ("done", payment, "refunded")
    assert made.gateway_refund_id == f"sr_{made.idempotency_key}"
    assert (made.entry.kind, made.entry.reason_code, made.entry.comments) == ("electronic_refund", 2, "Paid twice")
    assert ledger(account) == [
        (EntryKind.INVOICE, D(30), D(30)),
        (EntryKind.ELECTRONIC_PAYMENT, D(-30), D(0)),
        (EntryKind.ELECTRONIC_REFUND, D(30), D(30)),
    ]
    assert (due(invoice), unapplied(account), account_balance(account)) == (D(30), 0, D(30))
    assert (books(), books("refunds")) == ([D(30)], [D(30)])
    acts = Event.objects.filter(act__startswith="refund.").order_by("pk")
    assert list(acts.values_list("act", "account_id")) == [("refund.asked", account.pk), ("refund.done", account.pk)]


def test_a_payment_is_refunded_in_parts_until_nothing_is_left_of_it(acme, process):
    account, invoice, payment = collected(acme, process)
    refund(payment, process, "10.00")
    refund(payment, process, "0.01")
    assert (due(invoice), account_balance(account)) == (D("10.01"), D("10.01"))
    before = rows()
    assert refused_as(refund, payment, process, "20.00") == (90021, "amount")
    assert rows() == before
    assert refund(payment, process).entry.amount == D("19.99")
    assert (due(invoice), books("refunds")) == (D(30), [D("10.00"), D("0.01"), D("19.99")])
    assert refused_as(refund, payment, process, "0.01") == (90021, "amount")
    assert refused_as(refund, payment, process) == (90021, "transaction_id")
    assert books("refunds") == [D("10.00"), D("0.01"), D("19.99")]


def test_more_than_was_paid_is_refused_and_the_gateway_not_asked(acme, process):
    _account, invoice, payment = collected(acme, process)
    before = rows()
    assert refused_as(refund, payment, process, "30.01") == (90021, "amount")
    assert (rows(), due(invoice), books("refunds")) == (before, 0, [])


@pytest.mark.parametrize("amount", ["0", "-1.00", "0.001"])
def test_an_amount_that_is_none_is_refused(acme, process, amount):
    _account, _invoice, payment = collected(acme, process)
    before = rows()
    assert refused_as(refund, payment, process, amount) == (1016, "amount")
    assert (rows(), books("refunds")) == (before, [])


# By hand.


def test_a_cheque_is_refunded_by_hand_and_no_gateway_asked(acme, process):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "30.00")
    made = refund(payment, process, "12.00")
    assert (made.status, made.idempotency_key, made.entry.kind, made.settled_at) == ("done", "", "refund", made.asked_at)
    assert (due(invoice), account_balance(account), books("refunds")) == (D(12), D(12), [])
    (event,) = Event.objects.filter(act__startswith="refund.")
    assert (event.act, event.type, event.after["amount"], event.after["status"]) == (
        "refund.done",
        "refund.made",
        "12.00",
        "done",
    )


def test_a_refund_by_hand_can_be_voided_and_made_again(acme, process):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "30.00")
    made = refund(payment, process)
    void_transaction(client=acme, transaction_id=made.pk, caller=process, today=JAN_31, reason_code=8)
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
    assert refund(payment, process).entry.amount == D(30)
    assert (due(invoice), account_balance(account)) == (D(30), D(30))


# Which money is given back first.


def test_what_is_unapplied_goes_back_first_and_nothing_is_due_again(acme, process):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "50.00")
    refund(payment, process, "20.00")
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
    assert not Allocation.objects.filter(kind=AllocationKind.REFUNDED).exists()


def test_then_it_is_taken_from_the_newest_invoice_and_then_from_older_ones(acme, process):
    account, january = billed(acme, process)
    february, march = bill(account, process, FEB_10), bill(account, process, MAR_10)
    payment = pay(account, process, "95.00", today=MAR_10)
    refund(payment, process, "45.00", today=MAR_10)
    assert [due(one) for one in (january, february, march)] == [0, D(10), D(30)]
    let_go = Allocation.objects.filter(kind=AllocationKind.REFUNDED).order_by("pk").values_list("debit__invoice", "amount")
    assert list(let_go) == [(march.pk, D(-30)), (february.pk, D(-10))]
    assert account_balance(account) == D(40)


def test_an_invoice_whose_money_was_given_back_is_not_collected_by_a_run(acme, process):
    account, invoice, payment = collected(acme, process)
    other, _invoice = billed(acme, process)
    refund(payment, process, "10.00")
    outcomes = list(collect_due(client=acme, caller=process, today=JAN_31))
    assert [one.account_no for one in outcomes] == [other.pk]
    assert (due(invoice), books()) == (D(10), [D(30), D(30)])
    (asked,) = collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    assert (asked.amount, due(invoice), account_balance(account)) == (D(10), 0, 0)


def test_money_that_was_given_back_pays_no_later_invoice(acme, process):
    account = paying(acme)
    payment = pay(account, process, "30.00")
    refund(payment, process, "25.00")
    invoice = bill(account, process, JAN_31)
    assert (due(invoice), unapplied(account), account_balance(account)) == (D(25), 0, D(25))


# A gateway that refuses.


def refunded_behind_our_back(payment, amount):
    """In the gateway's own books some of the charge went back already."""
    SandboxGateway().refund(RefundRequest("elsewhere", D(amount), "usd", payment.gateway_payment_id))


def test_a_refund_that_the_gateway_refuses_is_voided_and_the_payment_pays_again(acme, process):
    account, invoice, payment = collected(acme, process)
    refunded_behind_our_back(payment, "0.01")
    made = refund(payment, process)
    assert (made.status, made.proc_status_code) == ("failed", "above_charge")
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, 0, 0)
    assert ledger(account)[2:] == [(EntryKind.ELECTRONIC_REFUND, D(30), D(30)), (EntryKind.VOID, D(-30), D(0))]
    voiding = LedgerEntry.objects.get(voids=made.pk)
    assert (voiding.reason_code, voiding.comments) == (6, "The amount exceeds what is left of the charge")
    assert books("refunds") == [D("0.01")]
    assert refund(payment, process, "29.99").status == "done"
    assert (due(invoice), books("refunds")) == (D("29.99"), [D("0.01"), D("29.99")])


def test_a_refused_refund_of_what_was_unapplied_leaves_it_unapplied(acme, process):
    account, invoice, payment = collected(acme, process)
    pay(account, process, "5.00")
    refunded_behind_our_back(payment, "30.00")
    assert refund(payment, process, "5.00").status == "failed"
    assert (due(invoice), unapplied(account), account_balance(account)) == (0, D(5), D(-5))


# A gateway that is silent.


def silent(gateway, request):
    raise TimeoutError


@pytest.fixture
def silent_before(monkeypatch):
    """The gateway does not answer, and has done nothing."""
    monkeypatch.setattr(SandboxGateway, "refund", silent)


@pytest.fixture
def silent_after(monkeypatch):
    """The gateway does what is requested, but its answer is lost."""
    original = SandboxGateway.refund

    def lost(gateway, request):
        original(gateway, request)
        raise TimeoutError

    monkeypatch.setattr(SandboxGateway, "refund", lost)


def test_a_refund_without_an_answer_stands_as_asked_for(acme, process, silent_before):
    account, invoice, payment = collected(acme, process)
    assert refund(payment, process).status == "asked"
    assert (due(invoice), account_balance(account), books("refunds")) == (D(30), D(30), [])
    assert refused_as(refund, payment, process, "0.01") == (90021, "amount")
    resume(acme, process)
    assert statuses() == [("asked", D(30))]


def test_resuming_asks_again_under_the_same_key_for_what_was_not_made(acme, process, monkeypatch):
    _account, invoice, payment = collected(acme, process)
    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "refund", silent)
        refund(payment, process)
    for _ in range(2):
        resume(acme, process)
        assert (statuses(), books("refunds"), due(invoice)) == ([("done", D(30))], [D(30)], D(30))


def test_resuming_learns_of_what_was_made_and_makes_it_once(acme, process, silent_after):
    account, invoice, payment = collected(acme, process)
    refund(payment, process, "12.00")
    assert (statuses(), books("refunds")) == ([("asked", D(12))], [D(12)])
    for _ in range(2):
        resume(acme, process)
        assert (statuses(), books("refunds")) == ([("done", D(12))], [D(12)])
    assert (due(invoice), account_balance(account)) == (D(12), D(12))
    assert Event.objects.filter(act="refund.done").count() == 1


def test_a_refund_that_is_refused_when_it_is_resumed_is_voided(acme, process, monkeypatch):
    account, invoice, payment = collected(acme, process)
    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "refund", silent)
        refund(payment, process)
    refunded_behind_our_back(payment, "30.00")
    resume(acme, process)
    assert (statuses(), due(invoice), account_balance(account)) == ([("failed", D(30))], 0, 0)


def test_an_answer_that_comes_twice_is_recorded_once(acme, process, silent_after):
    _account, _invoice, payment = collected(acme, process)
    made = refund(payment, process)
    asked = RefundRequest(made.idempotency_key, D(30), "usd", payment.gateway_payment_id)
    answer = SandboxGateway().find_refund(asked)
    entries = LedgerEntry.objects.count()
    for _ in range(2):
        assert record_refund(made.pk, answer, client=acme, caller=process, today=JAN_31).status == "done"
    assert (LedgerEntry.objects.count(), Event.objects.filter(act="refund.done").count()) == (entries, 1)


def test_one_refund_that_cannot_be_resolved_does_not_keep_others_from_it(acme, process, silent_after):
    _account, _invoice, first = collected(acme, process)
    _other, _another, second = collected(acme, process)
    refund(first, process)
    refund(second, process)
    with lifted():
        Payment.objects.filter(pk=first.pk).update(gateway="no such one")
    resume(acme, process)
    assert statuses() == [("asked", D(30)), ("done", D(30))]
    with lifted():
        Payment.objects.filter(pk=first.pk).update(gateway="sandbox")


# What cannot be refunded.


def test_only_payments_of_the_client_that_stand_are_refunded(acme, umbra, process):
    account, invoice, payment = collected(acme, process)
    charge = LedgerEntry.objects.get(invoice=invoice)
    given = {"caller": process, "today": JAN_31, "why": WHY}
    assert refused_as(refund_payment, client=acme, transaction_id=charge.pk, **given) == (2001, "transaction_id")
    assert refused_as(refund_payment, client=umbra, transaction_id=payment.pk, **given) == (2001, "transaction_id")
    assert refused_as(refund_payment, client=acme, transaction_id=10**9, **given) == (2001, "transaction_id")
    cheque = pay(account, process, "7.00", type=PaymentType.CHECK)
    void_transaction(client=acme, transaction_id=cheque.pk, caller=process, today=JAN_31, reason_code=1)
    assert refused_as(refund, cheque, process) == (2003, "transaction_id")
    assert not Refund.objects.exists()


def test_a_payment_that_is_partly_given_back_is_not_voided(acme, process):
    account, _invoice = billed(acme, process)
    payment = pay(account, process, "30.00")
    made = refund(payment, process, "1.00")
    given = {"client": acme, "caller": process, "today": JAN_31, "reason_code": 3}
    assert refused_as(void_transaction, transaction_id=payment.pk, **given) == (90022, "transaction_id")
    void_transaction(transaction_id=made.pk, **given)
    assert void_transaction(transaction_id=payment.pk, **given).amount == D(30)
    assert account_balance(account) == D(30)


def test_who_may_not_correct_refunds_nothing_and_leaves_an_event_only(acme, process):
    _account, invoice, payment = collected(acme, process)
    before, events = rows(), Event.objects.count()
    for caller in (staff_with("collect_money", "approve_invoice"), key_with(acme, may_collect=True, may_approve=True)):
        assert refused_as(refund, payment, caller) == (90026, None)
    assert (rows(), due(invoice), books("refunds"), Event.objects.count()) == (before, 0, [], events + 2)
    assert refund(payment, key_with(acme, may_correct=True)).status == "done"
