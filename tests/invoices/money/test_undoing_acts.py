"""Undoing a credit memo, write-off, dispute or refund: what it took is where it was, and what was seen is done."""

from decimal import Decimal as D

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Event
from billing_site.errors import BillingError
from invoices.gateways.protocol import Answer, Result
from invoices.kinds import EntryKind
from invoices.models import Invoice, LedgerEntry, Refund, RequestedAct
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.memo_undoing import preview_undo_memo, undo_memo
from invoices.services.correcting.requested_acts import approve_act
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.chains import read_chain
from invoices.services.lists.reports.taxes import tax_by_rate
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.moving import move_payment
from invoices.services.money.ledger.payments import apply_unused_credit
from invoices.services.money.ledger.refunds import make_refund, record_refund, request_refund
from invoices.services.money.ledger.voids import preview_undo_transaction, undo_transaction
from tests.support.act_pages import send
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import exactly_undone, memo_of
from tests.support.money_api import get, post, with_key
from tests.support.paying import WHY, books, due, unapplied
from tests.support.payments import key_with, pay, refused_as, rows
from tests.support.refunds import collected

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def on_a_day():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=True):
        yield


@pytest.fixture
def account(acme):
    TaxRateFactory(client=acme)
    return an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))


@pytest.fixture
def january(account, process):
    """50.00 and 5.00 of tax."""
    return bill(account, process, JAN_10)


@pytest.fixture
def february(january, account, process):
    return bill(account, process, FEB_10)


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_correct=True, may_collect=True)


def memo_undone(memo, caller, **more):
    return undo_memo(client=memo.client, memo_no=memo.pk, caller=caller, today=JAN_31, why=WHY, **more)


def undone(entry, caller, **more):
    client = entry.account.client
    return undo_transaction(client=client, transaction_id=entry.pk, caller=caller, today=JAN_31, reason_code=8, **more)


def taken_off(invoice, caller, amount, kind=EntryKind.WRITE_OFF):
    by = {"client": invoice.client, "invoice_no": invoice.pk, "caller": caller, "today": JAN_31}
    return write_off(amount=D(amount), why=WHY, kind=kind, **by)


def kept_as_credit(invoice, caller):
    """Pay the invoice and credit all of it, so that 55.00 stay unapplied although another invoice is open."""
    pay(invoice.account, caller, "55.00", invoices={invoice: "55.00"})
    by = {"client": invoice.client, "caller": caller, "today": JAN_31}
    everything = CreditRequest(everything=True)
    create_credit_memo(invoice_no=invoice.pk, why=WHY, credit=everything, credit_to="keep_as_credit", **by)


def wanted_refund(payment, caller, amount):
    by = {"client": payment.account.client, "caller": caller, "today": JAN_31}
    return request_refund(transaction_id=payment.pk, amount=D(amount), why=WHY, **by)


# Credit memos.


def test_an_undone_memo_is_offset_by_a_reversal_with_a_number_of_its_own(january, process):
    memo = memo_of(january, process, {1: "10.00"})
    assert (due(january), account_balance(january.account)) == (D(44), D(44))
    result = memo_undone(memo, process)
    assert (result.reversal.document_number, result.reversal.kind) == ("RV-000001", "reversal")
    assert (result.reversal.net_amount, result.reversal.tax_amount, result.reversal.total_amount) == (10, 1, 11)
    assert [tax.amount for tax in result.reversal.tax_details.all()] == [-tax.amount for tax in memo.tax_details.all()]
    assert (result.memo.status, result.memo.document_number) == ("voided", "CM-000001")
    assert (due(january), account_balance(january.account)) == (D(55), D(55))


def test_an_undone_memo_can_be_made_again_but_not_undone_again(january, process):
    memo = memo_of(january, process)
    memo_undone(memo, process)
    assert refused_as(memo_undone, memo, process) == (90170, "invoice_no")
    again = memo_of(january, process)
    exactly_undone(january, again)
    assert again.document_number == "CM-000002"
    steps = read_chain(client=january.client, invoice_no=january.pk).steps  # as it happened, not all memos before the reversal
    assert [str(step.document) for step in steps] == ["INV-000001", "CM-000001", "RV-000001", "CM-000002"]


def test_the_chain_shows_the_memo_and_its_undo(acme, january, process):
    memo = memo_of(january, process, {1: "10.00"})
    memo_undone(memo, process)
    steps = read_chain(client=acme, invoice_no=january.pk).steps
    assert [(step.document.kind, step.difference) for step in steps] == [
        ("recurring", 0),
        ("credit_memo", D(-11)),
        ("reversal", D(11)),
    ]
    assert steps[1].reason == steps[2].reason != ""


