"""Undoing a void: an invoice with a number of its own charges again exactly what the voided one charged."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.models import Event
from billing_site.errors import BillingError, ErrorCode
from invoices.models import CouponUse, CreditUse, Invoice, RequestedAct, Usage
from invoices.services.correcting.requested_acts import approve_act
from invoices.services.correcting.void_undoing import preview_undo_void, undo_void
from invoices.services.money.ledger.entries import account_balance
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import FEB_10, JAN_10, MAR_10, bill, metered
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import TaxRateFactory, a_plan, an_account, some_usage
from tests.support.memos import memo_of, taxes, totals, void
from tests.support.money_api import get, post, rows, with_key
from tests.support.orders import order
from tests.support.paying import due, unapplied
from tests.support.payments import pay
from tests.support.service_credits import credit

RATES = {"phone": "30.00", "tv": "20.00", "net": "50.00"}


@pytest.fixture(autouse=True)
def money_adds_up(audited):
    with time_machine.travel(datetime(2026, 2, 10, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def invoice(acme, process):
    """Phone 30.00, tv 20.00, net 50.00 and 10.00 of tax."""
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, RATES)), process, JAN_10)


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_correct=True, may_collect=True)


def undone(invoice, caller, **more):
    by = {"client": invoice.client, "invoice_no": invoice.pk, "today": FEB_10}
    return undo_void(caller=caller, reason_code=8, comments="voided by mistake", **by, **more)


def refused(invoice, caller):
    before = rows()
    with pytest.raises(BillingError) as refusal:
        undone(invoice, caller)
    assert rows() == before
    assert Event.objects.order_by("pk").last().error_code == refusal.value.code.number
    return refusal.value.code, refusal.value.message


def dates(account):
    account.refresh_from_db()
    instances = account.plan_instances.order_by("pk").values_list("billed_through", flat=True)
    return account.next_bill_date, account.last_bill_date, account.arrears_due_from, account.orders_due, list(instances)


def test_an_undone_void_charges_the_same_again_with_a_number_of_its_own(invoice, process):
    before = dates(invoice.account)
    void(invoice, process, FEB_10)
    assert (account_balance(invoice.account), dates(invoice.account) == before) == (0, False)
    restored = undone(invoice, process)
    assert (restored.document_number, restored.status, restored.kind) == ("INV-000002", "approved", "recurring")
    assert (totals(restored), restored.open_amount) == ((D("100"), D("10"), D("110")), D("110"))
    assert (restored.due_date, restored.tax_date) == (invoice.due_date, invoice.tax_date)
    columns = ("line_no", "description", "units", "rate_per_unit", "amount", "period_start", "period_end")
    assert list(restored.lines.values_list(*columns)) == list(invoice.lines.values_list(*columns))
    assert taxes(restored) == taxes(invoice)
    assert account_balance(invoice.account) == D("110")
    assert dates(invoice.account) == before
    assert Invoice.objects.get(pk=invoice.pk).status == "voided"
    february = bill(invoice.account, process, FEB_10)
    assert (february.document_number, february.bill_date) == ("INV-000003", FEB_10)


def test_payments_move_back_from_where_they_went(acme, process, invoice):
    """110.00 paid January. Voided, they pay February. Undone, they pay January again, and a payment that came since stays."""
    account = invoice.account
    pay(account, process, "110.00")
    february = bill(account, process, FEB_10)
    void_invoice(
        client=acme, invoice_no=invoice.pk, caller=process, today=FEB_10, reason_code=8, credit_to="oldest_open_invoice"
    )
    assert (due(february), unapplied(account)) == (0, 0)
    pay(account, process, "5.00")
    plan = preview_undo_void(client=acme, invoice_no=invoice.pk, today=FEB_10)
    assert [(one.invoice.pk, one.before, one.after) for one in plan.due] == [
        (invoice.pk, 0, 0),
        (february.pk, 0, D("110.00")),
    ]
    assert (plan.balance_before, plan.balance_after) == (D("-5.00"), D("105.00"))
    restored = undone(invoice, process, seen=plan.seen)
    assert (due(restored), due(february), unapplied(account)) == (0, D("110.00"), D("5.00"))
    assert account_balance(account) == D("105.00")


def test_usage_orders_coupons_and_credits_are_billed_and_used_as_before(acme, process):
    account, instance = metered(acme)
    some_usage(instance, "calls", "120", JAN_10)
    bill(account, process, JAN_10)
    a_coupon(acme, cycles=1)
    redeem(account)
    credit(account, "2")
    order(account, instance.plan.charges.first().service, rate_per_unit=D("12"))
    invoice = bill(account, process, FEB_10)
    assert [(line.line_type, line.amount) for line in invoice.lines.order_by("line_no")] == [
        (6, D("12.00")),
        (8, D("12.00")),
        (4, D("-2.40")),
        (3, D("-2.00")),
    ]
    before = dates(account)
    uses = list(CouponUse.objects.filter(invoice__status="approved").values_list("redemption", "line_no"))
    void(invoice, process, FEB_10)
    assert Usage.objects.filter(invoice=None).count() == 1
    restored = undone(invoice, process)
    assert totals(restored) == totals(invoice)
    assert Usage.objects.get().invoice_id == restored.pk
    assert dates(account) == before
    assert list(CouponUse.objects.filter(invoice__status="approved").values_list("redemption", "line_no")) == uses
    assert set(CreditUse.objects.filter(invoice=restored).values_list("amount")) == set(
        CreditUse.objects.filter(invoice=invoice).values_list("amount")
    )
    march = bill(account, process, MAR_10)
    assert march is None


def test_later_acts_in_the_way_are_named_with_a_way_on(acme, process, invoice):
    assert refused(invoice, process) == (
        ErrorCode.NO_VOID_TO_UNDO,
        "Only the void of an invoice can be undone: invoice INV-000001 is approved",
    )
    void(invoice, process, FEB_10)
    again = bill(invoice.account, process, JAN_10, force_pending=True)
    code, message = refused(invoice, process)
    assert (code, message.partition(": ")[2]) == (
        ErrorCode.UNDO_BLOCKED,
        f"invoice {again.pk} has billed the cycle of INV-000001 since; discard that first",
    )
    post(with_key(acme, may_approve=True), f"invoices/{again.pk}/discard", {}, 200)
    again = bill(invoice.account, process, JAN_10)
    assert refused(invoice, process)[1].endswith("INV-000002 has billed the cycle of INV-000001 since; void that first")
    void(again, process, FEB_10)
    restored = undone(invoice, process)
    assert refused(invoice, process)[1].endswith("the void of INV-000001 was undone by INV-000003")
    void(restored, process, FEB_10)
    assert refused(invoice, process)[1].endswith("was undone by INV-000003; undo the void of INV-000003")
    assert undone(restored, process).document_number == "INV-000004"


def test_a_refund_of_its_payment_is_in_the_way(acme, process, invoice):
    pay(invoice.account, process, "110.00")
    void_invoice(client=acme, invoice_no=invoice.pk, caller=process, today=FEB_10, reason_code=8, credit_to="refund")
    code, message = refused(invoice, process)
    assert code is ErrorCode.UNDO_BLOCKED and message.endswith(
        "has returned money that paid the original; void the refund first"
    )


def test_a_memo_of_a_memo_is_made_again_instead(invoice, process):
    memo = memo_of(invoice, process, amount="5", today=FEB_10)
    void(memo, process, FEB_10)
    code, message = refused(memo, process)
    assert code is ErrorCode.NO_VOID_TO_UNDO
    assert message.endswith("credit memo CM-000001 is voided; credit INV-000001 again")


def test_a_restored_invoice_is_corrected_like_any_other(invoice, process):
    void(invoice, process, FEB_10)
    restored = undone(invoice, process)
    memo = memo_of(restored, process, amount="10", today=FEB_10)
    assert (memo.corrects_id, memo.chain_root_id, due(restored)) == (restored.pk, invoice.pk, D("99"))


def test_over_rest_what_was_seen_is_done_once(acme, invoice, process, api):
    void(invoice, process, FEB_10)
    before = rows()
    seen = post(api, f"invoices/{invoice.pk}/preview_undo_void", {}, 200)
    assert rows() == before
    assert (seen["total_amount"], seen["balance_before"], seen["balance_after"]) == ("110.00", "0.00", "110.00")
    pay(invoice.account, process, "5.00")
    body = {"reason_code": 8, "comments": "a mistake", "fingerprint": "seen long ago"}
    assert post(api, f"invoices/{invoice.pk}/undo_void", body, 409)["error_code"] == 90003
    body["fingerprint"] = post(api, f"invoices/{invoice.pk}/preview_undo_void", {}, 200)["fingerprint"]
    address = f"/api/v1/invoices/{invoice.pk}/undo_void/"
    answers = [api.post(address, body, format="json", headers={"Idempotency-Key": "undo-1"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["status"], answers[0]["document_number"], answers[0]["total_amount"]) == (
        "approved",
        "INV-000002",
        "110.00",
    )
    chain = get(api, "rebills/chain", invoice_no=invoice.pk)
    assert [(one["document_number"], one["status"], one["difference"]) for one in chain["documents"]] == [
        ("INV-000001", "voided", "0.00"),
        ("INV-000002", "approved", "0.00"),
    ]
    assert get(api, "rebills/chain", invoice_no=answers[0]["invoice_no"]) == chain
    no_right = with_key(acme)
    assert post(no_right, f"invoices/{invoice.pk}/undo_void", body, 403)["error_code"] == 90026


def test_a_second_person_approves_where_voids_need_one(acme, invoice, process, api, django_user_model):
    void(invoice, process, FEB_10)
    acme.four_eyes = "another_person"
    acme.save()
    answer = post(api, f"invoices/{invoice.pk}/undo_void", {"reason_code": 8, "comments": "wrong"}, 202)
    assert answer["error_code"] == 90073
    act = RequestedAct.objects.get()
    bob = django_user_model.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "approve_invoice"]))
    acme.staff.add(bob)
    approve_act(client=acme, act_no=act.pk, caller=Caller(staff=bob), today=FEB_10)
    assert account_balance(invoice.account) == D("110")


def test_the_page_previews_and_undoes(client, acme, invoice, process, django_user_model):
    void(invoice, process, FEB_10)
    user = django_user_model.objects.create_user("carla", is_staff=True)
    names = ["view_invoice", "view_account", "correct_money"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    acme.staff.add(user)
    client.force_login(user)
    address = f"/invoices/{invoice.pk}/undo-void/"
    assert address in client.get(f"/invoices/{invoice.pk}/").text
    sent = {"once": "1", "reason": "8", "comments": "x"}
    shown = client.post(address, {**sent, "act": "preview"})
    assert "$110.00" in shown.text
    done = client.post(address, {**sent, "seen": shown.context["expected"].seen}, follow=True)
    assert "INV-000002 charges again what INV-000001 charged." in done.text


def test_voiding_a_memo_moves_back_what_it_freed(acme, process, invoice):
    """110.00 paid January. A memo of 44.00 frees 44.00, which pays a part of February. Voided, it pays January again."""
    account = invoice.account
    pay(account, process, "110.00")
    february = bill(account, process, FEB_10)
    memo = memo_of(invoice, process, amount="40.00", today=FEB_10)
    assert (memo.total_amount, due(invoice), due(february)) == (D("-44.00"), 0, D("66.00"))
    pay(account, process, "70.00")
    assert (due(february), unapplied(account)) == (0, D("4.00"))
    void(memo, process, FEB_10)
    assert (due(invoice), due(february), unapplied(account)) == (0, D("40.00"), 0)
