"""Every operation of the API that does more than read needs a right: walked for each role of staff and each right of a key."""

import json
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client as Browser

from accounts.aria.method_calls import Method, never
from accounts.keys import create_key
from accounts.models import ApiKey
from accounts.rights import KEY_RIGHTS, ROW_RIGHTS, Right
from billing_site.api import METHODS, router
from billing_site.examples import REFUSED
from rebills.roles import ROLES
from tests.support.calling import rows_stored
from tests.support.examples import REQUESTS, example_of, meant, success_of, virtual_clock, world
from tests.support.factories import BY_TEST

__all__ = ["virtual_clock", "world"]

pytestmark = pytest.mark.django_db

CAMPAIGN_ACTS = (
    "create",
    "recheck",
    "correct",
    "change",
    "preview_again",
    "run",
    "pause",
    "resume",
    "cancel",
    "retry",
    "undo",
    "keep",
)


def both(*names):
    """Method calls that have an older name too."""
    return {f"{name}{suffix}" for name in names for suffix in ("", "_m")}


RULES = {
    *("approvalrules_create", "approvalrules_switch_on", "approvalrules_switch_off"),
    *("standin_create", "standin_destroy"),
}
"""Changing approval rules."""

ACTS = {
    "generate": {
        *("invoice_create", "invoice_bill_again", "gen_invoice", "gen_invoice_m"),
        *(f"billingrun_{act}" for act in ("create", "dry_run", "start", "pause", "resume", "cancel", "retry")),
        *("runfilter_create", "runfilter_destroy"),
    },
    "send": {
        *(f"{document}_send_statement" for document in ("invoice", "rebill", "creditmemo")),
        *("rebillcampaign_send_statements", "statement_bounced"),
    },
    "may_change_settings": {
        *RULES,
        *("mailtext_create", "mailtext_destroy", "einvoicesettings_partial_update", "personaldata_erase"),
        "settings_partial_update",
        *("schedule_create", "schedule_destroy", "webhookdelivery_send_again"),
        *(f"webhookendpoint_{act}" for act in ("create", "partial_update", "destroy", "rotate_secret", "test", "send_again")),
    },
    "clock": {"advance_virtual_datetime", "advance_virtual_datetime_m"},
    "may_approve": {
        *(f"invoice_{act}{many}" for act in ("approve", "discard", "recalculate", "regenerate") for many in ("", "_many")),
        *("invoice_partial_update", "invoice_stop_approval", "invoice_resume_approval"),
        *("manage_pending_invoice", "manage_pending_invoice_m", "update_acct_invoice", "update_acct_invoice_m"),
        "requestedact_approve",
        "requestedact_discard",
        "billingrun_discard_pending",
        "rebillcampaign_approve",
        "rebillcampaign_approve_undo",
    },
    "may_collect": {
        *("invoice_collect", "invoice_collect_many", "collect_from_account", "collect_from_account_m"),
        *("payment_create", "record_external_payment", "record_external_payment_m", "payment_apply", "cashcredit_apply"),
        *("payment_move", "cashcredit_move"),
    },
    "may_rebill": {
        *("rebill_create", "rebill_bulk", "rebill_undo", "gen_rb_m", "pending_adjust"),
        *(f"rebillcampaign_{act}" for act in CAMPAIGN_ACTS),
    },
    "may_correct": {
        *("invoice_undo_void", "invoice_void", "invoice_waive_periods", "creditmemo_void", "void_invoice", "void_invoice_m"),
        *(f"{entry}_void" for entry in ("payment", "refund", "cashcredit", "writeoff", "dispute", "transaction")),
        *(f"{entry}_undo" for entry in ("creditmemo", "refund", "writeoff", "dispute", "transaction")),
        *(f"closedperiod_{act}" for act in ("create", "reopen", "approve_reopening", "keep_closed")),
        *("payment_refund", "cashcredit_create", "writeoff_create", "dispute_create", "creditmemo_create"),
        *("create_cm_m", "void_credit_memo_m", "create_writeoff_or_dispute_m"),
        *both("apply_cash_credit", "issue_refund_to_acct", "void_transaction"),
    },
    "may_change_catalogue": {
        *(
            f"{row}_{act}"
            for row in ("service", "servicelocation", "plan", "rateschedule", "taxrate", "surcharge", "coupon")
            for act in ("create", "partial_update", "destroy")
        ),
        *("reasoncode_create", "create_reason_code_m"),
    },
    "may_change_customers": {
        *(f"{row}_create" for row in ("account", "contact", "paymentmethod", "planinstance")),
        *(f"{row}_partial_update" for row in ("account", "contact", "paymentmethod", "planinstance")),
        *("contact_destroy", "paymentmethod_destroy"),
        *("planinstance_end", "planinstance_change", "planinstance_trial", "planinstance_destroy"),
        *("account_pause", "account_resume"),
        *("assign_acct_plan_m", "replace_acct_plan_m", "cancel_acct_plan_m", *both("update_acct_status")),
        *both("create_acct_complete", "update_acct_complete"),
        "update_payment_method_m",
    },
    "may_add_usage": {
        "invoice_one_off",  # Its example adds charges.
        *(f"{row}_{act}" for row in ("usage", "onetimecharge", "couponredemption") for act in ("create", "destroy")),
        *both("record_usage", "bulk_record_usage", "discard_usage", "create_order", "apply_coupon_to_acct"),
    },
    "may_give_credits": {
        *("servicecredit_create", "servicecredit_expire"),
        *("create_advanced_service_credit_m", "cancel_unapplied_service_credits_m"),
    },
}
"""What is not a read, by the right of a key that it needs: "generate", "send" and "clock" are open to every key that writes."""

