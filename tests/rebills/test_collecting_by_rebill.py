"""Who may not collect does so by no other act either: not by a rebill, an approval or an invoice that is generated."""

import pytest
import time_machine
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import PaymentMethod
from invoices.kinds import InvoiceStatus
from invoices.models import CollectionAttempt, Statement
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.roles import staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}), contact=True)
    account.contacts.update(email="ada@example.com")
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    return account


def api(acme, role):
    browser = Browser()
    browser.force_login(staff(role, acme))

    def post(path, body):
        answer = browser.post(f"/api/v1/{path}/", body, "application/json")
        return answer.status_code, answer.json().get("error_code", 0), answer.json()

    return post


def rebill_of(invoice, **more):
    lines = [{"line_no": 1, "rate_per_unit": "60"}]
    return {"invoice_no": invoice.pk, "unlisted_lines": "carry", "lines": lines, "reason_code": 1, **more}


def test_a_biller_does_not_collect_by_rebill(acme, account):
    invoice, post = bill(account, BY_TEST, JAN_10), api(acme, "Biller")
    status, code, _ = post("rebills", rebill_of(invoice, collect=True))
    assert (status, code) == (403, 90025)
    assert not CollectionAttempt.objects.exists() and not acme.invoices.filter(kind="rebill").exists()
    status, _, body = post("rebills/bulk", {"rebills": [rebill_of(invoice, collect=True)]})
    assert (status, [one["error_code"] for one in body["outcomes"]]) == (200, [90025])
    status, _, body = post("rebills", rebill_of(invoice, collect=False))
    assert (status, body["status"], body["total_amount"]) == (201, "approved", "60.00")
    assert not CollectionAttempt.objects.exists()


def test_nor_where_the_clients_setting_would_collect_it(acme, account):
    acme.collect_on_rebill = True
    acme.save()
    invoice, post = bill(account, BY_TEST, JAN_10), api(acme, "Biller")
    status, code, body = post("rebills", rebill_of(invoice))
    assert (status, code) == (403, 90025)
    assert "collect (do_collect) false" in body["error_msg"] and list(body["errors"]) == ["collect"]
    assert not CollectionAttempt.objects.exists()


def test_a_rebill_that_is_pending_is_collected_as_the_setting_says_by_whose_approval_it_takes(acme, account):
    acme.collect_on_rebill = acme.rebill_approval_required = True
    acme.save()
    invoice = bill(account, BY_TEST, JAN_10)
    post = api(acme, "Biller")
    assert post("rebills", rebill_of(invoice, collect=True))[:2] == (403, 90025)
    status, _, body = post("rebills", rebill_of(invoice))
    assert (status, body["status"]) == (201, "pending")
    assert api(acme, "Approver")(f"invoices/{body['invoice_no']}/approve", {})[0] == 200
    assert [one.status for one in CollectionAttempt.objects.all()] == ["collected"]


def test_the_builder_offers_a_biller_no_collecting(acme, account):
    acme.collect_on_rebill = True
    acme.save()
    invoice = bill(account, BY_TEST, JAN_10)
    offered = {}
    for role in ("Biller", "Administrator"):
        browser = Browser()
        browser.force_login(staff(role, acme))
        page = browser.get(f"/invoices/{invoice.pk}/rebill/").content.decode()
        select = page.split('id="collect" name="collect">')[1].split("</select>")[0]
        offered[role] = [part.split('"')[0] for part in select.split('value="')[1:]]
    assert offered == {"Biller": ["false"], "Administrator": ["", "true", "false"]}


def test_gen_rb_m_collects_for_no_key_without_the_right(acme, account):
    invoice = bill(account, BY_TEST, JAN_10)
    key, auth_key = create_key(acme, name="shop", may_rebill=True, caller=BY_TEST)

    def gen_rb_m(**more):
        asked = {"acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1, **more}
        lines = [{"line_no": 1, "service_no": invoice.lines.get(line_no=1).service_id, "rb_rate_per_unit": 60}]
        body = {"client_no": acme.pk, "auth_key": auth_key, "rb_line_items": lines, **asked}
        return Browser().post("/api/v1/rebills/gen_rb_m/", body, "application/json").json()

    assert gen_rb_m(do_collect="true")["error_code"] == 90025
    acme.collect_on_rebill = True
    acme.save()
    assert gen_rb_m()["error_code"] == 90025
    assert gen_rb_m(do_collect="false")["error_code"] == 0
    assert not CollectionAttempt.objects.exists()


def test_nobody_collects_by_generating_or_approving_without_the_right(acme, account):
    status, code, _ = api(acme, "Biller")("invoices", {"acct_no": account.pk, "collect": True})
    assert (status, code, acme.invoices.count()) == (403, 90025, 0)
    pending = bill(account, BY_TEST, JAN_10, force_pending=True)
    post = api(acme, "Approver")
    assert post(f"invoices/{pending.pk}/approve", {"collect": True})[:2] == (403, 90025)
    _, _, body = post("invoices/approve", {"invoice_nos": [pending.pk], "collect": True})
    assert [one["error_code"] for one in body["outcomes"]] == [90025]
    pending.refresh_from_db()
    assert pending.status == InvoiceStatus.PENDING
    assert post(f"invoices/{pending.pk}/approve", {})[0] == 200
    assert not CollectionAttempt.objects.exists()


def manage(acme, invoice, auth_key, **more):
    body = {"client_no": acme.pk, "auth_key": auth_key, "invoice_no": invoice.pk, **more}
    return Browser().post("/api/v1/invoices/manage_pending_invoice/", body, "application/json").json()["error_code"]


def test_manage_pending_invoice_does_no_more_than_the_key_may(acme, account):
    pending = bill(account, BY_TEST, JAN_10, force_pending=True)
    auth_key = create_key(acme, name="shop", may_approve=True, caller=BY_TEST)[1]
    assert manage(acme, pending, auth_key, action_directive=1, alt_collect_on_approve="true") == 90025
    assert manage(acme, pending, auth_key, action_directive=2, cancel_orders_on_discard="true") == 90009
    assert manage(acme, pending, auth_key, action_directive=1, alt_send_statement_on_approve="true") == 0
    assert not CollectionAttempt.objects.exists() and Statement.objects.count() == 1
