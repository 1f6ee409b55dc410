"""Money over the API: each act does what its service does, and bad input is refused with its code and nothing written."""

from decimal import Decimal as D

import pytest
from rest_framework.test import APIClient

from accounts.models import CollectionThreshold, PaymentMethod
from invoices.models import Invoice, LedgerEntry
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.money_api import get, post, rows, with_key
from tests.support.paying import billed, books, due, paying

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_collect=True, may_correct=True)


def refused(api, path, body, status, code, field=None):
    before = rows()
    answer = post(api, path, body, status)
    assert (answer["error_code"], list(answer["errors"])) == (code, [field] if field else [])
    assert rows() == before
    return answer


def test_an_invoice_is_collected_and_shows_what_came_of_it(acme, api, process):
    account, invoice = billed(acme, process)
    assert get(api, f"invoices/{invoice.pk}")["amount_due"] == "30.00"
    answer = post(api, f"invoices/{invoice.pk}/collect", status=200)
    assert (answer["result"], answer["error_code"], answer["attempt"]["amount"]) == ("collected", 0, "30.00")
    shown = get(api, f"invoices/{invoice.pk}")
    assert (shown["amount_due"], shown["collection"]["status"], books()) == ("0.00", "collected", [30])
    assert shown["collection"]["proc_payment_id"].startswith("sp_invoice-")
    assert "token" not in shown["collection"] and "sandbox_approved" not in str(shown)
    (payment,) = get(api, "payments", acct_no=account.pk)["results"]
    assert (payment["kind"], payment["amount"], payment["unapplied"]) == ("electronic_payment", "-30.00", "0.00")
    assert payment["applied"] == [{"invoice_no": invoice.pk, "amount": "30.00"}]
    assert [row["amount_due"] for row in get(api, "invoices")["results"]] == ["0.00"]


def test_a_decline_is_answered_with_402_and_the_gateways_words(acme, api, process):
    _account, invoice = billed(acme, process, "sandbox_insufficient_funds")
    answer = post(api, f"invoices/{invoice.pk}/collect", status=402)
    assert (answer["result"], answer["error_code"]) == ("declined", 4011)
    assert answer["attempt"]["proc_status_code"] == "insufficient_funds"


def test_many_are_collected_with_an_outcome_for_each(acme, api, process):
    _, good = billed(acme, process)
    _, declined = billed(acme, process, "sandbox_declined")
    _, silent = billed(acme, process, "sandbox_timeout_after")
    CollectionThreshold.objects.create(client=acme, currency="usd", amount=20)
    _, small = billed(acme, process, rate="19.99")
    cash = bill(an_account(acme), process, JAN_10)
    numbers = [good.pk, declined.pk, silent.pk, small.pk, cash.pk, 999_999]
    outcomes = post(api, "invoices/collect", {"invoice_nos": numbers}, 200)["outcomes"]
    assert {row["invoice_no"]: (row["result"], row["error_code"]) for row in outcomes} == {
        good.pk: ("collected", 0),
        declined.pk: ("declined", 4011),
        silent.pk: ("unknown", 90019),
        small.pk: ("below_threshold", 0),
        cash.pk: ("refused", 7025),
        999_999: ("refused", 3004),
    }
    (said,) = [row["error_msg"] for row in outcomes if row["invoice_no"] == small.pk]
    assert said == "19.99 usd is below the minimum collection threshold of 20.00."
    assert {row["status"] for row in get(api, "collection-attempts")["results"]} == {"collected", "declined", "unknown"}


def test_an_approval_may_ask_for_collection(acme, api, process):
    account = paying(acme)
    invoice = bill(account, process, JAN_10, force_pending=True)
    answer = post(api, "invoices/approve", {"invoice_nos": [invoice.pk], "collect": True}, 200)
    assert answer["outcomes"][0]["collection"]["result"] == "collected"
    assert due(invoice) == 0