OF_EVERY_KEY = ACTS["generate"] | ACTS["send"] | ACTS["clock"]

BY_ROLE = {
    "Viewer": set(),
    "Biller": {
        *(
            "invoice_create",
            "invoice_bill_again",
            "invoice_one_off",
            "rebill_create",
            "rebill_bulk",
            "rebill_undo",
            "pending_adjust",
            "statement_bounced",
            "invoice_send_statement",
            "rebill_send_statement",
            "rebillcampaign_send_statements",
        ),
        *(f"rebillcampaign_{act}" for act in CAMPAIGN_ACTS),
        *(f"billingrun_{act}" for act in ("create", "dry_run", "start", "pause", "resume", "cancel", "retry")),
        *("runfilter_create", "runfilter_destroy"),
        *("creditmemo_send_statement", "usage_create", "contact_create"),
        *(f"{row}_{act}" for row in ("onetimecharge", "couponredemption") for act in ("create", "destroy")),
    },
    "Approver": ACTS["may_approve"],
    "Collector": ACTS["may_collect"] | {"paymentmethod_create", "paymentmethod_partial_update"},
    "Corrector": ACTS["may_correct"] | ACTS["may_give_credits"],
    "Administrator": set.union(*ACTS.values()),
}
"""What the reference gives each role, of the operations of resources."""

NO_RIGHT = {90001, 90009, 90025, 90026, 90028}


def answers(sent, name, rows, credentials=None):
    """What an operation answers to its example: HTTP status and codes, and whether rows were added or removed. Then nothing of
    it is kept."""
    method, path, operation = REQUESTS[name]
    examples = {(one["in"], one["name"]): one["example"] for one in operation.get("parameters", ()) if "example" in one}
    numbers, query = (
        meant({key: value for (place, key), value in examples.items() if place == asked}, rows) for asked in ("path", "query")
    )
    body = {**meant(example_of(name), rows), **(credentials or {})} if "requestBody" in operation else None
    address = f"{path.format(**numbers)}?{urlencode(query)}"
    before = rows_stored()
    undone = transaction.atomic()
    undone._from_testcase = True  # services open durable transactions within it
    with undone:
        response = sent.generic(method.upper(), address, json.dumps(body) if body else "", content_type="application/json")
        found = json.loads(response.content or b"{}")
        codes = {found.get("error_code", 0)} | {one["error_code"] for one in found.get("outcomes", ())}
        changed = rows_stored() != before
        transaction.set_rollback(True)
    return response.status_code, codes - {0}, changed


def writes(name):
    called = METHODS.get(name)
    if called is not None:
        return getattr(called, name).method_call.writes is not never
    return REQUESTS[name][0] != "get" and not name.endswith(("_preview", "_preview_undo", "_preview_undo_void"))


WRITING = sorted(name for name in REQUESTS if name != "core" and writes(name))


def test_every_operation_that_is_not_a_read_is_of_this_table():
    assert set(WRITING) == set.union(*ACTS.values())


