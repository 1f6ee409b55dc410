"""Acts that give money away are pending until another person approves them, where four eyes ask for one."""

import base64
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client as Browser
from django.urls import reverse

from accounts.callers import Caller
from accounts.keys import create_key, revoke_key
from accounts.models import Event
from invoices.models import Invoice, LedgerEntry, RequestedAct
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import record_external_payment
from tests.support.act_pages import send
from tests.support.admin_pages import act, texts
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.money_api import with_key

pytestmark = pytest.mark.django_db
KINDS = ("write-off", "memo", "cash credit", "refund", "void of a payment", "void of the invoice")


@pytest.fixture(autouse=True)
def in_january(db):
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    return an_account(acme, a_plan(acme, {"phone": "5000.00"}))


@pytest.fixture
def invoice(acme, account):
    invoice = bill(account, BY_TEST, JAN_10)
    acme.four_eyes = "another_person"
    acme.save()
    return invoice


@pytest.fixture
def payment(acme, account, invoice):
    by = {"client": acme, "caller": BY_TEST, "today": JAN_10}
    return record_external_payment(account_no=account.pk, amount=D(100), type="check", reference="1", **by)


def staff(acme, role, name=None):
    user = get_user_model().objects.create(username=name or role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    acme.staff.add(user)
    return user


def browser_of(user):
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_collect=True, may_correct=True)


@pytest.fixture
def other(acme):
    return with_key(acme, may_approve=True)


def asked(api, kind, account, invoice, payment):
    requests = {
        "write-off": ("write-offs/", {"invoice_no": invoice.pk, "amount": "10.00", "reason_code": 1}),
        "memo": ("credit-memos/", {"invoice_no": invoice.pk, "amount": "100", "reason_code": 1, "comments": "x"}),
        "cash credit": ("cash-credits/", {"acct_no": account.pk, "amount": "100000.00", "reason_code": 1}),
        "refund": (f"payments/{payment.pk}/refund/", {"amount": "40.00", "reason_code": 1}),
        "void of a payment": (f"payments/{payment.pk}/void/", {"reason_code": 8, "comments": "x"}),
        "void of the invoice": (f"invoices/{invoice.pk}/void/", {"reason_code": 5, "comments": "x"}),
    }
    path, body = requests[kind]
    return api.post(f"/api/v1/{path}", body, format="json")


@pytest.mark.parametrize(
    ("kind", "amount", "balance"),
    [
        ("write-off", "10.00", "4890.00"),
        ("memo", "100.00", "4800.00"),
        ("cash credit", "100000.00", "-95100.00"),
        ("refund", "40.00", "4940.00"),
        ("void of a payment", "100.00", "5000.00"),
        ("void of the invoice", "5000.00", "-100.00"),
    ],
)
def test_an_act_is_pending_until_another_approves_it(acme, account, invoice, payment, api, other, kind, amount, balance):
    entries = LedgerEntry.objects.count()
    answer = asked(api, kind, account, invoice, payment)
    assert (answer.status_code, answer.json()["error_code"]) == (202, 90073)
    number = answer.json()["requested_act"]["id"]
    assert (account_balance(account), LedgerEntry.objects.count()) == (D("4900"), entries)
    own = api.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (own.status_code, own.json()["error_code"]) == (403, 90002)
    assert own.json()["error_msg"].endswith(f"request {number} was made by key integrator. Another person must approve it")
    shown = other.get(f"/api/v1/requested-acts/{number}/").json()
    assert (shown["state"], shown["amount"], shown["currency"], shown["result_no"]) == ("pending", amount, "usd", None)
    done = other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (done.status_code, done.json()["state"]) == (200, "approved"), done.json()
    assert [done.json()[name] for name in ("requested_by_name", "decided_by_name")] == ["key integrator"] * 2
    assert account_balance(account) == D(balance)
    result = done.json()["result_no"]
    maker = RequestedAct.objects.get().requested_by
    assert maker in (
        *LedgerEntry.objects.filter(pk=result).values_list("created_by", flat=True),
        *Invoice.objects.filter(pk=result).values_list("generated_by", flat=True),
    )
    again = other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (again.status_code, again.json()["error_code"]) == (409, 90072)
    assert account_balance(account) == D(balance)
    acts = list(Event.objects.filter(act__startswith="act.").values_list("act", "error_code"))
    assert acts == [("act.requested", 0), ("act.approval_refused", 90002), ("act.approved", 0), ("act.approval_refused", 90072)]


def test_the_admin_says_by_name_who_has_asked(account, invoice, payment, api, admin_client):
    asked(api, "write-off", account, invoice, payment)
    act_no = RequestedAct.objects.get().pk
    for path in ("", f"{act_no}/change/"):
        page = admin_client.get(f"/admin/invoices/requestedact/{path}").content.decode()
        assert ("key integrator" in page, "key:" in page) == (True, False)