def test_the_tax_of_a_memo_is_exactly_taken_back(acme, january, process):
    before = [(one.percent, one.taxable, one.tax) for one in tax_by_rate(acme, JAN_10, JAN_31)]
    memo_undone(memo_of(january, process, amount="33.33"), process)
    assert [(one.percent, one.taxable, one.tax) for one in tax_by_rate(acme, JAN_10, JAN_31)] == before


def test_what_a_memo_freed_is_taken_from_the_invoice_that_it_paid_since(january, february, account, process):
    pay(account, process, "55.00", invoices={january: "55.00"})
    memo = memo_of(january, process, {1: "10.00"})
    assert (due(january), due(february)) == (0, D(44))
    plan = preview_undo_memo(client=january.client, memo_no=memo.pk, today=JAN_31)
    assert [(one.invoice, one.before, one.after) for one in plan.due] == [(february, D(44), D(55))]
    memo_undone(memo, process, seen=plan.seen)
    assert (due(january), due(february)) == (0, D(55))


def test_what_a_person_has_applied_since_comes_back_too(january, february, account, process):
    payment = pay(account, process, "55.00", invoices={january: "55.00"})
    by = {"client": january.client, "caller": process, "today": JAN_31}
    memo = create_credit_memo(
        invoice_no=january.pk, why=WHY, credit=CreditRequest({1: D(10)}), credit_to="keep_as_credit", **by
    )
    apply_unused_credit(transaction_id=payment.pk, invoices={february.pk: D(11)}, **by)
    memo_undone(memo, process)
    assert (due(january), due(february)) == (0, D(55))


def test_a_payment_that_was_moved_away_whole_pays_what_the_memo_freed_of_it(january, february, account, process):
    payment = pay(account, process, "55.00", invoices={january: "55.00"})
    by = {"client": january.client, "caller": process, "today": JAN_31}
    memo = memo_of(january, process, {1: "10.00"})
    move_payment(transaction_id=payment.pk, invoices={february.pk: D(44)}, from_invoice=january.pk, **by)
    assert (due(january), due(february)) == (D(44), 0)
    memo_undone(memo, process)
    assert (due(january), due(february)) == (D(44), D(11))


def test_credit_that_was_kept_before_the_memo_stays_kept(january, february, account, process):
    kept_as_credit(january, process)
    assert (unapplied(account), due(february)) == (D(55), D(55))
    memo = memo_of(february, process, {1: "10.00"})
    memo_undone(memo, process)
    assert (unapplied(account), due(february)) == (D(55), D(55))


def test_what_came_in_since_pays_what_the_undo_opens(january, account, process):
    memo = memo_of(january, process, {1: "10.00"})
    pay(account, process, "50.00")
    assert unapplied(account) == D(6)
    plan = preview_undo_memo(client=january.client, memo_no=memo.pk, today=JAN_31)
    assert [(one.before, one.after) for one in plan.due] == [(0, D(5))]
    memo_undone(memo, process, seen=plan.seen)
    assert (due(january), unapplied(account)) == (D(5), 0)


def test_a_memo_whose_money_was_refunded_is_not_undone_before_the_refund(january, account, process):
    pay(account, process, "55.00", invoices={january: "55.00"})
    by = {"client": january.client, "caller": process, "today": JAN_31}
    credit = CreditRequest({1: D(10)})
    memo = create_credit_memo(invoice_no=january.pk, why=WHY, credit=credit, credit_to="refund", **by)
    with pytest.raises(BillingError) as refusal:
        memo_undone(memo, process)
    refund = LedgerEntry.objects.get(kind=EntryKind.REFUND)
    assert refusal.value.code.number == 90171
    assert f"refund {refund.pk} has returned money that paid the original; void the refund first" in refusal.value.message
    undone(refund, process)
    memo_undone(memo, process)
    assert (due(january), unapplied(account), account_balance(account)) == (0, 0, 0)


def test_a_preview_that_no_longer_holds_is_refused_and_nothing_is_written(january, account, process):
    memo = memo_of(january, process, {1: "10.00"})
    seen = preview_undo_memo(client=january.client, memo_no=memo.pk, today=JAN_31).seen
    pay(account, process, "50.00")
    before = rows()
    assert refused_as(memo_undone, memo, process, seen=seen) == (90003, "fingerprint")
    assert rows() == before


def test_a_memo_of_a_closed_period_is_not_undone(acme, january, process):
    memo = memo_of(january, process, {1: "10.00"})
    acme.closed_through = JAN_31
    acme.save()
    by = {"client": acme, "memo_no": memo.pk, "caller": process, "why": WHY}
    assert refused_as(undo_memo, today=FEB_10, **by) == (90173, "invoice_no")


