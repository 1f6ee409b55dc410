"""A misspelt member of an act on money is named with the one that was meant, and no money moves."""

from decimal import Decimal as D

import pytest

from accounts.keys import create_key
from accounts.models import PlanInstance
from invoices.models import Coupon, Invoice
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.money_api import get, post, rows, with_key
from tests.support.paying import due, paying

pytestmark = pytest.mark.usefixtures("audited")
REASON = {"reason_code": 1, "comments": "x"}


@pytest.fixture
def api(acme):
    return with_key(acme, may_approve=True, may_collect=True, may_correct=True, may_rebill=True)


@pytest.fixture
def invoice(acme, process):
    """100.00, 50.00 and 25.00, due."""
    invoice = bill(an_account(acme, a_plan(acme, {"a": "100.00", "b": "50.00", "c": "25.00"})), process, JAN_10)
    assert due(invoice) == D("175.00")
    return invoice


def named(api, path, body, message, status=400):
    """Return the message of a refusal that leaves the ledger unchanged."""
    before = rows()
    answer = post(api, path, body, status)
    assert (answer["error_code"], answer["error_msg"]) == (1016, message)
    assert rows() == before


LINE = {"line_no": 2, "rate_per_unit": "40"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("credit-memos", {**REASON, "line": [{"line_no": 2, "amount": "5.00"}]}, "`line`. Did you mean `lines`?"),
        (
            "credit-memos",
            {**REASON, "lines": [{"line_no": 2, "percent": "50"}]},
            "`lines[0].percent`. Known here: amount, line_no.",
        ),
        (
            "credit-memos/preview",
            {"lines": [{"line_no": 2, "percnt": "50"}]},
            "`lines[0].percnt`. Known here: amount, line_no.",
        ),
        ("write-offs", {"reason_code": 1, "amounts": "5.00"}, "`amounts`. Did you mean `amount`?"),
        ("disputes", {"reason_code": 1, "amuont": "5.00"}, "`amuont`. Did you mean `amount`?"),
        ("rebills", {**REASON, "unlisted_line": "carry", "lines": [LINE]}, "`unlisted_line`. Did you mean `unlisted_lines`?"),
        ("rebills", {**REASON, "lines": [{**LINE, "exclud": True}]}, "`lines[0].exclud`. Did you mean `lines[0].exclude`?"),
        ("rebills/preview", {"unlisted": "carry", "lines": [LINE]}, "`unlisted`. Did you mean `unlisted_lines`?"),
    ],
)
def test_a_misspelt_member_of_a_correction_is_named(api, invoice, path, body, message):
    named(api, path, {"invoice_no": invoice.pk, **body}, f"Unknown field {message}")
    assert due(invoice) == D("175.00")


def test_a_refund_of_five_with_ammount_gives_nothing_back(api, invoice):
    paid = post(api, "payments", {"acct_no": invoice.account_id, "amount": "175.00", "type": "check"}, 201)["transaction_id"]
    named(
        api,
        f"payments/{paid}/refund",
        {"reason_code": 1, "ammount": "5.00"},
        "Unknown field `ammount`. Did you mean `amount`?",
    )
    assert get(api, f"payments/{paid}")["unapplied"] == "0.00"
    assert due(invoice) == 0


def test_acts_on_a_document_write_nothing_under_another_name_for_a_dry_run(api, invoice):
    path = f"invoices/{invoice.pk}/void"
    named(api, path, {**REASON, "dry_run": True}, "Unknown field `dry_run`. Known here: comments, credit_to, reason_code.")
    named(api, f"{path}/?dry_run=true".rstrip("/"), REASON, "Unknown parameter `dry_run`. Known here: client_no.")
    body = {"invoice_no": invoice.pk, **REASON, "lines": [LINE], "do_write": False}
    before = rows()
    assert post(api, "rebills", body, 400)["error_msg"].startswith("Unknown field `do_write`.")
    assert rows() == before and Invoice.objects.get(pk=invoice.pk).status == "approved"


def test_a_part_is_not_collected_whole(acme, api, process):
    invoice = bill(paying(acme), process, JAN_10)
    named(api, f"invoices/{invoice.pk}/collect", {"amount": "5.00"}, "Unknown field `amount`. Known here: none.")
    assert due(invoice) == D("30.00")


def test_an_invoice_that_was_to_be_pending_is_not_issued(acme, api):
    account = an_account(acme)
    body = {"acct_no": account.pk, "force_pendng": True}
    named(api, "invoices", body, "Unknown field `force_pendng`. Did you mean `force_pending`?")
    assert not Invoice.objects.exists()


def test_a_coupon_for_one_cycle_is_not_one_for_ever(api):
    body = {"code": "Q", "name": "Q", "percent": "10", "valid_from": "2031-01-01", "cycle": 1}
    named(api, "coupons", body, "Unknown field `cycle`. Did you mean `cycles`?")
    assert not Coupon.objects.exists()


def test_twelve_units_are_not_one(acme, api):
    account = an_account(acme)
    plan = account.plan_instances.get().plan_id
    body = {"acct_no": account.pk, "plan": plan, "start_date": str(FEB_10), "quantity": 12}
    before = PlanInstance.objects.count()
    known = "acct_no, billed_through, end_date, plan, po_num, prices, start_date, trial_end, units"
    named(api, "plan-instances", body, f"Unknown field `quantity`. Known here: {known}.")
    assert PlanInstance.objects.count() == before


