"""Rebills as a resource: preview, made, in bulk, their chain; and what invoices say of them."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.keys import create_key
from invoices.models import Invoice
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of
from tests.support.money_api import get, post, with_key
from tests.support.paying import due
from tests.support.payments import pay, rows
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.usefixtures("audited")

FINE = {"phone": "30.00", "tv": "20.00"}


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_rebill=True, may_collect=True)


@pytest.fixture
def invoice(acme, process):
    """30.00 and 20.00 and 5.00 of tax, of which 22.00 are paid."""
    TaxRateFactory(client=acme)
    invoice = bill(an_account(acme, a_plan(acme, FINE)), process, JAN_10)
    pay(invoice.account, process, "22.00")
    return invoice


def asked(invoice, *lines, **members):
    return {"invoice_no": invoice.pk, "reason_code": 1, "lines": list(lines), **members}


def amounts(net, tax, total):
    return {"net_amount": net, "tax_amount": tax, "total_amount": total}


def test_a_preview_lays_all_of_it_side_by_side_and_writes_nothing(api, invoice):
    before = rows()
    shown = post(api, "rebills/preview", asked(invoice, {"line_no": 1, "units": "2", "comments": "two of them"}), 200)
    assert rows() == before
    assert [shown[name] for name in ("original", "credit_memo", "rebill", "difference")] == [
        amounts("50.00", "5.00", "55.00"),
        amounts("-50.00", "-5.00", "-55.00"),
        amounts("60.00", "6.00", "66.00"),
        amounts("10.00", "1.00", "11.00"),
    ]
    assert shown["lines"] == [
        {
            "line_no": 1,
            "rebill_line_no": 1,
            "description": "Phone",
            "excluded": False,
            "recounted": False,
            "changes": ["units 1 -> 2", "amount 30 -> 60"],
            "taxed_again": [],
            "comments": "two of them",
            "original": amounts("30.00", "3.00", "33.00"),
            "rebill": amounts("60.00", "6.00", "66.00"),
            "difference": amounts("30.00", "3.00", "33.00"),
        },
        {
            "line_no": 2,
            "rebill_line_no": None,
            "description": "Tv",
            "excluded": True,
            "recounted": False,
            "changes": ["left out"],
            "taxed_again": [],
            "comments": "",
            "original": amounts("20.00", "2.00", "22.00"),
            "rebill": amounts("0.00", "0.00", "0.00"),
            "difference": amounts("-20.00", "-2.00", "-22.00"),
        },
    ]
    assert (shown["excluded_lines"], shown["recounted_lines"]) == ([2], [])
    assert shown["money"] == {
        "carried": "22.00",
        "from_credit": "0.00",
        "to_other_invoices": "0.00",
        "left_as_credit": "0.00",
        "refunded": "0.00",
        "due": "44.00",
        "collect_now": "0.00",
        "balance_before": "33.00",
        "balance_after": "44.00",
    }
    assert (shown["waits_for_approval"], len(shown["document"]["lines"])) == (False, 2)


def test_a_preview_needs_neither_a_right_nor_a_reason(acme, invoice):
    api = with_key(acme)
    body = {"invoice_no": invoice.pk, "unlisted_lines": "carry"}
    assert post(api, "rebills/preview", body, 200)["difference"] == amounts("0.00", "0.00", "0.00")
    assert post(api, "rebills", {**body, "reason_code": 1}, 403)["error_code"] == 90028


def test_what_was_seen_is_what_is_made(api, invoice):
    body = asked(invoice, {"line_no": 1, "rate_per_unit": "40.00"}, unlisted_lines="carry")
    seen = post(api, "rebills/preview", body, 200)
    made = post(api, "rebills", {**body, "fingerprint": seen["fingerprint"]}, 201)
    assert (made["kind"], made["status"], made["total_amount"], made["amount_due"]) == ("rebill", "approved", "66.00", "44.00")
    same = ("lines", "tax_details", "credit_details")
    assert [made[name] for name in same] == [seen["document"][name] for name in same]


@pytest.mark.parametrize(
    ("move", "retax", "moved"),
    [
        (lambda invoice, process: pay(invoice.account, process, "5.00"), False, "payments"),
        (lambda invoice, process: invoice.client.tax_rates.update(percent=D(20)), True, "lines, taxes"),
        (lambda invoice, process: invoice.client.tax_rates.update(percent=D(20)), False, None),
        (lambda invoice, process: invoice.client.services.update(name="Renamed"), False, None),
    ],
)
def test_a_preview_that_does_not_hold_any_more_is_refused_with_what_moved(api, invoice, process, move, retax, moved):
    body = asked(invoice, {"line_no": 1, "rate_per_unit": "40.00"}, retax=retax)
    seen = post(api, "rebills/preview", body, 200)["fingerprint"]
    move(invoice, process)
    before = rows()
    answer = post(api, "rebills", {**body, "fingerprint": seen}, 409 if moved else 201)
    if moved:
        assert (answer["error_code"], list(answer["errors"]), rows()) == (90003, ["fingerprint"], before)
        assert answer["error_msg"].endswith(f"moved: {moved}. Read it again, then repeat the request")


def test_a_fingerprint_of_something_else_is_refused(api, invoice):
    body = asked(invoice, {"line_no": 1, "rate_per_unit": "40.00"})
    seen = post(api, "rebills/preview", body, 200)["fingerprint"]
    other = asked(invoice, {"line_no": 1, "rate_per_unit": "41.00"}, fingerprint=seen)
    assert post(api, "rebills", other, 409)["error_msg"].endswith("moved: lines, taxes. Read it again, then repeat the request")
    assert post(api, "rebills", {**body, "fingerprint": "x"}, 409)["error_code"] == 90003


def test_in_bulk_each_has_its_outcome(acme, api, invoice, process):
    other = bill(an_account(acme, a_plan(acme, FINE)), process, JAN_10)
    bodies = [asked(invoice, {"line_no": 1}), asked(other, {"line_no": 1, "units": -1}), asked(other, {"line_no": 2})]
    outcomes = post(api, "rebills/bulk", {"rebills": bodies}, 200)["outcomes"]
    assert [(one["invoice_no"], one["error_code"]) for one in outcomes] == [(invoice.pk, 0), (other.pk, 1016), (other.pk, 0)]
    assert "rebills[1].lines[0].units" in outcomes[1]["error_msg"]
    assert [bool(one["rebill_no"]) for one in outcomes] == [True, False, True]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, 1010, "invoice_no"),
        ({"invoice_no": 1, "reason_code": 1, "lines": [{"units": 1}]}, 1010, "lines[0].line_no"),
        ({"invoice_no": 1, "reason_code": 1, "lines": [{"line_no": 1, "units": "x"}]}, 1016, "lines[0].units"),
        ({"invoice_no": 1, "reason_code": 1, "unlisted_lines": "drop"}, 1016, "unlisted_lines"),
        ({"invoice_no": 1, "reason_code": 1, "comments": "x" * 3001}, 1012, "comments"),
        ({"invoice_no": 1, "reason_code": 1, "lines": {}}, 1016, "lines"),
    ],
)
def test_wrong_input_is_refused_and_named(api, body, code, field):
    answer = post(api, "rebills", body, 400)
    assert (answer["error_code"], field in answer["errors"]) == (code, True)


def test_a_rebill_that_waits_is_decided_on_among_invoices(acme, api, invoice, process):
    acme.rebill_approval_required = True
    acme.save()
    made = post(api, "rebills", asked(invoice, {"line_no": 1}), 201)
    assert (made["status"], made["amount_due"], made["orig_invoice_no"]) == ("pending", None, invoice.pk)
    original = get(api, f"invoices/{invoice.pk}")
    assert (original["rebill_waiting"], original["rb_no"], original["rb_status"]) == (made["invoice_no"], None, "False")
    queue = get(api, "invoices", status="pending")["results"]
    assert [(row["invoice_no"], row["kind"]) for row in queue] == [(made["invoice_no"], "rebill")]
    approved = post(api, f"invoices/{made['invoice_no']}/approve", {"fingerprint": made["fingerprint"]}, 200)
    assert (approved["status"], approved["document_number"]) == ("approved", "RB-000001")


def test_reads_give_arias_markers(api, invoice, process):
    made = post(api, "rebills", asked(invoice, {"line_no": 2, "comments": "kept"}, reason_code=2), 201)
    original, rebill = get(api, f"invoices/{invoice.pk}"), get(api, f"invoices/{made['invoice_no']}")
    markers = ("rb_no", "rb_status", "rb_flag", "orig_invoice_no", "rb_reason_cd")
    assert [original[name] for name in markers] == [rebill["invoice_no"], "True", 0, None, None]
    assert [rebill[name] for name in markers] == [None, "False", 1, invoice.pk, 2]
    assert [line["rb_excluded"] for line in original["lines"]] == [True, False, None]
    assert [(line["source_line_no"], line["rb_line_comments"]) for line in rebill["lines"]] == [(2, "kept"), (None, "")]
    assert (rebill["memo"], rebill["chain_root"], original["chain_root"]) == (
        Invoice.objects.get(pk=rebill["memo"]).pk,
        invoice.pk,
        None,
    )
    rows_ = {row["invoice_no"]: row for row in get(api, "invoices")["results"]}
    assert [rows_[invoice.pk][name] for name in markers] == [rebill["invoice_no"], "True", 0, None, None]
    assert [row["invoice_no"] for row in get(api, "rebills")["results"]] == [rebill["invoice_no"]]


def test_lists_take_as_many_queries_whatever_was_rebilled(acme, api, process):
    plan = a_plan(acme, FINE)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            get(api, "invoices")
        return len(captured)

    first = bill(an_account(acme, plan), process, JAN_10)
    queries()  # notes the use of the key
    before = queries()
    rebilled(first, process, 1)
    for _ in range(4):
        rebilled(bill(an_account(acme, plan), process, JAN_10), process, 1)
    assert queries() == before


def test_a_chain_is_read_by_any_of_its_documents_in_five_queries(acme, api, process, invoice):
    acme.rebill_approval_required = True
    acme.save()
    invoice.client.refresh_from_db()
    discarded = rebilled(invoice, process, 2, reason_code=8)
    post(api, f"invoices/{discarded.pk}/discard", {}, 200)
    acme.rebill_approval_required = False
    acme.save()
    invoice.client.refresh_from_db()
    at = invoice
    for rate in ("40.00", "10.00", "20.00"):
        at = Invoice.objects.get(
            pk=post(api, "rebills", asked(at, {"line_no": 1, "rate_per_unit": rate}, comments=rate), 201)["invoice_no"]
        )
    memo_of(at, process, {1: "5.00"})
    answers = []
    for number in (invoice.pk, at.pk):
        with CaptureQueriesContext(connection) as captured:
            answers.append(get(api, "rebills/chain", invoice_no=number))
        # One for the key, one for the root, one for the documents, one for the reasons, one for the log of calls.
        assert len([one for one in captured if not one["sql"].startswith("SET LOCAL")]) == 5
    assert answers[0] == answers[1]
    told = ("kind", "status", "document_number", "total_amount", "difference", "reason", "comments")
    assert [[row[name] for name in told] for row in answers[0]["documents"]] == [
        ["recurring", "approved", "INV-000001", "55.00", "0.00", "", ""],
        ["credit_memo", "approved", "CM-000001", "-55.00", "0.00", "Wrong price or quantity", "40.00"],
        ["rebill", "discarded", "", "22.00", "-33.00", "Charged in error", ""],
        ["rebill", "approved", "RB-000001", "44.00", "-11.00", "Wrong price or quantity", "40.00"],
        ["credit_memo", "approved", "CM-000002", "-44.00", "0.00", "Wrong price or quantity", "10.00"],
        ["rebill", "approved", "RB-000002", "11.00", "-33.00", "Wrong price or quantity", "10.00"],
        ["credit_memo", "approved", "CM-000003", "-11.00", "0.00", "Wrong price or quantity", "20.00"],
        ["rebill", "approved", "RB-000003", "22.00", "11.00", "Wrong price or quantity", "20.00"],
        ["credit_memo", "approved", "CM-000004", "-5.50", "-5.50", "Billing error", "as agreed"],
    ]
    assert {row["generated_by"][:3] for row in answers[0]["documents"][3:5]} == {"key"}
    assert due(at) == 0


def test_a_chain_of_nothing_or_of_anothers_is_not_there(api, umbra, process):
    theirs = bill(an_account(umbra), process, JAN_10)
    for number in (theirs.pk, 10**9):
        answer = api.get("/api/v1/rebills/chain/", {"invoice_no": number})
        assert (answer.status_code, answer.json()["error_code"]) == (404, 3004)
    assert api.get("/api/v1/rebills/chain/").json()["error_code"] == 1010


def test_a_rebill_of_another_client_does_not_exist(acme, umbra, api, process):
    umbra.invoice_approval_required = False
    umbra.save()
    theirs = bill(an_account(umbra), process, JAN_10)
    assert post(api, "rebills", asked(theirs, {"line_no": 1}), 404)["error_code"] == 3004
    rebill = rebilled(theirs, process, 1)
    assert api.get(f"/api/v1/rebills/{rebill.pk}/").json()["error_code"] == 3004


def test_rebills_are_found_by_account_and_status(acme, api, process, invoice):
    rebill = rebilled(invoice, process, 1)
    assert [row["invoice_no"] for row in get(api, "rebills", acct_no=invoice.account_id, status="approved")["results"]] == [
        rebill.pk
    ]
    assert get(api, "rebills", status="pending")["results"] == []
    assert create_key(acme, name="other", caller=BY_TEST)[0].may_rebill is False
