"""Aria's method calls of money, reasons, the clock and the caller."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Receipt
from accounts.receipts import claim_for
from billing_site.common.guards import lifted
from billing_site.errors import ErrorCode
from invoices.aria.documents import settled_fields
from invoices.models import CollectionAttempt, Payment, ReasonCode
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit, record_external_payment
from tests.support.billing import FEB_10, bill
from tests.support.calling import caller_of, refused
from tests.support.paying import billed, books, due, paying

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


def forgotten():
    Receipt.objects.update(answer="", created_at=timezone.now() - timedelta(minutes=1))


# Collecting


def test_all_that_is_due_of_an_account_is_collected(acme, call, process):
    account, first = billed(acme, process, client_acct_id="A1")
    second = bill(account, process, FEB_10)
    answer = call("collect_from_account", account_no=account.pk, amount_to_collect="60.00")
    assert (due(first), due(second), books()) == (0, 0, [30, 30])
    assert answer["transaction_id"] == CollectionAttempt.objects.get(invoice=first).payment_id
    assert (answer["proc_status_code"], answer["proc_cvv_response"]) == ("approved", "M")
    nothing = call("collect_from_account_m", client_acct_id="A1")
    assert (nothing["error_code"], nothing["transaction_id"]) == (0, None)


def test_part_of_what_is_due_is_collected_once_under_a_receipt(acme, call, process):
    account, invoice = billed(acme, process)
    asked = {"account_no": account.pk, "amount_to_collect": "20", "client_receipt_id": "r1"}
    first = call("collect_from_account", **asked)
    assert call("collect_from_account", **asked) == first
    assert (due(invoice), books()) == (10, [20])


@pytest.mark.parametrize(("token", "code"), [("sandbox_declined", 4011), ("sandbox_timeout_after", 90019), ("", 7025)])
def test_a_collection_that_fails_is_the_calls_failure(acme, call, process, token, code):
    account, _ = billed(acme, process, token)
    answer = call("collect_from_account_m", acct_no=account.pk)
    assert answer["error_code"] == code
    assert (answer["transaction_id"], answer["proc_payment_id"], answer["proc_auth_code"]) == (None, None, None)


@pytest.mark.parametrize("method", ["collect_from_account", "collect_from_account_m"])
def test_a_declined_collection_has_the_gateways_own_words(acme, call, process, method):
    account, _ = billed(acme, process, "sandbox_insufficient_funds")
    answer = call(method, **{"account_no" if method == "collect_from_account" else "acct_no": account.pk})
    attempt = CollectionAttempt.objects.get()
    assert (answer["error_code"], answer["proc_status_code"]) == (4011, "insufficient_funds")
    assert answer["proc_status_text"] == attempt.proc_status_text != ""


def test_each_collection_that_fails_is_listed_by_the_newer_calls(acme, call, process):
    account, _ = billed(acme, process, "sandbox_insufficient_funds")
    bill(account, process, FEB_10)
    answer = call("collect_from_account_m", acct_no=account.pk)
    row = {"collection_error_code": 4011, "collection_error_msg": answer["error_msg"]}
    assert answer["collection_errors"] == [row, row]
    assert answer["proc_initial_auth_txn_id"] is answer["proc_fraud_filtering_info"] is None
    pending = bill(account, process, FEB_10.replace(month=3), force_pending=True)
    decided = call("manage_pending_invoice_m", invoice_no=pending.pk, alt_collect_on_approve="true")
    words = "The account has insufficient funds"
    assert decided["collection_errors"] == [{"collection_error_code": 4011, "collection_error_msg": words}]
    assert (decided["error_code"], decided["collection_error_msg"]) == (0, words)


def test_a_collection_that_works_lists_no_errors(acme, call, process):
    account, _ = billed(acme, process)
    assert call("collect_from_account_m", acct_no=account.pk)["collection_errors"] is None


@pytest.mark.parametrize("token", ["sandbox_timeout_before", "sandbox_timeout_after"])
def test_an_unknown_outcome_is_never_called_ok(acme, call, process, token):
    """Also of an attempt that was recorded without words."""
    account, invoice = billed(acme, process, token)
    call("collect_from_account_m", acct_no=account.pk)
    with lifted():
        CollectionAttempt.objects.update(message="")
    told = settled_fields(invoice, "cd")
    assert (told["collection_error_cd"], told["collection_error_msg"]) == (90019, ErrorCode.OUTCOME_UNKNOWN.message)


@pytest.mark.parametrize("died", [False, True])
def test_a_collection_under_a_receipt_is_made_once(acme, call, process, died):
    account, _ = billed(acme, process)
    first = call("collect_from_account", account_no=account.pk, client_receipt_id="r1")
    if died:
        forgotten()
    bill(account, process, FEB_10)
    assert call("collect_from_account", account_no=account.pk, client_receipt_id="r1") == first
    assert books() == [30]


# Payments from outside


@pytest.mark.parametrize("method", ["record_external_payment", "record_external_payment_m"])
def test_a_payment_is_recorded_and_goes_to_the_oldest_invoice(acme, call, process, method):
    account, invoice = billed(acme, process)
    answer = call(
        method,
        acct_no=account.pk,
        payment_amount=12.5,
        reference_code="cheque 7",
        comments="by post",
        payment_received_date="2026-01-30",
    )
    payment = Payment.objects.select_related("entry").get()
    assert answer["transaction_id"] == payment.pk
    assert (payment.type, payment.reference, payment.entry.comments) == ("other", "cheque 7", "by post")
    assert (str(payment.entry.entry_date), due(invoice)) == ("2026-01-30", 17.5)


@pytest.mark.parametrize("named", [lambda numbers: numbers, lambda numbers: "|".join(map(str, numbers))])
def test_a_payment_goes_to_the_invoices_that_are_named(acme, call, process, named):
    account, first = billed(acme, process)
    second, third = bill(account, process, FEB_10), bill(account, process, FEB_10.replace(month=3))
    numbers = [third.pk, second.pk]
    call("record_external_payment", acct_no=account.pk, payment_amount=40, reference_code="x", invoice_no=named(numbers))
    assert (due(first), due(second), due(third)) == (30, 20, 0)


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        ({"reference_code": None}, 1010, "reference_code"),
        ({"payment_amount": None}, 1010, "payment_amount"),
        ({"payment_amount": "0"}, 1016, "payment_amount: "),
        ({"payment_amount": "x"}, 1016, "payment_amount"),
        ({"reference_code": "x" * 33}, 1012, "reference_code"),
        ({"comments": "x" * 201}, 1012, "comments"),
        ({"payment_received_date": "2026-02-01"}, 1016, "payment_received_date: 2026-02-01 is in the future"),
        ({"payment_received_date": "30.1.2026"}, 1024, "payment_received_date"),
        ({"invoice_no": [999]}, 3004, "invoice_no 999"),
        ({"invoice_no": "x"}, 1016, "invoice_no"),
        ({"acct_no": 999}, 1009, "acct_no"),
    ],
)
def test_a_payment_is_refused(acme, call, members, code, text):
    asked = {"acct_no": paying(acme).pk, "payment_amount": "5", "reference_code": "x", **members}
    refused(call("record_external_payment", **asked), code, text)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("died", [False, True])
def test_a_payment_under_a_receipt_is_recorded_once(acme, call, died):
    asked = {"acct_no": paying(acme).pk, "payment_amount": "5", "reference_code": "x", "client_receipt_id": "r1"}
    first = call("record_external_payment_m", **asked)
    if died:
        forgotten()
    assert call("record_external_payment_m", **asked) == first
    assert Payment.objects.count() == 1


def test_what_has_paid_an_invoice(acme, call, process):
    account, invoice = billed(acme, process)
    paid = call("record_external_payment", acct_no=account.pk, payment_amount=40, reference_code="cheque 7")
    rows = call("get_payments_on_invoice", acct_no=account.pk, src_transaction_id=invoice.pk)["invoice_payments"]
    newer = call("get_payments_on_invoice_m", acct_no=account.pk, invoice_no=invoice.pk)
    assert rows == newer["invoice_payment_details"] == newer["invoice_payments"]
    (row,) = rows
    assert (row["transaction_id"], row["amount"], row["applied_amount"]) == (paid["transaction_id"], 40.0, 30.0)
    assert (row["transaction_type"], row["payment_type"], row["is_voided"]) == (2, "Other", "false")


def test_the_transactions_by_either_name_of_the_account(acme, call, process):
    account, _ = billed(acme, process, client_acct_id="A1")
    ours = call("get_acct_trans_history", account_no=account.pk)["history"]
    assert ours == call("get_acct_trans_history_m", client_acct_id="A1")["history"]
    assert [(row["transaction_type"], row["transaction_amount"]) for row in ours] == [(1, 30.0)]


def rows_of_history(call, account):
    """The account's transactions, the oldest first."""
    return call("get_acct_trans_history", account_no=account.pk, record_limit=999)["history"][::-1]