@pytest.mark.parametrize("path", ["receivables", "receivables/totals"])
def test_receivables_take_no_filter_that_they_do_not_have(api, path):
    answer = api.get(f"/api/v1/{path}/", {"acct_noo": "4"})
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"acct_noo"})


def test_totals_are_of_all_accounts(api):
    answer = api.get("/api/v1/receivables/totals/", {"acct_no": "4"}).json()
    assert answer["error_msg"] == "Unknown parameter `acct_no`. Known here: as_of, client_no."


def test_what_only_answers_have_cannot_be_set(acme, api):
    body = {"client_acct_id": "Z", "currency": "usd", "created_at": "2026-01-01T00:00:00Z"}
    named(api, "accounts", body, "Field `created_at` is read-only: answers have it, requests do not. Leave it out.")


def test_a_parameter_that_is_given_twice_is_refused(api):
    answer = api.get("/api/v1/invoices/?status=pending&status=approved").json()
    assert (answer["error_code"], answer["error_msg"]) == (1016, "invalid input: status: send it only once")


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("payments", '{"acct_no": %d, "amount": "5.00", "amount": "50.00", "reference": "1042"}', "amount"),
        ("payments", '{"acct_no": %d, "amount": "5.00", "amount": "5.00", "reference": "1042"}', "amount"),
        (
            "credit-memos",
            '{"invoice_no": %d, "reason_code": 1, "lines": [{"line_no": 1, "line_no": 2, "amount": "5.00"}]}',
            "line_no",
        ),
        ("credit-memos", '{"invoice_no": %d, "reason_code": 1, "all": true, "\\u0061ll": false}', "all"),
    ],
)
def test_a_member_that_one_object_has_twice_is_refused(api, invoice, path, body, name):
    before = rows()
    number = invoice.account_id if path == "payments" else invoice.pk
    answer = api.generic("POST", f"/api/v1/{path}/", body % number, content_type="application/json")
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "error_code": 1016,
            "error_msg": f"invalid input: {name}: send it only once",
            "errors": {name: ["send it only once"]},
        },
    )
    assert rows() == before


def test_a_member_of_a_method_call_that_comes_twice_is_refused(acme, api, invoice):
    key = create_key(acme, name="caller", may_collect=True, caller=BY_TEST)[1]
    before = rows()
    body = (
        f'{{"client_no": {acme.pk}, "auth_key": "{key}", "account_no": {invoice.account_id}, '
        '"payment_amount": "5.00", "payment_amount": "50.00"}'
    )
    address = "/v1/core?rest_call=record_external_payment&output_format=json"
    answer = api.generic("POST", address, body, content_type="application/json").json()
    assert (answer["error_code"], answer["error_msg"]) == (1016, "invalid input: payment_amount: send it only once")
    assert rows() == before


def test_the_client_of_a_key_is_the_keys(acme, umbra, api):
    assert get(api, "invoices", client_no=acme.pk)["results"] == []
    answer = api.get("/api/v1/invoices/", {"client_no": umbra.pk})
    assert (answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])) == (403, 90009, ["client_no"])


def test_a_deletion_takes_no_body(acme, api):
    account = an_account(acme)
    service = account.plan_instances.get().plan.charges.get().service_id
    order = post(api, "one-time-charges", {"acct_no": account.pk, "service": service, "rate_per_unit": "5"}, 201)["order_no"]
    answer = api.delete(f"/api/v1/one-time-charges/{order}/", {"dry_run": True}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["dry_run"])
    assert api.delete(f"/api/v1/one-time-charges/{order}/").status_code == 204


def test_a_body_of_many_wrong_members_is_answered_shortly(api):
    body = {f"wrong{number}" * 100: 1 for number in range(1000)}
    assert len(post(api, "invoices", body, 400)["errors"]) == 100


def test_a_payment_pays_the_invoice_that_it_names(acme, api, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    old, new = bill(account, process, JAN_10), bill(account, process, FEB_10)
    body = {"acct_no": account.pk, "amount": "30.00", "type": "check", "invoice_no": new.pk}
    post(api, "payments", body, 201)
    assert (due(old), due(new)) == (30, 0)
    answer = post(api, "payments", body, 404)
    assert (answer["error_code"], list(answer["errors"])) == (3004, ["invoice_no"])
    both = {**body, "invoices": [{"invoice_no": old.pk, "amount": "30.00"}]}
    assert list(post(api, "payments", both, 400)["errors"]) == ["invoices"]
    assert due(old) == 30


@pytest.mark.parametrize("path", ["payments", "cash-credits"])
def test_money_of_another_currency_than_the_accounts_is_refused(acme, api, path):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}, currency="gbp"), currency="gbp")
    body = {"acct_no": account.pk, "amount": "1.00", **({"type": "check"} if path == "payments" else {"reason_code": 1})}
    answer = post(api, path, {**body, "currency": "usd"}, 409)
    assert (answer["error_code"], list(answer["errors"])) == (90007, ["currency"])
    post(api, path, {**body, "currency": "gbp"}, 201)
