"""Simultaneous callers, in real threads on PostgreSQL: no debt is charged twice, and nothing is given back twice."""

import threading
from decimal import Decimal as D

import pytest
from django.db import connection, connections, transaction

from accounts.callers import Caller
from accounts.models import PaymentMethod
from accounts.services.accounts import lock_account
from invoices.gateways.sandbox import SandboxGateway
from invoices.models import Invoice, LedgerEntry, Payment, Refund
from invoices.services.approving.acts import approve_invoices
from invoices.services.collecting.collecting import collect_invoices, resume_collecting
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.ledger.refunds import make_refund, refund_payment, request_refund
from invoices.services.money.ledger.voids import undo_transaction
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.money_races import at_once, no_findings
from tests.support.paying import books, due

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]
CALLER = Caller(process="test")
AT_ONCE = 8


@pytest.fixture
def client(transactional_db):
    return ClientFactory()


@pytest.fixture
def by(client):
    return {"client": client, "caller": CALLER, "today": JAN_10}


def an_invoice(client, **request):
    account = an_account(client)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    return bill(account, CALLER, JAN_10, **request)


def test_an_invoice_is_charged_once_by_eight_callers_at_once(client, by):
    invoice = an_invoice(client)
    at_once(*[lambda: collect_invoices(invoice_nos=[invoice.pk], **by)] * AT_ONCE)
    resume_collecting(**by)
    assert (books(), due(invoice), Payment.objects.count()) == ([D(30)], 0, 1)
    no_findings()


def test_a_refund_is_either_sent_or_withdrawn_never_both(client, by):
    """Two connections at the same moment, many times: the gateway's books and the ledger agree on each."""

    def undone_refund(refund):
        return undo_transaction(transaction_id=refund.pk, reason_code=8, **by)

    for _ in range(12):
        invoice = an_invoice(client)
        collect_invoices(invoice_nos=[invoice.pk], **by)
        payment = Payment.objects.get(account=invoice.account)
        refund = request_refund(transaction_id=payment.pk, everything=True, why=Why(1, "so"), **by)
        start, made = threading.Barrier(2, timeout=20), len(books("refunds"))
        at_once(
            lambda start=start, refund=refund: (start.wait(), make_refund(refund, **by)),
            lambda start=start, refund=refund: (start.wait(), undone_refund(refund)),
        )
        make_refund(Refund.objects.get(pk=refund.pk), **by)
        state = Refund.objects.get(pk=refund.pk).status
        assert (state, len(books("refunds")) - made, due(invoice)) in (("done", 1, D(30)), ("withdrawn", 0, 0))
    no_findings()


def test_a_refund_waits_for_the_end_of_its_withdrawal(client, by):
    """The worker that is about to send it comes while the withdrawal is not committed yet."""
    invoice = an_invoice(client)
    collect_invoices(invoice_nos=[invoice.pk], **by)
    refund = request_refund(transaction_id=Payment.objects.get().pk, everything=True, why=Why(1, "so"), **by)
    withdrawn, sent = threading.Event(), threading.Event()

    def withdraw():
        with transaction.atomic():
            undo_transaction(transaction_id=refund.pk, reason_code=8, **by)
            withdrawn.set()
            sent.wait(1)  # The other connection cannot be ready before this one commits.

    def send():
        withdrawn.wait(20)
        make_refund(refund, **by)
        sent.set()

    at_once(withdraw, send)
    assert (Refund.objects.get().status, books("refunds"), due(invoice)) == ("withdrawn", [], 0)
    no_findings()


def test_many_are_approved_and_collected_while_others_collect_them_too(client, by):
    invoices = [an_invoice(client, force_pending=True).pk for _ in range(10)]
    at_once(
        lambda: approve_invoices(invoice_nos=invoices, collect=True, **by),
        *[lambda: collect_invoices(invoice_nos=invoices, **by)] * 4,
        lambda: resume_collecting(**by),
    )
    # What another held in that moment was refused (3108), and is done now.
    approve_invoices(invoice_nos=invoices, collect=True, **by)
    resume_collecting(**by)
    collect_invoices(invoice_nos=invoices, **by)
    assert (books(), Payment.objects.count()) == ([D(30)] * 10, 10)
    no_findings()