def test_a_payment_is_recorded_applied_refunded_and_voided(acme, api, process):
    account, invoice = billed(acme, process)
    body = {"acct_no": account.pk, "amount": "50.00", "type": "check", "reference": "1042", "received_on": "2026-01-10"}
    payment = post(api, "payments", body, 201)
    assert (payment["amount"], payment["unapplied"], payment["transaction_type"]) == ("-50.00", "20.00", 2)
    number = payment["transaction_id"]
    assert f"payment {number} of 50.00 usd" in refused(api, "payments", body, 409, 90013, "reference")["error_msg"]
    later = bill(account, process, FEB_10)
    assert due(later) == 10
    refund = post(api, f"payments/{number}/refund", {"amount": "25", "reason_code": 2, "comments": "too much"}, 201)
    assert (refund["status"], refund["amount"], refund["payment"]) == ("done", "25.00", number)
    assert (due(later), due(invoice)) == (30, 5)
    refused(api, f"payments/{number}/refund", {"amount": "25.01", "reason_code": 2}, 409, 90021, "amount")
    refused(api, f"payments/{number}/void", {"reason_code": 3}, 409, 90022, "transaction_id")
    void = post(api, f"refunds/{refund['transaction_id']}/void", {"reason_code": 8}, 200)
    assert (void["amount"], void["voids"], void["transaction_type"]) == ("-25.00", refund["transaction_id"], -13)
    post(api, f"payments/{number}/void", {"reason_code": 3, "comments": "bounced"}, 200)
    assert (due(invoice), due(later)) == (30, 30)


def test_credits_write_offs_and_disputes(acme, api, process):
    account, invoice = billed(acme, process)
    why = {"reason_code": 1, "comments": "as agreed"}
    credit = post(api, "cash-credits", {"acct_no": account.pk, "amount": "4", **why}, 201)
    assert credit["applied"] == [{"invoice_no": invoice.pk, "amount": "4.00"}]
    off = post(api, "write-offs", {"invoice_no": invoice.pk, "amount": "1.50", **why}, 201)
    dispute = post(api, "disputes", {"invoice_no": invoice.pk, "all": True, **why}, 201)
    assert (off["amount"], dispute["amount"], due(invoice)) == ("-1.50", "-24.50", 0)
    post(api, f"disputes/{dispute['transaction_id']}/void", {"reason_code": 8}, 200)
    assert due(invoice) == D("24.50")
    assert get(api, "disputes")["results"][0]["voided_by"] is not None
    assert len(get(api, "write-offs", invoice_no=invoice.pk)["results"]) == 1


def test_a_credit_memo_is_previewed_issued_and_voided(acme, api, process):
    _account, invoice = billed(acme, process)
    preview = post(api, "credit-memos/preview", {"invoice_no": invoice.pk, "lines": [{"line_no": 1, "amount": "10"}]}, 200)
    assert (preview["total_amount"], preview["left"]) == ("10.00", [{"line_no": 1, "max_credit_amount": "30.00"}])
    assert Invoice.objects.count() == 1
    body = {"invoice_no": invoice.pk, "lines": [{"line_no": 1, "amount": "10"}], "reason_code": 1, "comments": "late"}
    memo = post(api, "credit-memos", body, 201)
    assert (memo["document_number"], memo["total_amount"], memo["corrects"]) == ("CM-000001", "-10.00", invoice.pk)
    assert (memo["amount_due"], due(invoice)) == (None, 20)
    refused(api, "credit-memos", {**body, "lines": [{"line_no": 1, "amount": "20.01"}]}, 409, 90021, "lines")
    refused(api, "credit-memos", {**body, "comments": ""}, 400, 29007, "comments")
    refused(api, f"invoices/{invoice.pk}/void", {"reason_code": 5}, 409, 3095, "invoice_no")
    assert post(api, f"credit-memos/{memo['invoice_no']}/void", {"reason_code": 8}, 200)["status"] == "voided"
    assert post(api, f"invoices/{invoice.pk}/void", {"reason_code": 5, "comments": "twice"}, 200)["void_reason_code"] == 5