def test_a_second_person_approves_the_undo_of_a_memo_where_voids_need_one(acme, january, process, bob):
    memo = memo_of(january, process, {1: "10.00"})
    acme.four_eyes = "another_person"
    acme.save()
    alice = key_with(acme, may_correct=True)
    assert refused_as(memo_undone, memo, alice)[0] == 90073
    act = approve_act(client=acme, act_no=RequestedAct.objects.get().pk, caller=bob, today=JAN_31)
    assert (act.state, LedgerEntry.objects.get(pk=act.result_no).voids.invoice) == ("approved", memo)
    assert (due(january), Invoice.objects.get(kind="reversal").corrects) == (D(55), memo)


def test_only_who_may_correct_undoes(acme, january, process):
    memo = memo_of(january, process, {1: "10.00"})
    entry = taken_off(january, process, "1.00")
    nobody = key_with(acme, may_approve=True)
    assert (refused_as(memo_undone, memo, nobody)[0], refused_as(undone, entry, nobody)[0]) == (90026, 90026)


def test_over_rest_a_memo_is_previewed_and_undone_once(api, acme, january, process):
    memo = memo_of(january, process, {1: "10.00"})
    preview = post(api, f"credit-memos/{memo.pk}/preview_undo", status=200)
    assert preview["due"] == [
        {"invoice_no": january.pk, "document_number": "INV-000001", "due_before": "44.00", "due_after": "55.00"}
    ]
    assert (preview["balance_before"], preview["balance_after"]) == ("44.00", "55.00")
    asked = {"reason_code": 1, "comments": "by mistake", "fingerprint": preview["fingerprint"]}
    answer = post(api, f"credit-memos/{memo.pk}/undo", asked, status=200)
    assert (answer["status"], answer["reversal"]["total_amount"]) == ("voided", "11.00")
    assert Event.objects.filter(act="invoice.memo_undone", invoice_no=january.pk).count() == 1
    assert post(api, f"credit-memos/{memo.pk}/undo", asked, status=409)["error_code"] == 90170
    assert get(api, f"invoices/{january.pk}")["amount_due"] == "55.00"


# Write-offs and disputes.


@pytest.mark.parametrize("kind", [EntryKind.WRITE_OFF, EntryKind.DISPUTE])
def test_a_write_off_or_dispute_is_undone_as_it_was_seen(january, account, process, kind):
    entry = taken_off(january, process, "5.00", kind)
    plan = preview_undo_transaction(client=january.client, transaction_id=entry.pk)
    assert [(one.invoice, one.before, one.after) for one in plan.due] == [(january, D(50), D(55))]
    assert (plan.balance_before, plan.balance_after) == (D(50), D(55))
    undone(entry, process, seen=plan.seen)
    assert (due(january), account_balance(account)) == (D(55), D(55))
    assert refused_as(undone, entry, process) == (2003, "transaction_id")


def test_credit_that_was_kept_before_a_write_off_stays_kept(january, february, account, process):
    kept_as_credit(january, process)
    undone(taken_off(february, process, "5.00"), process)
    assert (unapplied(account), due(february)) == (D(55), D(55))


def test_what_came_in_since_a_write_off_pays_its_invoice(january, account, process):
    entry = taken_off(january, process, "5.00")
    pay(account, process, "53.00")
    plan = preview_undo_transaction(client=january.client, transaction_id=entry.pk)
    assert [(one.before, one.after) for one in plan.due] == [(0, D(2))]
    undone(entry, process, seen=plan.seen)
    assert (due(january), unapplied(account)) == (D(2), 0)


def test_what_else_is_a_transaction_is_not_undone_and_the_message_says_what_to_do(january, account, process):
    payment = pay(account, process, "5.00")
    void_no = undone(taken_off(january, process, "5.00"), process)
    charge = LedgerEntry.objects.get(invoice=january, kind="invoice")
    ways = ((payment.entry, "void it"), (void_no, "do the act again"), (charge, "undo or void the document"))
    for entry, way in ways:
        with pytest.raises(BillingError) as refusal:
            undone(entry, process)
        assert refusal.value.code.number == 90170 and way in refusal.value.message


# Refunds.


def test_what_a_refund_took_from_an_invoice_goes_back_to_that_invoice(january, february, account, process):
    """Not to the oldest open one: the payment was for February."""
    payment = pay(account, process, "55.00", invoices={february: "55.00"})
    refund = wanted_refund(payment, process, "20.00")
    assert (due(january), due(february)) == (D(55), D(20))
    plan = preview_undo_transaction(client=january.client, transaction_id=refund.pk)
    assert [(one.invoice, one.before, one.after) for one in plan.due] == [(february, D(20), 0)]
    undone(refund.entry, process, seen=plan.seen)
    assert (due(january), due(february), account_balance(account)) == (D(55), 0, D(55))


