"""Who corrects a paid invoice says where the money goes: to open invoices, to the account's credit, or back to the payer."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine

from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice, Payment, Refund
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.planning.billing_again import waive_periods
from invoices.services.undoing.voiding import void_invoice
from rebills.services.undoing import undo_rebill
from tests.support.billing import FEB_10, bill
from tests.support.memos import memo_of
from tests.support.money_api import post, with_key
from tests.support.paying import WHY, books, due, paying, unapplied
from tests.support.payments import pay
from tests.support.rebilling import a_request, line, previewed, rebilled

OLDEST, KEEP, REFUND = "oldest_open_invoice", "keep_as_credit", "refund"
BY_HAND = "refund_by_hand"


@pytest.fixture(autouse=True)
def money_adds_up(audited):
    with time_machine.travel(datetime(2026, 2, 10, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def february(invoice, process):
    """January's 110.00 is paid by cheque; February's 110.00 is open."""
    pay(invoice.account, process, "110.00")
    return bill(invoice.account, process, FEB_10)


def lowered(invoice, process, **request):
    """Rebill January at 66.00, which frees 44.00."""
    return rebilled(invoice, process, line(1, rate_per_unit="0"), line(2, rate_per_unit="10"), 3, today=FEB_10, **request)


@pytest.mark.parametrize(
    ("credit_to", "february_due", "credit", "refunded"),
    [("", "66.00", "0", []), (OLDEST, "66.00", "0", []), (KEEP, "110.00", "44.00", []), (REFUND, "110.00", "0", ["44.00"])],
)
def test_a_rebill_sends_freed_money_where_it_is_told(invoice, february, process, credit_to, february_due, credit, refunded):
    request = a_request(invoice, line(1, rate_per_unit="0"), line(2, rate_per_unit="10"), 3, credit_to=credit_to)
    seen = previewed(request, invoice.client, FEB_10)
    assert (seen.money.left_as_credit, seen.money.refunded) == (D(credit), sum(map(D, refunded)))
    rebill = lowered(invoice, process, credit_to=credit_to, fingerprint=seen.fingerprint)
    assert (due(rebill), due(february), unapplied(invoice.account)) == (0, D(february_due), D(credit))
    assert [refund.entry.amount for refund in Refund.objects.all()] == [D(amount) for amount in refunded]
    assert account_balance(invoice.account) == seen.money.balance_after


def test_what_a_rebill_has_refunded_is_not_refunded_again(invoice, february, process):
    """44.00 of the 110.00 went back to the payer. 66.00 are left of the payment, and no cent more."""
    lowered(invoice, process, credit_to=REFUND)
    payment = Payment.objects.get()
    by = {"client": invoice.client, "transaction_id": payment.pk, "caller": process, "today": FEB_10, "why": Why(1)}
    with pytest.raises(BillingError) as refused:
        refund_payment(amount=D("66.01"), **by)
    assert refused.value.code.number == 90021
    refund_payment(everything=True, **by)
    assert [refund.entry.amount for refund in Refund.objects.order_by("pk")] == [D("44.00"), D("66.00")]


def test_the_clients_setting_decides_where_the_act_says_nothing(invoice, february, process):
    invoice.client.credit_to = KEEP
    invoice.client.save()
    rebill = lowered(Invoice.objects.get(pk=invoice.pk), process)
    assert (due(february), unapplied(invoice.account)) == (D("110"), D("44"))
    undo_rebill(client=invoice.client, rebill_no=rebill.pk, caller=process, today=FEB_10, why=Why(1))
    assert (due(invoice), due(february), unapplied(invoice.account)) == (0, D("110"), 0)


def test_a_pending_rebill_keeps_what_was_chosen(acme, invoice, february, process):
    acme.rebill_approval_required = True
    acme.save()
    api = with_key(acme, may_approve=True, may_rebill=True, may_correct=True)
    body = {"invoice_no": invoice.pk, "reason_code": 1, "unlisted_lines": "carry", "credit_to": KEEP}
    pending = post(api, "rebills", {**body, "lines": [{"line_no": 1, "rate_per_unit": "10"}]}, 201)
    assert pending["status"] == "pending"
    post(api, f"invoices/{pending['invoice_no']}/approve", {}, 200)
    assert (due(february), unapplied(invoice.account)) == (D("110"), D("22"))


@pytest.mark.parametrize(
    ("credit_to", "february_due", "credit", "balance"),
    [("", "88.00", "0", "88.00"), (KEEP, "110.00", "22.00", "88.00"), (REFUND, "110.00", "0", "110.00")],
)
def test_so_does_a_credit_memo(invoice, february, process, credit_to, february_due, credit, balance):
    api = with_key(invoice.client, may_correct=True)
    asked = {"invoice_no": invoice.pk, "amount": "20", **({"credit_to": credit_to} if credit_to else {})}
    shown = post(
        api, "credit-memos/preview", {name: asked[name] for name in asked if name not in ("reason_code", "comments")}, 200
    )
    assert (shown["money"]["freed"], shown["money"]["left_as_credit"]) == ("22.00", f"{D(credit):.2f}")
    post(api, "credit-memos", {**asked, "reason_code": 1, "comments": "x"}, 201)
    assert (due(february), unapplied(invoice.account)) == (D(february_due), D(credit))
    assert account_balance(invoice.account) == D(balance)


@pytest.mark.parametrize(
    ("credit_to", "february_due", "credit"), [("", "110", "110"), (OLDEST, "0", "0"), (REFUND, "110", "0")]
)
def test_and_a_void(invoice, february, process, credit_to, february_due, credit):
    by = {"client": invoice.client, "caller": process, "today": FEB_10}
    memo_of(february, process, amount="1", today=FEB_10)  # so that it is not the newest that is voided
    void_invoice(invoice_no=invoice.pk, reason_code=5, credit_to=credit_to, **by)
    left = D(february_due) - (D("1.10") if D(february_due) else 0)
    assert due(february) == left
    waive_periods(invoice_no=invoice.pk, **by)
    assert unapplied(invoice.account) == (D(credit) if credit_to != OLDEST else D("1.10"))


def test_a_card_is_refunded_at_once_and_a_cash_credit_stays(acme, process):
    account = paying(acme, rate="30.00")
    by = {"client": acme, "caller": process, "today": FEB_10}
    invoice = bill(account, process, FEB_10)
    add_cash_credit(account_no=account.pk, amount=D(10), why=WHY, **by)
    collect_invoices(invoice_nos=[invoice.pk], **by)
    assert books() == [D("20.00")]
    create_credit_memo(invoice_no=invoice.pk, why=Why(1, "x"), credit=CreditRequest(everything=True), credit_to=REFUND, **by)
    assert books("refunds") == [D("20.00")]
    assert (unapplied(account), account_balance(account)) == (D(10), D(-10))


def test_a_refund_that_needs_a_second_person_is_refused_with_a_way_on(acme, invoice, february, process):
    acme.four_eyes, acme.second_person_for = "another_person", "refunds"
    acme.save()
    with pytest.raises(BillingError) as refused:
        lowered(Invoice.objects.get(pk=invoice.pk), process, credit_to=REFUND)
    assert refused.value.code is ErrorCode.REFUND_NEEDS_ANOTHER
    assert (due(february), Refund.objects.count()) == (D("110"), 0)


def test_who_may_not_correct_refunds_nothing(invoice, february):
    body = {"invoice_no": invoice.pk, "reason_code": 1, "lines": [{"line_no": 1}], "credit_to": REFUND}
    assert post(with_key(invoice.client, may_rebill=True), "rebills", body, 403)["error_code"] == 90026
    body["credit_to"] = "mattress"
    assert post(with_key(invoice.client, may_rebill=True), "rebills", body, 400)["error_code"] == 1016


@pytest.mark.parametrize("act", ["memo", "void", "rebill"])
def test_a_card_is_refunded_by_hand_if_so_chosen_and_a_cash_credit_stays(acme, process, act):
    """30.00 is paid by 10.00 of cash credit, then 20.00 by card. By hand, the gateway keeps its 20.00."""
    account = paying(acme, rate="30.00")
    by = {"client": acme, "caller": process, "today": FEB_10}
    invoice = bill(account, process, FEB_10)
    add_cash_credit(account_no=account.pk, amount=D(10), why=WHY, **by)
    collect_invoices(invoice_nos=[invoice.pk], **by)
    if act == "memo":
        everything = CreditRequest(everything=True)
        create_credit_memo(invoice_no=invoice.pk, why=Why(1, "x"), credit=everything, credit_to=BY_HAND, **by)
    elif act == "void":
        void_invoice(invoice_no=invoice.pk, reason_code=5, credit_to=BY_HAND, **by)
    else:
        rebilled(invoice, process, line(1, rate_per_unit="0"), today=FEB_10, credit_to=BY_HAND)
    assert (books(), books("refunds")) == ([D("20.00")], [])
    assert [(one.entry.kind, one.entry.amount, one.status) for one in Refund.objects.select_related("entry")] == [
        ("refund", D("20.00"), "done")
    ]
    assert (unapplied(account), account_balance(account)) == (D(10), D(-10))


def test_the_clients_default_is_refunding_by_hand(acme, invoice, february, process):
    acme.credit_to = BY_HAND
    acme.save()
    lowered(Invoice.objects.get(pk=invoice.pk), process)
    assert [(one.entry.kind, one.entry.amount) for one in Refund.objects.select_related("entry")] == [("refund", D("44.00"))]
    assert (due(february), unapplied(invoice.account)) == (D("110.00"), 0)