def test_void_invoice_is_arias_call(acme, api, process):
    account, invoice = billed(acme, process)
    call = {**api.key, "acct_no": account.pk, "invoice_no": invoice.pk, "reason_code": 5, "comments": "in error"}
    answer = APIClient().post("/api/v1/invoices/void_invoice/", call, format="json").json()
    charge, void = LedgerEntry.objects.order_by("pk").values_list("pk", flat=True)
    assert answer == {
        "error_code": 0,
        "error_msg": "OK",
        "void_transactions": [{"invoice_transaction_id": charge, "void_transaction_id": void}],
    }
    wrong = [
        ({}, 2003),
        ({"reason_code": 13}, 3024),
        ({"invoice_no": 999_999}, 3004),
        ({"acct_no": account.pk + 1}, 3004),
        ({"reason_code": None}, 1010),
        ({"comments": "x" * 501}, 1012),
        ({"auth_key": "x" * 32}, 1004),
    ]
    for change, code in wrong:
        answer = APIClient().post("/api/v1/invoices/void_invoice/", {**call, **change}, format="json")
        assert (answer.status_code, answer.json()["error_code"], answer.json()["void_transactions"]) == (200, code, None)


def test_get_acct_trans_history_lists_the_newest_first_with_a_running_balance(acme, api, process):
    account, invoice = billed(acme, process)
    payment = post(api, "payments", {"acct_no": account.pk, "amount": "12.50", "type": "check", "reference": "7"}, 201)
    post(api, f"payments/{payment['transaction_id']}/void", {"reason_code": 3}, 200)
    history = call_history(api, account)
    assert [
        (row["transaction_type"], row["transaction_desc"], row["transaction_amount"], row["running_balance"]) for row in history
    ] == [
        (-2, f"Void of payment {payment['transaction_id']}", 12.5, 30.0),
        (2, f"Payment {payment['transaction_id']}", -12.5, 17.5),
        (1, "Invoice INV-000001", 30.0, 30.0),
    ]
    assert (history[1]["transaction_ref_code"], history[1]["transaction_void_reason"]) == ("7", "3")
    assert [len(call_history(api, account, **asked)) for asked in ({"record_limit": 2}, {"record_limit": 2, "offset": 2})] == [
        2,
        1,
    ]
    assert [row["transaction_type"] for row in call_history(api, account, include_void_transactions="false")] == [1]
    assert [row["transaction_type"] for row in call_history(api, account, transaction_type=-2)] == [-2]
    assert call_history(api, account, end_date="2026-01-09") == []
    assert [row["balance_after"] for row in get(api, "transactions", acct_no=account.pk)["results"]] == [
        "30.00",
        "17.50",
        "30.00",
    ]


def call_history(api, account, **asked):
    body = {**api.key, "account_no": account.pk, **asked}
    return APIClient().post("/api/v1/transactions/get_acct_trans_history/", body, format="json").json()["history"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"record_limit": 0}, 1016),
        ({"record_limit": 1000}, 1016),
        ({"start_date": "10/01/2026"}, 1024),
        ({"account_no": 999_999}, 1009),
    ],
)
def test_a_history_that_cannot_be_is_refused(acme, api, asked, code):
    body = {**api.key, "account_no": an_account(acme).pk, **asked}
    answer = APIClient().post("/api/v1/transactions/get_acct_trans_history/", body, format="json").json()
    assert (answer["error_code"], answer["history"]) == (code, None)


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"amount": "-1"}, 400, 1016, "amount"),
        ({"amount": "0"}, 400, 1016, "amount"),
        ({"amount": "0.001"}, 400, 1016, "amount"),
        ({"amount": "1e3x"}, 400, 1016, "amount"),
        ({"amount": "123456789012.00"}, 400, 1012, "amount"),
        ({"amount": None}, 400, 1010, "amount"),
        ({"type": "shells"}, 400, 1016, "type"),
        ({"received_on": "2999-01-01"}, 400, 1016, "received_on"),
        ({"received_on": "soon"}, 400, 1024, "received_on"),
        ({"acct_no": 999_999}, 404, 1009, "acct_no"),
        ({"invoices": [{"invoice_no": 999_999, "amount": "1"}]}, 404, 3004, "invoices"),
        ({"reference": "x" * 101}, 400, 1012, "reference"),
    ],
)
def test_a_payment_that_cannot_be_is_refused_and_nothing_is_written(acme, api, process, change, status, code, field):
    account, _invoice = billed(acme, process)
    body = {"acct_no": account.pk, "amount": "10.00", "type": "check", "received_on": "2026-01-10"}
    refused(api, "payments", {**body, **change}, status, code, field)