def test_a_payment_has_its_receipt_and_what_of_it_is_applied(acme, call, process):
    account, invoice = billed(acme, process)
    paid = {"acct_no": account.pk, "reference_code": "rc", "payment_amount": 1.0, "client_receipt_id": "rcpt001"}
    call("record_external_payment_m", **paid)
    charge, payment = rows_of_history(call, account)
    assert (payment["client_receipt_id"], payment["transaction_amount"], payment["transaction_applied_amount"]) == (
        "rcpt001",
        -1.0,
        1.0,
    )
    assert (charge["client_receipt_id"], charge["transaction_applied_amount"]) == (None, 1.0)
    assert (charge["invoice_no"], charge["seq_statement_id"]) == (invoice.pk, "INV-000001")
    assert (payment["invoice_no"], payment["seq_statement_id"]) == (None, None)
    (row,) = call("get_payments_on_invoice_m", acct_no=account.pk, invoice_no=invoice.pk)["invoice_payment_details"]
    assert (row["client_receipt_id"], row["payment_method_no"]) == ("rcpt001", None)


def test_what_is_left_of_a_payment_is_not_applied(acme, call, process):
    account, _ = billed(acme, process)
    call("record_external_payment_m", acct_no=account.pk, reference_code="a", payment_amount=40)
    assert [row["transaction_applied_amount"] for row in rows_of_history(call, account)] == [30.0, 30.0]
    call("record_external_payment_m", acct_no=account.pk, reference_code="b", payment_amount=5)
    bill(account, process, FEB_10)
    assert [row["transaction_applied_amount"] for row in rows_of_history(call, account)] == [30.0, 40.0, 5.0, 15.0]


