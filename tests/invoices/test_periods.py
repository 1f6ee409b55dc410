"""A closed month: nothing is dated, numbered or changed in it, by any door; its reports stay as they are."""

import base64
from datetime import UTC, datetime
from decimal import Decimal as D
from io import StringIO

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Event
from invoices.audit.kept import audit_and_keep
from invoices.models import AuditRun, Invoice, Schedule
from invoices.services.work.schedules import do_next
from invoices.services.work.workers import working
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.calling import DAILY
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.money_api import get, post, rows, with_key
from tests.support.paying import due
from tests.support.payments import pay, refused_as
from tests.support.rebilling import line, rebilled

CLOSED = 90173


@pytest.fixture(autouse=True)
def money_adds_up(audited):
    with time_machine.travel(datetime(2026, 2, 10, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def invoice(acme, process):
    """An invoice of January of 55.00, of which 5.00 is tax."""
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"})), process, JAN_10)


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_rebill=True, may_collect=True, may_correct=True)


def clean(client):
    """The whole audit is clean, as of after everything that was done."""
    with time_machine.travel(datetime(2026, 2, 10, 18, tzinfo=UTC), tick=False):
        audit_and_keep(client, "process:test")


@pytest.fixture
def january(invoice, api):
    clean(invoice.client)
    return post(api, "periods", {"month": "2026-01"}, 201)


def test_a_month_is_closed_when_its_checklist_is_done(acme, invoice, api, process):
    pending = bill(invoice.account, process, FEB_10, force_pending=True)
    Invoice.objects.filter(pk=pending.pk).update(bill_date=JAN_31)
    shown = get(api, "periods/checklist")
    assert (shown["first_day"], shown["last_day"], shown["ready"]) == (None, "2026-01-31", False)
    assert [one["name"] for one in shown["checks"] if not one["done"]] == ["pending", "audit"]
    refused = post(api, "periods", {"month": "2026-01"}, 409)
    assert refused["error_code"] == 90174
    assert "approve or discard the pending documents; run the audit" in refused["error_msg"]
    Invoice.objects.filter(pk=pending.pk).update(bill_date=FEB_10)
    post(api, f"invoices/{pending.pk}/discard", {}, 200)
    clean(acme)
    assert get(api, "periods/checklist")["ready"]
    assert post(api, "periods", {"month": "2026-02"}, 409)["error_code"] == 90175
    closed = post(api, "periods", {"month": "2026-01"}, 201)
    assert (closed["state"], closed["last_day"], closed["closed_by"]) == ("closed", "2026-01-31", "key integrator")
    assert post(api, "periods", {"month": "2026-01"}, 409)["error_code"] == 90175
    assert Event.objects.filter(act="period.closed").count() == 1


def test_nothing_is_dated_in_a_closed_month(invoice, january, api, process):
    before = rows()
    assert refused_as(pay, invoice.account, process, "5.00", today=JAN_31)[0] == CLOSED
    body = {"acct_no": invoice.account_id, "amount": "5.00", "type": "check", "received_on": "2026-01-20"}
    assert post(api, "payments", body, 409)["error_code"] == CLOSED
    assert refused_as(bill, invoice.account, process, JAN_31)[0] in (CLOSED, 7007)
    assert refused_as(memo_of, invoice, process, today=JAN_31)[0] == CLOSED
    assert refused_as(rebilled, invoice, process, 1, today=JAN_31)[0] == CLOSED
    assert rows() == before
    post(api, "payments", {**body, "received_on": "2026-02-01"}, 201)
    assert due(invoice) == D("50.00")


def test_a_document_of_a_closed_month_is_corrected_in_the_open_one(invoice, january, api, process):
    refused = post(api, f"invoices/{invoice.pk}/void", {"reason_code": 5}, 409)
    assert refused["error_code"] == CLOSED and refused["error_msg"].endswith("credit its lines by a credit memo")
    assert refused_as(void, invoice, process, FEB_10)[0] == CLOSED
    actions = {one["action"]: one["allowed"] for one in get(api, f"invoices/{invoice.pk}")["available_actions"]}
    assert not actions["void"] and actions["rebill"] and actions["credit"]
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10"), 2, today=FEB_10)
    assert (str(rebill.invoice_date), rebill.tax_date) == ("2026-02-10", invoice.tax_date)


def test_an_undo_does_not_reach_into_a_closed_month(invoice, process, api):
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10"), 2, today=JAN_31)
    clean(invoice.client)
    post(api, "periods", {"month": "2026-01"}, 201)
    refused = post(api, f"rebills/{rebill.pk}/undo", {"reason_code": 1}, 409)
    assert refused["error_code"] == CLOSED and refused["error_msg"].endswith("rebill RB-000001 again")


def test_reports_of_a_closed_month_stay_the_same_bytes(invoice, january, api, process):
    addresses = [f"/api/v1/{name}/?date_from=2026-01-01&date_to=2026-01-31" for name in ("tax-report", "journal")]
    before = [api.get(address) for address in addresses]
    assert [one.status_code for one in before] == [200, 200], [one.content for one in before]
    pay(invoice.account, process, "55.00", today=FEB_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10"), 2, today=FEB_10)
    memo_of(rebill, process, amount="1", today=FEB_10)
    assert [api.get(address).content for address in addresses] == [one.content for one in before]


def test_two_people_reopen_the_last_month(acme, invoice, january, api):
    number = january["id"]
    assert post(api, f"periods/{number}/approve_reopening", {}, 409)["error_code"] == 90175
    asked = post(api, f"periods/{number}/reopen", {"comments": "a late invoice"}, 200)
    assert (asked["state"], asked["comments"]) == ("reopening", "a late invoice")
    assert post(api, f"periods/{number}/approve_reopening", {}, 403)["error_code"] == 90002
    assert (
        post(api, "payments", {"acct_no": invoice.account_id, "amount": "5", "type": "cash", "received_on": "2026-01-20"})[
            "error_code"
        ]
        == CLOSED
    )
    post(api, f"periods/{number}/keep_closed", {}, 200)
    post(api, f"periods/{number}/reopen", {"comments": "a late invoice"}, 200)
    done = post(of_bob(acme), f"periods/{number}/approve_reopening", {}, 200)
    assert (done["state"], done["reopened_by"]) == ("reopened", "key of bob")
    post(api, "payments", {"acct_no": invoice.account_id, "amount": "5", "type": "cash", "received_on": "2026-01-20"}, 201)
    acts = list(Event.objects.filter(act__startswith="period.").order_by("pk").values_list("act", flat=True))
    assert acts[-1] == "period.reopened"


def of_bob(client):

    bob = get_user_model().objects.create_superuser("bob")
    rights = {**DAILY, "may_correct": True}
    _key, auth_key = create_key(client, name="of bob", **rights, caller=Caller(staff=bob))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION="Basic " + base64.b64encode(f"{client.pk}:{auth_key}".encode()).decode())
    return api


def test_only_who_may_correct_closes_and_only_their_clients(acme, umbra, january):
    weak = with_key(acme)
    assert post(weak, "periods", {"month": "2026-01"}, 403)["error_code"] == 90026
    assert post(with_key(umbra, may_correct=True), f"periods/{january['id']}/reopen", {"comments": "x"}, 404)
    assert get(with_key(umbra, may_correct=True), "periods")["results"] == []
    for month in ("January", "2026-13", ""):
        assert post(with_key(acme, may_correct=True), "periods", {"month": month}, 400)["errors"]["month"]


def test_the_command_closes_a_month(invoice):
    clean(invoice.client)
    out = StringIO()
    call_command("close_period", invoice.client_id, "2026-01", check=True, stdout=out)
    assert "done  The audit is clean" in out.getvalue()
    call_command("close_period", invoice.client_id, "2026-01", stdout=out)
    assert out.getvalue().endswith("is closed through 2026-01-31.\n")
    with pytest.raises(CommandError, match="the next period to close ends on 2026-02-28|not over"):
        call_command("close_period", invoice.client_id, "2026-03")


def test_the_page_closes_and_reopens(invoice, api, client, django_user_model):
    boss = django_user_model.objects.create_superuser("boss", is_staff=True)
    invoice.client.staff.add(boss)
    client.force_login(boss)
    opened = client.get("/periods/").text
    assert (
        "never run: run the audit over the whole client" in opened and "Run the audit now, and each day from 06:00 on" in opened
    )
    checks = {one["name"]: one["in_the_way"] for one in get(api, "periods/checklist")["checks"]}
    assert checks["audit"] is None
    asked = client.post("/periods/", {"act": "audit", "once": "0"}, follow=True).text
    assert "A worker runs the audit now." in asked and "Run the audit now" not in asked
    with working("test") as worker:
        assert do_next(worker) and not do_next(worker)
    audit = Schedule.objects.get()
    assert (audit.act, audit.is_on, audit.next_at > timezone.now(), AuditRun.objects.count()) == ("audit", True, True, 1)
    clean(invoice.client)
    assert "Close through" in client.get("/periods/").text
    done = client.post("/periods/", {"act": "close", "last_day": "2026-01-31", "once": "1"}, follow=True)
    assert "Nothing is dated, numbered or changed up to" in done.text
    number = done.context["last"].pk
    asked = client.post("/periods/", {"act": "reopen", "period": number, "comments": "late", "once": "2"}, follow=True)
    assert "Another person must approve the reopening" in asked.text
    own = client.post("/periods/", {"act": "approve", "period": number, "once": "3"}, follow=True)
    assert "asked for the reopening" in own.text