def test_above_what_is_due_and_another_clients_invoice_are_refused(acme, umbra, api, process):
    account, invoice = billed(acme, process)
    theirs = bill(an_account(umbra), process, JAN_10)
    body = {"acct_no": account.pk, "amount": "50.00", "type": "cash", "received_on": "2026-01-10"}
    refused(api, "payments", {**body, "invoices": [{"invoice_no": invoice.pk, "amount": "30.01"}]}, 409, 90021, "invoices")
    refused(api, "payments", {**body, "invoices": [{"invoice_no": theirs.pk, "amount": "1"}]}, 404, 3004, "invoices")
    one = {"invoice_no": invoice.pk, "amount": "1"}
    refused(api, "payments", {**body, "invoices": [one, one]}, 400, 1016, "invoices")
    why = {"reason_code": 1, "comments": "x"}
    refused(api, "write-offs", {"invoice_no": theirs.pk, **why}, 404, 3004, "invoice_no")
    refused(api, "credit-memos", {"invoice_no": theirs.pk, **why}, 404, 3004, "invoice_no")
    refused(api, "write-offs", {"invoice_no": invoice.pk, "amount": "30.01", **why}, 409, 90021, "amount")
    refused(api, "write-offs", {"invoice_no": invoice.pk, "all": True, "reason_code": 77}, 400, 3024, "reason_code")
    stranger = with_key(ClientFactory(name="Other"), may_collect=True, may_correct=True)
    refused(stranger, f"invoices/{invoice.pk}/collect", {}, 404, 3004)
    refused(stranger, "payments", body, 404, 1009, "acct_no")


def test_a_key_without_the_right_does_nothing(acme, api, process):
    account, invoice = billed(acme, process)
    payment = post(api, "payments", {"acct_no": account.pk, "amount": "1", "type": "cash"}, 201)["transaction_id"]
    reader = with_key(acme)
    why = {"reason_code": 1, "comments": "x"}
    pay = {"acct_no": account.pk, "amount": "1", "type": "cash"}
    assert refused(reader, "payments", pay, 403, 90025)
    assert refused(reader, f"invoices/{invoice.pk}/collect", {}, 403, 90025)
    assert refused(reader, f"payments/{payment}/apply", {}, 403, 90025)
    for path, body in (
        (f"invoices/{invoice.pk}/void", {"reason_code": 5}),
        (f"payments/{payment}/refund", why),
        (f"payments/{payment}/void", {"reason_code": 8}),
        ("cash-credits", {"acct_no": account.pk, "amount": "1", **why}),
        ("write-offs", {"invoice_no": invoice.pk, **why}),
        ("disputes", {"invoice_no": invoice.pk, **why}),
        ("credit-memos", {"invoice_no": invoice.pk, **why}),
    ):
        assert refused(reader, path, body, 403, 90026)


def test_reasons_are_listed_and_a_client_adds_its_own(acme, api):
    common = get(api, "reason-codes", type="refund")["results"]
    assert [(row["code"], row["name"], row["is_own"]) for row in common][0] == (1, "Duplicate payment", False)
    own = post(api, "reason-codes", {"type": "refund", "code": 77, "name": "Chairman's wish"}, 201)
    assert own["is_own"] and len(get(api, "reason-codes", type="refund")["results"]) == len(common) + 1
    assert post(api, "reason-codes", {"type": "refund", "code": 77, "name": "Again"}, 400)["error_code"] == 1016
    for code in ("0", "10000"):
        assert post(api, "reason-codes", {"type": "refund", "code": code, "name": "x"}, 400)["error_code"] in (1012, 1016)


def test_lists_take_the_same_number_of_queries_however_long(acme, api, process, django_assert_max_num_queries):
    def counted(path):
        with django_assert_max_num_queries(20) as captured:
            get(api, path)
        return len(captured)

    account = paying(acme)
    PaymentMethod.objects.all().delete()
    paths = ("invoices", "payments", "transactions", "cash-credits", "receivables", "collection-attempts", "refunds")
    bill(account, process, JAN_10)
    seen = []
    for _ in range(2):
        for amount in ("1", "2", "3"):
            post(api, "payments", {"acct_no": account.pk, "amount": amount, "type": "cash"}, 201)
            post(api, "cash-credits", {"acct_no": account.pk, "amount": amount, "reason_code": 1}, 201)
        seen.append([counted(path) for path in paths])
        bill(paying(acme), process, JAN_10)
    assert seen[0] == seen[1]
