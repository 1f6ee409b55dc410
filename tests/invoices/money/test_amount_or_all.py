"""Nothing said never means everything: what gives money away or takes a debt off needs an amount, lines, or `all`."""

import pytest

from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.money_api import post, rows, with_key
from tests.support.paying import due

pytestmark = pytest.mark.usefixtures("audited")
REASON = {"reason_code": 1, "comments": "x"}


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_collect=True, may_correct=True)


@pytest.fixture
def invoice(acme, process):
    """100.00, 50.00 and 25.00."""
    return bill(an_account(acme, a_plan(acme, {"a": "100.00", "b": "50.00", "c": "25.00"})), process, JAN_10)


def paid(api, invoice):
    body = {"acct_no": invoice.account_id, "amount": "175.00", "type": "check"}
    return post(api, "payments", body, 201)["transaction_id"]


@pytest.mark.parametrize("more", [{}, {"all": False}, {"amount": "5.00", "all": True}])
@pytest.mark.parametrize("path", ["write-offs", "disputes", "credit-memos", "credit-memos/preview", "refund"])
def test_neither_and_both_are_refused(api, invoice, path, more):
    reason = {} if path == "credit-memos/preview" else REASON
    if path == "refund":
        path, body = f"payments/{paid(api, invoice)}/refund", {**reason, **more}
    else:
        body = {"invoice_no": invoice.pk, **reason, **more}
    before = rows()
    answer = post(api, path, body, 400)
    assert (answer["error_code"], list(answer["errors"])) == (90047, ["amount"])
    assert "all: true" in answer["error_msg"]
    assert rows() == before


def test_an_empty_list_of_lines_is_not_the_whole_invoice(api, invoice):
    body = {"invoice_no": invoice.pk, **REASON, "lines": []}
    assert post(api, "credit-memos", body, 400)["error_code"] == 90047
    assert post(api, "credit-memos", {**body, "all": True, "lines": [{"line_no": 1}]}, 400)["error_code"] == 90047
    assert due(invoice) == 175


@pytest.mark.parametrize("path", ["write-offs", "disputes", "credit-memos"])
def test_all_of_an_invoice_is_taken_off_where_it_is_said(api, invoice, path):
    post(api, path, {"invoice_no": invoice.pk, **REASON, "all": True}, 201)
    assert due(invoice) == 0


def test_all_of_a_payment_is_refunded_where_it_is_said(api, invoice):
    refund = post(api, f"payments/{paid(api, invoice)}/refund", {**REASON, "all": True}, 201)
    assert refund["amount"] == "175.00"


def test_a_line_without_an_amount_is_all_of_the_line(api, invoice):
    memo = post(api, "credit-memos", {"invoice_no": invoice.pk, **REASON, "lines": [{"line_no": 2}]}, 201)
    assert (memo["total_amount"], due(invoice)) == ("-50.00", 125)
