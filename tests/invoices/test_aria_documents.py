"""Aria's method calls of invoices: made, decided on, read, voided; each input has its effect, each refusal its code."""

import base64
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import PaymentMethod, Receipt, Service
from billing_site.common.guards import lifted
from invoices.models import CollectionAttempt, Invoice, OneTimeCharge
from tests.support.billing import FEB_10, JAN_10, USAGE, bill
from tests.support.calling import caller_of, refused
from tests.support.factories import TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.memos import memo_of
from tests.support.orders import order
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


@pytest.fixture
def account(acme):
    """30.00 and 20.00 a month, and 10 % of tax."""
    TaxRateFactory(client=acme)
    return an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}), client_acct_id="A 1")


@pytest.fixture
def pending(account, process):
    return bill(account, process, JAN_10, force_pending=True)


@pytest.fixture
def issued(account, process):
    return bill(account, process, JAN_10)


# gen_invoice_m


def test_gen_invoice_m_tells_of_the_invoice_that_it_makes(account, call):
    answer = call("gen_invoice_m", client_acct_id="A 1", combine_invoices=3)
    invoice = Invoice.objects.get()
    names = ("invoice_no", "out_acct_no", "out_client_acct_id", "out_billing_group_no", "out_client_billing_group_id")
    assert [answer[name] for name in names] == [invoice.pk, account.pk, "A 1", None, None]
    (row,) = answer["out_invoices_list"]
    amounts = [row[name] for name in row if name.startswith("invoice_") and name not in ("invoice_no", "invoice_items")]
    assert amounts == [50.0, 5.0, 55.0, 0.0, 55.0]
    assert [item["line_amount"] for item in row["invoice_items"]] == [30.0, 20.0, 5.0]
    assert [tax["debit"] for tax in row["tax_details"]] == [3.0, 2.0]


def test_gen_invoice_m_takes_two_names_of_one_account_and_a_plan_instance_of_it(acme, account, call):
    instance = account.plan_instances.get()
    refused(call("gen_invoice_m", acct_no=account.pk, client_acct_id="other"), 1009, "client_acct_id other")
    answer = call("gen_invoice_m", acct_no=account.pk, client_acct_id="A 1", master_plan_instance_no=instance.pk)
    assert answer["out_acct_no"] == account.pk


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        ({}, 1010, "acct_no"),
        ({"client_acct_id": "nobody"}, 1009, "client_acct_id nobody"),
        ({"client_acct_id": "A 1", "combine_invoices": 4}, 1068, "Combine invoices"),
        ({"client_acct_id": "A 1", "master_plan_instance_no": 999}, 14046, "999"),
        ({"client_acct_id": "A 1", "client_master_plan_instance_id": "x"}, 14047, "identifier"),
        ({"client_acct_id": "A 1", "billing_group_no": 1}, 1016, "billing_group_no"),
        ({"client_acct_id": "A 1", "alt_bill_day": 32}, 5020, "between 1 and 31"),
        ({"client_acct_id": "x" * 51}, 1012, "client_acct_id"),
    ],
)
def test_gen_invoice_m_is_refused(account, call, members, code, text):
    refused(call("gen_invoice_m", **members), code, text)
    assert not Invoice.objects.exists()


# Pending invoices


def test_the_pending_invoice_is_found(account, call, pending):
    assert call("get_pending_invoice_no", acct_no=account.pk)["invoice_no"] == pending.pk
    (row,) = call("get_pending_invoice_no_m", client_acct_id="A 1")["pending_invoice"]
    assert (row["invoice_no"], row["acct_no"], row["billing_group_no"]) == (pending.pk, account.pk, None)


def test_a_rebill_that_waits_is_found_by_the_newer_call_only(acme, account, call, process, issued):
    acme.rebill_approval_required = True
    acme.save()
    rebill = rebilled(issued, process, 1)
    refused(call("get_pending_invoice_no", acct_no=account.pk), 5022)
    (row,) = call("get_pending_invoice_no_m", acct_no=account.pk)["pending_invoice"]
    assert row["invoice_no"] == rebill.pk


