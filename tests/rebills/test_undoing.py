"""Undoing a rebill: the original counts as before, in documents with numbers of their own."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.models import Event
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice, RequestedAct
from invoices.services.correcting.requested_acts import approve_act
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.refunds import refund_payment
from rebills.services.undoing import preview_undo, undo_rebill
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.money_api import get, post, rows, with_key
from tests.support.paying import WHY as AS_AGREED
from tests.support.paying import due, unapplied
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

WHY = Why(1, "a mistake")


@pytest.fixture(autouse=True)
def money_adds_up(audited):
    with time_machine.travel(datetime(2026, 2, 10, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_rebill=True, may_collect=True, may_correct=True)


def undone(rebill, caller, today=FEB_10, **more):
    return undo_rebill(client=rebill.client, rebill_no=rebill.pk, caller=caller, today=today, why=WHY, **more)


def refused(rebill, caller):
    before = rows()
    with pytest.raises(BillingError) as refusal:
        undone(rebill, caller)
    assert rows() == before
    assert Event.objects.order_by("pk").last().error_code == refusal.value.code.number
    return refusal.value.code, refusal.value.message


def to_60(invoice, caller):
    """Rebill the invoice of 110.00 at 66.00."""
    return rebilled(invoice, caller, line(1, rate_per_unit="0"), line(2, rate_per_unit="10"), 3, today=FEB_10)


def test_an_undone_rebill_leaves_the_original_as_before(invoice, process):
    rebill = to_60(invoice, process)
    assert account_balance(invoice.account) == D("66.00")
    plan = preview_undo(client=invoice.client, rebill_no=rebill.pk, today=FEB_10)
    assert [(one.invoice.pk, one.before, one.after) for one in plan.due] == [(invoice.pk, 0, 110), (rebill.pk, 66, 0)]
    result = undone(rebill, process, seen=plan.fingerprint)
    assert account_balance(invoice.account) == D("110.00")
    original = Invoice.objects.get(pk=invoice.pk)
    assert (original.status, original.open_amount) == ("approved", D("110"))
    assert [(one.document_number, one.total_amount, one.tax_amount, one.corrects_id) for one in result.reversals] == [
        ("RV-000001", D("-66"), D("-6"), rebill.pk),
        ("RV-000002", D("110"), D("10"), rebill.memo_id),
    ]
    again = rebilled(original, process, line(1, rate_per_unit="10"), 2, 3, today=FEB_10)
    assert (again.document_number, again.total_amount) == ("RB-000002", D("88"))
    undone(again, process)
    assert due(invoice) == D("110")


def test_money_goes_back_to_where_it_was(invoice, process):
    """110.00 paid the original. The rebill of 66.00 frees 44.00, which pays a part of February's 110.00. Undone, it pays the
    original again, and a payment that came since pays February."""
    account = invoice.account
    pay(account, process, "110.00")
    february = bill(account, process, FEB_10)
    rebill = to_60(invoice, process)
    assert (due(rebill), due(february), unapplied(account)) == (0, D("66.00"), 0)
    pay(account, process, "70.00")
    assert (due(february), unapplied(account)) == (0, D("4.00"))
    plan = preview_undo(client=invoice.client, rebill_no=rebill.pk, today=FEB_10)
    assert [(one.invoice.pk, one.before, one.after) for one in plan.due] == [
        (invoice.pk, 0, 0),
        (rebill.pk, 0, 0),
        (february.pk, 0, D("44.00")),
    ]
    undone(rebill, process)
    assert (due(invoice), due(february), unapplied(account)) == (0, D("44.00"), D("4.00"))
    assert account_balance(account) == D("40.00")


def test_what_came_in_after_the_rebill_pays_the_original(invoice, process):
    rebill = to_60(invoice, process)
    pay(invoice.account, process, "66.00")
    undone(rebill, process)
    assert (due(invoice), unapplied(invoice.account)) == (D("44.00"), 0)


def test_what_was_unapplied_before_is_unapplied_again(invoice, process):
    pay(invoice.account, process, "130.00")
    rebill = rebilled(invoice, process, line(1, rate_per_unit="60"), 2, 3, today=FEB_10)
    assert (rebill.total_amount, due(rebill), unapplied(invoice.account)) == (D("143"), D("13"), 0)
    undone(rebill, process)
    assert (due(invoice), unapplied(invoice.account)) == (0, D("20.00"))


def test_later_acts_in_the_way_are_named_with_a_way_on(invoice, process):
    payment = pay(invoice.account, process, "110.00")
    rebill = to_60(invoice, process)
    second = rebilled(rebill, process, 1, line(2, rate_per_unit="5"), today=FEB_10)
    code, message = refused(rebill, process)
    assert code is ErrorCode.UNDO_BLOCKED and "undo RB-000002 first" in message
    assert refused(invoice, process)[1].endswith("undo RB-000002")
    undone(second, process)
    memo = memo_of(rebill, process, amount="5", today=FEB_10)
    code, message = refused(rebill, process)
    assert code is ErrorCode.UNDO_BLOCKED and message.endswith(f"{memo.document_number} of RB-000001; void that first")
    void(memo, process, FEB_10)
    by = {"client": invoice.client, "caller": process, "today": FEB_10}
    refund = refund_payment(transaction_id=payment.pk, amount=D("10"), why=AS_AGREED, **by)
    code, message = refused(rebill, process)
    assert code is ErrorCode.UNDO_BLOCKED and f"refund {refund.pk} has returned money" in message
    assert refused(undone_of(second), process)[0] is ErrorCode.NOT_UNDOABLE


def undone_of(rebill):
    return Invoice.objects.get(pk=rebill.pk)


def test_a_coupon_that_was_used_up_since_is_in_the_way(acme, process):
    a_coupon(acme, cycles=1)
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    assert invoice.total_amount == D("27.00")
    rebill = rebilled(invoice, process, 1, line(2, exclude=True), today=FEB_10)
    assert rebill.total_amount == D("30.00")
    february = bill(account, process, FEB_10)
    code, message = refused(rebill, process)
    assert code is ErrorCode.UNDO_BLOCKED and f"coupon TEN: {february.document_number} has used it" in message
    void(february, process, FEB_10)
    undone(rebill, process)
    assert due(invoice) == D("27.00")


def test_a_reversal_is_final(invoice, process, api):
    reversal, _ = undone(to_60(invoice, process), process).reversals
    shown = post(api, f"invoices/{reversal.pk}/void", {"reason_code": 5})
    assert shown["error_code"] == 90172
    shown = post(api, "rebills", {"invoice_no": reversal.pk, "reason_code": 1, "lines": []})
    assert shown["error_code"] == 90172
    actions = {one["action"]: one["allowed"] for one in get(api, f"invoices/{reversal.pk}")["available_actions"]}
    assert set(actions.values()) == {False}


def test_over_rest_what_was_seen_is_done_once(invoice, process, api):
    rebill = to_60(invoice, process)
    before = rows()
    seen = post(api, f"rebills/{rebill.pk}/preview_undo", {}, 200)
    assert rows() == before
    assert (seen["balance_before"], seen["balance_after"]) == ("66.00", "110.00")
    pay(invoice.account, process, "5.00")
    body = {"reason_code": 8, "comments": "a mistake", "fingerprint": seen["fingerprint"]}
    assert post(api, f"rebills/{rebill.pk}/undo", body, 409)["error_code"] == 90003
    body["fingerprint"] = post(api, f"rebills/{rebill.pk}/preview_undo", {}, 200)["fingerprint"]
    answers = [
        api.post(f"/api/v1/rebills/{rebill.pk}/undo/", body, format="json", headers={"Idempotency-Key": "undo-1"}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert (answers[0]["status"], answers[0]["invoice_no"]) == ("voided", invoice.pk)
    assert [(one["document_number"], one["total_amount"]) for one in answers[0]["reversals"]] == [
        ("RV-000001", "-66.00"),
        ("RV-000002", "110.00"),
    ]
    chain = get(api, "rebills/chain", invoice_no=invoice.pk)
    assert [(one["document_number"], one["difference"]) for one in chain["documents"]] == [
        ("INV-000001", "0.00"),
        ("CM-000001", "0.00"),
        ("RB-000001", "-44.00"),
        ("RV-000001", "44.00"),
        ("RV-000002", "0.00"),
    ]
    assert due(invoice) == D("105.00")


def test_only_who_may_rebill_undoes_and_only_their_clients(invoice, process, umbra):
    rebill = to_60(invoice, process)
    body = {"reason_code": 1}
    assert post(with_key(invoice.client), f"rebills/{rebill.pk}/undo", body, 403)["error_code"] == 90028
    assert post(with_key(umbra, may_rebill=True), f"rebills/{rebill.pk}/undo", body, 404)["error_code"] == 3004
    assert post(with_key(umbra, may_rebill=True), f"rebills/{rebill.pk}/preview_undo", {}, 404)["error_code"] == 3004


def test_a_second_person_approves_an_undo_where_rebills_need_one(acme, invoice, process, api, django_user_model):
    rebill = to_60(invoice, process)
    acme.four_eyes = "another_person"
    acme.save()
    answer = post(api, f"rebills/{rebill.pk}/undo", {"reason_code": 1, "comments": "wrong"}, 202)
    assert answer["error_code"] == 90073
    assert due(invoice) == 0
    act = RequestedAct.objects.get()
    assert (act.amount, str(act)) == (D("110"), f"Undo of a rebill {act.pk}")
    assert post(api, f"requested-acts/{act.pk}/approve", {}, 403)["error_code"] == 90002
    bob = django_user_model.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "approve_invoice"]))
    acme.staff.add(bob)
    approve_act(client=acme, act_no=act.pk, caller=Caller(staff=bob), today=FEB_10)
    assert due(invoice) == D("110")


def test_the_page_previews_and_undoes(page, invoice, process):
    rebill = to_60(invoice, process)
    assert f"/rebills/{rebill.pk}/undo/" in page.get(f"/rebills/{rebill.pk}/").text
    shown = page.get(f"/rebills/{rebill.pk}/undo/")
    assert "$110.00" in shown.text and "Undo RB-000001" in shown.text
    sent = {"once": "1", "fingerprint": shown.context["plan"].fingerprint, "comments": "x"}
    assert page.post(f"/rebills/{rebill.pk}/undo/", sent).status_code == 422
    moved = page.post(f"/rebills/{rebill.pk}/undo/", {**sent, "reason_code": 1, "fingerprint": "seen long ago"})
    assert moved.status_code == 409 and "Nothing was undone" in moved.text
    done = page.post(f"/rebills/{rebill.pk}/undo/", {**sent, "reason_code": 1, "once": "2"}, follow=True)
    assert "This rebill was undone" in done.text and "RV-000001" in done.text
    assert "This cannot be undone" in page.get(f"/rebills/{rebill.pk}/undo/").text
    assert page.get(f"/invoices/{invoice.pk}/").status_code == 200
    assert "RB-000001" in page.get("/rebills/?state=voided").text