def test_what_the_setting_leaves_out_and_small_amounts_are_done_at_once(acme, account, invoice, payment, api):
    acme.four_eyes, acme.four_eyes_amount, acme.second_person_for = "above_amount", D("50.00"), "write_offs,memos"
    acme.save()
    assert asked(api, "write-off", account, invoice, payment).status_code == 201
    assert asked(api, "memo", account, invoice, payment).status_code == 202
    assert asked(api, "cash credit", account, invoice, payment).status_code == 201


def test_what_is_wrong_is_refused_when_it_is_asked_for(account, invoice, api):
    body = {"invoice_no": invoice.pk, "amount": "5000.01", "reason_code": 1}
    assert api.post("/api/v1/write-offs/", body, format="json").json()["error_code"] == 90021
    body = {"acct_no": account.pk, "amount": "1.00", "reason_code": 999}
    assert api.post("/api/v1/cash-credits/", body, format="json").status_code == 400
    assert not RequestedAct.objects.exists()


def test_all_is_checked_again_when_it_is_approved(acme, account, invoice, api, other):
    body = {"invoice_no": invoice.pk, "amount": "5000.00", "reason_code": 1}
    number = api.post("/api/v1/write-offs/", body, format="json").json()["requested_act"]["id"]
    by = {"client": acme, "caller": BY_TEST, "today": JAN_10}
    record_external_payment(account_no=account.pk, amount=D(1), type="cash", **by)
    refused = other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (refused.status_code, refused.json()["error_code"]) == (409, 90021)
    assert RequestedAct.objects.get().state == "pending" and account_balance(account) == D("4999")
    assert Event.objects.filter(act="act.approval_refused", error_code=90021).count() == 1


def test_a_memo_of_all_of_a_line_whose_amount_has_moved_is_asked_for_again(acme, account, invoice, api, other):
    body = {"invoice_no": invoice.pk, "reason_code": 1, "comments": "x", "lines": [{"line_no": 1}]}
    answer = api.post("/api/v1/credit-memos/", body, format="json")
    number = answer.json()["requested_act"]["id"]
    acme.second_person_for = ""
    acme.save()
    less = {"invoice_no": invoice.pk, "amount": "1.00", "reason_code": 1, "comments": "x"}
    assert api.post("/api/v1/credit-memos/", less, format="json").status_code == 201
    refused = other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (refused.json()["error_code"], RequestedAct.objects.get().state) == (90003, "pending")


def test_who_has_lost_the_right_since_gets_nothing_done(acme, account, invoice, payment, api, other):
    number = asked(api, "write-off", account, invoice, payment).json()["requested_act"]["id"]
    key = acme.api_keys.get(may_correct=True)
    key.may_correct = False
    key.save()
    refused = other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (refused.status_code, refused.json()["error_code"]) == (403, 90026)
    key.may_correct = True
    key.save()
    revoke_key(key)
    refused = other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert (refused.status_code, refused.json()["error_code"]) == (403, 90009)
    assert RequestedAct.objects.get().state == "pending"


def test_who_asked_withdraws_and_another_discards(acme, account, invoice, payment, api, other):
    first = asked(api, "write-off", account, invoice, payment).json()["requested_act"]["id"]
    weak = with_key(acme)
    refused = weak.post(f"/api/v1/requested-acts/{first}/discard/", {}, format="json")
    assert (refused.status_code, refused.json()["error_code"]) == (403, 90001)
    assert api.post(f"/api/v1/requested-acts/{first}/discard/", {}, format="json").json()["state"] == "withdrawn"
    second = asked(api, "write-off", account, invoice, payment).json()["requested_act"]["id"]
    assert other.post(f"/api/v1/requested-acts/{second}/discard/", {}, format="json").json()["state"] == "discarded"
    states = other.get("/api/v1/requested-acts/?state=discarded").json()["results"]
    assert [one["id"] for one in states] == [second]
    assert account_balance(account) == D("4900")


def test_the_same_act_is_not_pending_twice(account, invoice, payment, api):
    first = asked(api, "write-off", account, invoice, payment).json()["requested_act"]["id"]
    again = asked(api, "write-off", account, invoice, payment)
    assert (again.status_code, again.json()["error_code"]) == (409, 90022)
    assert f"request {first} for the same act is pending" in again.json()["error_msg"]


def test_a_repeated_request_gets_its_first_answer(account, invoice, api):
    body = {"acct_no": account.pk, "amount": "9.00", "reason_code": 1}
    answers = [api.post("/api/v1/cash-credits/", body, format="json", HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2)]
    assert [one.status_code for one in answers] == [202, 202] and answers[0].json() == answers[1].json()
    assert RequestedAct.objects.count() == 1
    account.client.receipts.update(answer="")
    account.client.receipts.update(created_at="2026-01-09T00:00:00Z")
    died = api.post("/api/v1/cash-credits/", body, format="json", HTTP_IDEMPOTENCY_KEY="k1")
    assert (died.status_code, died.json()["requested_act"]["id"]) == (202, answers[0].json()["requested_act"]["id"])
    assert RequestedAct.objects.count() == 1