def test_where_none_waits_it_is_5022(account, call):
    refused(call("get_pending_invoice_no", acct_no=account.pk), 5022, "does not have a pending invoice")
    refused(call("get_pending_invoice_no_m", acct_no=account.pk), 5022)
    refused(call("manage_pending_invoice", acct_no=account.pk), 5022)


def test_a_pending_invoice_is_approved_with_what_is_asked_for(account, call, pending):
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    account.contacts.update(email="a@example.com")
    answer = call(
        "manage_pending_invoice_m",
        client_acct_id="A 1",
        alt_collect_on_approve="true",
        alt_send_statement_on_approve=1,
        custom_status_label="seen",
        client_notes="fine",
    )
    pending.refresh_from_db()
    assert (pending.status, pending.custom_status_label, pending.client_notes) == ("approved", "seen", "fine")
    assert (answer["new_invoice_no"], answer["acct_no"], answer["client_acct_id"]) == (pending.pk, account.pk, "A 1")
    assert (answer["collection_error_code"], answer["statement_error_code"], answer["proc_status_code"]) == (0, 0, "approved")
    assert [message.to for message in mail.outbox] == [["a@example.com"]]


def test_an_approval_may_leave_collecting_and_the_statement_out(acme, account, call, pending):
    acme.collect_on_approval = acme.statement_on_issue = True
    acme.save()
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    account.contacts.update(email="a@example.com")
    call("manage_pending_invoice", invoice_no=pending.pk, alt_collect_on_approve=0, alt_send_statement_on_approve="false")
    assert (mail.outbox, CollectionAttempt.objects.count()) == ([], 0)


@pytest.mark.parametrize("cancels", [0, 1])
def test_a_pending_invoice_is_discarded_and_its_orders_with_it_where_that_is_asked_for(account, call, process, cancels):
    order(account, account.plan_instances.get().plan.charges.first().service)
    pending = bill(account, process, JAN_10, force_pending=True)
    answer = call("manage_pending_invoice", invoice_no=pending.pk, action_directive=2, cancel_orders_on_discard=cancels)
    pending.refresh_from_db()
    assert (pending.status, answer["new_invoice_no"], OneTimeCharge.objects.count()) == ("discarded", None, 1 - cancels)


def test_a_pending_invoice_is_regenerated_under_a_new_number(account, call, pending):
    answer = call("manage_pending_invoice", acct_no=account.pk, action_directive=3)
    new = Invoice.objects.get(status="pending")
    assert (answer["new_invoice_no"], new.pk != pending.pk) == (new.pk, True)


@pytest.mark.parametrize("method", ["manage_pending_invoice", "manage_pending_invoice_m"])
@pytest.mark.parametrize("named_by", ["acct_no", "invoice_no"])
def test_a_regeneration_that_finds_nothing_to_bill_discards_the_pending_invoice(account, call, pending, method, named_by):
    account.plan_instances.get().plan.charges.all().delete()
    numbers = {"acct_no": account.pk, "invoice_no": pending.pk}
    answer = call(method, action_directive=3, **{named_by: numbers[named_by]})
    pending.refresh_from_db()
    assert (answer["error_code"], answer["new_invoice_no"], pending.status) == (0, None, "discarded")
    assert answer.get("acct_no", account.pk) == account.pk
    assert Invoice.objects.count() == 1


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, 1010),
        ({"invoice_no": 999}, 3015),
        ({"action_directive": 5, "client_acct_id": "A 1"}, 1039),
        ({"client_acct_id": "A 1", "client_notes": "x" * 1001}, 3044),
        ({"client_acct_id": "A 1", "custom_status_label": "x" * 101}, 1012),
        ({"client_acct_id": "A 1", "alt_collect_on_approve": "maybe"}, 1033),
        ({"client_acct_id": "A 1", "client_receipt_id": "a-b"}, 1012),
    ],
)
def test_managing_is_refused(account, call, pending, members, code):
    refused(call("manage_pending_invoice", **members), code)
    pending.refresh_from_db()
    assert pending.status == "pending"


