"""Aria's method calls of credit memos, write-offs, cash credits, refunds, voids and remarks."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoices.models import Invoice, LedgerEntry, Payment, RequestedAct
from tests.support.billing import FEB_10, bill
from tests.support.calling import caller_of, refused
from tests.support.factories import TaxRateFactory
from tests.support.paying import billed, due, paying

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def call(acme):
    return caller_of(acme)


@pytest.fixture
def owed(acme, process):
    """An account that owes 30.00 for one line, and its invoice."""
    return billed(acme, process, client_acct_id="A1")


def memo_of(account, invoice, **more):
    rows = [{"line_no": 1, "cm_line_amount": 10.0}]
    asked = {
        "acct_no": account.pk,
        "orig_invoice_no": invoice.pk,
        "cm_reason_cd": 1,
        "cm_comments": "down",
        "cm_line_items": rows,
    }
    return {**asked, **more}


def test_a_memo_credits_lines_and_says_what(call, owed):
    account, invoice = owed
    answer = call("create_cm_m", **memo_of(account, invoice, client_receipt_id="r1"))
    memo = Invoice.objects.get(kind="credit_memo")
    assert (answer["cm_no"], answer["cm_total"], answer["client_cm_seq_id_2"]) == (memo.pk, 10.0, memo.document_number)
    (row,) = answer["cm_details"]
    assert (row["applied_invoice_no"], row["applied_invoice_line_no"], row["cm_line_amount_out"]) == (invoice.pk, 1, 10.0)
    assert row["cm_transaction_id"] == LedgerEntry.objects.get(invoice=memo).pk
    assert (due(invoice), answer["created_by"]) == (20, "key integrator")
    assert call("create_cm_m", **memo_of(account, invoice, client_receipt_id="r1")) == answer
    assert Invoice.objects.filter(kind="credit_memo").count() == 1


def test_a_preview_of_a_memo_has_its_amounts_and_writes_nothing(call, owed):
    account, invoice = owed
    preview = call("create_cm_m", **memo_of(account, invoice, do_write="false"))
    assert not Invoice.objects.filter(kind="credit_memo").exists()
    made = call("create_cm_m", **memo_of(account, invoice))
    assert (preview["error_code"], preview["cm_no"], preview["cm_total"]) == (0, None, made["cm_total"])
    (before,), (after,) = preview["cm_details"], made["cm_details"]
    assert {**before, "cm_transaction_id": after["cm_transaction_id"]} == after


def test_a_line_without_an_amount_is_credited_as_a_whole(call, owed):
    account, invoice = owed
    assert call("create_cm_m", **memo_of(account, invoice, cm_line_items=[{"line_no": 1}]))["cm_total"] == 30.0
    assert due(invoice) == 0


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ({"cm_line_items": [{"line_no": 1, "cm_line_amount": 31}]}, 90021, ""),
        ({"cm_line_items": [{"line_no": 9}]}, 1016, "9"),
        ({"cm_line_items": [{"line_no": 1}, {"line_no": 1}]}, 1016, "cm_line_items"),
        ({"cm_comments": ""}, 1010, "cm_comments"),
        ({"cm_reason_cd": 99}, 3024, "cm_reason_cd"),
        ({"credit_ref_type": 1}, 1016, "credit_ref_type"),
        ({"orig_invoice_no": 999}, 3004, "999"),
        ({"customer_facing_comments": "x"}, 1016, "customer_facing_comments: not supported here"),
    ],
)
@pytest.mark.parametrize("do_write", ["true", "false"])
def test_a_memo_is_refused(call, owed, more, code, text, do_write):
    if code == 3024 and do_write == "false":
        pytest.skip("a preview needs no reason that exists")
    refused(call("create_cm_m", **memo_of(*owed, **{"do_write": do_write, **more})), code, text)
    assert not Invoice.objects.filter(kind="credit_memo").exists()


def test_an_invoice_of_another_account_is_not_credited(acme, call, owed, process):
    other, _ = billed(acme, process)
    refused(call("create_cm_m", **memo_of(other, owed[1])), 3004)


def test_a_memo_is_listed_shown_and_voided(call, owed):
    account, invoice = owed
    made = call("create_cm_m", **memo_of(account, invoice))
    (row,) = call("get_cm_list_m", client_acct_id="A1")["cm_details_all"]
    assert (row["cm_no"], row["cm_total"], row["invoice_no"], row["is_voided"]) == (made["cm_no"], 10.0, invoice.pk, 0)
    number = made["client_cm_seq_id_2"]
    shown = call("get_cm_details_m", acct_no=account.pk, client_cm_seq_id_in=number)
    assert shown == call("get_cm_details_m", acct_no=account.pk, cm_no=made["cm_no"])
    assert (shown["cm_no_out"], shown["credit_comments"], shown["orig_invoice_no_2"]) == (made["cm_no"], "down", invoice.pk)
    assert shown["cm_line_details"][0]["cm_void_transaction_id"] is None
    void = call("void_credit_memo_m", acct_no=account.pk, client_cm_seq_id=number, comments="wrong", client_receipt_id="r1")
    (pair,) = void["cm_void_transactions"]
    assert pair["cm_transaction_id"] == shown["cm_line_details"][0]["cm_transaction_id"]
    assert (due(invoice), void["comments_out"]) == (30, "wrong")
    again = call("get_cm_details_m", acct_no=account.pk, cm_no=made["cm_no"])
    assert again["cm_line_details"][0]["cm_void_transaction_id"] == pair["cm_void_transaction_id"]
    assert call("get_cm_list_m", acct_no=account.pk)["cm_details_all"][0]["is_voided"] == 1
    refused(call("void_credit_memo_m", acct_no=account.pk, cm_no=made["cm_no"]), 2003)
    refused(call("void_credit_memo_m", acct_no=account.pk, cm_no=invoice.pk), 3004)


def test_a_memo_with_tax_shows_the_tax_of_each_line(acme, call, process):
    TaxRateFactory(client=acme)
    account, invoice = billed(acme, process, contact=True)
    answer = call("create_cm_m", **memo_of(account, invoice))
    assert (answer["cm_total"], [row["tax_credit_amount"] for row in answer["cm_tax_details"]]) == (11.0, [1.0])
    assert call("get_cm_list_m", acct_no=account.pk)["cm_details_all"][0]["cm_tax_total"] == 1.0


@pytest.mark.parametrize("act", ["memos", "write_offs", "cash_credits"])
def test_an_act_that_needs_a_second_person_is_pending(acme, call, owed, act):
    acme.four_eyes, acme.second_person_for = "another_person", act
    acme.save()
    account, invoice = owed
    off = {"acct_no": account.pk, "invoice_no": invoice.pk, "reason_code": 2, "comments": "gone"}
    calls = {
        "memos": ("create_cm_m", memo_of(account, invoice)),
        "write_offs": ("create_writeoff_or_dispute_m", off),
        "cash_credits": ("apply_cash_credit_m", {"acct_no": account.pk, "credit_amount": 5, "credit_reason_cd": 1}),
    }
    method, asked = calls[act]
    refused(call(method, **asked, client_receipt_id="r1"), 90073)
    assert (RequestedAct.objects.count(), due(invoice)) == (1, 30)
    refused(call(method, **asked, client_receipt_id="r1"), 90073)
    assert RequestedAct.objects.count() == 1


# Write-offs and disputes


@pytest.mark.parametrize(("do_dispute", "kind"), [(None, "write_off"), (0, "write_off"), (1, "dispute"), ("true", "dispute")])
def test_what_is_open_is_written_off_or_disputed(call, owed, do_dispute, kind):
    account, invoice = owed
    asked = {"acct_no": account.pk, "invoice_no": invoice.pk, "reason_code": 2, "comments": "gone", "do_dispute": do_dispute}
    answer = call("create_writeoff_or_dispute_m", client_receipt_id="r1", **asked)
    (row,) = answer["writeoff_transactions"]
    assert (row["amount"], row["original_amount"], row["dispute_ind"]) == (30.0, 30.0, int(kind == "dispute"))
    assert (due(invoice), LedgerEntry.objects.get(pk=row["writeoff_transaction_id"]).kind) == (0, kind)
    assert call("create_writeoff_or_dispute_m", client_receipt_id="r1", **asked) == answer
    assert call("get_acct_writeoff_or_disputes_m", acct_no=account.pk)["writeoff_dispute_details"] == [row]
    refused(call("create_writeoff_or_dispute_m", **asked, writeoff_date="2026-01-01"), 1016, "writeoff_date")


def test_a_part_is_written_off(call, owed):
    account, invoice = owed
    asked = {"acct_no": account.pk, "invoice_no": invoice.pk, "reason_code": 2, "comments": "gone"}
    call("create_writeoff_or_dispute_m", amount=4, **asked)
    assert due(invoice) == 26
    refused(call("create_writeoff_or_dispute_m", amount=27, **asked), 90021)


# Cash credits


@pytest.mark.parametrize("method", ["apply_cash_credit", "apply_cash_credit_m"])
def test_a_cash_credit_pays_the_oldest_or_the_named_invoice(acme, call, owed, process, method):
    account, old = owed
    new = bill(account, process, FEB_10)
    asked = {"acct_no": account.pk, "credit_amount": 5, "credit_reason_cd": 1, "comments": "sorry", "client_receipt_id": "r1"}
    first = call(method, **asked)
    assert (first["amount"], first["reason_code"], due(old)) == (5.0, 1, 25)
    assert [row["applied_amount"] for row in first["applied_cash_credits"]] == [5.0]
    rows = [{"invoice_no": new.pk, "invoice_credit_amount": "7.00"}]
    second = call(method, acct_no=account.pk, credit_reason_cd=1, specific_invoices=rows)
    assert (second["amount"], due(old), due(new)) == (7.0, 25, 23)
    refused(call(method, acct_no=account.pk, credit_reason_cd=1), 1010, "credit_amount")
    refused(call(method, acct_no=account.pk, credit_reason_cd=99, credit_amount=1), 3024, "credit_reason_cd")
    refused(call(method, acct_no=account.pk, credit_reason_cd=1, credit_amount=1, specific_transactions=rows), 1016)
    assert (
        call(method, acct_no=account.pk, credit_amount=5, credit_reason_cd=1, comments="sorry", client_receipt_id="r1") == first
    )


# Refunds and voids


@pytest.fixture
def paid(call, owed):
    """The account with a payment of 40.00 from outside, of which 30.00 pays the invoice."""
    answer = call("record_external_payment_m", acct_no=owed[0].pk, payment_amount=40, reference_code="x")
    return owed[0], answer["transaction_id"]


@pytest.mark.parametrize("method", ["issue_refund_to_acct", "issue_refund_to_acct_m"])
def test_a_payment_is_refunded(call, paid, owed, method):
    account, payment = paid
    asked = {"acct_no": account.pk, "payment_transaction_id": payment, "reason_code": 2, "refund_check_number": "77"}
    preview = call(method, **asked, total_refund_amount=10, do_write="false")
    assert (preview["applied_total_refund_amount"], preview["out_transaction_id_2"]) == (10.0, None)
    assert LedgerEntry.objects.filter(kind="refund").count() == 0
    answer = call(method, **asked, total_refund_amount=10, client_receipt_id="r1")
    entry = LedgerEntry.objects.get(pk=answer["out_transaction_id_2"])
    assert (entry.kind, entry.amount, entry.comments) == ("refund", 10, "Check 77.")
    assert call(method, **asked, total_refund_amount=10, client_receipt_id="r1") == answer
    (row,) = call("get_refundable_payments_m", acct_no=account.pk)["refundable_payments"]
    figures = [row[f"payment_{name}"] for name in ("amount", "refunded_amount", "refundable_amount")]
    assert (row["payment_transaction_id"], figures) == (payment, [40.0, 10.0, 30.0])
    refused(call(method, **asked, total_refund_amount=31), 90021, "total_refund_amount")
    refused(call(method, **asked), 90047)
    assert call(method, **asked, auto_calc_refund="true")["applied_total_refund_amount"] == 30.0
    assert call("get_refundable_payments_m", acct_no=account.pk)["refundable_payments"] == []
    assert due(owed[1]) == 30


def test_a_payment_of_another_account_is_not_refunded(acme, call, paid):
    other = paying(acme)
    asked = {"acct_no": other.pk, "payment_transaction_id": paid[1], "reason_code": 2, "total_refund_amount": 1}
    refused(call("issue_refund_to_acct_m", **asked), 2001, f"payment_transaction_id {paid[1]}")


def test_what_pays_nothing_is_summed_up(call, paid):
    assert call("get_refundable_payments_m", acct_no=paid[0].pk)["unapplied_payment_summary"] == 10.0


def test_an_account_without_payments_has_nothing_to_refund(acme, call):
    answer = call("get_refundable_payments_m", acct_no=paying(acme).pk)
    assert (answer["refundable_payments"], answer["unapplied_payment_summary"]) == ([], 0.0)


def test_refundable_payments_take_as_many_queries_however_many(call, paid):
    def count():
        with CaptureQueriesContext(connection) as captured:
            rows = call("get_refundable_payments_m", acct_no=paid[0].pk)["refundable_payments"]
        return len(captured), len(rows)

    few = count()
    for number in range(3):
        call("record_external_payment_m", acct_no=paid[0].pk, payment_amount=1, reference_code=f"n{number}")
    assert (few, count()) == ((few[0], 1), (few[0], 4))


@pytest.mark.parametrize("method", ["void_transaction", "void_transaction_m"])
def test_a_transaction_is_voided(call, paid, owed, method):
    account, payment = paid
    asked = {"account_no": account.pk, "transaction_id": payment, "reason_code": 1, "comments": "twice"}
    answer = call(method, **asked, client_receipt_id="r1")
    assert LedgerEntry.objects.get(pk=answer["new_transaction_id"]).voids_id == payment
    assert (Payment.objects.get().is_voided, due(owed[1])) == (True, 30)
    assert call(method, **asked, client_receipt_id="r1") == answer
    refused(call(method, **asked), 2003)
    charge = LedgerEntry.objects.get(invoice=owed[1]).pk
    refused(call(method, **{**asked, "transaction_id": charge}), 3053)
    refused(call(method, **asked, discard_invoice_usage="true"), 1016, "discard_invoice_usage: not supported here")


def test_a_transaction_of_another_account_is_not_voided(acme, call, paid):
    asked = {"account_no": paying(acme).pk, "transaction_id": paid[1], "reason_code": 1, "comments": "twice"}
    refused(call("void_transaction_m", **asked), 2001, f"transaction_id {paid[1]}")


# Remarks


@pytest.mark.parametrize("method", ["update_acct_invoice", "update_acct_invoice_m"])
def test_remarks_of_an_issued_invoice_are_changed(call, owed, method):
    account, invoice = owed
    asked = {"acct_no": account.pk, "src_transaction_id": invoice.pk}
    call(method, **asked, client_notes="copy sent", custom_status_label="asked", posting_status_cd=1)
    invoice.refresh_from_db()
    assert (invoice.client_notes, invoice.custom_status_label, invoice.posting_status) == ("copy sent", "asked", "posted")
    assert call(method, **asked, client_notes="~")["error_code"] == 0
    invoice.refresh_from_db()
    assert (invoice.client_notes, invoice.custom_status_label) == ("", "asked")
    refused(call(method, **{**asked, "src_transaction_id": 999}), 3004)