def test_the_second_of_two_refunds_gives_back_only_what_it_took(january, february, account, process):
    payment = pay(account, process, "110.00", invoices={january: "55.00", february: "55.00"})
    wanted_refund(payment, process, "30.00")
    second = wanted_refund(payment, process, "40.00")
    assert (due(january), due(february)) == (D(15), D(55))
    undone(second.entry, process)
    assert (due(january), due(february)) == (0, D(30))


def test_a_refund_that_the_gateway_refuses_gives_back_what_it_took(acme, process):
    account, january, payment = collected(acme, process)
    february = bill(account, process, FEB_10)
    by = {"client": acme, "caller": process, "today": JAN_31}
    move_payment(transaction_id=payment.pk, invoices={february.pk: D(30)}, **by)
    refund = wanted_refund(payment, process, "30.00")
    record_refund(refund.pk, Answer(Result.DECLINED, "r", "no", "No"), **by)
    assert (due(january), due(february)) == (D(30), 0)


def test_a_refund_that_has_not_left_is_withdrawn_and_never_made(acme, process):
    account, invoice, payment = collected(acme, process)
    refund = wanted_refund(payment, process, "30.00")
    plan = preview_undo_transaction(client=acme, transaction_id=refund.pk)
    assert [(one.invoice, one.before, one.after) for one in plan.due] == [(invoice, D(30), 0)]
    undone(refund.entry, process, seen=plan.seen)
    refund.refresh_from_db()
    assert (refund.status, refund.sent_at, due(invoice), account_balance(account)) == ("withdrawn", None, 0, 0)
    by = {"client": acme, "caller": process, "today": JAN_31}
    stale = Refund.objects.get(pk=refund.pk)
    stale.status = "asked"
    assert (make_refund(stale, **by).status, books("refunds")) == ("withdrawn", [])
    assert Event.objects.filter(act="refund.withdrawn").count() == 1


def test_a_refund_that_has_left_is_not_withdrawn(acme, process):
    _account, _invoice, payment = collected(acme, process)
    refund = wanted_refund(payment, process, "30.00")
    Refund.objects.filter(pk=refund.pk).update(sent_at=timezone.now())
    with pytest.raises(BillingError) as refusal:
        undone(refund.entry, process)
    assert refusal.value.code.number == 90380
    assert "if the customer pays again, record that payment" in refusal.value.message
    by = {"client": acme, "caller": process, "today": JAN_31}
    assert make_refund(Refund.objects.get(pk=refund.pk), **by).status == "done"
    assert refused_as(undone, refund.entry, process) == (90380, "transaction_id")


@pytest.mark.parametrize("path", ["transactions", "refunds", "write-offs", "disputes"])
def test_over_rest_each_kind_is_undone_at_its_own_address(api, january, account, process, path):
    acts = {
        "refunds": lambda: wanted_refund(pay(account, process, "55.00"), process, "5.00").pk,
        "disputes": lambda: taken_off(january, process, "5.00", EntryKind.DISPUTE).pk,
    }
    number = acts.get(path, lambda: taken_off(january, process, "5.00").pk)()
    preview = post(api, f"{path}/{number}/preview_undo", status=200)
    amounts = ("5.00", "0.00") if path == "refunds" else ("50.00", "55.00")
    assert [(row["due_before"], row["due_after"]) for row in preview["due"]] == [amounts]
    asked = {"reason_code": 8, "fingerprint": preview["fingerprint"]}
    assert post(api, f"{path}/{number}/undo", asked, status=200)["kind"] == "void"
    assert post(api, f"{path}/{number}/undo", asked)["error_code"] == 2003


# By page.


def test_pages_preview_and_undo(acme, january, account, process, admin_client):
    memo = memo_of(january, process, {1: "10.00"})
    entry = taken_off(january, process, "4.00")
    shown = admin_client.get(f"/invoices/{memo.pk}/undo-memo/").text
    assert "Open afterwards" in shown and f"/invoices/{memo.pk}/undo-memo/" in admin_client.get(f"/invoices/{memo.pk}/").text
    send(admin_client, f"/invoices/{memo.pk}/undo-memo/", reason="1", comments="by mistake")
    send(admin_client, f"/transactions/{entry.pk}/undo/", reason="8", comments="by mistake")
    assert (due(january), account_balance(account)) == (D(55), D(55))
