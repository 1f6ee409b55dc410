"""Approval rules over REST and on pages: make, try, switch on, stop one document, approve by two people, and see it."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Event
from invoices.kinds import DecisionAct
from invoices.models import ApprovalRules, Invoice, StandIn
from invoices.services.approving.automatic import approve_due, escalate_due
from invoices.services.approving.deciding import decide_on_one
from tests.support.administrators import an_administrator
from tests.support.approval_rules import on
from tests.support.billing import JAN_10
from tests.support.calling import caller_of
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.money_api import get, post, with_key
from tests.support.pending import a_pending

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
SMALL = {"name": "Small", "currency": "usd", "total_below": "100", "approves_after_hours": 4}
LARGE = {"name": "Large", "currency": "usd", "total_above": "1000", "approvers": 2, "escalates_after_days": 3}
RIGHTS = ("view_invoice", "change_client", "approve_invoice")


@pytest.fixture(autouse=True)
def clock(audited):
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True)


def priced(client, amount):
    return a_pending(client, BY_TEST, an_account(client, a_plan(client, {"phone": amount})))


def switched_on(api, *rules):
    version = post(api, "approval-rules", {"rules": rules}, 201)
    return post(api, f"approval-rules/{version['id']}/switch_on", {}, 200)


def test_a_story_over_rest(acme, api, clock, alice):
    made = post(api, "approval-rules", {"rules": [SMALL, LARGE], "comments": "Less work"}, 201)
    assert (made["version"], made["is_on"], made["made_by"], made["comments"]) == (1, False, "key integrator", "Less work")
    assert [rule["name"] for rule in made["rules"]] == ["Small", "Large"]
    assert (made["rules"][0]["total_below"], made["rules"][0]["kinds"], made["rules"][0]["approvers"]) == ("100.0000", [], 1)
    post(api, f"approval-rules/{made['id']}/switch_on", {}, 200)
    small, stopped, middle, large = (priced(acme, amount) for amount in ("99.99", "50.00", "500.00", "1000.01"))
    said = get(api, f"invoices/{small.pk}/approval")
    assert (said["rule"]["rule"], said["rule"]["version"], said["rule"]["approves_at"]) == ("Small", 1, "2026-01-10T16:00:00Z")
    assert get(api, f"invoices/{middle.pk}/approval") == {"rule": None, "given": []}
    post(api, f"invoices/{stopped.pk}/stop_approval", {"reason": "Ask sales"}, 200)
    said = get(api, f"invoices/{stopped.pk}/approval")["rule"]
    assert (said["approves_at"], said["stopped_by"], said["reason"]) == (None, "key integrator", "Ask sales")
    clock.move_to(NOON + timedelta(hours=4))
    approve_due(acme)
    assert [get(api, f"invoices/{one.pk}")["status"] for one in (small, stopped, middle, large)] == [
        "approved",
        "pending",
        "pending",
        "pending",
    ]
    approved = get(api, "events", invoice_no=small.pk, type="invoice.approved")["results"][0]
    assert (approved["data"]["after"]["rule_name"], approved["data"]["after"]["rule_version"]) == ("Small", 1)
    assert post(api, f"invoices/{large.pk}/approve", {}, 200)["status"] == "pending"
    (outcome,) = post(api, "invoices/approve", {"invoice_nos": [large.pk]}, 200)["outcomes"]
    assert (outcome["error_code"], outcome["approvals_missing"]) == (0, 1)
    assert [one["given_by"] for one in get(api, f"invoices/{large.pk}/approval")["given"]] == ["key integrator"]
    decide_on_one(DecisionAct.APPROVE, client=acme, invoice_no=large.pk, caller=alice, today=JAN_10)
    assert get(api, f"invoices/{large.pk}")["document_number"] == "INV-000002"
    tried = get(api, f"approval-rules/{made['id']}/try", days=90)
    assert tried["total"] == {"documents": 2, "by_itself": 1, "rebilled": 0, "credited": 0, "voided": 0, "discarded": 0}
    post(api, f"approval-rules/{made['id']}/switch_off", {}, 200)
    assert post(api, f"approval-rules/{made['id']}/switch_off", {}, 409)["error_code"] == 90251


def test_a_retried_approval_says_the_same(acme, api):
    switched_on(api, LARGE)
    large = priced(acme, "2000.00")
    keyed = {"HTTP_IDEMPOTENCY_KEY": "a1"}
    answers = [api.post(f"/api/v1/invoices/{large.pk}/approve/", {}, format="json", **keyed) for _ in range(2)]
    assert [(one.status_code, one.json()["status"]) for one in answers] == [(200, "pending")] * 2
    assert Event.objects.filter(act="invoice.approval_given").count() == 1


@pytest.mark.parametrize("method", ["manage_pending_invoice", "manage_pending_invoice_m"])
def test_a_method_call_says_that_the_document_stays_pending(acme, api, method):
    switched_on(api, LARGE)
    call, other = caller_of(acme), caller_of(acme)
    invoice = priced(acme, "1000.01")
    asked = {"invoice_no": invoice.pk, "action_directive": 1, "client_receipt_id": "a1"}
    first = call(method, **asked)
    assert (first["error_code"], first["new_invoice_no"]) == (90330, None)
    assert f"invoice {invoice.pk}" in first["error_msg"]
    assert call(method, **asked) == first
    assert other(method, invoice_no=invoice.pk, action_directive=1)["new_invoice_no"] == invoice.pk
    invoice.refresh_from_db()
    assert invoice.status == "approved"


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"name": "x", "total_above": "5"}, "rules.1.currency"),
        ({"name": "x", "hours": 4}, "hours"),
        ({"name": "x", "kinds": ["credit_memo"]}, None),
        ({"name": "x", "approvers": 9}, None),
        ({"name": "x", "kinds": {"invoice": 1}}, "kinds"),
        ({"name": "x", "flags": {"first_invoice": 1}}, "flags"),
    ],
)
def test_wrong_rules_are_refused(acme, api, rule, field):
    answer = post(api, "approval-rules", {"rules": [rule]}, 400)
    assert answer["error_code"] in (90252, 1012, 1016, 90160)
    assert field is None or field in str(answer), answer
    assert not ApprovalRules.objects.exists()


def test_a_key_that_may_not_change_settings_makes_no_rules(acme):
    weak = with_key(acme, may_approve=True, may_change_settings=False)
    assert post(weak, "approval-rules", {"rules": [SMALL]}, 403)["error_code"] == 90009


def test_a_key_lends_no_roles_and_makes_nobody_behind_it_the_stand_in(acme):
    """Eve is an administrator, and has made the key."""
    ann, eve = (an_administrator(acme, name) for name in ("ann", "eve"))
    acme.staff.add(ben := get_user_model().objects.create_user("ben", is_staff=True))
    auth_key = create_key(acme, name="Eve's", may_change_settings=True, caller=Caller(staff=eve))[1]
    token = base64.b64encode(f"{acme.pk}:{auth_key}".encode()).decode()
    api = APIClient(HTTP_AUTHORIZATION=f"Basic {token}")
    days = {"first_day": "2026-01-10", "last_day": "2026-01-12"}
    for person, stand_in, code in (("ann", "ben", 90213), ("ben", "eve", 90254)):
        answer = api.post("/api/v1/stand-ins/", {"person": person, "stand_in": stand_in, **days}, format="json").json()
        assert answer["error_code"] == code, answer
    assert not StandIn.objects.exists()
    ann.groups.clear()
    assert post(api, "stand-ins", {"person": "ann", "stand_in": "ben", **days}, 201)["stand_in"] == ben.username


def test_rows_of_other_clients_do_not_exist(umbra, api):
    theirs = with_key(umbra, may_approve=True)
    version = post(theirs, "approval-rules", {"rules": [SMALL]}, 201)
    assert post(api, f"approval-rules/{version['id']}/switch_on", {}, 404)["error_code"] == 1002
    assert get(api, "approval-rules")["results"] == []


def test_the_list_of_versions_has_a_constant_number_of_queries(acme, api, django_assert_max_num_queries):
    for _ in range(3):
        post(api, "approval-rules", {"rules": [SMALL, LARGE]}, 201)
    reading = with_key(acme)
    with django_assert_max_num_queries(8):
        assert len(get(reading, "approval-rules")["results"]) == 3


def page(answer):
    return " ".join(answer.content.decode().replace("\u202f", " ").split())


@pytest.fixture
def boss(acme):
    return reader(acme, permissions=RIGHTS, name="boss")


def form_of(*rules):
    """Return the form of a new version. A rule without a name is the empty form that the page offers."""
    body = {"rules-TOTAL_FORMS": str(len(rules)), "rules-INITIAL_FORMS": "0"}
    for place, rule in enumerate(rules):
        fields = {"approvers": "1", "ORDER": str(place + 1), **rule}
        body |= {f"rules-{place}-{name}": value for name, value in fields.items()}
    return body


def test_rules_are_made_tried_and_switched_on_by_pages(acme, boss, clock, alice):
    assert "No approval rules are on" in page(boss.get("/approval-rules/"))
    old = priced(acme, "80.00")
    decide_on_one(DecisionAct.APPROVE, client=acme, invoice_no=old.pk, caller=alice, today=JAN_10)
    body = form_of({**SMALL, "flags": ["first"]}, LARGE, {"name": "", "ORDER": ""})
    made = boss.post("/approval-rules/new/", {**body, "comments": "Less work", "once": "a" * 32}, follow=True)
    assert "Approval rules, version 1" in page(made) and "Less work" in page(made)
    version = ApprovalRules.objects.get()
    assert [rule.name for rule in version.rows.order_by("position")] == ["Small", "Large"]
    tried = page(boss.get(f"/approval-rules/{version.pk}/?days=90"))
    assert "In the last 90 days it would have approved 1 of 1 documents automatically." in tried
    assert "Of these, 0 were rebilled later, 0 credited, 0 voided, and people discarded 0." in tried
    shown = boss.post(f"/approval-rules/{version.pk}/", {"act": "on", "once": "b" * 32}, follow=True)
    assert "Switched on." in page(shown)
    assert "Version 1 is on" in page(boss.get("/approval-rules/"))
    copied = page(boss.get("/approval-rules/new/"))
    assert 'value="Small"' in copied and 'value="Large"' in copied
    small, large = priced(acme, "50.00"), priced(acme, "2000.00")
    queue = page(boss.get("/invoices/pending/"))
    assert "Small: is approved automatically" in queue and "2 approvals are missing" in queue
    boss.post(f"/invoices/{small.pk}/act/stop_approval/", {"reason": "Ask sales", "once": "c" * 32})
    assert "Stopped, a person must approve it: boss" in page(boss.get(f"/invoices/{small.pk}/"))
    assert "stopped, a person must approve it" in page(boss.get("/invoices/pending/"))
    boss.post(f"/invoices/{small.pk}/act/resume_approval/", {"once": "d" * 32})
    assert "This document is approved automatically:" in page(boss.get(f"/invoices/{small.pk}/"))
    given = boss.post(f"/invoices/{large.pk}/act/approve/", {"once": "e" * 32}, follow=True)
    assert "approvals by other people that are missing: 1" in page(given)
    assert "Approved already by boss." in page(boss.get(f"/invoices/{large.pk}/"))
    clock.move_to(NOON + timedelta(days=3))
    assert (approve_due(acme), escalate_due(acme)) == (1, 1)
    boss.force_login(get_user_model().objects.get(username="boss"))
    assert "Escalated" in page(boss.get("/invoices/pending/"))
    assert Invoice.objects.get(pk=small.pk).status == "approved"


def test_wrong_rules_keep_what_was_typed(acme, boss):
    body = form_of({"name": "Typed", "total_above": "5"})
    answer = boss.post("/approval-rules/new/", {**body, "once": "a" * 32})
    assert answer.status_code == 422
    assert "say in which currency the limits of the total are" in page(answer) and 'value="Typed"' in page(answer)
    answer = boss.post("/approval-rules/new/", {**form_of({"name": "Typed", "total_above": "x"}), "once": "b" * 32})
    assert answer.status_code == 422 and 'value="Typed"' in page(answer)
    assert not ApprovalRules.objects.exists()


def test_stand_ins_are_set_and_removed_by_the_page(acme, boss):
    people = [get_user_model().objects.create_user(name, is_staff=True) for name in ("ann", "ben")]
    acme.staff.add(*people)
    body = {"person": "ann", "stand_in": "ben", "first_day": "2026-01-10", "last_day": "2026-01-12", "once": "a" * 32}
    assert "Saved." in page(boss.post("/approval-rules/", body, follow=True))
    row = StandIn.objects.get()
    assert "Removed." in page(boss.post("/approval-rules/", {"remove": str(row.pk), "once": "b" * 32}, follow=True))
    assert not StandIn.objects.exists()


def test_who_may_only_look_sees_no_buttons(acme):
    viewer = reader(acme, permissions=("view_invoice",), name="viewer")
    assert "Add rules" not in page(viewer.get("/approval-rules/"))
    answer = viewer.post("/approval-rules/new/", {**form_of(SMALL), "once": "a" * 32}, follow=True)
    assert not ApprovalRules.objects.exists() and answer.status_code in (200, 422)


@pytest.mark.parametrize("days", ["0000000019999999999", "1001", "0", "-1", "x", "9" * 500])
def test_days_that_cannot_be_tried_are_refused_by_name(acme, boss, days):
    version = on(acme, {})
    answer = boss.get(f"/approval-rules/{version.pk}/?days={days}", follow=True)
    assert f"days: {days[:30]} is not a number from 1 to 1000" in page(answer)


@pytest.mark.parametrize("number", ["abc", "-1", "1x", "9" * 30])
def test_a_version_to_copy_that_is_no_number_is_refused_by_name(acme, boss, number):
    on(acme, {})
    answer = boss.get(f"/approval-rules/new/?from={number}", follow=True)
    assert f"from: {number} is not a number from 1" in page(answer)


def test_the_number_of_a_stand_in_is_not_cut(acme, boss):
    people = [get_user_model().objects.create_user(name, is_staff=True) for name in ("ann", "ben")]
    dates = {"first_day": JAN_10, "last_day": JAN_10, "set_by": "process:test", "set_at": NOON}
    row = StandIn.objects.create(pk=123456789, client=acme, person=people[0], stand_in=people[1], **dates)
    boss.post("/approval-rules/", {"remove": "1234567890", "once": "a" * 32}, follow=True)
    assert StandIn.objects.get() == row


def test_comments_that_are_too_long_are_refused_and_kept(acme, boss):
    body = {**form_of(SMALL), "comments": "x" * 1001, "once": "a" * 32}
    answer = boss.post("/approval-rules/new/", body)
    assert answer.status_code == 422
    assert "comments have at most 1000 characters" in page(answer) and "x" * 1001 in page(answer)
    assert not ApprovalRules.objects.exists()
    boss.post("/approval-rules/new/", {**body, "comments": "x" * 1000, "once": "b" * 32})
    assert ApprovalRules.objects.get().comments == "x" * 1000


def test_a_currency_is_taken_as_people_write_it(acme, boss):
    boss.post("/approval-rules/new/", {**form_of({**SMALL, "currency": "EUR"}), "once": "a" * 32})
    assert ApprovalRules.objects.get().rows.get().currency == "eur"