def test_a_payment_that_comes_while_the_gateway_is_asked_leaves_a_credit_and_no_second_debt(client, by):
    invoice = an_invoice(client)

    def pay():
        return record_external_payment(account_no=invoice.account_id, amount=D(30), type="cash", **by)

    at_once(lambda: collect_invoices(invoice_nos=[invoice.pk], **by), pay)
    assert due(invoice) == 0
    assert len(books()) <= 1
    no_findings()


def test_refunds_at_once_never_give_back_more_than_was_paid(client, by):
    invoice = an_invoice(client)
    collect_invoices(invoice_nos=[invoice.pk], **by)
    payment = Payment.objects.get().pk
    came = at_once(*[lambda: refund_payment(transaction_id=payment, amount=D(20), why=Why(1), **by)] * AT_ONCE)
    assert came.count(90021) == AT_ONCE - 1
    assert (books("refunds"), Refund.objects.count()) == ([D(20)], 1)
    no_findings()


def test_credit_memos_at_once_never_credit_more_than_a_line(client, by):
    invoice = an_invoice(client)
    asked = CreditRequest(lines={1: D(12)})
    came = at_once(*[lambda: create_credit_memo(invoice_no=invoice.pk, why=Why(1, "late"), credit=asked, **by)] * AT_ONCE)
    assert (came.count(90021), Invoice.objects.filter(kind="credit_memo").count(), due(invoice)) == (AT_ONCE - 2, 2, 6)
    no_findings()


def test_a_reference_of_a_day_at_once_is_one_payment(client, by):
    invoice = an_invoice(client)

    def pay():
        return record_external_payment(account_no=invoice.account_id, amount=D(10), type="check", reference="1042", **by).pk

    assert at_once(*[pay] * AT_ONCE).count(90013) == AT_ONCE - 1
    assert Payment.objects.count() == 1
    no_findings()


def test_an_invoice_is_voided_once_or_collected_but_its_money_is_never_lost(client, by):
    invoice = an_invoice(client)
    at_once(
        lambda: collect_invoices(invoice_nos=[invoice.pk], **by),
        *[lambda: void_invoice(invoice_no=invoice.pk, reason_code=5, **by)] * 3,
    )
    resume_collecting(**by)
    paid = sum(-amount for amount in LedgerEntry.objects.filter(kind="electronic_payment").values_list("amount", flat=True))
    assert sum(books()) == paid
    no_findings()


def test_a_refund_that_is_made_while_another_holds_the_account_is_not_said_to_be_refused(client, by, monkeypatch):
    """The account is locked from the gateway call until long after. The refund stays requested, and is resolved later."""
    invoice = an_invoice(client)
    collect_invoices(invoice_nos=[invoice.pk], **by)
    monkeypatch.setattr("invoices.services.documents.account_acts.LOCK_WAIT_SECONDS", 1)
    asked, done = threading.Event(), threading.Event()
    real = SandboxGateway.refund

    def refund(gateway, request):
        threading.Thread(target=hold, args=(invoice.account_id, asked, done)).start()
        asked.wait(10)
        return real(gateway, request)

    monkeypatch.setattr(SandboxGateway, "refund", refund)
    made = refund_payment(transaction_id=Payment.objects.get().pk, amount=D(20), why=Why(1), **by)
    done.set()
    assert (made.status, books("refunds")) == ("asked", [D(20)])
    resume_collecting(**by)
    assert (Refund.objects.get().status, books("refunds")) == ("done", [D(20)])
    no_findings()


def hold(account_no, asked, done):
    try:
        with transaction.atomic():
            lock_account(account_no)
            asked.set()
            done.wait(10)
    finally:
        connections.close_all()