@pytest.mark.parametrize(
    ("method", "members", "place"),
    [
        ("collect_from_account", {"account_no": True}, 1),
        ("collect_from_account_m", {"acct_no": True}, 1),
        ("void_invoice", {"invoice_no": True, "reason_code": 5}, 1),
        ("void_invoice_m", {"acct_no": True, "invoice_no": True, "reason_code": 5}, 1),
    ],
)
def test_a_transaction_has_the_receipt_of_the_call_that_made_it(acme, call, process, method, members, place):
    account, invoice = billed(acme, process)
    numbers = {"account_no": account.pk, "acct_no": account.pk, "invoice_no": invoice.pk}
    asked = {name: numbers[name] if value is True else value for name, value in members.items()}
    assert call(method, client_receipt_id="r1", **asked)["error_code"] == 0
    assert [row["client_receipt_id"] for row in rows_of_history(call, account)] == [None, "r1"]


def test_an_invoice_has_the_receipt_of_the_call_that_issued_it_or_else_generated_it(acme, call):
    account = paying(acme, client_acct_id="A1")
    call("gen_invoice", acct_no=account.pk, client_receipt_id="r1")
    call("gen_invoice_m", acct_no=account.pk, client_receipt_id="r2", force_pending="true", invoice_mode=1)
    call("manage_pending_invoice", acct_no=account.pk)
    assert [row["client_receipt_id"] for row in rows_of_history(call, account)] == ["r1", "r2"]
    other = paying(acme)
    call("gen_invoice", acct_no=other.pk, client_receipt_id="r3", force_pending="true")
    call("manage_pending_invoice_m", acct_no=other.pk, client_receipt_id="r4")
    assert [row["client_receipt_id"] for row in rows_of_history(call, other)] == ["r4"]