def test_an_invoice_of_another_account_is_not_the_one_that_is_meant(acme, account, call, pending):
    refused(call("manage_pending_invoice", acct_no=an_account(acme).pk, invoice_no=pending.pk), 3015)


@pytest.mark.parametrize("died", [False, True])
def test_a_decision_under_a_receipt_is_made_once(account, call, pending, died):
    first = call("manage_pending_invoice", acct_no=account.pk, client_receipt_id="r1")
    if died:
        Receipt.objects.update(answer="", created_at=timezone.now() - timedelta(minutes=1))
    assert call("manage_pending_invoice", acct_no=account.pk, client_receipt_id="r1") == first
    refused(call("manage_pending_invoice", acct_no=account.pk, client_receipt_id="r1", action_directive=2), 1012)


# Reading


def test_the_details_of_an_invoice(account, call, process, issued):
    rebill = rebilled(issued, process, line(1, units="0.5", comments="half"))
    old = call("get_invoice_details", acct_no=account.pk, src_transaction_id=issued.pk)
    assert [(row["line_no"], row["amount"], row["rb_excluded"]) for row in old["invoice_line_items"]] == [
        (1, 30.0, 0),
        (2, 20.0, 1),
        (3, 5.0, 0),
    ]
    assert (old["is_pending_ind"], old["rb_status"], old["rb_no"], old["rb_flag"]) == (0, "True", rebill.pk, 0)
    new = call("get_invoice_details_m", client_acct_id="A 1", invoice_no=rebill.pk)
    assert [(row["amount"], row["rb_line_comments"]) for row in new["invoice_line_details"]] == [(15.0, "half"), (1.5, None)]
    assert [(tax["seq_num"], tax["taxed_seq_num"], tax["debit"]) for tax in new["tax_details"]] == [(2, 1, 1.5)]
    assert (new["invoice_type_cd"], new["orig_invoice_no"], new["rb_reason_cd"], new["rb_flag"]) == ("R", issued.pk, 1, 1)


def test_a_line_of_the_details_has_its_places_account_and_transaction(acme, account, call, process):
    location = acme.service_locations.create(client_service_location_id="HQ", region="CA", country="US")
    Service.objects.update(location=location)
    contact = account.contacts.get()
    issued = bill(account, process, JAN_10)
    answer = call("get_invoice_details_m", acct_no=account.pk, invoice_no=issued.pk)
    first = answer["invoice_line_details"][0]
    places = ("bill_from_location_no", "ship_from_location_no", "bill_to_address_seq", "ship_to_address_seq")
    ours = ("bill_from_address_no", "ship_from_address_no", "bill_to_address_no", "ship_to_address_no")
    numbers = [location.pk, location.pk, contact.contact_no, contact.contact_no]
    assert [first[name] for name in places] == [first[name] for name in ours] == numbers
    assert (first["client_acct_id"], first["invoice_transaction_id"]) == ("A 1", issued.ledger.get().pk)
    assert first["master_plan_instance_no"] == account.plan_instances.get().pk
    assert [row["tax_srv_cat_text"] for row in answer["tax_details"]] == [line.tax_category for line in issued.lines.all()[:2]]
    assert (answer["is_pending_ind"], answer["is_pending_ind_2"]) == (0, 0)


def test_the_lines_of_a_pending_invoice_have_no_transaction_yet(account, call, pending):
    answer = call("get_invoice_details_m", acct_no=account.pk, invoice_no=pending.pk)
    assert {row["invoice_transaction_id"] for row in answer["invoice_line_details"]} == {None}
    assert answer["is_pending_ind_2"] == 1