def check(sent, name, world, *, allowed, credentials=None):
    status, codes, changed = answers(sent, name, world[2], credentials)
    if not allowed:
        assert codes and codes <= NO_RIGHT, (name, status, codes)
        assert status in (200, 403), (name, status)
        assert not changed, name
    elif name in REFUSED:
        assert codes == {REFUSED[name]}, (name, codes)
    else:
        assert (status, codes) == (success_of(REQUESTS[name][2]), set()), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_what_the_table_of_roles_says_and_nothing_else(role, world, db):
    user = get_user_model().objects.create(username=role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    world[0].staff.add(user)
    browser = Browser()
    browser.force_login(user)
    for name in WRITING:
        if name not in METHODS:
            check(browser, name, world, allowed=name in BY_ROLE[role])


@pytest.mark.parametrize("right", [*KEY_RIGHTS, "", "read_only"])
def test_a_key_does_what_its_right_says_and_nothing_else(right, world, db):
    client = world[0]
    rights = dict.fromkeys((*KEY_RIGHTS, "read_only"), True) if right == "read_only" else {right: True} if right else {}
    key, auth_key = create_key(client, name=right, **rights, caller=BY_TEST)
    allowed = set() if right == "read_only" else OF_EVERY_KEY | ACTS.get(right, set())
    token = b64encode(f"{client.pk}:{auth_key}".encode()).decode()
    for name in WRITING:
        credentials = {"client_no": client.pk, "auth_key": auth_key} if name in METHODS else None
        sent = Browser() if name in METHODS else Browser(HTTP_AUTHORIZATION=f"Basic {token}")
        check(sent, name, world, allowed=name in allowed, credentials=credentials)


def actions():
    """The resources' and methods' actions that do more than read, with the right that each declares."""
    for _prefix, viewset, _basename in router.registry:
        named = [one.__name__ for one in viewset.get_extra_actions()]
        for action in ("create", "update", "partial_update", "destroy", *named):
            handler = getattr(viewset, action, None)
            called = getattr(handler, "method_call", None)
            if isinstance(called, Method):
                if called.writes is not never:
                    yield called.name, called.right
                continue
            verbs = set(getattr(handler, "mapping", {"post": ""} if handler else ()))
            if verbs - {"get"} and action not in viewset.reading_actions:
                yield f"{viewset.__name__}.{action}", viewset.rights.get(action)


def test_every_action_names_the_right_that_a_stored_answer_of_it_needs():
    found = dict(actions())
    assert len(found) > 60
    assert [name for name, right in found.items() if not isinstance(right, Right)] == []


def test_each_right_of_a_key_is_a_column_and_is_asked_for_somewhere():
    assert set(KEY_RIGHTS) == {field.name for field in ApiKey._meta.fields if field.name.startswith("may_")}
    asked = {right.key for _name, right in actions()}
    assert asked == {*KEY_RIGHTS, ""}
    assert {right.key for right in ROW_RIGHTS.values()} <= set(KEY_RIGHTS)


@pytest.mark.parametrize("name", ["cashcredit_create", "usage_create", "invoice_approve_many"])
def test_a_stored_answer_is_given_to_no_key_without_the_right(name, world, db):
    client, auth_key, rows = world
    strong, weak = (
        {
            "HTTP_AUTHORIZATION": f"Basic {b64encode(f'{client.pk}:{key}'.encode()).decode()}",
            "HTTP_IDEMPOTENCY_KEY": "the-same",
        }
        for key in (auth_key, create_key(client, name="weak", caller=BY_TEST)[1])
    )
    method, path, operation = REQUESTS[name]
    body = json.dumps(meant(example_of(name), rows))
    first, replayed, other = (
        Browser(**headers).generic(method.upper(), path, body, content_type="application/json")
        for headers in (strong, strong, weak)
    )
    assert (first.status_code, first.content) == (success_of(operation), replayed.content)
    assert (other.status_code, other.json()["error_code"] in NO_RIGHT) == (403, True)


def test_a_stored_answer_of_a_method_call_is_given_to_no_key_without_the_right(world, db):
    client, auth_key, rows = world
    asked = {**meant(example_of("record_external_payment"), rows), "client_receipt_id": "r1", "client_no": client.pk}
    first, replayed, other = (
        Browser()
        .post(REQUESTS["record_external_payment"][1], json.dumps({**asked, "auth_key": key}), content_type="application/json")
        .json()
        for key in (auth_key, auth_key, create_key(client, name="weak", caller=BY_TEST)[1])
    )
    assert first["error_code"] == 0 and replayed == first
    assert (other["error_code"], other["transaction_id"]) == (90025, None)