def test_a_rebill_and_its_memo_have_the_receipt_of_gen_rb_m(acme, call, process):
    account, invoice = billed(acme, process)
    lines = [{"line_no": 1, "service_no": invoice.lines.first().service_id, "rb_amount": 2}]
    asked = {"acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1, "rb_line_items": lines}
    assert call("gen_rb_m", client_receipt_id="r1", **asked)["error_code"] == 0
    rows = rows_of_history(call, account)
    assert [row["client_receipt_id"] for row in rows] == [None, "r1", "r1"]
    rebill_reason = ReasonCode.objects.get(client=None, type="rebill", code=1).name
    assert [row["credit_reason_code_description"] for row in rows] == [None, rebill_reason, None]


def test_a_resources_idempotency_key_is_no_receipt(acme, call, process):
    account, _ = billed(acme, process)
    claim = claim_for("key1", "POST /api/v1/payments/", {})
    by = Caller(process="test", receipt=claim)
    record_external_payment(client=acme, account_no=account.pk, caller=by, today=FEB_10, amount=Decimal(5), type="cash")
    assert rows_of_history(call, account)[1]["client_receipt_id"] is None


def test_a_credit_has_the_name_of_its_reason(acme, call, process):
    account, invoice = billed(acme, process)
    ReasonCode.objects.create(client=acme, type="cash_credit", code=77, name="Goodwill of the shop")
    by = {"client": acme, "caller": process, "today": FEB_10}
    add_cash_credit(account_no=account.pk, amount=Decimal(4), why=Why(77, "Line was down"), **by)
    row = rows_of_history(call, account)[1]
    assert (row["credit_reason_code_description"], row["csr_comments"]) == ("Goodwill of the shop", "Line was down")
    (paid,) = call("get_payments_on_invoice", acct_no=account.pk, src_transaction_id=invoice.pk)["invoice_payments"]
    assert (paid["reason_code"], paid["reason_description"], paid["client_receipt_id"]) == (77, "Goodwill of the shop", None)


def test_a_history_of_transactions_takes_as_many_queries_however_long(acme, call, process):
    account, _ = billed(acme, process)

    def pay_and_count():
        for _ in range(3):
            number = Payment.objects.count()
            paid = {"payment_amount": 1, "reference_code": f"n{number}", "client_receipt_id": f"n{number}"}
            call("record_external_payment", acct_no=account.pk, **paid)
        with CaptureQueriesContext(connection) as captured:
            rows = rows_of_history(call, account)
        return len(captured), len(rows)

    few, many = pay_and_count(), pay_and_count()
    assert (few[0], few[1], many[1]) == (many[0], 4, 7)


# Reasons


def test_a_reason_of_ones_own_is_made_and_stands_in_the_place_of_the_common_one(acme, call):
    assert call("create_reason_code_m", reason_code_type="rebill", reason_code=1, reason_code_name="Ours")["reason_code"] == 1
    (row,) = call("get_reason_code_m", reason_code_type="rebill", reason_code=1)["reason_codes"]
    assert (row["reason_code_name"], row["is_own"], row["is_active"]) == ("Ours", 1, 1)
    everything = call("get_reason_code_m")["reason_codes"]
    assert len(everything) == ReasonCode.objects.filter(client=None).count()
    refused(call("create_reason_code_m", reason_code_type="rebill", reason_code=1, reason_code_name="Again"), 90013)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"reason_code_type": "nothing"}, 1016),
        ({"reason_code": 0}, 1016),
        ({"reason_code": 10_000}, 1012),
        ({"reason_code_name": "x" * 101}, 1012),
        ({"reason_code_name": ""}, 1010),
    ],
)
def test_a_reason_is_refused(call, members, code):
    asked = {"reason_code_type": "rebill", "reason_code": 77, "reason_code_name": "x", **members}
    refused(call("create_reason_code_m", **asked), code)


# The caller and the clock


@pytest.mark.parametrize("method", ["authenticate_caller", "authenticate_caller_m"])
def test_a_caller_is_known_by_its_key(call, method):
    assert call(method) == {"error_code": 0, "error_msg": "OK"}
    assert call(method, auth_key="x" * 32)["error_code"] == 1004


def test_the_clock_by_both_names(settings, call):
    settings.VIRTUAL_CLOCK = True
    assert call("get_virtual_datetime_m")["virtual_datetime"] == "2026-01-31 12:00:00"
    assert call("advance_virtual_datetime_m", hours=5)["virtual_datetime"] == "2026-01-31 17:00:00"
    settings.VIRTUAL_CLOCK = False
    refused(call("get_virtual_datetime_m"), 90005)