def test_details_are_found_by_the_transaction_too_and_of_pending_invoices(acme, account, call, process):
    other = bill(an_account(acme), process, JAN_10)
    pending = bill(account, process, JAN_10, force_pending=True)
    assert call("get_invoice_details", acct_no=account.pk, src_transaction_id=pending.pk)["is_pending_ind"] == 1
    entry = other.ledger.get()
    found = call("get_invoice_details", acct_no=other.account_id, src_transaction_id=entry.pk)
    assert [row["amount"] for row in found["invoice_line_items"]] == [30.0, 3.0]
    refused(call("get_invoice_details", acct_no=account.pk, src_transaction_id=other.pk), 3004)
    refused(call("get_invoice_details_m", acct_no=999, invoice_no=other.pk), 1009)


@pytest.mark.parametrize(
    "method",
    [
        "get_invoice_details_m",
        "get_invoice_cm_details_m",
        "get_payments_on_invoice_m",
        "get_statement_for_invoice",
        "get_statement_for_invoice_m",
    ],
)
def test_an_invoice_no_is_never_the_number_of_a_transaction(account, call, transaction_no, method):
    refused(call(method, acct_no=account.pk, invoice_no=transaction_no), 3004, "invoice_no")


@pytest.mark.parametrize("method", ["get_invoice_details", "get_payments_on_invoice"])
def test_a_src_transaction_id_is_the_number_of_a_transaction_or_of_an_invoice(account, call, issued, transaction_no, method):
    found = call(method, acct_no=account.pk, src_transaction_id=transaction_no)
    assert (found["error_code"], found) == (0, call(method, acct_no=account.pk, src_transaction_id=issued.pk))
    refused(call(method, acct_no=account.pk, src_transaction_id=999_999), 3004, "src_transaction_id")


@pytest.fixture
def transaction_no(issued):
    """The number of the issued invoice's transaction, which no document has."""
    with lifted():
        issued.ledger.update(id=900_000)
    return 900_000


def test_the_history_of_an_account(account, call, process, issued):
    second = bill(account, process, FEB_10)
    pay(account, process, "55.00")
    rows = call("get_acct_invoice_history", acct_no=account.pk)["invoice_history"]
    assert [(row["invoice_no"], row["amount"], row["credit"], row["paid_date"]) for row in rows] == [
        (second.pk, 55.0, 0.0, None),
        (issued.pk, 55.0, 55.0, "2026-01-31"),
    ]
    within = call("get_acct_invoice_history", acct_no=account.pk, start_bill_date="2026-02-01", end_bill_date="2026-02-28")
    assert [row["invoice_no"] for row in within["invoice_history"]] == [second.pk]
    refused(call("get_acct_invoice_history", acct_no=account.pk, start_bill_date="1.2.2026"), 1024, "start_bill_date")


def test_a_row_of_the_history_names_account_plan_and_days_of_usage(acme, account, call, process):
    plan = account.plan_instances.get().plan
    a_charge(plan, "calls", "0.10", USAGE)
    some_usage(account.plan_instances.get(), "calls", "7", date(2026, 1, 20))
    bill(account, process, JAN_10)
    bill(account, process, FEB_10)
    second, first = call("get_invoice_history_m", client_acct_id="A 1")["invoice_hist"]
    assert [first[name] for name in ("outacct_no", "outclient_acct_id", "billing_group_no")] == [account.pk, "A 1", None]
    names = ("master_plan_no", "master_plan_name", "client_master_plan_id")
    assert [first[name] for name in names] == [plan.pk, plan.name, plan.client_plan_id]
    assert [row["usage_bill_from"] for row in (first, second)] == [None, "2026-01-10"]
    assert [row["usage_bill_thru"] for row in (first, second)] == [None, "2026-02-09"]
    assert call("get_acct_invoice_history", acct_no=account.pk)["invoice_history"] == [second, first]