def test_arias_call_says_that_it_is_pending(acme, account, invoice, api, other):
    body = {**api.key, "invoice_no": invoice.pk, "reason_code": 5, "comments": "x", "client_receipt_id": "v1"}
    first, again = (api.post("/api/v1/invoices/void_invoice/", body, format="json").json() for _ in range(2))
    assert (first["error_code"], first["void_transactions"]) == (90073, None) and first == again
    invoice.refresh_from_db()
    assert invoice.status == "approved"
    number = RequestedAct.objects.get().pk
    assert other.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json").status_code == 200
    invoice.refresh_from_db()
    assert invoice.status == "voided"


def test_the_page_of_an_invoice_asks_and_the_queue_decides(acme, account, invoice):
    ann, bob = (browser_of(staff(acme, "Administrator", name)) for name in ("Ann", "Bob"))
    sent = {"reason_code": 5, "comments": "wrong", "once": "a" * 32}
    for _ in range(2):
        ann.post(f"/invoices/{invoice.pk}/act/void/", sent)
    assert RequestedAct.objects.count() == 1
    number = RequestedAct.objects.get().pk
    pages = {name: browser.get("/invoices/pending/").content.decode() for name, browser in (("Ann", ann), ("Bob", bob))}
    assert f"Approve Void {number}" in pages["Bob"] and f"Approve Void {number}" not in pages["Ann"]
    assert f"Discard Void {number}" in pages["Ann"] and "You cannot approve your own document or request" in pages["Ann"]
    assert "Requests that need a second person" in bob.get("/").content.decode()
    ann.post(f"/invoices/pending/acts/{number}/approve/", {"once": "b" * 32})
    invoice.refresh_from_db()
    assert invoice.status == "approved"
    bob.post(f"/invoices/pending/acts/{number}/approve/", {"once": "c" * 32})
    invoice.refresh_from_db()
    assert invoice.status == "voided"
    assert "Requests that need a second person" not in bob.get("/invoices/pending/").content.decode()


def test_a_viewer_sees_the_acts_and_decides_on_none(acme, account, invoice, payment, api):
    number = asked(api, "write-off", account, invoice, payment).json()["requested_act"]["id"]
    viewer = browser_of(staff(acme, "Viewer"))
    page = viewer.get("/invoices/pending/").content.decode()
    assert f"Write-off {number}" in page and f"Discard Write-off {number}" not in page
    for decision in ("approve", "discard"):
        viewer.post(f"/invoices/pending/acts/{number}/{decision}/", {"once": decision})
    assert RequestedAct.objects.get().state == "pending"


def test_a_page_asks_and_the_admin_decides(acme, account, invoice):
    ann, bob = (browser_of(staff(acme, "Administrator", name)) for name in ("Ann", "Bob"))
    sent = {"amount": "12.00", "reason": 1, "comments": "x"}
    answer = send(ann, reverse("give-cash-credit", args=[account.pk]), **sent)
    assert "Another person must approve this" in answer.content.decode()
    send(ann, reverse("credit-lines", args=[invoice.pk]), amount="5.00", reason=1, comments="x")
    credit, memo = RequestedAct.objects.order_by("pk")
    assert account_balance(account) == D("5000")
    assert "You cannot approve your own document or request" in " ".join(texts(act(ann, RequestedAct, "approve", credit.pk)))
    act(bob, RequestedAct, "approve", credit.pk, memo.pk)
    assert account_balance(account) == D("4983")
    assert {one.state for one in RequestedAct.objects.all()} == {"approved"}


def test_a_key_of_ones_own_does_not_approve(acme, account, invoice, payment):
    ann = staff(acme, "Administrator", "Ann")
    own, secret = create_key(acme, caller=Caller(staff=ann), name="own", may_approve=True)
    browser = browser_of(ann)
    body = {"invoice_no": invoice.pk, "amount": "10.00", "reason_code": 1}
    number = browser.post("/api/v1/write-offs/", body, "application/json").json()["requested_act"]["id"]
    api = with_key(acme)
    api.credentials(HTTP_AUTHORIZATION="Basic " + base64.b64encode(f"{acme.pk}:{secret}".encode()).decode())
    refused = api.post(f"/api/v1/requested-acts/{number}/approve/", {}, format="json")
    assert refused.json()["error_code"] == 90002


def test_the_database_keeps_states_and_one_of_a_kind(acme, account, invoice, payment, api):
    asked(api, "write-off", account, invoice, payment)
    pending = RequestedAct.objects.filter(state="pending")
    for wrong in ({"state": "approved"}, {"result_no": 5}, {"decided_by": "x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            pending.update(**wrong)