def test_voided_invoices_are_told_of_where_that_is_asked_for(account, call, issued):
    call("void_invoice_m", acct_no=account.pk, invoice_no=issued.pk, reason_code=5)
    assert call("get_acct_invoice_history", acct_no=account.pk)["invoice_history"] == []
    (row,) = call("get_acct_invoice_history", acct_no=account.pk, include_voided="true")["invoice_history"]
    assert row["is_voided_ind"] == 1


@pytest.mark.parametrize(("option", "numbers"), [(0, [2, 1, 0]), (1, [1, 0]), (2, [2, 1])])
def test_a_history_with_or_without_rebills(account, call, process, issued, option, numbers):
    other = bill(account, process, FEB_10)
    documents = [issued, other, rebilled(issued, process, 1)]
    rows = call("get_invoice_history_m", client_acct_id="A 1", master_plan_instance_no=-1, rb_option=option)["invoice_hist"]
    assert [row["invoice_no"] for row in rows] == [documents[number].pk for number in numbers]


def test_a_history_takes_one_query_however_long(account, call, process, issued):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            call("get_acct_invoice_history", acct_no=account.pk)
        return len(captured)

    queries()  # notes the use of the key
    few = queries()
    for day in (FEB_10, FEB_10.replace(month=3), FEB_10.replace(month=4)):
        bill(account, process, day)
    assert queries() == few


def test_what_can_still_be_credited(account, call, process, issued):
    memo_of(issued, process, {1: "10.00"})
    answer = call("get_invoice_cm_details_m", acct_no=account.pk, invoice_no=issued.pk)
    assert answer["restriction_reason"] is None
    assert [(row["line_no"], row["amount"], row["max_credit_amount"]) for row in answer["lines"]] == [
        (1, 30.0, 20.0),
        (2, 20.0, 20.0),
    ]
    assert answer["invoice_cm_line_details"] == answer["lines"]
    service = issued.lines.get(line_no=1).service
    names = ("service_no", "service_name", "client_service_id", "client_sku", "item_no", "client_item_id")
    assert [answer["lines"][0][name] for name in names] == [service.pk, service.name, "phone", None, None, None]
    call("void_invoice", invoice_no=Invoice.objects.get(kind="credit_memo").pk, reason_code=5)
    call("void_invoice", invoice_no=issued.pk, reason_code=5)
    answer = call("get_invoice_cm_details_m", acct_no=account.pk, invoice_no=issued.pk)
    assert "voided" in answer["restriction_reason"]
    assert [row["max_credit_amount"] for row in answer["lines"]] == [0.0, 0.0]


@pytest.mark.parametrize("method", ["get_statement_for_invoice", "get_statement_for_invoice_m"])
def test_the_statement_is_html_as_it_is_mailed(account, call, issued, method):
    answer = call(method, acct_no=account.pk, invoice_no=issued.pk)
    assert answer["mime_type"] == "text/html"
    assert "INV-000001" in answer["out_statement"] and "55.00" in answer["out_statement"]
    encoded = call(method, acct_no=account.pk, invoice_no=issued.pk, do_encoding="true")["out_statement"]
    assert base64.b64decode(encoded).decode() == answer["out_statement"]


def test_a_pending_invoice_has_no_statement(account, call, pending):
    refused(call("get_statement_for_invoice", acct_no=account.pk, invoice_no=pending.pk), 90017)


# Voiding


@pytest.mark.parametrize("died", [False, True])
def test_an_invoice_is_voided_once(account, call, issued, died):
    asked = {"client_acct_id": "A 1", "invoice_no": issued.pk, "reason_code": 5, "client_receipt_id": "r1"}
    first = call("void_invoice_m", **asked)
    if died:
        Receipt.objects.update(answer="", created_at=timezone.now() - timedelta(minutes=1))
    assert call("void_invoice_m", **asked) == first
    entry = issued.ledger.get(kind="invoice")
    row = {"invoice_transaction_id": entry.pk, "void_transaction_id": entry.voided_by.pk}
    assert first["void_transactions"] == [row]
